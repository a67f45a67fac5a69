//! Signing in at a browser: the first admin's link, passwords, second factors, sessions, and whoever
//! tries to get in another way.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::rig::api::{Answer, Api, Client, PASSWORD};

const SESSION: &str = "__Host-hub-session";

/// A code of an authenticator app (RFC 6238), so many steps from now.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = secret
        .chars()
        .flat_map(|letter| {
            let value = LETTERS.find(letter).unwrap();
            (0..5).rev().map(move |bit| u8::try_from(value >> bit & 1).unwrap())
        })
        .collect();
    let seed: Vec<u8> =
        bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let step = i64::try_from(now / 30).unwrap() + steps;
    let key = PKey::hmac(&seed).unwrap();
    let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
    signer.update(&step.to_be_bytes()).unwrap();
    let mac = signer.sign_to_vec().unwrap();
    let at = usize::from(mac[19] & 15);
    let value = u32::from_be_bytes(mac[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", value % 1_000_000)
}

fn first_link(api: &Api) -> String {
    let line = api.hub.process.stdout.wait_for_line("/setup#", crate::rig::PATIENCE);
    line.split_once('#').unwrap().1.trim().to_owned()
}

#[test]
fn the_first_admin_begins_with_the_link_that_the_first_start_prints() {
    let api = Api::start();
    let (browser, token) = (api.browser(), first_link(&api));
    assert_eq!(browser.get("/session").ok()["state"], "setup-needed");
    let log = std::fs::read_to_string(api.site.path("hub.toml")).unwrap()
        + &api.hub.process.stderr.text();
    assert!(!log.contains(&token), "the link is in the log");
    let link = browser.post("/setup/link", &json!({ "token": token })).ok();
    assert_eq!(link["user"], Value::Null);
    let with = |token: &str, password: &str| json!({ "token": token, "user": "anna", "full_name": "Anna", "password": password });
    for (password, why) in
        [("short", "12 characters"), ("passwordpassword", "first that are tried")]
    {
        let refused = browser.post("/setup", &with(&token, password));
        assert!(refused.refused(422, "unfit-password").contains(why));
    }
    browser.post("/setup", &with(&"A".repeat(43), PASSWORD)).refused(410, "over");
    browser.post("/setup", &with("", PASSWORD)).refused(410, "over");
    let begun = browser.post("/setup", &with(&token, PASSWORD)).ok();
    assert_eq!((&begun["state"], &begun["by"]), (&json!("signed-in"), &json!("setup-link")));
    let me = browser.get("/me").ok();
    assert_eq!((&me["user"], &me["full_name"]), (&json!("anna"), &json!("Anna")));
    assert_eq!(me["grants"], json!([{ "role": "platform-admin", "tenant": null }]));
    // It counts once, and nobody else becomes the first admin.
    api.browser().post("/setup", &with(&token, PASSWORD)).refused(410, "over");
    crate::rig::command::refused(
        &api.site,
        &["user", "setup-link"],
        1,
        &["there is a platform-admin"],
    );
    browser.send("DELETE", "/session", &[], None);
    assert_eq!(browser.get("/session").ok()["state"], "signed-out");
    assert_eq!(browser.sign_in("anna").ok()["by"], "password");
}

#[test]
fn a_session_is_sealed_to_its_browser_and_never_one_that_was_brought() {
    let api = Api::start();
    let anna = api.browser_of("anna", &["auditor"]);
    let brought = "B".repeat(43);
    let browser = api.browser();
    browser.set_cookie(SESSION, &brought);
    let answer = browser.sign_in("anna");
    answer.ok();
    let given = answer
        .headers
        .iter()
        .find(|(name, value)| name == "set-cookie" && value.starts_with(SESSION));
    let (_, given) = given.unwrap();
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age=43200"] {
        assert!(given.contains(part), "{given}");
    }
    assert!(!given.contains("Domain"), "{given}");
    let first = browser.cookie(SESSION).unwrap();
    assert!(first != brought && first.len() == 43);
    // Whoever signs in again, or changes their password, has another, and the one before is no more.
    let changed = browser.send(
        "PUT",
        "/me/password",
        &[],
        Some(&json!({
            "old": PASSWORD, "new": "green engine hums loudly"
        })),
    );
    changed.ok();
    let second = browser.cookie(SESSION).unwrap();
    assert_ne!(first, second);
    browser.get("/me").ok();
    browser.set_cookie(SESSION, &first);
    browser.get("/me").refused(401, "unauthenticated");
    browser.set_cookie(SESSION, &brought);
    browser.get("/me").refused(401, "unauthenticated");
    anna.get("/me").refused(401, "unauthenticated");
    assert_eq!(browser.sign_in("anna").status, 401, "the old password");
}

#[test]
fn what_another_sites_page_sends_changes_nothing() {
    let api = Api::start();
    let anna = api.browser_of("anna", &["platform-admin"]);
    let (method, path) = ("POST", "/me/recovery-codes");
    anna.send(method, path, &[("Origin", "https://evil.example")], None).refused(403, "cross-site");
    anna.send(method, path, &[("Origin", "null")], None).refused(403, "cross-site");
    anna.send(method, path, &[("Sec-Fetch-Site", "cross-site")], None).refused(403, "cross-site");
    let session = anna.cookie(SESSION).unwrap();
    let form = api.anybody().with("Cookie", &format!("{SESSION}={session}"));
    form.send(method, path, &[], None).refused(403, "cross-site");
    form.send("DELETE", "/session", &[], None).refused(403, "cross-site");
    // Nor does it sign anybody in.
    form.sign_in("anna").refused(403, "cross-site");
    form.get("/me").ok();
    // Nothing that asks first is answered with a yes, and no method is another.
    let asked = form.send("OPTIONS", path, &[("Origin", "https://evil.example")], None);
    assert_eq!(asked.status, 405);
    assert_eq!(asked.header("access-control-allow-origin"), None);
    let other = anna.send("GET", path, &[("X-HTTP-Method-Override", "POST")], None);
    other.refused(405, "method-not-allowed");
    anna.send(method, path, &[("Sec-Fetch-Site", "same-origin")], None).ok();
}

#[test]
fn nothing_tells_whether_there_is_somebody_of_a_name() {
    let api = Api::start();
    api.browser_of("anna", &["auditor"]);
    api.person("otto", &["auditor"]);
    let guess = |name: &str| {
        let begun = Instant::now();
        let said = json!({ "user": name, "password": "not the right one" });
        let answer = api.browser().post("/session", &said);
        (answer, begun.elapsed())
    };
    let (known, first) = guess("anna");
    known.refused(401, "sign-in-failed");
    let took = |name: &str| (0..3).map(|_| guess(name).1).min().unwrap();
    // otto has no password yet, and nobody else is there.
    for name in ["otto", "nobody", "NOT A NAME", ""] {
        let (answer, _) = guess(name);
        assert_eq!(answer.text(), known.text(), "{name}");
        assert!(took(name) * 3 > took("anna").min(first), "{name} is answered sooner");
    }
}

#[test]
fn guessing_takes_longer_and_longer_and_locks_out_nobody_for_good() {
    let api = Api::start();
    let anna = api.browser_of("anna", &["auditor"]);
    let guesser = api.browser();
    let guess = |client: &Client, name: &str| {
        client.post("/session", &json!({ "user": name, "password": "not the right one" }))
    };
    let answers: Vec<Answer> = (0..8).map(|_| guess(&guesser, "anna")).collect();
    let held = answers.last().unwrap();
    held.refused(429, "too-many");
    let wait: u64 = held.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // Right or wrong is not told while one waits.
    guesser.sign_in("anna").refused(429, "too-many");
    // The browser that anna has signed in with before is let in all the same.
    anna.sign_in("anna").ok();
    // A name that nobody has is held as well.
    assert!((0..8).map(|_| guess(&guesser, "nobody")).any(|answer| answer.status == 429));
}

#[test]
fn an_app_is_asked_for_and_no_code_is_taken_twice() {
    let api = Api::start();
    let anna = api.browser_of("anna", &["auditor"]);
    let seed = anna.post("/me/totp/begin", &json!({})).ok();
    let secret = seed["secret"].as_str().unwrap().to_owned();
    assert!(seed["uri"].as_str().unwrap().contains(&format!("secret={secret}")));
    let confirm = |code: &str| anna.post("/me/totp", &json!({ "code": code }));
    confirm("000000").refused(401, "sign-in-failed");
    let confirmed = confirm(&code(&secret, -1));
    let codes = confirmed.ok()["recovery_codes"].as_array().unwrap().clone();
    assert_eq!((codes.len(), confirmed.header("cache-control")), (10, Some("no-store")));
    anna.send("DELETE", "/session", &[], None);

    let step = anna.sign_in("anna").ok();
    assert_eq!(step["state"], "second-factor");
    assert_eq!(step["methods"], json!(["totp", "recovery-code"]));
    anna.get("/me").refused(401, "unauthenticated");
    let show = |path: &str, code: &str| anna.post(path, &json!({ "code": code }));
    // The one that set the app up was taken, and an app's code is for the second step alone.
    show("/session/totp", &code(&secret, -1)).refused(401, "sign-in-failed");
    api.browser().post("/session/totp", &json!({ "code": code(&secret, 0) })).refused(410, "over");
    let now = code(&secret, 0);
    assert_eq!(show("/session/totp", &now).ok()["by"], "password-and-totp");
    anna.get("/me").ok();

    anna.send("DELETE", "/session", &[], None);
    anna.sign_in("anna").ok();
    show("/session/totp", &now).refused(401, "sign-in-failed");
    let recovery = codes[0].as_str().unwrap();
    assert_eq!(show("/session/recovery-code", recovery).ok()["by"], "password-and-recovery-code");
    anna.send("DELETE", "/session", &[], None);
    anna.sign_in("anna").ok();
    show("/session/recovery-code", recovery).refused(401, "sign-in-failed");
    for _ in 0..6 {
        show("/session/totp", "000000");
    }
    let held = show("/session/totp", "000000").status;
    assert!(held == 410 || held == 429, "{held}");
    // The seed is in no file of the store in the clear.
    let raw: Vec<u8> = secret.into_bytes();
    for entry in std::fs::read_dir(api.site.path("store/sled")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(path).unwrap();
            assert!(!bytes.windows(raw.len()).any(|window| window == raw));
        }
    }
}

#[test]
fn roles_that_take_a_second_factor_may_nothing_before_they_have_one() {
    let plan = crate::rig::site::Plan::boards(1).set("sign_in", "second_factor", "admins");
    let api = Api::of(plan);
    let admin = api.browser_of("anna", &["platform-admin"]);
    admin.get("/tenants").refused(403, "second-factor-needed");
    admin.get("/me").ok();
    let seed = admin.post("/me/totp/begin", &json!({})).ok();
    let secret = seed["secret"].as_str().unwrap();
    admin.post("/me/totp", &json!({ "code": code(secret, 0) })).ok();
    admin.get("/tenants").ok();
    api.browser_of("otto", &["auditor"]).get("/tenants").ok();
}

#[test]
fn ones_sessions_are_listed_and_ended_and_end_with_the_account() {
    let api = Api::start();
    let (first, second) = (api.browser_of("anna", &["auditor"]), api.browser());
    second.sign_in("anna").ok();
    let listed = first.get("/me/sessions").ok();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .all(|session| session["agent"] == "a browser" && session["source"].is_string())
    );
    let other = listed.iter().find(|session| session["is_this"] == false).unwrap();
    let path = format!("/me/sessions/{}", other["id"].as_str().unwrap());
    let otto = api.browser_of("otto", &["auditor"]);
    otto.send("DELETE", &path, &[], None).refused(404, "not-found");
    assert_eq!(first.send("DELETE", &path, &[], None).status, 204);
    second.get("/me").refused(401, "unauthenticated");
    first.get("/me").ok();
    let token = api.token("anna", &[]);
    api.done(&["user", "disable", "anna", "--reason", "left"]);
    first.get("/me").refused(401, "unauthenticated");
    api.program(&token).get("/me").refused(401, "unauthenticated");
    api.browser().sign_in("anna").refused(401, "sign-in-failed");
    api.done(&["user", "enable", "anna"]);
    first.get("/me").refused(401, "unauthenticated");
    api.program(&token).get("/me").ok();
}

#[test]
fn sessions_outlive_the_hub_and_every_sign_in_and_refusal_is_in_the_audit_log() {
    let mut api = Api::start();
    let anna = api.browser_of("anna", &["auditor"]);
    anna.post("/session", &json!({ "user": "anna", "password": "not the right one" }));
    anna.post("/session", &json!({ "user": "my secret password", "password": "anna" }));
    let source = crate::rig::own_address().to_string();
    let said = api.done(&["audit", "list", "--json"]);
    let entries: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |what: &str, subject: &str| {
        let found = entries
            .iter()
            .find(|entry| entry["event"]["what"] == what && entry["event"]["subject"] == subject);
        found.unwrap_or_else(|| panic!("no {what} {subject}: {said}"))["event"].clone()
    };
    let begun = find("session.begin", "anna");
    assert_eq!(begun["who"], "user:anna");
    assert!(begun["source"].as_str().unwrap().starts_with("127."), "{begun} {source}");
    find("session.refuse", "anna");
    find("session.refuse", "nobody");
    assert!(!said.contains("secret password") && !said.contains(PASSWORD));
    api.hub.terminate(crate::rig::PATIENCE);
    api.hub = api.site.start();
    anna.get("/me").ok();
}
