//! Brokers that withhold, reorder, repeat, fall silent or never answer; and full queues.

use std::sync::Arc;
use std::time::Duration;

use actors::upstream::{Deliver, Outcome, UpstreamSecrets, start};
use futures_util::FutureExt;
use rumqttc::Packet;
use storage::MqttVersion::{V5, V311};
use storage::{MqttUpstream, Upstream, UpstreamKind};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::adapter::{Adapter, Log, eventually, nobody_barred, plain, uplink, within};
use super::fake_broker::FakeBroker;

#[actix::test]
async fn while_the_acknowledgement_is_withheld_there_is_no_outcome() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V311));
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let mut outcome = adapter.deliver(1);
    let publish = client.publish().await;
    assert_eq!((&publish.payload[..], publish.dup), (&b"reading-1"[..], false));
    assert_eq!(adapter.gauge("hub_upstream_in_flight"), 1);
    assert_eq!(outcome.try_recv(), Err(TryRecvError::Empty));
    client.acknowledge(publish.pkid).await;
    assert_eq!(within(outcome).await.unwrap(), Outcome::Accepted);
    assert_eq!(adapter.gauge("hub_upstream_in_flight"), 0);
}

#[actix::test]
async fn acknowledgements_out_of_order_answer_each_its_own_delivery() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(MqttUpstream { in_flight_max: 3, ..plain(broker.port(), V311) });
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let mut outcomes: Vec<_> = (0..3).map(|n| adapter.deliver(n)).collect();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(client.publish().await.pkid);
    }
    // The first is held back for as long as ten more pass by: it stops nobody.
    for n in 3..13 {
        let freed = ids.pop().unwrap();
        client.acknowledge(freed).await;
        assert_eq!(within(outcomes.pop().unwrap()).await.unwrap(), Outcome::Accepted);
        outcomes.push(adapter.deliver(n));
        ids.push(client.publish().await.pkid);
    }
    assert_eq!(outcomes[0].try_recv(), Err(TryRecvError::Empty));
    client.acknowledge(ids[0]).await;
    assert_eq!(within(outcomes.remove(0)).await.unwrap(), Outcome::Accepted);
}

#[actix::test]
async fn a_full_queue_says_so_at_once() {
    let broker = FakeBroker::bind().await;
    let mqtt = MqttUpstream { in_flight_max: 1, queue_max: 2, ..plain(broker.port(), V311) };
    let adapter = Adapter::start(mqtt);
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let first = adapter.deliver(0);
    let publish = client.publish().await;
    let queued = [adapter.deliver(1), adapter.deliver(2)];
    let Outcome::Full { retry_after } = adapter.outcome(3).await else { panic!("not full") };
    assert!(retry_after >= Duration::from_secs(1));
    client.acknowledge(publish.pkid).await;
    assert_eq!(within(first).await.unwrap(), Outcome::Accepted);
    for outcome in queued {
        let id = client.publish().await.pkid;
        client.acknowledge(id).await;
        assert_eq!(within(outcome).await.unwrap(), Outcome::Accepted);
    }
}

#[actix::test]
async fn a_black_hole_is_down_at_once_and_given_up_in_time() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V5));
    let client = broker.accept().await;
    // Well before the limit for connecting; the clock is not even needed.
    assert!(matches!(adapter.outcome(1).await, Outcome::Down { .. }));
    tokio::time::pause();
    eventually("given up", || adapter.ended("timed_out") == 1).await;
    tokio::time::resume();
    client.closed().await;
}

/// CONNACK of MQTT 5 with success and a server keep-alive of one second.
const HEAR_FROM_ME_EVERY_SECOND: &[u8] = b"\x20\x06\x00\x00\x03\x13\x00\x01";

#[actix::test]
async fn a_broker_that_falls_silent_is_given_up_and_what_it_held_is_down() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V5));
    let _silent = broker.answer_first(HEAR_FROM_ME_EVERY_SECOND).await;
    adapter.connected().await;
    let outcome = adapter.deliver(1);
    let Outcome::Down { retry_after } = within(outcome).await.unwrap() else { panic!("not down") };
    assert!(retry_after >= Duration::from_secs(1) && retry_after < Duration::from_secs(3));
    assert_eq!(adapter.ended("silent"), 1);
    assert_eq!(adapter.gauge("hub_upstream_connected"), 0);
}

#[actix::test]
async fn a_ping_that_is_answered_keeps_the_connection() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V5));
    let mut client = broker.answer_first(HEAR_FROM_ME_EVERY_SECOND).await;
    adapter.connected().await;
    for _ in 0..3 {
        assert!(matches!(client.packet().await, Packet::PingReq));
        client.send(&[0xd0, 0x00]).await;
    }
    assert_eq!(adapter.gauge("hub_upstream_connected"), 1);
    assert_eq!(adapter.ended("silent"), 0);
}

#[actix::test]
async fn what_is_queued_or_in_flight_when_the_connection_ends_is_down_and_not_published_again() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(MqttUpstream { in_flight_max: 1, ..plain(broker.port(), V311) });
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let outcomes = [adapter.deliver(1), adapter.deliver(2)];
    client.publish().await;
    drop(client);
    for outcome in outcomes {
        assert!(matches!(within(outcome).await.unwrap(), Outcome::Down { .. }));
    }
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let outcome = adapter.deliver(3);
    let publish = client.publish().await;
    assert_eq!(&publish.payload[..], b"reading-3", "an older one came again");
    client.acknowledge(publish.pkid).await;
    assert_eq!(within(outcome).await.unwrap(), Outcome::Accepted);
}

#[actix::test]
async fn an_acknowledgement_for_nothing_ends_the_connection() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V311));
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let outcome = adapter.deliver(1);
    let id = client.publish().await.pkid;
    client.acknowledge(id + 1).await;
    assert!(matches!(within(outcome).await.unwrap(), Outcome::Down { .. }));
    assert_eq!(adapter.ended("protocol"), 1);
}

#[actix::test]
async fn an_mqtt_5_brokers_terms_and_verdicts_are_heeded() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V5));
    // Receive maximum 1, maximum packet size 300.
    let welcome = b"\x20\x0b\x00\x00\x08\x21\x00\x01\x27\x00\x00\x01\x2c";
    let mut client = broker.answer_first(welcome).await;
    adapter.connected().await;
    let first = adapter.deliver(1);
    let second = adapter.deliver(2);
    eventually("in flight", || adapter.gauge("hub_upstream_in_flight") == 1).await;
    client.send(b"\x40\x03\x00\x01\x97").await;
    assert!(matches!(within(first).await.unwrap(), Outcome::Full { .. }));
    client.send(b"\x40\x03\x00\x01\x87").await;
    assert!(matches!(within(second).await.unwrap(), Outcome::Refused { .. }));
    let (done, outcome) = oneshot::channel();
    let mut large = uplink(3);
    large.payload = vec![0; 400].into();
    assert!(adapter.handle.deliver(Deliver { uplink: large, done }).is_ok());
    assert!(matches!(within(outcome).await.unwrap(), Outcome::Refused { .. }));
    assert_eq!(adapter.gauge("hub_upstream_connected"), 1);
}

#[actix::test]
async fn a_broker_without_qos_1_or_without_sense_is_no_broker() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V5));
    let unable = broker.answer_first(b"\x20\x05\x00\x00\x02\x24\x00").await;
    eventually("incompatible", || adapter.ended("incompatible") == 1).await;
    drop(unable);
    let senseless = broker.answer_first(b"\xff\xff\xff\xff\xff\xff").await;
    eventually("protocol", || adapter.ended("protocol") == 1).await;
    drop(senseless);
}

#[actix::test]
async fn a_topic_that_is_none_is_refused_and_not_sent() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V311));
    let _client = broker.welcome().await;
    adapter.connected().await;
    for topic in ["", "a/+", "#", "$SYS/broker", "a\0b"] {
        let (done, outcome) = oneshot::channel();
        let uplink = actors::upstream::Uplink { topic: topic.to_owned(), ..uplink(1) };
        assert!(adapter.handle.deliver(Deliver { uplink, done }).is_ok());
        assert!(matches!(within(outcome).await.unwrap(), Outcome::Refused { .. }), "{topic:?}");
    }
}

#[actix::test]
async fn draining_waits_for_the_last_answer_and_stopping_does_not() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V311));
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let outcome = adapter.deliver(1);
    let id = client.publish().await.pkid;
    let mut draining = Box::pin(adapter.handle.drain());
    assert!(draining.as_mut().now_or_never().is_none());
    client.acknowledge(id).await;
    within(draining).await;
    assert_eq!(within(outcome).await.unwrap(), Outcome::Accepted);

    let outcome = adapter.deliver(2);
    client.publish().await;
    within(adapter.handle.stop()).await;
    assert!(matches!(within(outcome).await.unwrap(), Outcome::Down { .. }));
    assert!(matches!(client.packet().await, Packet::Disconnect));
    let (done, _) = oneshot::channel();
    assert!(adapter.handle.deliver(Deliver { uplink: uplink(3), done }).is_err(), "given back");
    assert!(!adapter.metrics.encode().contains("acme"), "its series are still there");
}

#[actix::test]
async fn a_delivery_whose_outcome_nobody_wants_is_published_all_the_same() {
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V311));
    let mut client = broker.welcome().await;
    adapter.connected().await;
    drop(adapter.deliver(1));
    let publish = client.publish().await;
    assert_eq!(&publish.payload[..], b"reading-1");
    client.acknowledge(publish.pkid).await;
    within(adapter.handle.drain()).await;
}

#[actix::test]
async fn no_log_line_holds_a_payload() {
    let log = Log::begin();
    let broker = FakeBroker::bind().await;
    let adapter = Adapter::start(plain(broker.port(), V311));
    let mut client = broker.welcome().await;
    adapter.connected().await;
    let outcome = adapter.deliver(1);
    client.publish().await;
    drop(client);
    assert!(matches!(within(outcome).await.unwrap(), Outcome::Down { .. }));
    let text = log.text();
    assert!(text.contains("upstream connected") && text.contains("upstream down"), "{text}");
    assert!(!text.contains("reading-1"), "{text}");
}

#[actix::test]
async fn discard_accepts_at_once() {
    let discard = Upstream {
        tenant: "acme".parse().unwrap(),
        name: "discard".parse().unwrap(),
        kind: UpstreamKind::Discard,
    };
    let (arbiter, none) = (actix::Arbiter::current(), UpstreamSecrets::default());
    let handle = start(&discard, &none, &arbiter, Arc::default(), nobody_barred()).unwrap();
    let (done, mut outcome) = oneshot::channel();
    assert!(handle.deliver(Deliver { uplink: uplink(1), done }).is_ok());
    assert_eq!(outcome.try_recv(), Ok(Outcome::Accepted));
    handle.drain().await;
    handle.stop().await;
}
