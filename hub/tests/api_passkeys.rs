//! Passkeys: registered, shown alone and behind a password, and those that are not.

use serde_json::{Value, json};

use crate::rig::api::{Api, Client};
use crate::rig::authenticator::Authenticator;

/// A person with a passkey, and nobody signed in at their browser any more.
fn started() -> (Api, Client, Authenticator) {
    let api = Api::start();
    let anna = api.browser_of("anna", &["auditor"]);
    let key = Authenticator::new(&api.origin());
    register(&anna, &key).ok();
    assert_eq!(anna.get("/me").ok()["sign_in"]["passkeys"], 1);
    anna.send("DELETE", "/session", &[], None);
    (api, anna, key)
}

fn register(client: &Client, key: &Authenticator) -> crate::rig::api::Answer {
    let options = client.post("/me/passkeys/begin", &json!({})).ok();
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let credential = key.create(&options);
    client.post("/me/passkeys", &json!({ "label": "key", "credential": credential }))
}

fn challenge(client: &Client) -> Value {
    client.post("/session/passkey/begin", &json!({})).ok()
}

fn show(client: &Client, credential: &Value) -> crate::rig::api::Answer {
    client.post("/session/passkey/finish", &json!({ "credential": credential }))
}

#[test]
fn a_passkey_alone_signs_its_owner_in_once_a_challenge() {
    let (api, anna, key) = started();
    let answer = key.get(&challenge(&anna));
    let begun = show(&anna, &answer).ok();
    assert_eq!((&begun["user"], &begun["by"]), (&json!("anna"), &json!("passkey")));
    assert!(anna.get("/me/passkeys").ok()[0]["last_used"].is_string());
    // The answer again, at this browser and at another.
    show(&anna, &answer).refused(410, "over");
    let other = api.browser();
    challenge(&other);
    show(&other, &answer).refused(401, "sign-in-failed");
    api.done(&["user", "disable", "anna", "--reason", "left"]);
    show(&anna, &key.get(&challenge(&anna))).refused(401, "sign-in-failed");
}

#[test]
fn a_passkey_is_the_second_factor_of_its_owner() {
    let (_api, anna, key) = started();
    let step = anna.sign_in("anna").ok();
    assert_eq!((&step["state"], &step["methods"]), (&json!("second-factor"), &json!(["passkey"])));
    let options = challenge(&anna);
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 1);
    assert_eq!(show(&anna, &key.get(&options)).ok()["by"], "password-and-passkey");
    let listed = anna.get("/me/passkeys").ok();
    let path = format!("/me/passkeys/{}", listed[0]["id"].as_str().unwrap());
    anna.send("DELETE", &path, &[], None).ok();
    anna.send("DELETE", "/session", &[], None);
    assert_eq!(anna.sign_in("anna").ok()["state"], "signed-in");
}

#[test]
fn what_is_not_its_passkey_lets_nobody_in() {
    let (api, anna, mut key) = started();
    show(&anna, &key.forged().get(&challenge(&anna))).refused(401, "sign-in-failed");
    let stranger = Authenticator::new(&api.origin());
    show(&anna, &stranger.get(&challenge(&anna))).refused(401, "sign-in-failed");
    key.verifies = false;
    show(&anna, &key.get(&challenge(&anna))).refused(401, "sign-in-failed");
    key.verifies = true;
    key.origin = String::from("https://evil.example");
    show(&anna, &key.get(&challenge(&anna))).refused(401, "sign-in-failed");
    key.origin = api.origin();
    for rubbish in [json!({}), json!("x"), json!({ "id": "x", "type": "public-key" })] {
        challenge(&anna);
        show(&anna, &rubbish).refused(422, "invalid");
    }
    show(&anna, &key.get(&challenge(&anna))).ok();
    // Another's passkey is not registered once more, and one for another place not at all.
    let otto = api.browser_of("otto", &["auditor"]);
    register(&otto, &key).refused(409, "refused");
    register(&otto, &Authenticator::new("https://evil.example")).refused(409, "refused");
}
