//! What happened to a board, as the API tells it: sessions and refusals, over the hub's death.

use serde_json::{Value, json};

use crate::rig::api::Api;
use crate::rig::board::Board;
use crate::rig::client::{Client, Refused};
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, eventually};

const PATH: &str = "/boards/CB-00000000/history";
const ACCESS_DENIED: i32 = 49;

fn kinds(history: &Value) -> Vec<(&str, Option<&str>)> {
    let items = history["items"].as_array().unwrap().iter();
    items.map(|item| (item["kind"].as_str().unwrap(), item["reason"].as_str())).collect()
}

#[test]
fn a_session_its_end_and_refusals_are_told_with_their_reasons_and_outlive_the_hub() {
    let mut api = Api::of(Plan::boards(2).tenants(2));
    let operator = api.program_of("otto", &["operator"]);
    assert_eq!(operator.get(PATH).ok(), json!({ "items": [] }));
    let connect = |api: &Api| {
        let identity = api.site.boards[0].identity();
        Client::connect(api.hub.listen, &api.site.root(), &identity)
    };
    let mut board = Board::new(connect(&api).expect("a session"));
    assert_eq!(board.post("d", b"reading").message.dotted(), "2.04");
    let why = json!({ "reason": "lost" });
    operator.post("/boards/CB-00000000/block", &why).ok();
    for _ in 0..3 {
        assert_eq!(connect(&api).err(), Some(Refused::Alert(ACCESS_DENIED)));
    }
    let told = eventually("all of it is told", PATIENCE * 2, || {
        let told = operator.get(PATH).ok();
        (told["items"].as_array().unwrap().len() == 3).then_some(told)
    });
    let mut found = kinds(&told);
    found.sort_unstable();
    let expected = [("begun", None), ("ended", Some("denied")), ("refused", Some("blocked"))];
    assert_eq!(found, expected);
    assert_eq!(kinds(&told)[2].0, "begun", "the newest first");
    let refused = told["items"].as_array().unwrap().iter().find(|it| it["kind"] == "refused");
    let refused = refused.unwrap();
    assert_eq!(refused["detail"], "the board is blocked");
    assert!(refused["count"].as_u64().is_some_and(|count| (1..=3).contains(&count)), "{refused}");
    assert!(refused["source"].as_str().unwrap().starts_with("127."), "{refused}");

    api.hub.process.kill();
    api.hub = api.site.start();
    let after = eventually("the hub is back", PATIENCE, || {
        let answer = operator.get(PATH);
        (answer.status == 200).then(|| answer.ok())
    });
    // Refusals that came later than the first were not written yet.
    assert_eq!(kinds(&after), kinds(&told));

    let theirs = api.program_of("tina", &["operator@tenant-1"]);
    theirs.get(PATH).refused(404, "not-found");
    let admin = api.program_of("anna", &["platform-admin"]);
    let gone = admin.send("DELETE", "/boards/CB-00000000", &[("If-Match", "*")], None);
    assert_eq!(gone.status, 204, "{}", gone.text());
    operator.get(PATH).refused(404, "not-found");
}
