//! Virtual boards: the firmware's own core over webrtc-dtls, a DTLS that nobody here wrote, all the
//! way to a subscriber at mosquitto.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::rig::broker::Broker;
use crate::rig::gate::Gate;
use crate::rig::proxy::{Proxy, storm};
use crate::rig::site::{self, Site};
use crate::rig::subscriber::Subscriber;
use crate::rig::{PATIENCE, eventually};
use tokio::sync::watch;
use virtual_board::{Connector, Fixture, Fleet, Plan, Snapshot, Tally, run_fleet};

/// Runs boards of a site until each has `readings` readings delivered for good.
fn fleet(
    site: &Site,
    hub: SocketAddr,
    boards: usize,
    readings: u64,
    tally: &Arc<Tally>,
) -> Snapshot {
    let fixture = Fixture::new(&site.path(""));
    let fleet = Fleet {
        identities: fixture.boards(0, boards).expect("the boards"),
        connector: Connector::new(hub, "localhost", &fixture.root(), 4).expect("a connector"),
        plan: Plan {
            interval: Duration::from_millis(50),
            readings: Some(readings),
            ..Plan::default()
        },
        seed: 7,
        tally: Arc::clone(tally),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_go_on, stop) = watch::channel(false);
    let run =
        async { tokio::time::timeout(Duration::from_secs(120), run_fleet(fleet, stop)).await };
    runtime.block_on(run).unwrap_or_else(|_| panic!("never done: {:?}", tally.snapshot()))
}

fn topics_of(subscriber: &Subscriber) -> BTreeSet<String> {
    subscriber.arrived().into_iter().map(|publication| publication.topic).collect()
}

#[test]
fn every_reading_of_twenty_boards_of_two_tenants_arrives_once() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.plain);
    let (site, hub) = site::Plan::boards(20).tenants(2).broker(broker.tls, &broker.ca()).start();
    hub.wait_for_metric("hub_upstream_connected", &[], |connected| connected == 2.0);
    let done = fleet(&site, hub.listen, 20, 10, &Arc::default());
    assert_eq!((done.acknowledged, done.rejected, done.handshakes), (200, 0, 20), "{done:?}");
    eventually("200 readings", PATIENCE, || (subscriber.arrived().len() >= 200).then_some(()));
    subscriber.assert_none_twice();
    assert_eq!(subscriber.arrived().len(), 200);
    let expected =
        site.boards.iter().map(|board| format!("{}/{}/telemetry", board.tenant, board.id));
    assert_eq!(topics_of(&subscriber), expected.collect());
    for publication in subscriber.arrived() {
        assert!(wire::validate(&publication.payload).is_ok(), "{publication:?}");
        assert_eq!(publication.content_type.as_deref(), Some("application/senml+cbor"));
    }
}

#[test]
fn boards_keep_their_readings_while_the_broker_is_away() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.plain);
    let gate = Gate::before(broker.tls);
    gate.shut();
    let (site, hub) = site::Plan::boards(4)
        .broker(gate.address, &broker.ca())
        .set("coap", "retry_after_s", 1)
        .start();
    let tally = Arc::new(Tally::default());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| fleet(&site, hub.listen, 4, 8, &tally));
        eventually("readings are put off", PATIENCE, || {
            (tally.snapshot().deferred >= 4).then_some(())
        });
        assert_eq!(tally.snapshot().acknowledged, 0);
        assert!(subscriber.arrived().is_empty());
        gate.open();
        let done = running.join().expect("the fleet");
        assert_eq!((done.acknowledged, done.rejected), (32, 0), "{done:?}");
    });
    eventually("32 readings", PATIENCE, || (subscriber.arrived().len() >= 32).then_some(()));
    subscriber.assert_none_twice();
}

#[test]
fn a_board_delivers_over_a_network_that_loses_and_repeats() {
    let (site, hub) = site::Plan::boards(1).start();
    let proxy = Proxy::new(hub.listen, storm(0x77, 10, 5));
    let done = fleet(&site, proxy.address, 1, 15, &Arc::default());
    assert_eq!((done.acknowledged, done.rejected), (15, 0), "{done:?}");
    let labels = [("route_kind", "discard"), ("outcome", "accepted")];
    assert!(hub.metric("hub_messages_total", &labels) >= 15.0);
}
