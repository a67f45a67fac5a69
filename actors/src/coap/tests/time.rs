//! The time of day, asked for by a board without a clock.

use coap_lite::{CoapOption, MessageType};

use super::rig::{BOOTED_MS, Rig, block, non, post, request};
use crate::coap::Resources;
use crate::coap::message::code;

#[test]
fn the_time_is_told_in_these_bytes() {
    let mut rig = Rig::new();
    rig.now = 0x01;
    rig.send(&request(code::GET, "time", 7));
    let bytes = rig.last().to_bytes().unwrap();
    let time = (BOOTED_MS + 1).to_be_bytes();
    let golden = [&[0x62, 0x45, 0, 7, 7, 0, 0xc1, 60, 0x20, 0xff, 0x1b][..], &time].concat();
    assert_eq!(bytes, golden);
    assert_eq!(wire::read_time(&rig.last().payload), Some(BOOTED_MS + 1));
    assert_eq!(rig.counted, [code::CONTENT]);
}

#[test]
fn a_repeated_question_is_told_the_time_of_its_repetition() {
    let mut rig = Rig::new();
    rig.send(&request(code::GET, "time", 7)).pass(5_000).send(&request(code::GET, "time", 7));
    let told: Vec<_> =
        rig.sent.iter().map(|sent| wire::read_time(&sent.payload).unwrap()).collect();
    assert_eq!(told[1] - told[0], 5_000);
    assert_eq!(rig.endpoint.heap_bytes(), 0, "nothing is remembered");
}

#[test]
fn a_non_confirmable_question_is_answered_by_a_non() {
    let mut rig = Rig::new();
    rig.send(&non(request(code::GET, "time", 7)));
    assert_eq!(rig.last().header.get_type(), MessageType::NonConfirmable);
    assert_eq!(rig.code(), code::CONTENT);
}

#[test]
fn the_time_is_told_to_a_tenant_without_a_route() {
    let mut rig = Rig::new();
    rig.resources = Resources::new([""; 0]);
    rig.send(&request(code::GET, "time", 7));
    assert_eq!(rig.code(), code::CONTENT);
    rig.send(&request(code::GET, ".well-known/core", 8));
    assert_eq!(rig.last().payload, b"</time>;rt=\"hub.time\"");
}

#[test]
fn a_route_of_that_name_does_not_take_its_place() {
    let mut rig = Rig::new();
    rig.resources = Resources::new(["time", "t"]);
    rig.send(&request(code::GET, "time", 7));
    assert_eq!(rig.code(), code::CONTENT);
    rig.send(&request(code::GET, ".well-known/core", 8));
    assert_eq!(rig.last().payload, b"</t>;rt=\"hub.uplink\",</time>;rt=\"hub.time\"");
}

#[test]
fn a_board_finds_the_time_by_its_type() {
    let mut rig = Rig::new();
    let mut get = request(code::GET, ".well-known/core", 8);
    get.add_option(CoapOption::UriQuery, b"rt=hub.time".to_vec());
    rig.send(&get);
    assert_eq!(rig.last().payload, b"</time>;rt=\"hub.time\"");
}

#[test]
fn other_questions_about_the_time_are_refused() {
    let mut cases = vec![];
    for method in [code::POST, code::PUT, 4, 5, 6, 7] {
        cases.push((request(method, "time", 7), code::METHOD_NOT_ALLOWED));
    }
    let with = |option: CoapOption, value: &[u8]| {
        let mut get = request(code::GET, "time", 7);
        get.add_option(option, value.to_vec());
        get
    };
    cases.push((with(CoapOption::Accept, &[112]), code::NOT_ACCEPTABLE));
    cases.push((with(CoapOption::Accept, &[60]), code::CONTENT));
    cases.push((with(CoapOption::UriQuery, b"tz=CET"), code::BAD_REQUEST));
    cases.push((with(CoapOption::Block2, &block(0, false, 0)), code::CONTENT));
    cases.push((with(CoapOption::Block2, &block(1, false, 0)), code::BAD_REQUEST));
    cases.push((request(code::GET, "time/zone", 7), code::NOT_FOUND));
    for (packet, expected) in cases {
        let mut rig = Rig::new();
        rig.send(&packet);
        assert_eq!(rig.code(), expected, "{packet:?}");
        assert!(rig.delivered.is_empty());
    }
}

#[test]
fn a_jump_of_the_time_of_day_ends_and_repeats_nothing() {
    let mut rig = Rig::new();
    rig.send(&post(1, b"21.5"));
    let (now, resources, limits) = (rig.now, &rig.resources, &rig.limits);
    for time in [0, u64::MAX, 1] {
        let get = request(code::GET, "time", 9).to_bytes().unwrap();
        let time = crate::coap::UnixMillis(time);
        rig.endpoint.handle_message(now, time, &get, resources, limits);
        let again = post(1, b"21.5").to_bytes().unwrap();
        rig.endpoint.handle_message(now, time, &again, resources, limits);
    }
    let due = rig.endpoint.poll_timeout();
    assert_eq!(due, Some(now + limits.acknowledge_within_ms));
    assert_eq!(rig.endpoint.in_flight(), 1);
}
