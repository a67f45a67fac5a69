//! The web UI on the real program's HTTPS server, as a browser asks for it: with the app built or
//! without, a page comes, and nothing in it may come from elsewhere.

use crate::rig::est::Factory;

const AS_A_BROWSER: [&str; 2] = ["-H", "Accept: text/html,application/xhtml+xml;q=0.9"];

fn started() -> Factory {
    let mut factory = Factory::new();
    factory.start();
    factory
}

#[test]
fn a_browser_gets_the_page_at_every_path_with_a_policy_without_exceptions() {
    let factory = started();
    for path in ["/", "/boards", "/boards/CB-1?tab=history", "/no/such/page"] {
        let answer = factory.curl_at(path, &AS_A_BROWSER);
        assert!([200, 503].contains(&answer.status), "{path}: {answer:?}");
        assert!(answer.body.starts_with("<!doctype html>"), "{path}: {answer:?}");
        let head = answer.head.to_ascii_lowercase();
        let policy = head.lines().find(|line| line.starts_with("content-security-policy:"));
        let policy = policy.expect("a policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        assert!(head.contains("cache-control: no-"), "{head}");
    }
}

#[test]
fn machines_paths_are_never_a_page() {
    let factory = started();
    for path in ["/api/none", "/.well-known/none", "/crl/none", "/assets/none.js"] {
        let answer = factory.curl_at(path, &AS_A_BROWSER);
        assert!(!answer.body.contains("<html"), "{path}: {answer:?}");
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    let other = factory.curl_at("/boards", &["-H", "Accept: application/json"]);
    assert_eq!(other.status, 404, "{other:?}");
}

#[test]
fn a_page_is_only_read() {
    let factory = started();
    let answer = factory.curl_at("/boards", &[&AS_A_BROWSER[..], &["-d", "x=1"]].concat());
    assert_eq!(answer.status, 405, "{answer:?}");
    assert!(answer.head.to_ascii_lowercase().contains("allow: get, head"), "{answer:?}");
}
