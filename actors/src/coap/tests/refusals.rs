//! What bad input gets.

use coap_lite::{CoapOption, MessageType, Packet};

use super::rig::{Rig, empty, non, option, post, request};
use crate::coap::message::code;
use crate::coap::{Answer, DropReason};

fn with(mut packet: Packet, option: u16, value: &[u8]) -> Packet {
    packet.add_option(CoapOption::from(option), value.to_vec());
    packet
}

fn senml() -> Vec<u8> {
    let reading =
        wire::Reading { name: "t", unit: Some("Cel"), value: wire::Value::F64(21.5), time: None };
    let mut pack = [0; 64];
    let len = wire::encode(None, None, &[reading], &mut pack).unwrap();
    pack[..len].to_vec()
}

#[test]
fn each_refusal_has_its_code() {
    let cases = [
        (post(1, b""), code::BAD_REQUEST),
        (request(code::POST, "nowhere", 1), code::NOT_FOUND),
        (request(code::POST, "t/t", 1), code::NOT_FOUND),
        (request(code::POST, "r", 1), code::NOT_FOUND),
        (request(code::POST, "t/", 1), code::NOT_FOUND),
        (with(request(code::POST, "r/x", 1), 11, b"y"), code::NOT_FOUND),
        (request(code::POST, &"long/".repeat(30), 1), code::NOT_FOUND),
        (request(code::GET, "nowhere", 1), code::NOT_FOUND),
        (request(code::GET, "t", 1), code::METHOD_NOT_ALLOWED),
        (request(4, "t", 1), code::METHOD_NOT_ALLOWED),
        (request(31, "t", 1), code::METHOD_NOT_ALLOWED),
        (request(code::POST, ".well-known/core", 1), code::METHOD_NOT_ALLOWED),
        (with(request(code::GET, ".well-known/core", 1), 17, &[50]), code::NOT_ACCEPTABLE),
        (with(post(1, b"21.5"), 15, b"a=b"), code::BAD_REQUEST),
        (with(post(1, b"21.5"), 65_001, b""), code::BAD_OPTION),
        (with(post(1, b"21.5"), 9, b""), code::BAD_OPTION),
        (with(post(1, b"21.5"), 1, b"etag"), code::BAD_OPTION),
        (with(post(1, b"21.5"), 27, &[7]), code::BAD_OPTION),
        (with(post(1, b"21.5"), 27, &[0, 0, 0, 0]), code::BAD_OPTION),
        (with(with(post(1, b"21.5"), 17, &[0]), 17, &[0]), code::BAD_OPTION),
        (with(post(1, b"21.5"), 35, b"coap://elsewhere/"), code::PROXYING_NOT_SUPPORTED),
        (with(post(1, b"21.5"), 12, &[112]), code::BAD_REQUEST),
        (with(post(1, &[0xff]), 12, &[60]), code::BAD_REQUEST),
        (with(post(1, &[0x9f, 0x9f]), 12, &[60]), code::BAD_REQUEST),
    ];
    for (packet, expected) in cases {
        let mut rig = Rig::new();
        rig.send(&packet);
        assert_eq!(rig.code(), expected, "{packet:?}");
        assert_eq!(rig.last().header.get_type(), MessageType::Acknowledgement);
        assert_eq!(rig.counted, [expected]);
        assert!(rig.delivered.is_empty());
        assert_eq!(rig.endpoint.heap_bytes(), 0, "a refusal leaves no trace");
    }
}

#[test]
fn a_slash_inside_a_segment_is_no_separator() {
    let mut rig = Rig::new();
    let mut packet = request(code::POST, "r", 1);
    packet.clear_option(CoapOption::UriPath);
    packet.add_option(CoapOption::UriPath, b"r/x".to_vec());
    packet.payload = b"21.5".to_vec();
    rig.send(&packet);
    assert_eq!(rig.code(), code::NOT_FOUND);
}

#[test]
fn what_may_be_ignored_is_ignored() {
    let mut rig = Rig::new();
    let packet = with(with(post(1, b"21.5"), 6, &[0]), 258, &[2]);
    let packet = with(with(with(packet, 3, b"hub"), 7, &[1]), 65_000, b"x");
    rig.send(&with(packet, 12, &[1, 2, 3]));
    assert_eq!(rig.delivered[0].content_format, None, "no content format has three bytes");
}

#[test]
fn sound_payloads_pass_with_their_format() {
    let cbor = [0xa1, 0x01, 0x02];
    let cases = [
        (112_u16, senml()),
        (60, cbor.to_vec()),
        (60, senml()),
        (50, vec![0xff]),
        (11_542, vec![0]),
    ];
    for (format, payload) in cases {
        let mut rig = Rig::new();
        let mut packet = post(1, &payload);
        let bytes = format.to_be_bytes();
        packet.add_option(CoapOption::ContentFormat, bytes[usize::from(format < 256)..].to_vec());
        rig.send(&packet).outcome(0, Answer::Changed);
        assert_eq!(rig.delivered[0].content_format, Some(format));
    }
}

#[test]
fn a_reading_over_the_limit_is_told_the_limit() {
    let mut rig = Rig::new();
    rig.send(&post(1, &vec![7; 4097]));
    assert_eq!(rig.code(), code::ENTITY_TOO_LARGE);
    assert_eq!(option(rig.last(), CoapOption::Size1), Some(4096));
    rig.send(&post(2, &vec![7; 4096]));
    assert_eq!(rig.delivered.len(), 1);
}

#[test]
fn a_put_is_as_good_as_a_post() {
    let mut rig = Rig::new();
    let mut put = request(code::PUT, "r/x", 1);
    put.payload = b"21.5".to_vec();
    rig.send(&put);
    assert_eq!(rig.delivered[0].resource, 1);
}

#[test]
fn a_non_with_an_unknown_critical_option_is_ignored() {
    let mut rig = Rig::new();
    rig.send(&non(with(post(1, b"21.5"), 65_001, b"")));
    assert!(rig.sent.is_empty() && rig.delivered.is_empty());
    assert_eq!(rig.dropped, [DropReason::BadOption]);
}

#[test]
fn malformed_confirmable_messages_are_reset_and_others_ignored() {
    let malformed: &[&[u8]] = &[
        &[0x49, 2, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        &[0x4f, 2, 0, 7],
        &[0x42, 2, 0, 7, 1],
        &[0x40, 2, 0, 7, 0xff],
        &[0x40, 2, 0, 7, 0xb1, b't', 0xff],
        &[0x40, 2, 0, 7, 0xb2, b't'],
        &[0x40, 2, 0, 7, 0xf0],
        &[0x40, 2, 0, 7, 0x0f],
        &[0x40, 2, 0, 7, 0xd0],
        &[0x40, 2, 0, 7, 0xe0, 1],
        &[0x40, 2, 0, 7, 0xe0, 0xff, 0xff],
        &[0x40, 2, 0, 7, 0xe0, 0xfe, 0x00, 0xe0, 0xfe, 0x00],
        &[0x40, 0, 0, 7, 0xff, 1],
        &[0x41, 0, 0, 7, 1],
    ];
    for bytes in malformed {
        let mut rig = Rig::new();
        rig.bytes(bytes);
        assert_eq!(rig.sent, [empty(MessageType::Reset, 7)], "{bytes:02x?}");
        assert_eq!(rig.dropped, [DropReason::Malformed]);
        for kind in [0x10, 0x20, 0x30] {
            let mut rig = Rig::new();
            let mut bytes = bytes.to_vec();
            bytes[0] |= kind;
            rig.bytes(&bytes);
            assert!(rig.sent.is_empty(), "{bytes:02x?}");
            assert_eq!(rig.dropped, [DropReason::Malformed]);
        }
    }
}

#[test]
fn what_is_no_coap_of_this_version_is_ignored() {
    for bytes in
        [&[][..], &[0x40], &[0x40, 2, 0], &[0x00, 2, 0, 7], &[0x80, 2, 0, 7], &[0xc0, 2, 0, 7]]
    {
        let mut rig = Rig::new();
        rig.bytes(bytes);
        assert!(rig.sent.is_empty());
        assert_eq!(rig.dropped, [DropReason::Malformed]);
    }
}

#[test]
fn responses_and_reserved_codes_are_rejected() {
    for class in [1, 2, 4, 5, 6, 7] {
        let mut rig = Rig::new();
        rig.bytes(&[0x40, class << 5 | 4, 0, 7]);
        assert_eq!(rig.sent, [empty(MessageType::Reset, 7)]);
        rig.bytes(&[0x50, class << 5 | 4, 0, 8]).bytes(&[0x60, class << 5 | 4, 0, 9]);
        assert_eq!(rig.sent.len(), 1);
        assert_eq!(rig.dropped, [DropReason::Unexpected; 3]);
    }
    let mut rig = Rig::new();
    rig.bytes(&[0x60, 2, 0, 7, 0xb1, b't', 0xff, 1]).bytes(&[0x70, 2, 0, 7, 0xb1, b't', 0xff, 1]);
    assert!(rig.sent.is_empty() && rig.delivered.is_empty(), "no request rides on an ACK or RST");
}

#[test]
fn a_flood_of_options_is_refused() {
    let mut rig = Rig::new();
    let mut bytes = vec![0x40, 2, 0, 7, 0x60];
    bytes.extend([0; 1_200]);
    rig.bytes(&bytes);
    assert_eq!(rig.code(), code::BAD_OPTION);
}
