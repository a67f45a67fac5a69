//! Boards over the API: found, counted, labelled, shut out, by those who may and nobody else.

use serde_json::{Value, json};

use crate::rig::api::{Answer, Api};
use crate::rig::board::Board;
use crate::rig::client::Client;
use crate::rig::{PATIENCE, eventually};

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|board| board["id"].as_str().unwrap()).collect()
}

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap().to_owned()
}

#[test]
fn boards_are_added_listed_filtered_and_counted() {
    let api = Api::start();
    let admin = api.program_of("anna", &["platform-admin"]);
    for (id, tenant, site) in
        [("CB-A", "tenant-0", "roof"), ("CB-B", "tenant-1", "roof"), ("CB-C", "tenant-1", "cellar")]
    {
        let new = json!({ "id": id, "tenant": tenant, "labels": { "site": site } });
        let added = admin.post("/boards", &new);
        assert_eq!(added.status, 201, "{}", added.text());
        assert_eq!(added.header("location"), Some(format!("/api/v1/boards/{id}").as_str()));
        assert_eq!(added.json()["state"], "active");
    }
    let roof = admin.get("/boards?label=site%3Droof").ok();
    assert_eq!((ids(&roof), &roof["total"]), (vec!["CB-A", "CB-B"], &json!(2)));
    assert_eq!(ids(&admin.get("/boards?label=site&tenant=tenant-1").ok()), ["CB-B", "CB-C"]);
    assert_eq!(ids(&admin.get("/boards?q=cb-c").ok()), ["CB-C"]);
    assert_eq!(ids(&admin.get("/boards?label=site&sort=-id&limit=2").ok()), ["CB-C", "CB-B"]);
    assert_eq!(ids(&admin.get("/boards?seen_before=2200-01-01T00:00:00Z").ok()), [""; 0]);
    let never = admin.get("/boards?heard=false&created_after=2020-01-01T00:00:00Z&limit=1").ok();
    assert_eq!(never["total"], 5);
    let mut all = ids(&never).join(" ");
    let mut next = never["next"].clone();
    while let Some(after) = next.as_str() {
        let page = admin.get(&format!("/boards?heard=false&limit=1&after={after}")).ok();
        all = format!("{all} {}", ids(&page).join(" "));
        next = page["next"].clone();
    }
    assert_eq!(all, "CB-00000000 CB-00000001 CB-A CB-B CB-C");

    let counts = admin.get("/boards/facets?label=site%3Droof&values_of=site").ok();
    assert_eq!(counts["total"], 2);
    assert_eq!(
        counts["values"],
        json!([{ "key": "site", "others": 0,
            "values": [{ "value": "roof", "boards": 2 }, { "value": "cellar", "boards": 1 }] }])
    );
    assert_eq!(counts["states"][0], json!({ "value": "active", "boards": 2 }));
    assert_eq!(counts["keys"], json!([{ "value": "site", "boards": 2 }]));
}

#[test]
fn a_tenants_people_see_and_change_their_boards_alone() {
    let api = Api::start();
    let theirs = api.program_of("otto", &["operator@tenant-1"]);
    assert_eq!(ids(&theirs.get("/boards").ok()), ["CB-00000001"]);
    assert_eq!(theirs.get("/boards/facets").ok()["tenants"][0]["value"], "tenant-1");
    theirs.get("/boards?tenant=tenant-0").refused(404, "not-found");
    let (hidden, unknown) = ("CB-00000000", "CB-00000009");
    let why = json!({ "reason": "test" });
    for (method, below) in [
        ("GET", ""),
        ("GET", "/labels"),
        ("GET", "/history"),
        ("POST", "/block"),
        ("POST", "/revoke"),
        ("POST", "/unblock"),
        ("DELETE", ""),
    ] {
        let ask = |id: &str| {
            let path = format!("/boards/{id}{below}");
            theirs.send(method, &path, &[("If-Match", "*")], (method == "POST").then_some(&why))
        };
        let (hidden, unknown) =
            (ask(hidden).refused(404, "not-found"), ask(unknown).refused(404, "not-found"));
        assert_eq!(hidden, unknown.replace('9', "0"), "{method} {below}");
    }
    let new = json!({ "id": "CB-N", "tenant": "tenant-0" });
    theirs.post("/boards", &new).refused(404, "not-found");
    let auditor = api.program_of("anna", &["auditor"]);
    auditor.post("/boards/CB-00000001/block", &why).refused(403, "forbidden");
    auditor.post("/boards", &new).refused(403, "forbidden");
}

#[test]
fn a_board_is_blocked_let_in_and_revoked_and_hears_of_it() {
    let api = Api::start();
    let operator = api.program_of("otto", &["operator"]);
    let path = |what: &str| format!("/boards/CB-00000000/{what}");
    let blocked = operator.post(&path("block"), &json!({ "reason": " lost at the depot " })).ok();
    assert_eq!(blocked["board"]["state"], "blocked");
    assert_eq!(blocked["board"]["reason"], "lost at the depot");
    assert_eq!(ids(&operator.get("/boards?state=blocked").ok()), ["CB-00000000"]);
    let said = api.done(&["board", "show", "CB-00000000"]);
    assert!(said.contains("blocked: lost at the depot"), "{said}");
    operator.post(&path("unblock"), &json!({})).ok();
    operator.post(&path("unblock"), &json!({})).refused(409, "refused");
    operator.post(&path("revoke"), &json!({ "reason": "stolen" })).ok();
    operator.post(&path("block"), &json!({ "reason": "x" })).refused(409, "refused");
    for reason in [json!({}), json!({ "reason": " " }), json!({ "reason": "x".repeat(501) })] {
        operator.post(&path("block"), &reason).refused(422, "invalid");
    }
    let audit = api.done(&["audit", "list"]);
    for what in ["board.block", "board.unblock", "board.revoke"] {
        let line = audit.lines().find(|line| line.contains(what)).unwrap();
        assert!(line.contains("otto"), "{line}");
    }
}

#[test]
fn who_changes_or_removes_says_what_they_have_read() {
    let api = Api::start();
    let admin = api.program_of("anna", &["platform-admin"]);
    let (board, labels) = ("/boards/CB-00000000", "/boards/CB-00000000/labels");
    let read = tag(&admin.get(labels));
    let roof = json!({ "site": "roof" });
    let put = |tag: &str| admin.send("PUT", labels, &[("If-Match", tag)], Some(&roof));
    admin.send("PUT", labels, &[], Some(&roof)).refused(428, "precondition-required");
    let changed = put(&read);
    assert_eq!(changed.ok(), roof);
    put(&read).refused(412, "changed");
    assert_eq!(tag(&put(&tag(&changed))), tag(&changed), "the same again is no change");
    for bad in [json!({ "": "x" }), json!({ "x": "y".repeat(129) }), json!({ "x": 1 }), json!([])] {
        let refused = admin.send("PUT", labels, &[("If-Match", "*")], Some(&bad));
        refused.refused(422, "invalid");
    }

    let read = tag(&admin.get(board));
    admin.send("PUT", labels, &[("If-Match", "*")], Some(&json!({}))).ok();
    let remove = |tag: &str| admin.send("DELETE", board, &[("If-Match", tag)], None);
    admin.send("DELETE", board, &[], None).refused(428, "precondition-required");
    remove(&read).refused(412, "changed");
    assert_eq!(remove(&tag(&admin.get(board))).status, 204);
    admin.get(board).refused(404, "not-found");
    assert_eq!(ids(&admin.get("/boards").ok()), ["CB-00000001"]);
}

#[test]
fn hearing_a_board_does_not_change_its_tag_and_is_seen_in_lists() {
    let api = Api::start();
    let admin = api.program_of("anna", &["platform-admin"]);
    let board = "/boards/CB-00000000";
    let before = tag(&admin.get(board));
    let identity = api.site.boards[0].identity();
    let client = Client::connect(api.hub.listen, &api.site.root(), &identity).expect("a session");
    assert_eq!(Board::new(client).post("d", b"reading").message.dotted(), "2.04");
    eventually("the board is heard", PATIENCE, || {
        admin.get(board).ok()["last_seen"].is_string().then_some(())
    });
    assert_eq!(tag(&admin.get(board)), before);
    assert_eq!(ids(&admin.get("/boards?heard=true&sort=-last_seen").ok()), ["CB-00000000"]);
}
