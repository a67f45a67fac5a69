//! Boards' certificates over the API: listed by when they end, forecast, revoked; and who issued them.

use serde_json::{Value, json};

use crate::rig::api::Api;
use crate::rig::client::Client;
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, eventually};

#[test]
fn certificates_are_listed_forecast_and_revoked() {
    let api = Api::of(Plan::boards(2).tenants(2));
    let admin = api.program_of("anna", &["platform-admin"]);
    let tina = api.program_of("tina", &["tenant-admin@tenant-1"]);
    let identity = api.site.boards[0].identity();
    let connect = || Client::connect(api.hub.listen, &api.site.root(), &identity);
    let session = connect().expect("a session");
    // What a handshake has shown is written down a moment later.
    let listed = eventually("the certificate's end is known", PATIENCE, || {
        let page = admin.get("/certificates?tenant=tenant-0").ok();
        let first = page["items"].get(0)?.clone();
        first["not_after"].is_string().then_some(first)
    });
    assert_eq!(listed["board"], "CB-00000000");
    let end = listed["not_after"].as_str().unwrap();
    let before = admin.get(&format!("/certificates?ends_before={end}")).ok();
    let is_it = |item: &Value| item["board"] == "CB-00000000";
    assert!(!before["items"].as_array().unwrap().iter().any(is_it), "{before}");
    admin.get("/certificates?ends_before=soon").refused(400, "malformed");
    assert!(!tina.get("/certificates").ok()["items"].as_array().unwrap().iter().any(is_it));
    tina.get("/certificates?tenant=tenant-0").refused(404, "not-found");

    let forecast = admin.get("/certificates/forecast").ok();
    let months = forecast["months"].as_array().unwrap();
    let in_them: u64 = months.iter().map(|month| month["boards"].as_u64().unwrap()).sum();
    assert_eq!(months.len(), 24);
    assert!(in_them + forecast["later"].as_u64().unwrap() >= 1, "{forecast}");
    assert_eq!(forecast["within"][2]["days"], 365);
    assert!(forecast["hub"].is_string());

    let authorities = admin.get("/authorities").ok();
    let names: Vec<_> =
        authorities["items"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["root", "tenant-0/1", "tenant-1/1"], "{authorities}");
    let first = &authorities["items"][1];
    assert_eq!((&first["state"], &first["tenant"]), (&json!("active"), &json!("tenant-0")));
    assert!(
        first["not_after"].is_string() && first["subject"].as_str().unwrap().contains("tenant-0")
    );
    let theirs = tina.get("/authorities").ok();
    assert_eq!(theirs["items"].as_array().unwrap().len(), 2, "{theirs}");
    let page = admin.get("/authorities?limit=1").ok();
    let after = page["next"].as_str().unwrap();
    assert_eq!(
        admin.get(&format!("/authorities?limit=1&after={after}")).ok()["items"][0]["name"],
        "tenant-0/1"
    );

    let path = format!("/certificates/{}/revoke", listed["fingerprint"].as_str().unwrap());
    let why = json!({ "reason": "copied at the depot", "code": "key-compromise" });
    tina.post(&path, &why).refused(404, "not-found");
    let otto = api.program_of("otto", &["auditor"]);
    otto.post(&path, &why).refused(403, "forbidden");
    admin.post(&path, &json!({ "reason": "" })).refused(422, "invalid");
    let revoked = admin.post(&path, &why).ok();
    assert_eq!(revoked, json!({ "board": "CB-00000000", "sessions_ended": 1 }));
    admin.post(&path, &why).refused(404, "not-found");
    drop(session);
    assert!(connect().is_err(), "a revoked certificate lets nobody in");
    let audit = admin.get("/audit?what=certificate.revoke").ok();
    assert_eq!(audit["items"][0]["detail"]["reason"], "copied at the depot");
}
