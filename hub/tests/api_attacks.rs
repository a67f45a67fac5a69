//! What attackers try at every operation of the OpenAPI document, those to come among them: another site's
//! page, headers made of what somebody says, bodies without end, clients that never finish; and sessions
//! that somebody has brought, kept or stolen.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;

use openssl::ssl::SslStream;
use serde_json::{Value, json};
use storage::FILE_BYTES_MAX;

use crate::rig::api::{Answer, Api, Client, PASSWORD};
use crate::rig::openapi::{Operation, operations};
use crate::rig::site::Plan;

const SESSION: &str = "__Host-hub-session";
const STEP: &str = "__Host-hub-step";
/// Bytes of the largest body of JSON.
const JSON_MAX: usize = 64 * 1024;
/// What nothing is called.
const NOTHING: &str = "0123456789abcdef";

fn plan() -> Plan {
    let plan = Plan::boards(2).tenants(2);
    plan.set("https", "requests_per_caller_s", 0).set("https", "requests_per_source_s", 0)
}

fn changes(operation: &Operation) -> bool {
    operation.method != "GET"
}

fn path_of(operation: &Operation) -> String {
    operation.path_of(&[("tenant", "tenant-0".to_owned())].into(), NOTHING)
}

/// What the audit log has, but for what the one who asks for it does.
fn written_down(auditor: &Client) -> Value {
    auditor.get("/audit?limit=500").ok()["items"].clone()
}

#[test]
fn no_operation_is_done_for_another_sites_page_and_none_that_reads_changes_anything() {
    let api = Api::of(plan());
    let anna = api.browser_of("anna", &["platform-admin", "operator", "production"]);
    let session = anna.cookie(SESSION).unwrap();
    // A form of another site has the cookie sent, were it not for SameSite, and nothing else.
    let form = api.anybody().with("Cookie", &format!("{SESSION}={session}"));
    let auditor = api.program_of("otto", &["auditor"]);
    let before = written_down(&auditor);
    let mut refused = 0;
    for operation in operations() {
        let path = path_of(&operation);
        if !changes(&operation) {
            let answer = anna.get(&path);
            assert!(answer.status < 500, "{operation}: {}", answer.text());
            continue;
        }
        let send = |from: &Client, more: &[(&str, &str)]| {
            let headers = [&[("If-Match", "*")], more].concat();
            let answer = from.send(&operation.method, &path, &headers, operation.body.as_ref());
            assert_eq!(answer.status, 403, "{operation} {more:?}: {}", answer.text());
            answer.refused(403, "cross-site");
            assert_eq!(answer.header("set-cookie"), None, "{operation} {more:?}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{operation}");
        };
        send(&form, &[]);
        send(&form, &[("x-hub-csrf", "0")]);
        send(&form, &[("x-hub-csrf", &session)]);
        for origin in ["https://evil.example", "null"] {
            send(&anna, &[("Origin", origin)]);
        }
        for site in ["cross-site", "same-site"] {
            send(&anna, &[("Sec-Fetch-Site", site)]);
        }
        // Nor is a browser that asks first told that it may.
        let asked = form.send("OPTIONS", &path, &[("Origin", "https://evil.example")], None);
        assert_eq!(asked.status, 405, "{operation}");
        assert_eq!(asked.header("access-control-allow-origin"), None, "{operation}");
        refused += 1;
    }
    assert!(refused > 50, "{refused}");
    anna.get("/me").ok();
    assert_eq!(written_down(&auditor), before, "something was done");
}

#[test]
fn a_session_changes_its_name_with_what_it_may_and_is_over_when_it_is_left() {
    let api = Api::start();
    let (anna, thief) = (api.browser_of("anna", &["operator"]), api.browser());
    let shown = || anna.cookie(SESSION).unwrap();
    let is_over = |name: &str| {
        thief.set_cookie(SESSION, name);
        thief.get("/me").refused(401, "unauthenticated");
        assert_ne!(thief.get("/session").ok()["state"], "signed-in");
    };
    // What was there before a sign-in is nobody's session after it, whatever came of it.
    let brought = "C".repeat(43);
    let stranger = api.browser();
    stranger.set_cookie(SESSION, &brought);
    let wrong = json!({ "user": "anna", "password": "not the right one" });
    stranger.post("/session", &wrong).refused(401, "sign-in-failed");
    is_over(&brought);
    stranger.sign_in("anna").ok();
    assert_ne!(stranger.cookie(SESSION).unwrap(), brought);
    is_over(&brought);
    let first = shown();
    anna.sign_in("anna").ok();
    assert_ne!(shown(), first);

    // With other roles, another sign-in.
    let before = shown();
    let admin = api.program_of("ada", &["platform-admin"]);
    let grants = json!({ "grants": [{ "role": "auditor", "tenant": null }] });
    admin.send("PATCH", "/users/anna", &[("If-Match", "*")], Some(&grants)).ok();
    is_over(&before);
    anna.sign_in("anna").ok();
    // With another password, another session.
    let before = shown();
    let new = "green engine hums loudly";
    let other = json!({ "old": PASSWORD, "new": new });
    anna.send("PUT", "/me/password", &[], Some(&other)).ok();
    assert_ne!(shown(), before);
    is_over(&before);
    // With a second factor as well; and until that is shown there is none.
    let before = shown();
    let seed = anna.post("/me/totp/begin", &json!({})).ok();
    let code = crate::api_sign_in::code(seed["secret"].as_str().unwrap(), 0);
    anna.post("/me/totp", &json!({ "code": code })).ok();
    assert_ne!(shown(), before);
    is_over(&before);

    let before = shown();
    assert_eq!(anna.send("DELETE", "/session", &[], None).status, 204);
    assert_eq!(anna.cookie(SESSION), None);
    is_over(&before);
    let step = anna.post("/session", &json!({ "user": "anna", "password": new })).ok();
    assert_eq!(step["state"], "second-factor");
    is_over(&anna.cookie(STEP).unwrap());
    thief.set_cookie(STEP, &before);
    thief.post("/session/totp", &json!({ "code": code })).refused(410, "over");
}

/// Every text in a body with this behind it, one after the other.
fn spoilt(body: &Value, tail: &str) -> Vec<Value> {
    match body {
        Value::String(text) => vec![json!(format!("{text}{tail}"))],
        Value::Array(items) => {
            let of_one = |at: usize| {
                let spoilt = spoilt(&items[at], tail).into_iter();
                spoilt.map(move |item| {
                    let mut items = items.clone();
                    items[at] = item;
                    items.into()
                })
            };
            (0..items.len()).flat_map(of_one).collect()
        }
        Value::Object(fields) => {
            let of_one = |name: &String| {
                let (name, spoilt) = (name.clone(), spoilt(&fields[name], tail).into_iter());
                spoilt.map(move |value| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), value);
                    fields.into()
                })
            };
            fields.keys().flat_map(of_one).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[test]
fn no_operation_makes_a_header_of_what_somebody_says() {
    let api = Api::of(plan());
    let admin = api.program_of("anna", &["platform-admin", "operator", "production"]);
    let mut asked = 0;
    for operation in operations() {
        let mut judge = |answer: &Answer, said: &str| {
            let what = format!("{operation} {said}: {answer:?} {}", answer.text());
            assert!(answer.status < 500, "{what}");
            for (name, value) in &answer.headers {
                assert!(!name.contains("x-injected"), "{what}");
                assert!(!value.bytes().any(|byte| byte.is_ascii_control()), "{what}");
            }
            asked += 1;
        };
        let send = |path: &str, body: Option<&Value>| {
            admin.send(&operation.method, path, &[("If-Match", "*")], body)
        };
        for tail in ["%0d%0aX-Injected:%20a", "%0aX-Injected:%20a", "%0dX-Injected:%20a"] {
            if operation.path.contains('{') {
                let spoilt = format!("x{tail}");
                let path = operation.path_of(&[("tenant", spoilt.clone())].into(), &spoilt);
                judge(&send(&path, operation.body.as_ref()), tail);
            }
            for name in &operation.query {
                let path = format!("{}?{name}=x{tail}", path_of(&operation));
                judge(&send(&path, operation.body.as_ref()), &path);
            }
        }
        let body = operation.body.as_ref();
        for body in body.into_iter().flat_map(|body| spoilt(body, "\r\nX-Injected: a")) {
            judge(&send(&path_of(&operation), Some(&body)), &body.to_string());
        }
    }
    assert!(asked > 400, "{asked}");
}

/// Says the beginning of a request, and hears its answer.
fn begin(client: &Client, operation: &Operation, more: &str, body: &[u8]) -> Answer {
    let kind = if operation.takes_file { "application/octet-stream" } else { "application/json" };
    let (method, path, token) = (&operation.method, path_of(operation), &client.headers[0].1);
    let head = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: hub\r\nAuthorization: {token}\r\nIf-Match: *\r\n\
         Content-Type: {kind}\r\n{more}\r\n\r\n"
    );
    let mut stream = client.connect();
    stream.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
    Answer::read(&mut stream).unwrap_or_else(|| panic!("no answer to {method} {path} {more}"))
}

#[test]
fn no_operation_takes_a_longer_body_than_it_may_have_whether_its_length_is_said_or_not() {
    let api = Api::of(plan());
    let admin = api.program_of("anna", &["platform-admin", "firmware-signer"]);
    let mut asked = 0;
    for operation in operations().iter().filter(|it| it.body.is_some() || it.takes_file) {
        let max = if operation.takes_file { FILE_BYTES_MAX } else { JSON_MAX };
        let told = begin(&admin, operation, &format!("Content-Length: {}", max + 1), b"");
        assert_eq!(told.status, 413, "{operation}: {}", told.text());
        // A chunk that has one byte more than there may be, and no end.
        let chunk = [format!("{:x}\r\n", max + 1).as_bytes(), &vec![b' '; max + 1]].concat();
        let untold = begin(&admin, operation, "Transfer-Encoding: chunked", &chunk);
        untold.refused(413, "too-large");
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    // What is no longer is read to its end: images are longer than anything else.
    let image = vec![0; JSON_MAX + 1];
    let kind = [("Content-Type", "application/octet-stream")];
    let read = admin.ask("POST", "/api/v1/firmware?product=valve", &kind, &image);
    read.refused(409, "refused");
}

/// Whether the hub has ended the connection, or says that it waits no longer.
fn is_let_go(stream: &mut BufReader<SslStream<TcpStream>>) -> bool {
    let mut said = [0; 12];
    match stream.read_exact(&mut said) {
        Ok(()) => said == *b"HTTP/1.1 408",
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[test]
fn clients_that_never_finish_hold_nobody_up_and_are_let_go_of() {
    let api = Api::of(plan());
    let admin = api.program_of("anna", &["platform-admin"]);
    let head = "GET /api/v1/tenants HTTP/1.1\r\nHost: hub\r\nX-Slow: ";
    let body = format!(
        "POST /api/v1/boards HTTP/1.1\r\nHost: hub\r\nAuthorization: {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        admin.headers[0].1
    );
    let mut slow = Vec::new();
    for said in [head, body.as_str()].repeat(64) {
        let mut stream = admin.connect();
        stream.get_mut().write_all(said.as_bytes()).unwrap();
        slow.push(stream);
    }
    // More of them than requests that the hub works on at a time; none of them counts as one.
    for _ in 0..10 {
        admin.get("/tenants").ok();
        api.anybody().get("/session").ok();
    }
    for (at, stream) in slow.iter_mut().enumerate() {
        assert!(is_let_go(stream), "the slow client {at} is waited for");
    }
    admin.get("/tenants").ok();
}
