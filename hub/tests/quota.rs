//! Quotas of boards and tenants, and the time of day, at the real program.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::{Client, Refused};
use crate::rig::coap::{Carrier, GET, MAX_AGE, Message, POST};
use crate::rig::gate::Gate;
use crate::rig::hub::Hub;
use crate::rig::site::{Plan, Site};

fn board_of(site: &Site, hub: &Hub, tenant: &str, number: usize) -> Board<Client> {
    let identity = site.of_tenant(tenant)[number].identity();
    Board::new(Client::connect(hub.listen, &site.root(), &identity).expect("a session"))
}

/// A command on the site while no hub runs; its exit code and all it said.
fn command(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let done = crate::rig::command::run(site, arguments);
    (done.status.code(), done.stdout + &done.stderr)
}

#[test]
fn a_board_a_thousand_times_over_its_quota_is_told_when_to_come_back_and_disturbs_nobody() {
    const QUOTA: u16 = 4;
    let site = Plan::boards(4)
        .tenants(2)
        .set("quota", "board_messages_per_minute", i64::from(QUOTA))
        .build();
    let free = ["tenant", "quota", "tenant-1", "--board-messages-per-minute", "0"];
    assert_eq!(command(&site, &free).0, Some(0));
    let hub = site.start();
    let mut greedy = board_of(&site, &hub, "tenant-0", 0);
    let mut modest = board_of(&site, &hub, "tenant-0", 1);
    let mut foreign = board_of(&site, &hub, "tenant-1", 0);
    let (mut taken, mut refused) = (0, 0);
    for number in 0..1_000 * QUOTA {
        let answer = greedy.post("d", b"again and again").message;
        match answer.dotted().as_str() {
            "2.04" => taken += 1,
            "4.29" => {
                let max_age = answer.option(MAX_AGE).unwrap();
                assert!((1..=15).contains(&max_age), "{answer:?}");
                refused += 1;
            }
            other => panic!("{other}"),
        }
        if number % 1_500 == 0 {
            assert_eq!(modest.post("d", b"now and then").message.dotted(), "2.04");
        }
        if number % 100 == 0 {
            assert_eq!(foreign.post("d", b"another tenant's").message.dotted(), "2.04");
        }
    }
    assert!(refused >= 3_950 && taken >= QUOTA, "{taken} taken, {refused} refused");
    let over = [("scope", "board"), ("kind", "messages")];
    assert_eq!(hub.metric("hub_quota_refused_total", &over), f64::from(refused));
    assert_eq!(hub.metric("hub_coap_requests_total", &[("code", "4.29")]), f64::from(refused));
    let accepted = hub.metric("hub_messages_total", &[("outcome", "accepted")]);
    assert_eq!(accepted, f64::from(taken) + 3.0 + 40.0, "nothing else went upstream");
    assert_eq!(hub.metric("hub_tenant_messages_total", &[("tenant", "tenant-1")]), 40.0);
}

#[test]
fn bytes_are_bounded_whatever_the_number_of_readings() {
    let (site, hub) = Plan::boards(2).set("quota", "board_bytes_per_minute", 1_000).start();
    let mut board = board_of(&site, &hub, "tenant-0", 0);
    assert_eq!(board.post("d", &[7; 950]).message.dotted(), "2.04");
    let refused = board.post("d", &[7; 900]).message;
    assert_eq!(refused.dotted(), "4.29");
    assert!((40..=51).contains(&refused.option(MAX_AGE).unwrap()), "{refused:?}");
    assert_eq!(board.post("d", &[7; 20]).message.dotted(), "2.04");
    assert_eq!(board_of(&site, &hub, "tenant-0", 1).post("d", &[7; 900]).message.dotted(), "2.04");
}

#[test]
fn what_waits_for_the_broker_is_bounded_for_a_board_and_for_a_tenant() {
    let broker = Broker::start();
    let gate = Gate::before(broker.tls);
    let site = Plan::boards(3)
        .broker(gate.address, &broker.ca())
        .set("quota", "board_in_flight_max", 2)
        .set("quota", "tenant_in_flight_max", 3)
        .build();
    let hub = site.start();
    hub.wait_for_metric("hub_upstream_connected", &[], |connected| connected == 1.0);
    let mut boards: Vec<_> = (0..3).map(|n| board_of(&site, &hub, "tenant-0", n)).collect();
    gate.withhold();
    let mut waiting = 0.0;
    for (board, readings) in [(0, 2), (1, 1)] {
        for _ in 0..readings {
            let request = boards[board].message(POST, "t", b"waits");
            boards[board].carrier.send(&request.encode());
            waiting += 1.0;
            hub.wait_for_metric("hub_tenant_in_flight", &[], |count| count == waiting);
        }
    }
    for board in [0, 2] {
        let refused = boards[board].post("t", b"one too many").message;
        assert_eq!((refused.dotted().as_str(), refused.option(MAX_AGE)), ("4.29", Some(2)));
    }
    let used = [("tenant", "tenant-0"), ("kind", "in_flight")];
    hub.wait_for_metric("hub_tenant_quota_used_percent", &used, |percent| percent == 100.0);
    for scope in ["board", "tenant"] {
        let over = [("scope", scope), ("kind", "in_flight")];
        assert_eq!(hub.metric("hub_quota_refused_total", &over), 1.0);
    }
    gate.open();
    hub.wait_for_metric("hub_tenant_in_flight", &[], |count| count == 0.0);
    assert_eq!(boards[2].post("t", b"now").message.dotted(), "2.04");
}

#[test]
fn a_board_that_shakes_hands_too_often_is_refused_and_others_are_not() {
    let (site, hub) = Plan::boards(2).set("quota", "board_handshakes_per_hour", 2).start();
    let identity = site.boards[0].identity();
    let connect = || Client::connect(hub.listen, &site.root(), &identity).map(drop);
    assert_eq!([connect(), connect()], [Ok(()), Ok(())]);
    assert_eq!(connect(), Err(Refused::Alert(49)));
    hub.wait_for_log(&["handshake refused", "CB-00000000", "more often than its quota"]);
    assert_eq!(hub.metric("hub_handshakes_total", &[("reason", "board_quota")]), 1.0);
    let over = [("scope", "board"), ("kind", "handshakes")];
    assert_eq!(hub.metric("hub_quota_refused_total", &over), 1.0);
    let other = board_of(&site, &hub, "tenant-0", 1).post("d", b"mine").message;
    assert_eq!(other.dotted(), "2.04");
}

#[test]
fn a_tenants_quota_is_set_shown_and_taken_back() {
    let site = Plan::boards(1).build();
    let quota = |more: &[&str]| command(&site, &[&["tenant", "quota", "tenant-0"], more].concat());
    let (code, said) = quota(&["--board-messages-per-minute", "60", "--tenant-in-flight-max", "0"]);
    assert_eq!(code, Some(0), "{said}");
    let table = "\
QUOTA                EACH BOARD               ALL TOGETHER
messages a minute    60                       no bound (default)
bytes a minute       no bound (default)       no bound (default)
handshakes an hour   no bound (default)       no bound (default)
in flight            no bound (default)       no bound
data plan a month    not known
";
    assert_eq!(said, table);
    let (_, shown) = command(&site, &["tenant", "show", "tenant-0"]);
    assert!(shown.ends_with(table) && shown.starts_with("tenant tenant-0 (Tenant 0): active, 1 b"));
    let (_, listed) = command(&site, &["tenant", "list"]);
    assert!(listed.lines().nth(1).is_some_and(|line| line.contains(" own ")), "{listed}");
    let (_, json) = command(&site, &["tenant", "show", "tenant-0", "--json"]);
    assert!(
        json.contains(r#""board":{"messages_per_minute":60,"bytes_per_minute":null,"#),
        "{json}"
    );

    assert_eq!(quota(&["--board-messages-per-minute", "many"]).0, Some(2));
    let default = ["--board-messages-per-minute", "default", "--tenant-in-flight-max", "default"];
    assert_eq!(quota(&default).0, Some(0));
    let (_, listed) = command(&site, &["tenant", "list"]);
    assert!(listed.lines().nth(1).is_some_and(|line| line.contains(" default ")), "{listed}");
}

#[test]
fn the_time_of_day_is_told_to_a_board_of_a_tenant_without_a_route() {
    let site = Plan::boards(1).build();
    for resource in ["t", "d"] {
        let (code, said) = command(&site, &["route", "remove", resource, "--tenant", "tenant-0"]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) =
        command(&site, &["route", "add", "time", "--tenant", "tenant-0", "--upstream", "discard"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("the hub itself serves time, the time of day"), "{said}");
    let hub = site.start();
    let mut board = board_of(&site, &hub, "tenant-0", 0);
    let host = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let answer = board.ask(&Message::request(GET, "time", 77, b"")).message;
    assert_eq!((answer.dotted().as_str(), answer.option(MAX_AGE)), ("2.05", Some(0)));
    let told = Duration::from_millis(wire::read_time(&answer.payload).unwrap());
    assert!(told.abs_diff(host) < PATIENCE, "{told:?} at {host:?}");
    assert_eq!(board.post("time", b"no").message.dotted(), "4.05");
    let links = board.ask(&Message::request(GET, ".well-known/core", 79, b"")).message.payload;
    let links = String::from_utf8(links).unwrap();
    assert!(links.starts_with("</time>;rt=\"hub.time\",</.well-known/est/"), "{links}");
}
