//! What the API tells while one listens: rates, upstreams, jobs, and a board's readings as they pass.

use serde_json::json;

use crate::rig::api::Api;
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, eventually};

#[test]
fn events_tell_of_rates_upstreams_and_jobs_until_one_signs_out() {
    let mut broker = Broker::start();
    let api = Api::of(Plan::boards(2).tenants(2).broker(broker.tls, &broker.ca()));
    let admin = api.browser_of("anna", &["platform-admin"]);
    eventually("both upstreams are up", PATIENCE, || {
        let overview = admin.get("/overview").ok();
        let upstreams = overview["upstreams"].as_array().unwrap();
        upstreams.iter().all(|it| it["state"] == "up").then_some(())
    });
    let mut events = admin.listen("/events").unwrap_or_else(|refused| panic!("{refused:?}"));
    let operator = api.program_of("otto", &["operator@tenant-1"]);
    let mut theirs = operator.listen("/events").unwrap_or_else(|refused| panic!("{refused:?}"));
    let rates = events.wait_for("rates");
    assert!(rates["messages"].is_f64() && rates["handshakes"].is_f64() && rates["at"].is_string());
    assert!(theirs.wait_for("rates")["handshakes"].is_null());
    broker.kill();
    assert_eq!(theirs.wait_for("upstream")["tenant"], "tenant-1", "others' are not told of");
    events.wait_for("attention");
    let job =
        json!({ "filter": "tenant=tenant-0", "job": { "work": "block", "reason": "recall" } });
    admin.post("/jobs", &job).ok();
    let told = events.wait_for("job");
    assert_eq!((&told["filter"], &told["total"]), (&json!("tenant=tenant-0"), &json!(1)));
    while let Some((name, content)) = theirs.next() {
        assert_ne!(name, "job", "{content}");
        if name == "rates" {
            break;
        }
    }

    // A caller has eight places; another has its own.
    let more: Vec<_> = (0..7).map(|_| admin.listen("/events")).collect();
    assert!(more.iter().all(Result::is_ok));
    let refused = admin.listen("/events").err().expect("a ninth place");
    refused.refused(429, "too-many");
    let another = api.program_of("ada", &["auditor"]);
    assert!(another.listen("/events").is_ok());
    drop(more);

    assert_eq!(admin.send("DELETE", "/session", &[], None).status, 204);
    while let Some((name, _)) = events.next() {
        assert_eq!(name, "rates", "what comes until it is noticed");
    }
    admin.listen("/events").err().unwrap().refused(401, "unauthenticated");
}

#[test]
fn a_boards_readings_are_seen_as_they_pass_and_read_by_who_may() {
    let broker = Broker::start();
    let api = Api::of(Plan::boards(2).tenants(2).broker(broker.tls, &broker.ca()));
    let id = &api.site.boards[0].id;
    let path = format!("/boards/{id}/messages");
    let admin = api.program_of("anna", &["platform-admin"]);
    let operator = api.program_of("otto", &["operator@tenant-0"]);
    let others = api.program_of("olga", &["operator@tenant-1"]);
    let listen = |client: &crate::rig::api::Client| {
        client.listen(&path).unwrap_or_else(|refused| panic!("{refused:?}"))
    };
    let (mut reads, mut sees) = (listen(&operator), listen(&admin));
    others.listen(&path).err().unwrap().refused(404, "not-found");
    let identity = api.site.boards[0].identity();
    let client = Client::connect(api.hub.listen, &api.site.root(), &identity).expect("a session");
    let mut board = Board::new(client);
    eventually("a reading is taken", PATIENCE, || {
        (board.post("t", b"warm").message.dotted() == "2.04").then_some(())
    });
    let read = loop {
        let read = reads.wait_for("message");
        if read["outcome"] == "accepted" {
            break read;
        }
    };
    assert_eq!(
        (&read["resource"], &read["size"], &read["payload"]),
        (&json!("t"), &json!(4), &json!("d2FybQ=="))
    );
    assert!(read["latency_ms"].is_u64() && read["at"].is_string());
    let seen = sees.wait_for("message");
    assert_eq!(
        (&seen["size"], seen.get("payload")),
        (&json!(4), None),
        "a platform-admin reads none"
    );
    let log = api.hub.log();
    assert!(!log.contains("d2FybQ") && !log.contains("warm"), "{log}");
}
