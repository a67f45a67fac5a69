//! One tenant's trouble is its own: another tenant's boards do not notice it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::rig::coap::{Carrier, NON, POST};
use crate::rig::gate::Gate;
use crate::rig::hub::Hub;
use crate::rig::site::{Plan, Site};

fn board_of(site: &Site, hub: &Hub, tenant: &str, number: usize) -> Board<Client> {
    let identity = site.of_tenant(tenant)[number].identity();
    Board::new(Client::connect(hub.listen, &site.root(), &identity).expect("a session"))
}

/// The middle of the times from request to answer, over this many readings.
fn median_latency(board: &mut Board<Client>, path: &str, readings: usize) -> Duration {
    let mut times: Vec<_> = (0..readings)
        .map(|number| {
            let answer = board.post(path, format!("reading {number}").as_bytes());
            assert_eq!(answer.message.dotted(), "2.04");
            answer.answered_after
        })
        .collect();
    times.sort();
    times[readings / 2]
}

/// A bound that no scheduler's mood breaks and a shared queue does: minutes would be behind it. It is
/// a quarter of what a board waits before it repeats itself.
fn assert_undisturbed(calm: Duration, disturbed: Duration) {
    let bound = calm * 20 + Duration::from_millis(500);
    assert!(disturbed < bound, "{calm:?} when all was well, {disturbed:?} now");
}

/// Goes on until this is dropped, be it by a failure.
struct Flood<'a>(&'a AtomicBool);

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Two tenants, each with its own gate before the one broker.
fn two_tenants(boards: usize) -> (Site, Hub, Broker, Gate, Gate) {
    let broker = Broker::start();
    let (troubled, calm) = (Gate::before(broker.tls), Gate::before(broker.tls));
    let site = Plan::boards(boards).tenants(2).broker(troubled.address, &broker.ca()).build();
    site.move_upstream("tenant-1", calm.address);
    let hub = site.start();
    hub.wait_for_metric("hub_upstream_connected", &[], |connected| connected == 2.0);
    (site, hub, broker, troubled, calm)
}

#[test]
fn a_dead_broker_of_one_tenant_leaves_the_others_latency() {
    let (site, hub, _broker, troubled, _calm) = two_tenants(12);
    let mut board = board_of(&site, &hub, "tenant-1", 0);
    let calm = median_latency(&mut board, "t", 50);
    // First a broker that takes everything and answers nothing, then one that is gone.
    troubled.withhold();
    let mut waiting: Vec<_> = (0..5).map(|n| board_of(&site, &hub, "tenant-0", n)).collect();
    for other in &mut waiting {
        for _ in 0..20 {
            let request = other.message(POST, "t", b"waits");
            other.carrier.send(&request.encode());
        }
    }
    assert_undisturbed(calm, median_latency(&mut board, "t", 50));
    troubled.shut();
    hub.wait_for_metric("hub_upstream_connected", &[("tenant", "tenant-0")], |now| now == 0.0);
    assert_undisturbed(calm, median_latency(&mut board, "t", 50));
    let mut refused = board_of(&site, &hub, "tenant-0", 5);
    assert_eq!(refused.post("t", b"reading").message.dotted(), "5.03");
}

#[test]
fn a_flood_of_one_tenants_boards_leaves_the_others_latency() {
    let (site, mut hub, _broker, _troubled, _calm) = two_tenants(8);
    let mut board = board_of(&site, &hub, "tenant-1", 0);
    let calm = median_latency(&mut board, "t", 50);
    let (flooding, sent) = (AtomicBool::new(true), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let flood = Flood(&flooding);
        for number in 0..3 {
            let mut flood = board_of(&site, &hub, "tenant-0", number);
            let (flooding, sent) = (&flooding, &sent);
            scope.spawn(move || {
                while flooding.load(Ordering::Relaxed) {
                    let mut request = flood.message(POST, "t", b"flood");
                    request.kind = NON;
                    flood.carrier.send(&request.encode());
                    // More than a queue holds, and less than the socket can take: whose datagrams the
                    // kernel drops is another question.
                    if sent.fetch_add(1, Ordering::Relaxed) % 20 == 0 {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                }
            });
        }
        crate::rig::eventually("the flood runs", crate::rig::PATIENCE, || {
            (sent.load(Ordering::Relaxed) > 2000).then_some(())
        });
        let disturbed = median_latency(&mut board, "t", 50);
        drop(flood);
        assert_undisturbed(calm, disturbed);
    });
    hub.assert_alive();
}

#[test]
fn boards_of_two_tenants_publish_under_their_own_tenant_only() {
    let (site, hub, broker, _troubled, _calm) = two_tenants(4);
    let subscriber = crate::rig::subscriber::Subscriber::start(broker.plain);
    for tenant in ["tenant-0", "tenant-1"] {
        let mut board = board_of(&site, &hub, tenant, 1);
        assert_eq!(board.post("t", tenant.as_bytes()).message.dotted(), "2.04");
        let arrived = subscriber.wait_for(tenant.as_bytes());
        assert_eq!(arrived.topic, format!("{tenant}/{}/telemetry", site.of_tenant(tenant)[1].id));
        assert_eq!(arrived.property("tenant"), Some(tenant));
    }
}

#[test]
fn metrics_name_tenants_and_upstreams_but_no_board_and_do_not_grow_with_them() {
    let (site, hub, _broker, _troubled, _calm) = two_tenants(10);
    let mut first = board_of(&site, &hub, "tenant-0", 0);
    assert_eq!(first.post("t", b"reading").message.dotted(), "2.04");
    let before = hub.scrape();
    for number in 1..5 {
        for tenant in ["tenant-0", "tenant-1"] {
            let mut board = board_of(&site, &hub, tenant, number);
            assert_eq!(board.post("t", b"reading").message.dotted(), "2.04");
            assert_eq!(board.post("d", b"reading").message.dotted(), "2.04");
            assert_eq!(board.post("nowhere", b"reading").message.dotted(), "4.04");
        }
    }
    let after = hub.scrape();
    assert_eq!(before.0.len(), after.0.len(), "a series appeared with use");
    for sample in &after.0 {
        assert!(
            sample.name.starts_with("hub_") || sample.name.starts_with("process_"),
            "{sample:?}"
        );
        for value in sample.labels.values() {
            assert!(!value.contains("CB-") && !value.contains("127."), "{sample:?}");
        }
        if let Some(tenant) = sample.labels.get("tenant") {
            assert!(["tenant-0", "tenant-1"].contains(&tenant.as_str()), "{sample:?}");
        }
    }
    let timed = after.metric("hub_acknowledge_seconds_count", &[]);
    assert!(timed >= 9.0, "{timed} in the histogram");
}
