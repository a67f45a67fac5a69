//! What belongs to one tenant is nothing to the people of another, at every operation of the OpenAPI
//! document that names something, those to come among them; and what no decent client says.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::api::{Answer, Api};
use crate::rig::openapi::operations;
use crate::rig::site::Plan;

/// The names in paths that are a tenant's own things, each with how one of `tenant-0`'s is called; and
/// those that are nobody's in particular.
fn names(api: &Api) -> BTreeMap<&'static str, String> {
    let admin = api.program_of("anna", &["platform-admin"]);
    let batch = json!({ "tenant": "tenant-0", "name": "spring", "prefix": "CB-7", "max": 2 });
    admin.post("/batches", &batch).ok();
    let work =
        json!({ "filter": "tenant=tenant-0", "job": { "work": "label", "set": { "a": "b" } } });
    let job = admin.post("/jobs", &work).ok();
    let ask = json!({ "act": { "kind": "remove-tenant", "tenant": "tenant-0" }, "reason": "over" });
    admin.post("/approvals", &ask);
    with_firmware(api);
    let (out, key) = (api.site.path("line.pem"), api.site.path("line.key"));
    let (out, key) = (out.to_str().unwrap(), key.to_str().unwrap());
    let station = ["station", "issue", "line", "--tenant", "tenant-0", "--batch", "spring"];
    api.done(&[&station[..], &["--out", out, "--key", key]].concat());
    let station = admin.get("/stations").ok()["items"][0]["id"].clone();
    let of_tenant_0 = api.site.of_tenant("tenant-0");
    let board = of_tenant_0[0].id.clone();
    let fingerprint =
        admin.get(&format!("/boards/{board}")).ok()["certificate"]["fingerprint"].clone();
    [
        ("tenant", "tenant-0".to_owned()),
        ("board", board),
        ("upstream", "discard".to_owned()),
        ("resource", "d".to_owned()),
        ("name", "spring".to_owned()),
        ("job", job["id"].as_str().unwrap().to_owned()),
        ("fingerprint", fingerprint.as_str().unwrap().to_owned()),
        ("approval", "1".to_owned()),
        ("release", "1".to_owned()),
        ("rollout", "1".to_owned()),
        ("campaign", "1".to_owned()),
        ("station", station.as_str().unwrap().to_owned()),
        // Not a tenant's: a person's own, or the hub's.
        ("user", "anna".to_owned()),
        ("token", "0123456789abcdef".to_owned()),
        ("session", "0123456789abcdef".to_owned()),
        ("passkey", "0123456789abcdef".to_owned()),
        ("view", "mine".to_owned()),
    ]
    .into()
}

/// A release of `tenant-0`'s, a rollout of it, and a campaign among its authorities; each is the first.
fn with_firmware(api: &Api) {
    let here = api.site.path(".");
    crate::firmware::make_image(&here, "own.bin", "1.0.0", 1, None);
    let image = here.join("own.bin");
    let image = image.to_str().unwrap();
    api.done(&["key", "new", "firmware"]);
    api.done(&["firmware", "add", image, "--product", "valve", "--tenant", "tenant-0"]);
    api.done(&["firmware", "sign", "1"]);
    api.done(&["rollout", "add", "own", "--release", "1", "--tenant", "tenant-0"]);
    api.done(&["authority", "add", "tenant-0"]);
    api.done(&["campaign", "new", "--from", "tenant-0/1", "--to", "tenant-0/2"]);
}

fn plan() -> Plan {
    let plan = Plan::boards(2).tenants(2);
    plan.set("https", "requests_per_caller_s", 0).set("https", "requests_per_source_s", 0)
}

#[test]
fn nothing_of_a_tenants_is_there_for_the_people_of_another() {
    let api = Api::of(plan());
    let names = names(&api);
    let stranger = api.browser_of("tina", &["tenant-admin@tenant-1"]);
    let of_tenants = [
        "tenant",
        "board",
        "job",
        "fingerprint",
        "approval",
        "release",
        "rollout",
        "campaign",
        "station",
    ];
    let mut asked = 0;
    for operation in operations() {
        let named: Vec<_> =
            operation.path.split('{').skip(1).map(|part| part.split_once('}').unwrap().0).collect();
        for name in &named {
            let is_known = names.contains_key(name);
            assert!(is_known, "{operation}: say here whose {{{name}}} is, and how one is called");
        }
        if !named.iter().any(|name| of_tenants.contains(name)) {
            continue;
        }
        let path = operation.path_of(&names, "");
        let known = ("If-Match", "*");
        let answer = match operation.takes_file {
            true => {
                let kind = ("Content-Type", "application/octet-stream");
                let path = format!("/api/v1{path}");
                stranger.ask(&operation.method, &path, &[known, kind], b"a file")
            }
            false => stranger.send(&operation.method, &path, &[known], operation.body.as_ref()),
        };
        let what = format!("{operation}: {} {}", answer.status, answer.text());
        // Who may not do such a thing anywhere is told that, and not whether there is one.
        assert!([403, 404].contains(&answer.status), "{what}");
        if answer.status == 403 {
            assert_eq!(answer.json()["code"], "forbidden", "{what}");
            let may = operation.permission().is_some_and(|permission| {
                hub::people::PermissionSet::of(storage::Role::TenantAdmin).has(permission)
            });
            assert!(!may, "{what}");
        }
        asked += 1;
    }
    assert!(asked > 25, "{asked}");
    let mut api = api;
    api.hub.assert_alive();
    // Nor was anything of theirs changed.
    let auditor = api.program_of("otto", &["auditor"]);
    let by_her = auditor.get("/audit?who=tina").ok();
    let changes = by_her["items"].as_array().unwrap();
    assert!(changes.iter().all(|entry| entry["tenant"] != "tenant-0"), "{by_her}");
}

#[test]
fn what_a_body_may_not_say_is_refused_at_every_operation() {
    let api = Api::of(plan());
    let names = names(&api);
    let admin = api.program_of("ada", &["platform-admin", "operator"]);
    let mut asked = 0;
    for operation in operations() {
        let Some(Value::Object(body)) = &operation.body else { continue };
        let mut body = body.clone();
        body.insert("is_admin".into(), json!(true));
        body.insert("created".into(), json!("2020-01-01T00:00:00Z"));
        let path = operation.path_of(&names, "0123456789abcdef");
        let answer =
            admin.send(&operation.method, &path, &[("If-Match", "*")], Some(&Value::Object(body)));
        let what = format!("{operation}: {} {}", answer.status, answer.text());
        assert!((400..500).contains(&answer.status), "{what}");
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
}

#[test]
fn what_no_decent_client_says_is_refused_and_others_are_served() {
    let api = Api::of(plan());
    let admin = api.program_of("anna", &["platform-admin"]);
    // Larger than any body there is, said and sent.
    let large = vec![b' '; 70 * 1024];
    let json = [("Content-Type", "application/json")];
    admin.ask("POST", "/api/v1/boards", &json, &large).refused(413, "too-large");
    let named = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert!((400..500).contains(&admin.ask("POST", "/api/v1/boards", &named, b"{}").status));
    // What would be another header, or another answer, were it said as it came.
    for path in [
        "/api/v1/boards?q=a%0d%0aSet-Cookie:%20a=b",
        "/api/v1/boards/a%0d%0aLocation:%20x",
        "/api/v1/tenants/%00",
        "/api/v1/batches/a%2fb/c",
        "/api/v1/../../etc/passwd",
    ] {
        let answer = admin.ask("GET", path, &[], b"");
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        let told = |name: &str| answer.header(name).is_some();
        assert!(!told("set-cookie") && !told("location"), "{path}: {answer:?}");
    }
    // One who sends a byte now and then holds nobody up, and is let go of.
    let mut slow = admin.connect();
    let head = "POST /api/v1/boards HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    let token = &admin.headers[0].1;
    let head = format!("{head}Authorization: {token}\r\nContent-Length: 100\r\n\r\n{{");
    slow.get_mut().write_all(head.as_bytes()).unwrap();
    let began = Instant::now();
    assert_eq!(admin.get("/tenants").status, 200);
    let answer = Answer::read(&mut slow);
    assert!(answer.is_none_or(|answer| answer.status == 408), "a body that never comes");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}
