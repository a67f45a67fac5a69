//! The endpoint against a board in virtual time.

use coap_lite::{CoapOption, MessageType};

use super::message::code;
use super::rig::{Rig, block, empty, non, option, post, request, upload};
use super::{Answer, DropReason, Endpoint};

const CHANGED: Answer = Answer::Changed;
const BODY: [u8; 150] = [7; 150];

#[test]
fn a_reading_is_delivered_and_answered_on_its_ack() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5"));
    assert_eq!(rig.delivered[0].resource, 0);
    assert_eq!(rig.delivered[0].payload, b"21.5");
    assert!(rig.sent.is_empty());
    rig.pass(300).outcome(0, CHANGED);
    let answer = rig.last();
    assert_eq!(answer.header.get_type(), MessageType::Acknowledgement);
    assert_eq!(answer.header.message_id, 7);
    assert_eq!(answer.get_token(), 7_u16.to_le_bytes());
    assert_eq!(rig.code(), code::CHANGED);
    assert_eq!(rig.counted, [code::CHANGED]);
    assert_eq!(rig.endpoint.poll_timeout(), None);
}

#[test]
fn a_duplicate_is_answered_again_but_not_delivered_again() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5"));
    rig.send(&post(7, b"21.5"));
    assert!(rig.sent.is_empty(), "silent while the answer may still ride on the ACK");
    rig.outcome(0, CHANGED);
    rig.send(&post(7, b"21.5"));
    assert_eq!(rig.sent[0], rig.sent[1]);
    rig.pass(246_000).send(&post(7, b"21.5"));
    assert_eq!(rig.sent[0], rig.sent[2]);
    assert_eq!(rig.delivered.len(), 1);
    assert_eq!(rig.counted.len(), 1);
    rig.pass(5_000).send(&post(7, b"22"));
    assert_eq!(rig.delivered.len(), 2, "the id may be used again after the exchange lifetime");
}
