//! How the fleet and the hub are, as the API shows it: what goes by, what is down, and to whom.

use serde_json::{Value, json};

use crate::rig::api::Api;
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, eventually};

fn codes(overview: &Value) -> Vec<String> {
    let items = overview["attention"].as_array().unwrap();
    items.iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_overview_shows_what_goes_by_and_what_is_down_to_each_their_own() {
    let mut broker = Broker::start();
    let api = Api::of(Plan::boards(2).tenants(2).broker(broker.tls, &broker.ca()));
    let admin = api.program_of("anna", &["platform-admin"]);
    let operator = api.program_of("otto", &["operator@tenant-1"]);
    let billing = api.program_of("bill", &["billing@tenant-0"]);
    let overview = || admin.get("/overview").ok();
    assert_eq!(overview()["boards"]["total"], 2);
    eventually("both upstreams are up", PATIENCE, || {
        let upstreams = overview()["upstreams"].as_array().unwrap().clone();
        let up = upstreams.iter().filter(|it| it["state"] == "up").count();
        (up == 2).then_some(())
    });

    let identity = api.site.boards[0].identity();
    let client = Client::connect(api.hub.listen, &api.site.root(), &identity).expect("a session");
    let mut board = Board::new(client);
    let seen = eventually("readings, the session and the board heard", PATIENCE, || {
        assert_eq!(board.post("t", b"a reading").message.dotted(), "2.04");
        let seen = overview();
        let rate = seen["rates"]["messages"].as_f64().unwrap();
        let boards = &seen["boards"];
        let is_there = rate > 0.0 && boards["online"] == 1 && boards["active_1h"] == 1;
        (is_there && !seen["series"].as_array().unwrap().is_empty()).then_some(seen)
    });
    assert_eq!(seen["boards"]["unheard"], 1, "{seen}");
    let point = &seen["series"][0];
    assert!(point["at"].is_string() && point["handshakes"].is_f64(), "{point}");

    let theirs = operator.get("/overview").ok();
    assert_eq!((&theirs["boards"]["total"], &theirs["boards"]["online"]), (&json!(1), &json!(0)));
    assert_eq!(theirs["rates"]["messages"], 0.0, "the other tenant's readings");
    assert_eq!(theirs["rates"]["handshakes"], Value::Null);
    assert_eq!(theirs["upstreams"].as_array().unwrap().len(), 1, "{theirs}");
    assert_eq!(billing.get("/overview").ok()["upstreams"], json!([]));

    broker.kill();
    admin.post("/tenants/tenant-0/suspend", &json!({ "reason": "unpaid" })).ok();
    eventually("what is down and who is suspended is shown", PATIENCE, || {
        let seen = overview();
        let codes = codes(&seen);
        let down = codes.iter().filter(|code| *code == "upstream-down").count();
        let is_told = down == 2 && codes.iter().any(|code| code == "tenant-suspended");
        (is_told && seen["upstreams"][0]["state"] == "down").then_some(())
    });
    let theirs = operator.get("/overview").ok();
    assert_eq!(codes(&theirs), ["upstream-down"], "{theirs}");
    assert_eq!(theirs["attention"][0]["tenant"], "tenant-1");
}

#[test]
fn the_system_is_shown_to_who_runs_it() {
    let api = Api::start();
    let admin = api.program_of("anna", &["platform-admin"]);
    let system = admin.get("/system").ok();
    assert_eq!(system["version"], env!("CARGO_PKG_VERSION"));
    assert!(system["openssl"].as_str().unwrap().starts_with("OpenSSL"), "{system}");
    assert_eq!((&system["store"]["healthy"], &system["keys"]["ok"]), (&json!(true), &json!(true)));
    for what in ["memory_bytes", "uptime_s"] {
        assert!(system[what].is_u64(), "{system}");
    }
    for what in ["bytes", "disk_free", "disk_total"] {
        assert!(system["store"][what].as_u64().unwrap() > 0, "{system}");
    }
    assert_eq!(system["listen"]["coaps"], api.hub.listen.to_string());
    assert!(system["certificate_end"].is_string(), "{system}");
    let operator = api.program_of("otto", &["operator@tenant-1"]);
    operator.get("/system").refused(403, "forbidden");
}
