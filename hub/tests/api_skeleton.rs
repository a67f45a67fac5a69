//! What every resource of the API has in common: who is let in, what refusals look like, pages,
//! tags, and the document.

use crate::rig::api::Api;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

/// `UPDATE_OPENAPI=1` writes the file instead.
#[test]
fn the_committed_document_is_the_one_that_the_handlers_give() {
    let now = hub::http::api::document();
    if std::env::vars().any(|(key, _)| key == "UPDATE_OPENAPI") {
        std::fs::write(DOCUMENT, now).unwrap();
    }
    let committed = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(committed == now, "docs/openapi.json is of other handlers: UPDATE_OPENAPI=1 writes it");
}

#[test]
fn whatever_the_document_refers_to_is_in_it() {
    fn each(value: &serde_json::Value, take: &mut impl FnMut(&str)) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(to) = fields.get("$ref").and_then(|to| to.as_str()) {
                    take(to);
                }
                fields.values().for_each(|value| each(value, take));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| each(value, take)),
            _ => {}
        }
    }
    let document: serde_json::Value = serde_json::from_str(hub::http::api::document()).unwrap();
    let mut dangling = Vec::new();
    each(&document, &mut |to| {
        if document.pointer(to.trim_start_matches('#')).is_none() {
            dangling.push(to.to_owned());
        }
    });
    assert_eq!(dangling, [""; 0]);
}

#[test]
fn every_operation_says_who_may_ask_and_has_a_name_of_its_own() {
    let document: serde_json::Value = serde_json::from_str(hub::http::api::document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let permission = operation["x-permission"].as_str().unwrap_or_default();
            let is_known = matches!(permission, "public" | "signed-in")
                || permission.parse::<hub::people::Permission>().is_ok();
            assert!(is_known, "{method} {path} names no permission: {permission:?}");
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: another is called {name}");
        }
    }
}

#[test]
fn nobody_is_let_in_without_a_token_that_counts() {
    let api = Api::start();
    let anybody = api.anybody();
    let refused = anybody.get("/tenants");
    refused.refused(401, "unauthenticated");
    assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    for token in ["", "x", "chub_", &format!("chub_{}", "A".repeat(43)), "chub_\u{e4}"] {
        api.program(token).get("/me").refused(401, "unauthenticated");
    }
    let token = api.token_of_new("anna", &["auditor"]);
    let basic = api.anybody().with("Authorization", &format!("Basic {token}"));
    basic.get("/me").refused(401, "unauthenticated");
    api.program(&token).get("/me").ok();
    // Nothing of it is told in the address.
    let in_query = anybody.get(&format!("/me?access_token={token}"));
    in_query.refused(401, "unauthenticated");
}

#[test]
fn a_program_may_what_its_token_and_its_owner_may_and_sees_its_tenant_alone() {
    let api = Api::start();
    let auditor = api.program_of("anna", &["auditor"]);
    let me = auditor.get("/me").ok();
    assert_eq!(me["user"], "anna");
    assert_eq!(me["powers"][0]["tenant"], serde_json::Value::Null);
    let seen = auditor.get("/tenants").ok();
    assert_eq!(seen["items"].as_array().unwrap().len(), 2);

    assert_eq!(auditor.post("/me", &serde_json::json!({})).header("allow"), Some("GET"));

    let operator = api.program_of("otto@example.com", &["operator@tenant-1"]);
    let seen = operator.get("/tenants").ok();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1);
    assert_eq!(seen["items"][0]["id"], "tenant-1");
    operator.get("/tenants/tenant-1").ok();
    let hidden = operator.get("/tenants/tenant-0").refused(404, "not-found");
    let unknown = operator.get("/tenants/tenant-9").refused(404, "not-found");
    assert_eq!(hidden, unknown.replace('9', "0"));

    let narrow = api.token("anna", &["--scope", "boards:read", "--tenant", "tenant-0"]);
    let narrow = api.program(&narrow);
    narrow.get("/tenants").refused(403, "forbidden");
    let powers = &narrow.get("/me").ok()["powers"];
    let own = serde_json::json!([{ "tenant": "tenant-0", "permissions": ["boards:read"] }]);
    assert_eq!(*powers, own);
}

#[test]
fn lists_come_in_pages_and_things_with_tags() {
    let api = Api::start();
    let auditor = api.program_of("anna", &["auditor"]);
    let first = auditor.get("/tenants?limit=1").ok();
    assert_eq!(first["items"][0]["id"], "tenant-0");
    let next = first["next"].as_str().unwrap();
    let second = auditor.get(&format!("/tenants?limit=1&after={next}")).ok();
    assert_eq!(second["items"][0]["id"], "tenant-1");
    assert_eq!(second["next"], serde_json::Value::Null);
    for (query, status, code) in [
        ("limit=0", 422, "invalid"),
        ("limit=501", 422, "invalid"),
        ("after=%00", 422, "invalid"),
        ("limit=x", 400, "malformed"),
        ("offset=1", 400, "malformed"),
    ] {
        auditor.get(&format!("/tenants?{query}")).refused(status, code);
    }
    let one = auditor.get("/tenants/tenant-0");
    let tag = one.header("etag").unwrap().to_owned();
    let again = auditor.send("GET", "/tenants/tenant-0", &[("If-None-Match", &tag)], None);
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn what_there_is_not_is_a_problem_too_and_every_answer_is_sealed() {
    let api = Api::start();
    let auditor = api.program_of("anna", &["auditor"]);
    let answers = [
        (auditor.get("/nowhere"), 404, "not-found"),
        (auditor.get("/tenants/A%20B"), 404, "not-found"),
        (auditor.get("/tenants/..%2Fme"), 404, "not-found"),
        (auditor.send("DELETE", "/me", &[], None), 405, "method-not-allowed"),
        (api.anybody().get("/me"), 401, "unauthenticated"),
    ];
    for (answer, status, code) in &answers {
        answer.refused(*status, code);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
    }
}

#[test]
fn the_document_and_its_pages_come_from_the_hub_alone() {
    let api = Api::start();
    let anybody = api.anybody();
    let document = anybody.get("/openapi.json");
    assert_eq!(document.text(), hub::http::api::document());
    let moved = anybody.ask("GET", "/api/docs", &[], b"");
    assert_eq!(moved.header("location"), Some("/api/docs/"));
    let page = anybody.ask("GET", "/api/docs/", &[], b"");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let html = page.text();
    for source in html.split(['"', '\'']).filter(|word| word.ends_with(".js")) {
        assert!(!source.contains("//"), "{source} is loaded from elsewhere");
        let source = source.trim_start_matches("./");
        let script = anybody.ask("GET", &format!("/api/docs/{source}"), &[], b"");
        assert_eq!(script.status, 200, "{source}");
    }
    assert!(!html.contains("<script>"), "{html}");
    assert_eq!(anybody.ask("GET", "/api/docs/..%2f..%2fetc", &[], b"").status, 404);
}

#[test]
fn whoever_asks_too_much_is_held_to_a_rate() {
    let plan = crate::rig::site::Plan::boards(1).set("https", "requests_per_caller_s", 5);
    let api = Api::of(plan);
    let (anna, otto) = (api.program_of("anna", &["auditor"]), api.program_of("otto", &["auditor"]));
    let refused = (0..50).map(|_| anna.get("/me")).find(|answer| answer.status != 200).unwrap();
    refused.refused(429, "too-many");
    assert_eq!(refused.header("retry-after"), Some("1"));
    otto.get("/me").ok();
    let mut api = api;
    api.hub.assert_alive();
}
