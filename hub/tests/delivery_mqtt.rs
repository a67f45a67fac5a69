//! What a 2.04 is worth: a reading that was acknowledged is at the customer's broker, once, and one
//! that is not there was not acknowledged.

use std::time::{Duration, Instant};

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::rig::coap::{ACK, CON, CONTENT_FORMAT, Carrier, MAX_AGE, Message, POST};
use crate::rig::gate::Gate;
use crate::rig::hub::Hub;
use crate::rig::site::{Plan, Site};
use crate::rig::subscriber::Subscriber;
use storage::Acknowledge;

/// A hub whose tenant's broker is behind a gate, and a subscriber at that broker.
struct Delivery {
    site: Site,
    hub: Hub,
    gate: Gate,
    broker: Broker,
    subscriber: Subscriber,
}

impl Delivery {
    fn start(boards: usize) -> Self {
        Self::with(boards, |_| {})
    }

    fn with(boards: usize, change: impl FnOnce(&Site)) -> Self {
        let broker = Broker::start();
        let subscriber = Subscriber::start(broker.plain);
        let gate = Gate::before(broker.tls);
        let site = Plan::boards(boards).broker(gate.address, &broker.ca()).build();
        change(&site);
        let hub = site.start();
        wait_for_upstream(&hub, 1.0);
        Self { site, hub, gate, broker, subscriber }
    }

    fn board(&self, number: usize) -> Board<Client> {
        let identity = self.site.boards[number].identity();
        Board::new(
            Client::connect(self.hub.listen, &self.site.root(), &identity).expect("a session"),
        )
    }
}

fn wait_for_upstream(hub: &Hub, connected: f64) {
    hub.wait_for_metric("hub_upstream_connected", &[], |now| now == connected);
}

/// Waits for an empty acknowledgement of `request` and returns when it came.
fn empty_acknowledgement(board: &mut Board<Client>, request: &Message) -> Duration {
    let began = Instant::now();
    board.carrier.send(&request.encode());
    let first = board.carrier.receive(PATIENCE).expect("an acknowledgement");
    assert_eq!(Message::parse(&first), Some(Message::empty(ACK, request.id)));
    began.elapsed()
}

/// Waits for the separate answer to `request` and acknowledges it.
fn separate_answer(board: &mut Board<Client>, request: &Message) -> Message {
    let answer = board.carrier.receive(PATIENCE).expect("an answer");
    let answer = Message::parse(&answer).expect("CoAP");
    assert_eq!((answer.kind, &answer.token), (CON, &request.token));
    board.carrier.send(&Message::empty(ACK, answer.id).encode());
    answer
}

#[test]
fn a_reading_arrives_with_its_tenant_its_board_and_its_type() {
    let delivery = Delivery::start(1);
    let mut board = delivery.board(0);
    let mut pack = [0; 64];
    let reading = wire::Reading {
        name: "temperature",
        unit: Some("Cel"),
        value: wire::Value::F64(21.5),
        time: None,
    };
    let length = wire::encode(None, None, &[reading], &mut pack).expect("a pack");
    let request = board.message(POST, "t", &pack[..length]).with(CONTENT_FORMAT, 112);
    let answer = board.ask(&request);
    assert_eq!((answer.message.dotted().as_str(), answer.separate), ("2.04", false));
    let arrived = delivery.subscriber.wait_for(&pack[..length]);
    assert_eq!(arrived.topic, "tenant-0/CB-00000000/telemetry");
    assert_eq!(arrived.content_type.as_deref(), Some("application/senml+cbor"));
    assert_eq!(arrived.property("board"), Some("CB-00000000"));
    assert_eq!(arrived.property("tenant"), Some("tenant-0"));
    assert_eq!(arrived.property("message-id").map(str::len), Some(16));
}

#[test]
fn while_the_puback_is_withheld_there_is_an_empty_ack_in_time_and_no_2_04() {
    let delivery = Delivery::start(1);
    let mut board = delivery.board(0);
    delivery.gate.withhold();
    let request = board.message(POST, "t", b"withheld");
    let acknowledged = empty_acknowledgement(&mut board, &request);
    assert!(acknowledged < Duration::from_secs(2), "{acknowledged:?}");
    delivery.subscriber.wait_for(b"withheld");
    assert!(delivery.gate.withheld() > 0);
    assert_eq!(board.carrier.receive(Duration::from_secs(3)), None, "before the PUBACK");
    delivery.gate.open();
    assert_eq!(separate_answer(&mut board, &request).dotted(), "2.04");
    delivery.subscriber.assert_none_twice();
}

#[test]
fn a_frozen_broker_gets_no_board_a_2_04() {
    let delivery = Delivery::start(1);
    let mut board = delivery.board(0);
    delivery.broker.freeze();
    let request = board.message(POST, "t", b"frozen");
    let acknowledged = empty_acknowledgement(&mut board, &request);
    assert!(acknowledged < Duration::from_secs(2), "{acknowledged:?}");
    assert_eq!(board.carrier.receive(Duration::from_secs(3)), None, "before the PUBACK");
    delivery.broker.thaw();
    assert_eq!(separate_answer(&mut board, &request).dotted(), "2.04");
    delivery.subscriber.wait_for(b"frozen");
}

#[test]
fn a_request_repeated_while_its_puback_is_withheld_is_published_once() {
    let delivery = Delivery::start(1);
    let mut board = delivery.board(0);
    delivery.gate.withhold();
    let request = board.message(POST, "t", b"repeated");
    empty_acknowledgement(&mut board, &request);
    board.carrier.send(&request.encode());
    let again = board.carrier.receive(PATIENCE).expect("the acknowledgement again");
    assert_eq!(Message::parse(&again), Some(Message::empty(ACK, request.id)));
    delivery.gate.open();
    assert_eq!(separate_answer(&mut board, &request).dotted(), "2.04");
    assert_eq!(board.post("t", b"next").message.dotted(), "2.04");
    delivery.subscriber.wait_for(b"next");
    assert_eq!(delivery.subscriber.arrived().len(), 2);
}

#[test]
fn a_broker_that_is_down_is_said_at_once_and_when_to_come_back() {
    let delivery = Delivery::start(1);
    let mut board = delivery.board(0);
    delivery.gate.shut();
    wait_for_upstream(&delivery.hub, 0.0);
    let answer = board.post("t", b"too early");
    assert_eq!(answer.message.dotted(), "5.03");
    assert!(answer.message.option(MAX_AGE).expect("a Max-Age") >= 1);
    assert!(!answer.separate && answer.answered_after < Duration::from_secs(1), "{answer:?}");
    delivery.gate.open();
    wait_for_upstream(&delivery.hub, 1.0);
    assert_eq!(board.post("t", b"later").message.dotted(), "2.04");
    delivery.subscriber.wait_for(b"later");
    assert_eq!(delivery.subscriber.arrived().len(), 1, "what was refused is not sent afterwards");
}

#[test]
fn a_connection_lost_before_the_puback_is_5_03_and_not_silence() {
    let delivery = Delivery::start(1);
    let mut board = delivery.board(0);
    delivery.gate.withhold();
    let request = board.message(POST, "t", b"in flight");
    empty_acknowledgement(&mut board, &request);
    delivery.gate.shut();
    assert_eq!(separate_answer(&mut board, &request).dotted(), "5.03");
}

/// Posts until `wanted` readings have their 2.04 and returns those; a 5.03 is tried again.
fn stream(mut board: Board<Client>, name: usize, wanted: usize) -> Vec<String> {
    let mut acknowledged = vec![];
    while acknowledged.len() < wanted {
        let reading = format!("board {name} reading {}", acknowledged.len());
        let answer = board.post("t", reading.as_bytes());
        match answer.message.dotted().as_str() {
            "2.04" => acknowledged.push(reading),
            // Instead of the Max-Age it was told, a moment: the test has no minutes.
            "5.03" => std::thread::park_timeout(Duration::from_millis(20)),
            other => panic!("{reading}: {other}"),
        }
    }
    acknowledged
}

#[test]
fn a_broker_killed_and_started_mid_stream_loses_no_acknowledged_reading() {
    const BOARDS: usize = 4;
    const READINGS: usize = 150;
    let mut delivery = Delivery::start(BOARDS);
    let boards: Vec<_> = (0..BOARDS).map(|number| delivery.board(number)).collect();
    let streams: Vec<_> = boards
        .into_iter()
        .enumerate()
        .map(|(name, board)| std::thread::spawn(move || stream(board, name, READINGS)))
        .collect();
    for withheld_first in [false, true] {
        // Into the stream: some readings more have arrived since the last time.
        let before = delivery.subscriber.arrived().len();
        crate::rig::eventually("the stream runs", PATIENCE, || {
            (delivery.subscriber.arrived().len() > before + 40).then_some(())
        });
        if withheld_first {
            delivery.gate.withhold();
            crate::rig::eventually("PUBACKs are withheld", PATIENCE, || {
                (delivery.gate.withheld() > 0).then_some(())
            });
        }
        delivery.broker.kill();
        delivery.gate.shut();
        wait_for_upstream(&delivery.hub, 0.0);
        delivery.broker.restart();
        // The customer's system is back before the hub: what nobody subscribes to, nobody gets.
        delivery.subscriber = delivery.subscriber.again(delivery.broker.plain);
        delivery.gate.open();
        wait_for_upstream(&delivery.hub, 1.0);
    }
    let mut acknowledged = 0;
    for stream in streams {
        for reading in stream.join().expect("a board's stream") {
            delivery.subscriber.wait_for(reading.as_bytes());
            acknowledged += 1;
        }
    }
    assert_eq!(acknowledged, BOARDS * READINGS);
    delivery.subscriber.assert_none_twice();
    delivery.hub.assert_alive();
}

#[test]
fn a_route_that_acknowledges_on_receipt_does_not_wait_for_the_broker() {
    let delivery = Delivery::with(1, |site| {
        site.route("tenant-0", "quick", "broker", Acknowledge::OnReceive);
    });
    let mut board = delivery.board(0);
    delivery.gate.withhold();
    let answer = board.post("quick", b"on receipt");
    assert_eq!((answer.message.dotted().as_str(), answer.separate), ("2.04", false));
    let arrived = delivery.subscriber.wait_for(b"on receipt");
    assert_eq!(arrived.topic, "tenant-0/CB-00000000/quick");
    delivery.gate.shut();
    wait_for_upstream(&delivery.hub, 0.0);
    let answer = board.post("quick", b"to a broker known to be down");
    assert_eq!(answer.message.dotted(), "5.03");
}

#[test]
fn a_route_to_nowhere_is_5_03() {
    let delivery = Delivery::with(1, |site| {
        site.route("tenant-0", "nowhere", "no-such-upstream", Acknowledge::OnUpstream);
    });
    let mut board = delivery.board(0);
    let answer = board.post("nowhere", b"reading");
    assert_eq!(answer.message.dotted(), "5.03");
    assert_eq!(delivery.hub.metric("hub_messages_total", &[("outcome", "no_upstream")]), 1.0);
}

#[test]
fn a_hub_that_is_told_to_stop_answers_what_is_in_flight_first() {
    let mut delivery = Delivery::start(1);
    let mut board = delivery.board(0);
    delivery.gate.withhold();
    let request = board.message(POST, "t", b"last words");
    empty_acknowledgement(&mut board, &request);
    delivery.hub.process.signal("TERM");
    delivery.subscriber.wait_for(b"last words");
    delivery.gate.open();
    assert_eq!(separate_answer(&mut board, &request).dotted(), "2.04");
    assert!(delivery.hub.process.wait(PATIENCE).success(), "{}", delivery.hub.log());
}

#[test]
fn a_broker_that_never_acknowledges_does_not_keep_the_hub_from_stopping() {
    let mut delivery = Delivery::with(1, |site| site.configure("shutdown", "drain_s", 1));
    let mut board = delivery.board(0);
    delivery.gate.withhold();
    let request = board.message(POST, "t", b"never acknowledged");
    empty_acknowledgement(&mut board, &request);
    delivery.hub.process.signal("TERM");
    assert!(delivery.hub.process.wait(PATIENCE).success(), "{}", delivery.hub.log());
    delivery.hub.wait_for_log(&["left=1", "had no answer in time"]);
}
