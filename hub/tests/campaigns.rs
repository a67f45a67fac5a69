//! Campaigns: a tenant's boards leave one authority for another, group by group, and nothing they do is
//! interrupted by it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use virtual_board::{Connector, Fixture, Fleet, Plan as BoardPlan, Snapshot, Tally, run_fleet};

use crate::rig::api::Api;
use crate::rig::command::{done, refused};
use crate::rig::hub::Hub;
use crate::rig::site::{Plan, Site};
use crate::rig::{PATIENCE, eventually};

const BOARDS: usize = 60;

/// Boards that go on sending readings until they are stopped.
struct Running {
    stop: watch::Sender<bool>,
    boards: JoinHandle<Snapshot>,
}

impl Running {
    fn start(site: &Site, hub: &Hub) -> Self {
        let fixture = Fixture::new(&site.path(""));
        let fleet = Fleet {
            identities: fixture.boards(0, BOARDS).unwrap(),
            connector: Connector::new(hub.listen, "localhost", &fixture.root(), 8).unwrap(),
            plan: BoardPlan {
                interval: Duration::from_millis(500),
                resource: String::from("d"),
                ..BoardPlan::default()
            },
            seed: 7,
            tally: Arc::<Tally>::default(),
        };
        let (stop, stopped) = watch::channel(false);
        let boards = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(run_fleet(fleet, stopped))
        });
        Self { stop, boards }
    }

    fn end(self) -> Snapshot {
        self.stop.send_replace(true);
        self.boards.join().unwrap()
    }
}

fn site() -> Plan {
    let plan = Plan::boards(BOARDS).set("flood", "handshakes_per_source_s", 0);
    let plan = plan.set("flood", "hellos_per_source_s", 0);
    let plan = plan.set("quota", "board_messages_per_minute", 0);
    plan.set("quota", "board_handshakes_per_hour", 0)
}

fn show(site: &Site) -> Value {
    serde_json::from_str(&done(site, &["campaign", "show", "1", "--json"])).unwrap()
}

fn boards(shown: &Value, state: &str) -> u64 {
    let groups = shown["groups"].as_array().unwrap();
    groups.iter().map(|group| group["boards"][state].as_u64().unwrap()).sum()
}

fn wait_until(site: &Site, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, 4 * PATIENCE, || Some(show(site)).filter(&is_so))
}

/// Waits until the hub has taken so many more readings.
fn readings(hub: &Hub, more: u32) {
    let accepted = || hub.metric("hub_messages_total", &[("outcome", "accepted")]);
    let enough = accepted() + f64::from(more);
    eventually("more readings", 4 * PATIENCE, || (accepted() >= enough).then_some(()));
}

fn refused_handshakes(hub: &Hub) -> f64 {
    hub.metric("hub_handshakes_total", &[("outcome", "refused")])
}

#[test]
fn boards_get_certificates_of_another_authority_group_by_group_over_a_pause_and_a_kill() {
    let (site, mut hub) = site().start();
    done(&site, &["authority", "add", "tenant-0"]);
    let fleet = Running::start(&site, &hub);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions >= 60.0);

    let new = ["campaign", "new", "--from", "tenant-0/1", "--to", "tenant-0/2", "--reason", "old"];
    let groups = [
        "--group",
        "a:10%:100%",
        "--group",
        "b:30%:100%",
        "--group",
        "c:rest",
        "--per-minute",
        "120",
    ];
    let said = done(&site, &[&new[..], &groups].concat());
    assert!(said.starts_with("campaign 1: from tenant-0/1 to tenant-0/2"), "{said}");
    refused(&site, &new, 1, &["campaign 1 that is not over"]);
    refused(&site, &["campaign", "start", "1"], 1, &["authority use tenant-0/2"]);
    done(&site, &["authority", "use", "tenant-0/2"]);
    readings(&hub, 60);
    assert_eq!((boards(&show(&site), "renewed"), boards(&show(&site), "waiting")), (0, 60));

    let said = done(&site, &["campaign", "start", "1"]);
    assert!(said.contains("runs since") && said.contains("group a"), "{said}");
    let forecast = done(&site, &["certificate", "forecast"]);
    assert!(forecast.contains("campaign 1 leaves it"), "{forecast}");
    wait_until(&site, "the second group is under way", |it| {
        it["campaign"]["group"] == 1 && boards(it, "renewed") > boards_of(it, 0)
    });
    done(&site, &["campaign", "pause", "1"]);
    let halted = wait_until(&site, "who was told has renewed", |it| it["told"] == 0);
    let renewed = boards(&halted, "renewed");
    assert!(renewed > 0 && renewed < 60, "{halted}");
    readings(&hub, 4 * 60);
    assert_eq!(boards(&show(&site), "renewed"), renewed, "while it is paused");
    refused(&site, &["authority", "retire", "tenant-0/1"], 1, &["boards have certificates"]);

    let said = done(&site, &["campaign", "resume", "1"]);
    assert!(said.contains("runs since"), "{said}");
    wait_until(&site, "some more have renewed", |it| boards(it, "renewed") > renewed + 5);
    assert_eq!(refused_handshakes(&hub), 0.0, "{}", hub.log());
    hub.process.kill();
    let mut hub = site.start();
    let over = wait_until(&site, "all have renewed", |it| it["campaign"]["state"] == "completed");
    assert_eq!((boards(&over, "renewed"), boards(&over, "waiting")), (60, 0), "{over}");
    let text = done(&site, &["campaign", "show", "1"]);
    assert!(text.contains("100 %, 60 of 60") && text.contains("is complete since"), "{text}");

    let said = done(&site, &["authority", "retire", "tenant-0/1"]);
    assert!(said.contains("retired; 0 boards"), "{said}");
    readings(&hub, 4 * 60);
    assert_eq!(refused_handshakes(&hub), 0.0, "{}", hub.log());
    let end = fleet.end();
    assert_eq!((end.rejected, end.renewed), (0, 60), "{end:?}");
    let log = done(&site, &["audit", "list", "--json"]);
    for what in ["new", "start", "pause", "resume", "group", "complete"] {
        assert!(log.contains(&format!("\"campaign.{what}\"")), "{what}: {log}");
    }
    hub.assert_alive();
    assert!(hub.terminate(PATIENCE).success());
    done(&site, &["store", "check"]);
}

/// Boards of one group.
fn boards_of(shown: &Value, group: usize) -> u64 {
    let boards = &shown["groups"][group]["boards"];
    boards["renewed"].as_u64().unwrap() + boards["waiting"].as_u64().unwrap()
}

#[test]
fn a_campaign_is_made_seen_halted_and_ended_over_the_api_by_whom_it_concerns() {
    let api = Api::start();
    let (anna, tina) = (
        api.program_of("anna", &["platform-admin"]),
        api.program_of("tina", &["tenant-admin@tenant-1"]),
    );
    let own = api.program_of("otto", &["tenant-admin@tenant-0"]);
    let mut new = json!({
        "from": "tenant-0/1", "to": "tenant-0/2", "per_minute": 60, "reason": "it ends",
        "groups": ["first:10%:100%", "others:rest"], "windows": [],
    });
    anna.post("/campaigns", &new).refused(404, "not-found");
    api.done(&["authority", "add", "tenant-0"]);
    own.post("/campaigns", &new).refused(403, "forbidden");
    for (name, wrong) in [
        ("per_minute", json!(0)),
        ("to", json!("tenant-1/1")),
        ("to", json!("tenant-0/1")),
        ("groups", json!(["all:rest", "none:5%"])),
        ("groups", json!(["a:60%", "b:60%"])),
        ("windows", json!(["always"])),
    ] {
        let before = new[name].clone();
        new[name] = wrong;
        let answer = anna.post("/campaigns", &new);
        assert!([409, 422].contains(&answer.status), "{new}: {} {}", answer.status, answer.text());
        new[name] = before;
    }
    let made = anna.post("/campaigns", &new).ok();
    assert_eq!((&made["id"], &made["state"]), (&json!(1), &json!("draft")), "{made}");
    assert_eq!(made["groups"][1]["percent"], 90);
    anna.post("/campaigns/1/start", &json!({})).refused(409, "refused");
    anna.post("/campaigns/1/resume", &json!({})).refused(409, "refused");
    api.done(&["authority", "use", "tenant-0/2"]);
    let started = anna.post("/campaigns/1/start", &json!({})).ok();
    assert_eq!((&started["state"], &started["boards"]["waiting"]), (&json!("running"), &json!(1)));
    let left = anna.get("/authorities").ok()["items"].to_string();
    assert!(left.contains("retiring"), "{left}");

    let of = |query: &str| anna.get(&format!("/boards?{query}")).ok()["total"].clone();
    assert_eq!(
        (of("authority=tenant-0/2"), of("authority=tenant-1/1&heard=true")),
        (json!(0), json!(0))
    );

    assert_eq!(own.get("/campaigns/1").ok()["from"], "tenant-0/1");
    own.post("/campaigns/1/pause", &json!({})).refused(403, "forbidden");
    tina.get("/campaigns/1").refused(404, "not-found");
    assert_eq!(tina.get("/campaigns").ok()["items"], json!([]));
    assert_eq!(anna.post("/campaigns/1/pause", &json!({})).ok()["state"], "paused");
    assert_eq!(anna.post("/campaigns/1/resume", &json!({})).ok()["state"], "running");
    let ended = anna.post("/campaigns/1/end", &json!({})).ok();
    assert_eq!((&ended["state"], &ended["why"]), (&json!("ended"), &json!(ended["why"])));
    assert!(ended["why"].as_str().unwrap().contains("of user:anna"), "{ended}");
    anna.post("/campaigns/1/start", &json!({})).refused(409, "refused");
    let back = anna.get("/authorities").ok()["items"].to_string();
    assert!(!back.contains("retiring"), "who is not left any more: {back}");
    assert_eq!(own.get("/campaigns").ok()["items"][0]["id"], 1);
    // A tenant that goes leaves none behind that waits.
    api.done(&["authority", "add", "tenant-1"]);
    (new["from"], new["to"]) = (json!("tenant-1/1"), json!("tenant-1/2"));
    assert_eq!(anna.post("/campaigns", &new).ok()["id"], 2);
    for board in api.site.of_tenant("tenant-1") {
        api.done(&["board", "remove", &board.id]);
    }
    api.done(&["tenant", "remove", "tenant-1"]);
    assert_eq!(anna.get("/campaigns/2").ok()["state"], "ended");
    api.done(&["store", "check"]);
}
