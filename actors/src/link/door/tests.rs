//! The front door in virtual time.

use std::sync::Arc;

use super::*;
use crate::link::record::{ContentType, records, write_plaintext};
use crate::metrics::Metrics;

pub(in crate::link) fn door(slots: usize) -> Door {
    Door::new(DoorParts {
        cookie_key: [7; 32],
        slots: Slots::new(slots, Arc::new(Metrics::new())),
        expected: Expected::default(),
        workers: 2,
        shards: 3,
        forget_after: 1000,
        silence: 500,
        hellos: Budget::new(0, 0),
        begins: Budget::new(0, 0),
    })
}

fn peer(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 5000))
}

pub(in crate::link) fn hello(cookie: &[u8]) -> Vec<u8> {
    let length = u8::try_from(cookie.len()).unwrap();
    let body =
        [&[0xFE, 0xFD][..], &[9; 32], &[0, length], cookie, &[0, 2, 0xC0, 0x2B, 1, 0]].concat();
    let whole = u8::try_from(body.len()).unwrap();
    let message = [&[1, 0, 0, whole, 0, 1, 0, 0, 0, 0, 0, whole][..], &body].concat();
    let mut datagram = Vec::new();
    write_plaintext(ContentType::Handshake, 1, &message, &mut datagram).unwrap();
    datagram
}

/// Takes a hello without a cookie to the door and comes back with the one it was given.
fn come_back(door: &mut Door, now: Millis, from: SocketAddr) -> Step {
    let Step::Answer { answer, bad_cookie: false } = door.handle(now, from, &hello(&[])) else {
        panic!("no cookie");
    };
    let record = records(&answer, 0).next().unwrap().unwrap();
    // Handshake header, version, length of the cookie.
    door.handle(now, from, &hello(&record.fragment[15..]))
}

fn begins(step: &Step) -> bool {
    matches!(step, Step::Begin { slot: Some(_), .. })
}

#[test]
fn a_hello_without_a_cookie_leaves_nothing_and_its_answer_is_no_longer() {
    let mut door = door(8);
    let first = hello(&[]);
    let Step::Answer { answer, .. } = door.handle(0, peer(1), &first) else { panic!("no answer") };
    assert!(!answer.is_empty() && answer.len() <= first.len());
    assert_eq!(door.handshakes.capacity(), 0);
    assert!(!door.expected.has(peer(1)));
}

#[test]
fn a_cookie_begins_a_handshake_and_only_where_it_was_given() {
    let mut door = door(8);
    let Step::Answer { answer, .. } = door.handle(0, peer(1), &hello(&[])) else { panic!() };
    let record = records(&answer, 0).next().unwrap().unwrap();
    let stolen = hello(&record.fragment[15..]);
    assert!(matches!(door.handle(0, peer(2), &stolen), Step::Answer { bad_cookie: true, .. }));
    assert!(begins(&door.handle(0, peer(1), &stolen)));
    assert!(door.expected.has(peer(1)));
    let again = door.handle(1, peer(1), &stolen);
    assert!(matches!(again, Step::Begin { slot: None, .. }), "one handshake, one slot");
    door.over(&peer(1));
    assert!(!door.expected.has(peer(1)));
}

#[test]
fn handshakes_are_spread_over_workers_and_arbiters() {
    let mut door = door(64);
    let mut seen = std::collections::BTreeSet::new();
    for number in 1..=6 {
        let Step::Begin { shard, .. } = come_back(&mut door, 0, peer(number)) else {
            panic!("no handshake");
        };
        assert_eq!(door.carrier_of(&peer(number)), Some(Carrier::Door), "before it is known which");
        let worker = door.hand_on(&peer(number));
        assert_eq!(door.carrier_of(&peer(number)), Some(Carrier::Worker(worker)));
        seen.insert((worker, shard));
    }
    assert_eq!(seen.len(), 6);
}

#[test]
fn what_belongs_to_no_handshake_is_dropped_and_what_does_goes_to_its_worker() {
    let mut door = door(8);
    let mut flight = Vec::new();
    write_plaintext(ContentType::ChangeCipherSpec, 3, &[1], &mut flight).unwrap();
    let step = door.handle(0, peer(1), &flight);
    assert!(matches!(step, Step::Drop(RecordDrop::WrongEpoch)));
    assert!(begins(&come_back(&mut door, 0, peer(1))));
    assert!(matches!(door.handle(0, peer(1), &flight), Step::Continue { .. }));
}

#[test]
fn a_handshake_nobody_ended_is_forgotten_in_time_and_its_address_with_it() {
    let mut door = door(8);
    assert!(begins(&come_back(&mut door, 0, peer(1))));
    door.sweep(999);
    assert!(door.expected.has(peer(1)));
    door.sweep(1000);
    assert!(door.carrier_of(&peer(1)).is_none() && !door.expected.has(peer(1)));
}

#[test]
fn nothing_begins_while_the_hub_drains() {
    let mut door = door(8);
    door.drain();
    let step = door.handle(0, peer(1), &hello(&[]));
    assert!(matches!(step, Step::Drop(RecordDrop::HandshakesFull)));
}

#[test]
fn a_flood_from_one_address_is_cut_off_and_another_is_answered() {
    let mut door = door(8);
    door.hellos = Budget::new(5, 0);
    let answered = (0..100)
        .filter(|_| matches!(door.handle(0, peer(1), &hello(&[])), Step::Answer { .. }))
        .count();
    assert_eq!(answered, 10);
    let step = door.handle(0, peer(1), &hello(&[]));
    assert!(matches!(step, Step::Drop(RecordDrop::HelloRate)));
    assert!(matches!(door.handle(0, peer(2), &hello(&[])), Step::Answer { .. }));
    assert!(matches!(door.handle(1000, peer(1), &hello(&[])), Step::Answer { .. }));
}

#[test]
fn a_board_comes_back_with_its_cookie_though_somebody_spoofs_its_address() {
    let mut door = door(8);
    door.hellos = Budget::new(5, 0);
    let Step::Answer { answer, .. } = door.handle(0, peer(1), &hello(&[])) else { panic!() };
    while matches!(door.handle(0, peer(1), &hello(&[1; 16])), Step::Answer { .. }) {}
    let record = records(&answer, 0).next().unwrap().unwrap();
    assert!(begins(&door.handle(0, peer(1), &hello(&record.fragment[15..]))));
}

#[test]
fn a_replayed_cookie_begins_no_more_than_its_source_may() {
    let mut door = door(64);
    door.begins = Budget::new(5, 0);
    let begun =
        (0..50).filter(|_| matches!(come_back(&mut door, 0, peer(1)), Step::Begin { .. })).count();
    assert_eq!(begun, 10);
    let step = come_back(&mut door, 0, peer(1));
    assert!(matches!(step, Step::Drop(RecordDrop::HandshakeRate)));
}

#[test]
fn when_all_places_are_taken_the_silent_lose_theirs_and_those_that_speak_keep_them() {
    let mut door = door(2);
    let Step::Begin { slot: silent, .. } = come_back(&mut door, 0, peer(1)) else { panic!() };
    let Step::Begin { slot: speaking, .. } =
        come_back(&mut door, 0, SocketAddr::from(([198, 51, 100, 1], 1)))
    else {
        panic!()
    };
    assert!(silent.is_some() && speaking.is_some());
    door.heard(400, &SocketAddr::from(([198, 51, 100, 1], 1)));
    let late = SocketAddr::from(([203, 0, 113, 1], 1));
    let full = |step| matches!(step, Step::Drop(RecordDrop::HandshakesFull));
    assert!(full(come_back(&mut door, 499, late)));
    assert!(door.poll_evicted().is_none(), "nobody is silent for long");
    assert!(full(come_back(&mut door, 700, late)));
    let (carrier, evicted) = door.poll_evicted().unwrap();
    assert_eq!((Some(carrier), evicted), (door.carrier_of(&peer(1)), peer(1)));
    assert!(door.poll_evicted().is_none());
    // Who has it gives it up.
    door.over(&peer(1));
    drop(silent);
    assert!(begins(&come_back(&mut door, 701, late)));
}

#[test]
fn what_comes_behind_a_resumed_handshake_is_held_until_its_session_begins() {
    let (expected, mut door) = (Expected::default(), door(4));
    door.expected = expected.clone();
    assert!(begins(&come_back(&mut door, 0, peer(1))));
    assert!(!door.hold(&peer(1), b"data"), "somebody has it still");
    door.settle(1, peer(1));
    assert_eq!(door.carrier_of(&peer(1)), None);
    assert!(expected.has(peer(1)), "arbiters still send here what they do not know");
    for number in 0..9 {
        assert!(door.hold(&peer(1), &[number]));
    }
    let held: Vec<_> = door.settled(&peer(1)).concat();
    assert_eq!(held, [0, 1, 2, 3], "and never without bound");
    assert!(!expected.has(peer(1)) && !door.hold(&peer(1), b"data"));
    assert!(door.settled(&peer(1)).is_empty());
}

#[test]
fn a_session_that_never_begins_is_not_waited_for() {
    let (expected, mut door) = (Expected::default(), door(4));
    door.expected = expected.clone();
    assert!(begins(&come_back(&mut door, 0, peer(1))));
    door.settle(1, peer(1));
    door.sweep(SETTLE);
    assert!(door.hold(&peer(1), b"data"));
    door.sweep(SETTLE + 1);
    assert!(!door.hold(&peer(1), b"data") && !expected.has(peer(1)));
}
