//! What takes two people: one asks, another allows, and nobody gets around it.

use serde_json::{Value, json};

use crate::rig::api::{Api, Client};
use crate::rig::command;

fn remove(tenant: &str) -> Value {
    json!({ "act": { "kind": "remove-tenant", "tenant": tenant }, "reason": "the contract has ended" })
}

/// A hub whose `tenant-1` has no boards any more.
fn started() -> Api {
    let api = Api::start();
    let boards = api.site.of_tenant("tenant-1");
    for board in boards {
        api.done(&["board", "remove", &board.id]);
    }
    api
}

fn asked(client: &Client, tenant: &str) -> String {
    let asked = client.post("/approvals", &remove(tenant));
    assert_eq!(asked.status, 201, "{}", asked.text());
    let view = asked.json();
    assert_eq!((&view["state"], &view["may_decide"]), (&json!("pending"), &json!(false)));
    format!("/approvals/{}", view["id"])
}

#[test]
fn a_tenant_is_removed_when_another_person_allows_it() {
    let api = started();
    let (anna, otto) =
        (api.browser_of("anna", &["platform-admin"]), api.browser_of("otto", &["platform-admin"]));
    let path = asked(&anna, "tenant-1");
    let act = |client: &Client, what: &str| client.post(&format!("{path}/{what}"), &json!({}));
    // Not by whoever asked, nor by a program of anybody's, nor by who may not.
    act(&anna, "approve").refused(409, "refused");
    api.program(&api.token("otto", &[]))
        .post(&format!("{path}/approve"), &json!({}))
        .refused(403, "forbidden");
    let tina = api.browser_of("tina", &["tenant-admin@tenant-1"]);
    act(&tina, "approve").refused(403, "forbidden");
    let other = api.browser_of("other", &["tenant-admin@tenant-0"]);
    act(&other, "approve").refused(404, "not-found");
    assert_eq!(other.get("/approvals").ok()["items"], json!([]));
    // It is asked for once.
    anna.post("/approvals", &remove("tenant-1")).refused(409, "refused");
    otto.get("/tenants/tenant-1").ok();
    assert_eq!(otto.get(&path).ok()["may_decide"], true);
    let done = act(&otto, "approve").ok();
    assert_eq!((&done["state"], &done["decided_by"]), (&json!("done"), &json!("user:otto")));
    otto.get("/tenants/tenant-1").refused(404, "not-found");
    act(&otto, "approve").refused(409, "refused");
    let audit = api.done(&["audit", "list", "--json"]);
    for what in ["approval.ask", "approval.approve", "tenant.remove"] {
        assert!(audit.contains(&format!("\"what\":\"{what}\"")), "{what}: {audit}");
    }
    let listed = anna.get("/approvals?state=done").ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(anna.get("/approvals?state=pending").ok()["items"], json!([]));
}

#[test]
fn what_was_asked_for_is_rejected_and_withdrawn() {
    let api = started();
    let (anna, otto) =
        (api.browser_of("anna", &["platform-admin"]), api.browser_of("otto", &["platform-admin"]));
    let path = asked(&anna, "tenant-1");
    let why = json!({ "reason": "not yet" });
    let rejected = otto.post(&format!("{path}/reject"), &why).ok();
    assert_eq!((&rejected["state"], &rejected["why"]), (&json!("rejected"), &json!("not yet")));
    let path = asked(&anna, "tenant-1");
    otto.post(&format!("{path}/withdraw"), &json!({})).refused(409, "refused");
    assert_eq!(anna.post(&format!("{path}/withdraw"), &json!({})).ok()["state"], "withdrawn");
    otto.post(&format!("{path}/approve"), &json!({})).refused(409, "refused");
    // What could not be done anyway is not asked for.
    anna.post("/approvals", &remove("tenant-0")).refused(409, "refused");
    anna.post("/approvals", &remove("tenant-9")).refused(404, "not-found");
    otto.get("/tenants/tenant-1").ok();
}

#[test]
fn with_one_admin_alone_the_host_is_the_way() {
    let api = started();
    let anna = api.browser_of("anna", &["platform-admin"]);
    let refused = anna.post("/approvals", &remove("tenant-1")).refused(409, "refused");
    assert!(refused.contains("`cellular-hub tenant remove tenant-1`"), "{refused}");
    let otto = api.browser_of("otto", &["platform-admin"]);
    asked(&otto, "tenant-1");
    let listed = api.done(&["approval", "list"]);
    assert!(
        listed.contains("remove tenant tenant-1") && listed.contains("waits until"),
        "{listed}"
    );
    let done = api.done(&["approval", "approve", "1"]);
    assert!(done.contains("and done"), "{done}");
    anna.get("/tenants/tenant-1").refused(404, "not-found");
    command::refused(
        &api.site,
        &["approval", "reject", "1", "--reason", "x"],
        1,
        &["decided already"],
    );
}
