//! Signing in by an OpenID provider that is not ours: who gets in with what, and who does not.

use serde_json::{Value, json};

use crate::rig::api::{Answer, Api, Client};
use crate::rig::command;
use crate::rig::provider::Provider;
use crate::rig::site::Plan;
use crate::rig::{free_tcp, own_address};

const SECRET: &str = "a secret that the two share";

fn person(email: &str, groups: &[&str]) -> Value {
    json!({ "email": email, "email_verified": true, "name": "Somebody", "groups": groups })
}

struct Hub {
    api: Api,
    provider: Provider,
}

impl Hub {
    /// With people at a provider, to which the hub shows this secret.
    fn start(people: &Value, secret: &str) -> Self {
        let https = free_tcp();
        let origin = format!("https://localhost:{}", https.port());
        let callback = format!("{origin}/api/v1/session/provider/callback");
        let provider = Provider::start(&callback, SECRET, people);
        let roles = "admins=platform-admin, acme=operator@tenant-0, acme=auditor@tenant-0";
        let plan = Plan::boards(1)
            .set("https", "listen", https.to_string())
            .set("provider", "enabled", true)
            .set("provider", "issuer", provider.issuer.clone())
            .set("provider", "roles", roles);
        let api = Api::at(plan, https);
        std::fs::write(api.site.path("secret"), format!("{secret}\n")).unwrap();
        let file = api.site.path("secret");
        api.done(&["user", "provider-secret", "--file", file.to_str().unwrap()]);
        Self { api, provider }
    }

    /// Where the provider sends this person's browser back to.
    fn at_the_provider(&self, browser: &Client, person: &str) -> String {
        let sent = browser.get("/session/provider");
        assert_eq!(sent.status, 303, "{}", sent.text());
        let to = sent.header("location").unwrap();
        for part in ["code_challenge_method=S256", "nonce=", "state=", "response_type=code"] {
            assert!(to.contains(part), "{to}");
        }
        let back = self.provider.sign_in(to, person);
        let (_, path) = back.split_once("/api/v1").unwrap();
        path.to_owned()
    }

    fn sign_in(&self, browser: &Client, person: &str) -> Answer {
        let back = self.at_the_provider(browser, person);
        browser.get(&back)
    }

    #[track_caller]
    fn refused(&self, answer: &Answer, code: &str) {
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(answer.header("location"), Some(format!("/sign-in?refused={code}").as_str()));
        let session =
            answer.headers.iter().find(|(_, value)| value.starts_with("__Host-hub-session"));
        assert_eq!(session, None);
    }
}

#[test]
fn groups_at_the_provider_are_roles_at_the_hub() {
    let people = json!({
        "anna": person("Anna@Example.com", &["admins"]),
        "otto": person("otto@example.com", &["acme", "others"]),
    });
    let hub = Hub::start(&people, SECRET);
    let browser = hub.api.browser();
    let session = browser.get("/session").ok();
    assert!(session["methods"].as_array().unwrap().contains(&json!("provider")), "{session}");
    assert_eq!(session["provider"], "Single sign-on");
    let back = hub.sign_in(&browser, "anna");
    assert_eq!((back.status, back.header("location")), (303, Some("/")), "{}", back.text());
    let me = browser.get("/me").ok();
    assert_eq!((&me["user"], &me["by"]), (&json!("anna@example.com"), &json!("provider")));
    assert_eq!(me["grants"], json!([{ "role": "platform-admin", "tenant": null }]));
    let otto = hub.api.browser();
    hub.sign_in(&otto, "otto");
    let roles = otto.get("/me").ok()["grants"].clone();
    assert_eq!(roles.as_array().unwrap().len(), 2, "{roles}");
    otto.get("/tenants/tenant-0").ok();
    // Roles that were changed here follow the groups again.
    hub.api.done(&["user", "role", "otto@example.com", "--role", "platform-admin"]);
    otto.get("/me").refused(401, "unauthenticated");
    hub.sign_in(&otto, "otto");
    assert_eq!(otto.get("/me").ok()["grants"], roles);
    hub.api.done(&["user", "disable", "otto@example.com", "--reason", "left"]);
    hub.refused(&hub.sign_in(&otto, "otto"), "sign-in-failed");
    // Who has no password here does not sign in with one.
    hub.api.browser().sign_in("anna@example.com").refused(401, "sign-in-failed");
    let audit = hub.api.done(&["audit", "list"]);
    assert!(audit.contains("user.provider") && !audit.contains(SECRET), "{audit}");
}

#[test]
fn who_is_nobody_here_or_somebody_else_is_not_let_in() {
    let mut unverified = person("una@example.com", &["admins"]);
    unverified["email_verified"] = json!(false);
    let people = json!({
        "anna": person("anna@example.com", &["admins"]),
        "mallory": person("anna@example.com", &["admins"]),
        "local": person("local@example.com", &["admins"]),
        "nobody": person("nobody@example.com", &["others"]),
        "odd": person("not a name", &["admins"]),
        "una": unverified,
    });
    let hub = Hub::start(&people, SECRET);
    hub.api.browser_of("local@example.com", &["auditor"]);
    let browser = hub.api.browser();
    assert_eq!(hub.sign_in(&browser, "anna").header("location"), Some("/"));
    browser.send("DELETE", "/session", &[], None);
    for (person, code) in [
        ("mallory", "refused"),
        ("local", "refused"),
        ("nobody", "refused"),
        ("odd", "provider-failed"),
        ("una", "provider-failed"),
    ] {
        let answer = hub.sign_in(&browser, person);
        assert_eq!(
            answer.header("location"),
            Some(format!("/sign-in?refused={code}").as_str()),
            "{person}"
        );
        browser.get("/me").refused(401, "unauthenticated");
    }
}

#[test]
fn the_way_back_is_for_the_browser_that_was_sent_and_leads_nowhere_else() {
    let people = json!({ "anna": person("anna@example.com", &["admins"]) });
    let hub = Hub::start(&people, SECRET);
    let (anna, other) = (hub.api.browser(), hub.api.browser());
    let back = hub.at_the_provider(&anna, "anna");
    // At another's browser, without one, with another state, with none.
    hub.refused(&other.get(&back), "over");
    hub.at_the_provider(&other, "anna");
    hub.refused(&other.get(&back), "over");
    hub.refused(&hub.api.anybody().get("/session/provider/callback?code=x&state=y"), "over");
    hub.refused(&anna.get("/session/provider/callback?error=access_denied"), "over");
    // What was tried is over.
    hub.refused(&anna.get(&back), "over");
    let sent =
        anna.get("/session/provider?next=https://evil.example&redirect_uri=https://evil.example");
    let to = sent.header("location").unwrap();
    assert!(to.starts_with(&hub.provider.issuer) && !to.contains("evil"), "{to}");
    let back = hub.provider.sign_in(to, "anna");
    let (_, path) = back.split_once("/api/v1").unwrap();
    let home = anna.get(&format!("{path}&next=https://evil.example"));
    assert_eq!(home.header("location"), Some("/"));
    anna.get("/me").ok();
    // A code is good once, whoever shows it.
    hub.refused(&anna.get(path), "over");
}

#[test]
fn a_provider_that_does_not_know_the_hub_or_is_not_there_lets_nobody_in() {
    let people = json!({ "anna": person("anna@example.com", &["admins"]) });
    let hub = Hub::start(&people, "another secret");
    hub.refused(&hub.sign_in(&hub.api.browser(), "anna"), "provider-failed");
    let Hub { api, provider } = hub;
    drop(provider);
    let answer = api.browser().get("/session/provider");
    assert_eq!(answer.header("location"), Some("/sign-in?refused=provider-failed"));
    let without = Api::start();
    let answer = without.browser().get("/session/provider");
    assert_eq!(answer.header("location"), Some("/sign-in?refused=not-found"));
    let plan = Plan::boards(1).set("provider", "enabled", true);
    let site = plan.set("provider", "issuer", "http://id.example.com").build();
    site.configure("https", "enabled", true);
    site.configure("https", "listen", format!("{}:0", own_address()));
    command::refused(&site, &["serve"], 2, &["[provider] issuer is to be https"]);
}
