//! People and tokens over the API: who sees and changes whom, and what is not taken from anybody.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::api::{Answer, Api, PASSWORD};

fn grants(grants: &[(&str, Option<&str>)]) -> Value {
    grants.iter().map(|(role, tenant)| json!({ "role": role, "tenant": tenant })).collect()
}

fn new(name: &str, given: &[(&str, Option<&str>)]) -> Value {
    json!({ "name": name, "full_name": "Somebody", "grants": grants(given) })
}

#[test]
fn a_person_is_added_with_a_link_and_signs_in_with_what_they_choose() {
    let api = Api::start();
    let admin = api.browser_of("anna", &["platform-admin"]);
    let added = admin.post("/users", &new("otto@example.com", &[("operator", Some("tenant-0"))]));
    assert_eq!(added.status, 201);
    assert_eq!(added.header("location"), Some("/api/v1/users/otto@example.com"));
    assert_eq!(added.header("cache-control"), Some("no-store"));
    let link = added.json()["setup"]["link"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://localhost:") && link.contains("/setup#"), "{link}");
    let token = link.split_once('#').unwrap().1;
    let otto = api.browser();
    let for_whom = otto.post("/setup/link", &json!({ "token": token })).ok();
    assert_eq!(for_whom["user"], "otto@example.com");
    // The name is the link's, whatever else is said.
    let said = json!({ "token": token, "user": "anna", "password": PASSWORD });
    assert_eq!(otto.post("/setup", &said).ok()["user"], "otto@example.com");
    otto.get("/tenants/tenant-0").ok();
    otto.get("/tenants/tenant-1").refused(404, "not-found");
    otto.get("/users").refused(403, "forbidden");
    // Reset: what they had counts no more, and a new link is needed.
    let reset = admin.post("/users/otto@example.com/reset", &json!({})).ok();
    assert!(reset["link"].as_str().unwrap().contains("/setup#"));
    otto.get("/me").refused(401, "unauthenticated");
    otto.sign_in("otto@example.com").refused(401, "sign-in-failed");
}

#[test]
fn a_tenants_admin_sees_and_changes_the_people_of_that_tenant_alone() {
    let api = Api::start();
    let admin = api.browser_of("anna", &["platform-admin"]);
    let tenants = api.browser_of("tina", &["tenant-admin@tenant-0"]);
    api.person("both", &["operator@tenant-0", "billing@tenant-1"]);
    api.person("other", &["operator@tenant-1"]);
    let names = |answer: &Answer| -> Vec<String> {
        let answer = answer.ok();
        let items = answer["items"].as_array().unwrap().clone();
        items.iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&admin.get("/users")), ["anna", "both", "other", "tina"]);
    assert_eq!(names(&tenants.get("/users")), ["both", "tina"]);
    let seen = tenants.get("/users/both").ok();
    assert_eq!(seen["grants"], grants(&[("operator", Some("tenant-0"))]));
    let hidden = tenants.get("/users/other").refused(404, "not-found");
    assert_eq!(
        hidden.replace("other", "nobody"),
        tenants.get("/users/nobody").refused(404, "not-found")
    );
    for path in ["/users/other/disable", "/users/anna/disable"] {
        tenants.post(path, &json!({ "reason": "x" })).refused(404, "not-found");
    }
    // Who has a role elsewhere is not theirs to change.
    tenants.post("/users/both/disable", &json!({ "reason": "x" })).refused(403, "forbidden");
    // Nobody gives what is not theirs to give.
    tenants.post("/users", &new("x", &[("auditor", None)])).refused(403, "forbidden");
    tenants.post("/users", &new("x", &[("operator", Some("tenant-1"))])).refused(404, "not-found");
    let both = [("operator", Some("tenant-0")), ("platform-admin", None)];
    tenants.post("/users", &new("x", &both)).refused(403, "forbidden");
    let own = tenants.get("/users/tina");
    let tag = own.header("etag").unwrap();
    let more = json!({ "grants": grants(&[("platform-admin", None)]) });
    tenants
        .send("PATCH", "/users/tina", &[("If-Match", tag)], Some(&more))
        .refused(403, "forbidden");
    assert_eq!(tenants.post("/users", &new("x", &[("operator", Some("tenant-0"))])).status, 201);
}

#[test]
fn a_change_says_what_it_has_read_and_other_roles_end_sessions() {
    let api = Api::start();
    let admin = api.browser_of("anna", &["platform-admin"]);
    let otto = api.browser_of("otto", &["operator@tenant-0"]);
    let tag = admin.get("/users/otto").header("etag").unwrap().to_owned();
    let patch = |headers: &[(&str, &str)], body: Value| {
        admin.send("PATCH", "/users/otto", headers, Some(&body))
    };
    let name = json!({ "full_name": "Otto" });
    patch(&[], name.clone()).refused(428, "precondition-required");
    let changed = patch(&[("If-Match", &tag)], name.clone());
    assert_eq!(changed.ok()["full_name"], "Otto");
    otto.get("/me").ok();
    patch(&[("If-Match", &tag)], name).refused(412, "changed");
    let tag = changed.header("etag").unwrap().to_owned();
    // What is not for anybody to say is not taken.
    for said in [
        json!({ "name": "root" }),
        json!({ "state": "disabled" }),
        json!({ "full_name": "Otto", "created": "2020-01-01T00:00:00Z" }),
        json!({ "grants": [{ "role": "operator", "tenant": null, "everything": true }] }),
        json!({ "grants": [{ "role": "root", "tenant": null }] }),
    ] {
        patch(&[("If-Match", &tag)], said).refused(422, "invalid");
    }
    patch(&[("If-Match", &tag)], json!({ "full_name": "a\r\nb" })).refused(422, "invalid");
    let other = json!({ "grants": grants(&[("auditor", Some("tenant-0"))]) });
    patch(&[("If-Match", &tag)], other).ok();
    otto.get("/me").refused(401, "unauthenticated");
    // Somebody has to run the hub.
    admin.post("/users/anna/disable", &json!({ "reason": "x" })).refused(409, "refused");
    let tag = admin.get("/users/anna").header("etag").unwrap().to_owned();
    let less = json!({ "grants": grants(&[("auditor", None)]) });
    admin.send("PATCH", "/users/anna", &[("If-Match", &tag)], Some(&less)).refused(409, "refused");
}

#[test]
fn tokens_are_made_by_people_for_what_they_may_and_shown_once() {
    let api = Api::start();
    let otto = api.browser_of("otto", &["operator@tenant-0"]);
    let anna = api.browser_of("anna", &["platform-admin"]);
    let make = |scopes: Value, more: Value| {
        let mut said = json!({ "label": "report", "scopes": scopes });
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        otto.post("/tokens", &said)
    };
    make(json!([]), json!({})).refused(422, "invalid");
    make(json!(["boards:fly"]), json!({})).refused(422, "invalid");
    make(json!(["users:write"]), json!({})).refused(403, "forbidden");
    make(json!(["boards:read"]), json!({ "tenant": "tenant-1" })).refused(403, "forbidden");
    make(json!(["boards:read"]), json!({ "days": 366 })).refused(422, "invalid");
    make(json!(["boards:read"]), json!({ "owner": "anna" })).refused(422, "invalid");
    let made = make(json!(["tenants:read"]), json!({ "days": 1 }));
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")));
    let text = made.json()["token"].as_str().unwrap().to_owned();
    assert!(text.starts_with("chub_") && text.len() == 48, "{text}");
    let program = api.program(&text);
    program.get("/tenants/tenant-0").ok();
    program.get("/users").refused(403, "forbidden");
    let said = json!({ "label": "more", "scopes": ["tenants:read"] });
    program.post("/tokens", &said).refused(403, "forbidden");
    program
        .send("PUT", "/me/password", &[], Some(&json!({ "old": PASSWORD, "new": PASSWORD })))
        .refused(403, "forbidden");
    let listed = otto.get("/tokens");
    assert!(!listed.text().contains(&text));
    let items = listed.ok()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert!(items[0]["last_used"].is_string(), "{items}");
    let path = format!("/tokens/{}", items[0]["id"].as_str().unwrap());
    let tina = api.browser_of("tina", &["tenant-admin@tenant-0"]);
    tina.send("DELETE", &path, &[], None).refused(404, "not-found");
    assert_eq!(anna.get("/tokens").ok()["items"].as_array().unwrap().len(), 1);
    assert_eq!(anna.send("DELETE", &path, &[], None).status, 204);
    program.get("/me").refused(401, "unauthenticated");
    // Nothing of it is in the store, the log or the audit log.
    let audit = api.done(&["audit", "list"]);
    assert!(!audit.contains(&text[5..]) && audit.contains("api-token.revoke"), "{audit}");
    assert!(!api.hub.log().contains(&text[5..]));
}

#[test]
fn what_is_created_with_a_key_is_created_once() {
    let api = Api::start();
    let admin = api.browser_of("anna", &["platform-admin"]);
    let otto = new("otto", &[("auditor", None)]);
    let key = [("Idempotency-Key", "a-key-of-mine")];
    assert_eq!(admin.send("POST", "/users", &key, Some(&otto)).status, 201);
    // The answer had a secret in it: it is not kept, and nothing is done twice.
    let again = admin.send("POST", "/users", &key, Some(&otto));
    again.refused(409, "idempotency-key-used");
    let other = new("other", &[("auditor", None)]);
    admin.send("POST", "/users", &key, Some(&other)).refused(409, "idempotency-key-used");
    let own = [("Idempotency-Key", "another")];
    let first = admin.send("POST", "/users/otto/disable", &own, Some(&json!({ "reason": "x" })));
    let second = admin.send("POST", "/users/otto/disable", &own, Some(&json!({ "reason": "x" })));
    assert_eq!((first.ok(), first.status), (second.ok(), second.status));
    let long = "x".repeat(65);
    let bad = [("Idempotency-Key", long.as_str())];
    admin.send("POST", "/users", &bad, Some(&other)).refused(400, "malformed");
}

#[test]
fn what_is_too_large_or_too_slow_or_not_json_is_refused() {
    let api = Api::start();
    let admin = api.browser_of("anna", &["platform-admin"]);
    let large = json!({ "name": "x", "full_name": "x".repeat(70_000), "grants": [] });
    admin.post("/users", &large).refused(413, "too-large");
    let with_key = [("Idempotency-Key", "large")];
    admin.send("POST", "/users", &with_key, Some(&large)).refused(413, "too-large");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    admin.ask("POST", "/api/v1/users", &form, b"name=x").refused(415, "unsupported-media-type");
    let kind = [("Content-Type", "application/json")];
    for rubbish in [&b"{"[..], b"", b"\xff\xfe", b"nul"] {
        admin.ask("POST", "/api/v1/users", &kind, rubbish).refused(400, "malformed");
    }
    let deep = [b"{\"name\":".as_slice(), &vec![b'['; 60_000]].concat();
    let refused = admin.ask("POST", "/api/v1/users", &kind, &deep);
    assert!(matches!(refused.status, 400 | 422), "{}", refused.text());
    // A head, and a body, that never end.
    for said in [
        "GET /api/v1/me HTTP/1.1\r\nHost: hub\r\nX: ",
        "POST /api/v1/session HTTP/1.1\r\n\
         Host: hub\r\nx-hub-csrf: 1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ] {
        let mut stream = admin.connect();
        stream.get_mut().write_all(said.as_bytes()).unwrap();
        let begun = Instant::now();
        let answer = Answer::read(&mut stream);
        assert!(answer.is_none_or(|answer| answer.status == 408), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(25), "{said}");
    }
    admin.get("/me").ok();
}

#[test]
fn no_header_is_made_of_what_somebody_says() {
    let api = Api::start();
    let admin = api.browser_of("anna", &["platform-admin"]);
    for name in ["x%0d%0aSet-Cookie:%20a=b", "x%0aY:%20z", "%00"] {
        let answer = admin.get(&format!("/users/{name}"));
        answer.refused(404, "not-found");
        assert!(answer.header("set-cookie").is_none() && answer.header("y").is_none());
    }
    let said = json!({ "name": "x\r\nY: z", "full_name": "x", "grants": [] });
    admin.post("/users", &said).refused(422, "invalid");
}
