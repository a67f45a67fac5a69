//! The hub's own resources: what is asked of the shell, and what refusals they have.

use coap_lite::{CoapOption, MessageType, Packet};

use super::rig::{Rig, ask, block, non, option, request};
use crate::coap::message::code;

const BODY: [u8; 40] = *b"a body of forty bytes, three blocks long";

fn accepting(mut packet: Packet, format: u16) -> Packet {
    packet.add_option(CoapOption::Accept, format.to_be_bytes().to_vec());
    packet
}

fn with_block2(mut packet: Packet, number: u32, exponent: u8) -> Packet {
    packet.add_option(CoapOption::Block2, block(number, false, exponent));
    packet
}

#[test]
fn a_get_is_answered_with_what_the_shell_says() {
    let mut rig = Rig::with_locals();
    rig.send(&request(code::GET, "base/get", 1)).content(0, code::CONTENT, b"certificates");
    assert_eq!((rig.code(), &*rig.last().payload), (code::CONTENT, &b"certificates"[..]));
    assert_eq!(option(rig.last(), CoapOption::ContentFormat), Some(281));
    assert_eq!(option(rig.last(), CoapOption::Block2), None, "it fits");
    assert_eq!((rig.asked[0].1.local, rig.asked[0].1.body.len()), (0, 0));
    assert_eq!(rig.counted, [code::CONTENT]);
}

#[test]
fn a_label_is_the_tenants_and_nothing_else() {
    for (path, found) in [
        ("base/get", true),
        ("base/acme/get", true),
        ("base/other/get", false),
        ("base/acme/acme/get", false),
        ("base/acme", false),
        ("base", false),
        ("base/gets", false),
        ("basement/get", false),
    ] {
        let mut rig = Rig::with_locals();
        rig.send(&request(code::GET, path, 1));
        assert_eq!(!rig.asked.is_empty(), found, "{path}");
        if !found {
            assert_eq!(rig.code(), code::NOT_FOUND, "{path}");
        }
    }
}

#[test]
fn each_refusal_has_its_code() {
    let mut plain = ask(1, &BODY);
    plain.clear_option(CoapOption::ContentFormat);
    let mut queried = ask(1, &BODY);
    queried.add_option(CoapOption::UriQuery, b"a=b".to_vec());
    let cases = [
        (request(code::POST, "base/get", 1), code::METHOD_NOT_ALLOWED),
        (request(code::GET, "base/do", 1), code::METHOD_NOT_ALLOWED),
        (accepting(request(code::GET, "base/get", 1), 60), code::NOT_ACCEPTABLE),
        (accepting(ask(1, &BODY), 60), code::NOT_ACCEPTABLE),
        (plain, code::UNSUPPORTED_FORMAT),
        (queried, code::BAD_REQUEST),
        (ask(1, &[]), code::BAD_REQUEST),
        (ask(1, &[7; 4097]), code::ENTITY_TOO_LARGE),
        (with_block2(ask(1, &[]), 1, 6), code::ENTITY_INCOMPLETE),
    ];
    for (packet, expected) in cases {
        let mut rig = Rig::with_locals();
        rig.send(&packet);
        assert_eq!(rig.code(), expected, "{packet:?}");
        assert!(rig.asked.is_empty());
        assert_eq!(rig.counted, [expected]);
    }
}

#[test]
fn the_format_that_is_accepted_is_asked_for() {
    let mut rig = Rig::with_locals();
    rig.send(&accepting(ask(1, &BODY), 287)).content(0, code::CHANGED, b"one certificate");
    assert_eq!(rig.asked[0].1.format, 287);
    assert_eq!(option(rig.last(), CoapOption::ContentFormat), Some(287));
}

#[test]
fn a_repeated_post_is_asked_once_and_gets_the_same() {
    let mut rig = Rig::with_locals();
    rig.send(&ask(1, &BODY)).send(&ask(1, &BODY)).content(0, code::CHANGED, b"certificate");
    for _ in 0..2 {
        assert_eq!((rig.code(), &*rig.last().payload), (code::CHANGED, &b"certificate"[..]));
        assert_eq!(rig.last().header.get_type(), MessageType::Acknowledgement);
        assert_eq!(rig.asked.len(), 1);
        rig.send(&ask(1, &BODY));
    }
}

#[test]
fn a_post_repeated_after_its_answer_is_gone_is_told_to_ask_anew() {
    let mut rig = Rig::with_locals();
    rig.send(&ask(1, &BODY)).content(0, code::CHANGED, b"certificate").pass(120_001);
    rig.send(&ask(1, &BODY));
    assert_eq!((rig.code(), rig.last().payload.len()), (code::UNAVAILABLE, 0));
    assert_eq!(rig.asked.len(), 1);
}

#[test]
fn a_refusal_of_the_shells_says_why_to_a_repetition_as_well() {
    let mut rig = Rig::with_locals();
    rig.send(&ask(1, &BODY)).content(0, code::FORBIDDEN, b"another board's id");
    for _ in 0..2 {
        assert_eq!(
            (rig.code(), &*rig.last().payload),
            (code::FORBIDDEN, &b"another board's id"[..])
        );
        assert_eq!(option(rig.last(), CoapOption::ContentFormat), None);
        rig.send(&ask(1, &BODY));
    }
}

#[test]
fn a_shell_that_is_busy_says_when_to_come_back() {
    let mut rig = Rig::with_locals();
    rig.send(&ask(1, &BODY)).content(0, code::UNAVAILABLE, b"");
    assert_eq!(rig.code(), code::UNAVAILABLE);
    assert_eq!(option(rig.last(), CoapOption::MaxAge), Some(30));
}

#[test]
fn a_slow_answer_comes_separately_and_its_blocks_can_be_fetched() {
    let mut rig = Rig::with_locals();
    rig.send(&with_block2(ask(1, &BODY), 0, 0)).pass(1_500);
    assert_eq!(rig.last().header.get_type(), MessageType::Acknowledgement);
    rig.content(0, code::CHANGED, &BODY);
    assert_eq!(rig.last().header.get_type(), MessageType::Confirmable);
    assert_eq!(
        (&*rig.last().payload, option(rig.last(), CoapOption::Block2)),
        (&BODY[..16], Some(8))
    );
    rig.send(&with_block2(ask(2, &[]), 2, 0));
    assert_eq!(&*rig.last().payload, &BODY[32..]);
}

#[test]
fn a_busy_board_asks_later() {
    let mut rig = Rig::with_locals();
    for id in 0..5 {
        rig.send(&ask(id, &BODY));
    }
    assert_eq!((rig.asked.len(), rig.code()), (4, code::UNAVAILABLE));
}

#[test]
fn a_non_confirmable_request_is_answered_by_one() {
    let mut rig = Rig::with_locals();
    rig.send(&non(ask(1, &BODY))).content(0, code::CHANGED, b"certificate");
    assert_eq!(rig.last().header.get_type(), MessageType::NonConfirmable);
    assert_eq!(&*rig.last().payload, b"certificate");
}

#[test]
fn an_answer_is_kept_for_a_while_and_no_longer() {
    let mut rig = Rig::with_locals();
    rig.send(&request(code::GET, "base/get", 1)).content(0, code::CONTENT, &[9; 5000]);
    assert!(rig.endpoint.heap_bytes() >= 5000);
    rig.pass(120_000);
    assert_eq!(rig.endpoint.heap_bytes(), 0);
    rig.send(&with_block2(request(code::GET, "base/get", 2), 3, 6));
    assert_eq!(rig.asked.len(), 2, "what is gone is worked out anew");
    rig.content(1, code::CONTENT, &[9; 5000]);
    assert_eq!(option(rig.last(), CoapOption::Block2), Some(3 << 4 | 8 | 6));
}

#[test]
fn a_block_behind_the_end_is_refused() {
    let mut rig = Rig::with_locals();
    rig.send(&request(code::GET, "base/get", 1)).content(0, code::CONTENT, &[9; 2048]);
    rig.send(&with_block2(request(code::GET, "base/get", 2), 2, 6));
    assert_eq!(rig.code(), code::BAD_REQUEST);
}

#[test]
fn discovery_tells_of_them_and_filters_them() {
    let mut rig = Rig::with_locals();
    for (query, links) in [
        (
            "rt=test.*",
            r#"</base/get>;rt="test.get";ct="281 287",</base/do>;rt="test.do";ct="281 287""#,
        ),
        ("rt=test.do", r#"</base/do>;rt="test.do";ct="281 287""#),
        ("href=/base/get", r#"</base/get>;rt="test.get";ct="281 287""#),
    ] {
        let mut get = request(code::GET, ".well-known/core", 1);
        get.add_option(CoapOption::UriQuery, query.into());
        rig.send(&get);
        assert_eq!(str::from_utf8(&rig.last().payload).unwrap(), links);
    }
}
