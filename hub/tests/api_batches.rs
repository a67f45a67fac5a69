//! Production over the API: batches, and the one-time tokens of their boards.

use serde_json::json;

use crate::rig::api::Api;

#[test]
fn a_batch_is_added_filled_and_closed() {
    let api = Api::start();
    let maker = api.program_of("petra", &["production@tenant-0"]);
    let new = json!({ "tenant": "tenant-0", "name": "spring", "prefix": "CB-7", "max": 2,
        "expires_in_days": 60 });
    let added = maker.post("/batches", &new);
    assert_eq!(added.header("location"), Some("/api/v1/batches/tenant-0/spring"));
    let added = added.ok();
    assert_eq!(
        (&added["prefix"], &added["max"], &added["state"]),
        (&json!("CB-7"), &json!(2), &json!("open"))
    );
    maker.post("/batches", &new).refused(409, "refused");
    let listed = json!({ "tenant": "tenant-0", "name": "summer", "ids": ["CB-1", "CB-2", "CB-2"] });
    let listed = maker.post("/batches", &listed).ok();
    assert_eq!(
        (&listed["ids"], &listed["max"], &listed["prefix"]),
        (&json!(2), &json!(2), &json!(null))
    );
    for unfit in [
        json!({ "tenant": "tenant-0", "name": "x" }),
        json!({ "tenant": "tenant-0", "name": "x", "ids": [] }),
        json!({ "tenant": "tenant-0", "name": "x", "prefix": "CB-7", "max": 0 }),
        json!({ "tenant": "tenant-0", "name": "x", "prefix": "CB-7", "max": 1, "ids": ["CB-1"] }),
        json!({ "tenant": "tenant-0", "name": "x", "prefix": "CB-7", "max": 1, "expires_in_days": 0 }),
        json!({ "tenant": "tenant-0", "name": "x", "prefix": "CB-7", "max": 1, "enrolled": 1 }),
    ] {
        maker.post("/batches", &unfit).refused(422, "invalid");
    }
    let page = maker.get("/batches?limit=1").ok();
    assert_eq!(page["items"][0]["name"], "spring");
    let after = page["next"].as_str().unwrap();
    let page = maker.get(&format!("/batches?limit=1&after={after}")).ok();
    assert_eq!((&page["items"][0]["name"], &page["next"]), (&json!("summer"), &json!(null)));

    let made = maker.post("/batches/tenant-0/spring/tokens", &json!({ "hours": 2 }));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let token = made.ok()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 43);
    let store = format!("{:?}", maker.get("/batches/tenant-0/spring").ok());
    assert!(!store.contains(&token));
    maker.post("/batches/tenant-0/spring/tokens", &json!({ "hours": 0 })).refused(422, "invalid");
    maker.post("/batches/tenant-0/winter/tokens", &json!({})).refused(404, "not-found");

    let closed = maker.send("POST", "/batches/tenant-0/spring/close", &[], None).ok();
    assert_eq!(closed["state"], "closed");
    maker.send("POST", "/batches/tenant-0/spring/close", &[], None).refused(409, "refused");
    assert!(api.done(&["batch", "list"]).contains("closed since"));

    let others = api.program_of("paul", &["production@tenant-1"]);
    assert_eq!(others.get("/batches").ok()["items"], json!([]));
    others.post("/batches", &new).refused(404, "not-found");
    let auditor = api.program_of("otto", &["auditor"]);
    assert_eq!(auditor.get("/batches?tenant=tenant-0").ok()["items"].as_array().unwrap().len(), 2);
    auditor.post("/batches", &new).refused(403, "forbidden");
}
