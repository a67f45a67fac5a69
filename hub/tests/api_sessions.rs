//! Sessions that are awake, as the API shows and ends them.

use serde_json::{Value, json};

use crate::rig::api::Api;
use crate::rig::board::Board;
use crate::rig::client::Client;
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, eventually};

fn boards(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["board"].as_str().unwrap()).collect()
}

#[test]
fn sessions_are_listed_and_one_is_ended_for_its_board_to_begin_anew() {
    let api = Api::of(Plan::boards(4).tenants(2));
    let operator = api.program_of("otto", &["operator"]);
    let connect = |at: usize| {
        let identity = api.site.boards[at].identity();
        Client::connect(api.hub.listen, &api.site.root(), &identity).expect("a session")
    };
    let mut all: Vec<_> = (0..4).map(|at| Board::new(connect(at))).collect();
    let listed = eventually("all are awake", PATIENCE, || {
        let page = operator.get("/sessions").ok();
        (page["items"].as_array().unwrap().len() == 4).then_some(page)
    });
    assert_eq!(listed["next"], Value::Null);
    let mut expected: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["tenant"].as_str().unwrap(), it["board"].as_str().unwrap()))
        .collect();
    let as_listed = expected.clone();
    expected.sort_unstable();
    assert_eq!(as_listed, expected, "by tenant and board");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = operator.get(&format!("/sessions?limit=1{after}")).ok();
        seen.extend(boards(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, boards(&listed));
    let first = &listed["items"][0];
    assert!(first["address"].as_str().unwrap().starts_with("127."), "{first}");
    assert!(
        first["since"].is_string() && first["last_heard"].is_string() && first["secured"] == true
    );
    assert_eq!(boards(&operator.get("/sessions?q=000002").ok()), ["CB-00000002"]);
    let theirs = api.program_of("tina", &["operator@tenant-1"]);
    let page = theirs.get("/sessions").ok();
    assert!(
        boards(&page).len() == 2
            && page["items"].as_array().unwrap().iter().all(|it| it["tenant"] == "tenant-1")
    );
    theirs.get("/sessions?tenant=tenant-0").refused(404, "not-found");
    theirs.send("DELETE", "/sessions/CB-00000000", &[], None).refused(404, "not-found");

    let ended = operator.send("DELETE", "/sessions/CB-00000000", &[], None);
    assert_eq!(ended.status, 204, "{}", ended.text());
    eventually("it is over", PATIENCE, || {
        (!boards(&operator.get("/sessions").ok()).contains(&"CB-00000000")).then_some(())
    });
    operator.send("DELETE", "/sessions/CB-00000000", &[], None).refused(409, "refused");
    // Nothing of it is left to wake, so the board shakes hands anew.
    api.hub.wait_for_metric("hub_sessions_stored", &[], |count| count == 3.0);
    assert_eq!(api.hub.metric("hub_sessions_ended_total", &[("reason", "ended")]), 1.0);
    let mut again = Board::new(connect(0));
    assert_eq!(again.post("d", b"on a new one").message.dotted(), "2.04");
    assert_eq!(all[1].post("d", b"others go on").message.dotted(), "2.04");
    let audit = operator.get("/audit");
    audit.refused(403, "forbidden");
    let auditor = api.program_of("ada", &["auditor"]);
    let audit = auditor.get("/audit?what=session.end").ok();
    assert_eq!(audit["items"][0]["subject"], json!("CB-00000000"));
}
