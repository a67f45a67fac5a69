//! Exchanges: duplicates, late outcomes, separate responses, NON, ping.

use coap_lite::MessageType;

use super::rig::{Rig, empty, non, post, request};
use crate::coap::message::code;
use crate::coap::{Answer, DropReason, Endpoint, UnixMillis};

const CHANGED: Answer = Answer::Changed;

#[test]
fn a_reading_is_delivered_and_answered_on_its_ack() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5"));
    assert_eq!(rig.delivered[0].resource, 0);
    assert_eq!(rig.delivered[0].payload, b"21.5");
    assert!(rig.sent.is_empty());
    assert_eq!(rig.endpoint.in_flight(), 1);
    rig.pass(300).outcome(0, CHANGED);
    let answer = rig.last();
    assert_eq!(answer.header.get_type(), MessageType::Acknowledgement);
    assert_eq!(answer.header.message_id, 7);
    assert_eq!(answer.get_token(), 7_u16.to_le_bytes());
    assert_eq!(rig.code(), code::CHANGED);
    assert_eq!(rig.counted, [code::CHANGED]);
    assert_eq!(rig.endpoint.poll_timeout(), None);
    assert_eq!(rig.endpoint.in_flight(), 0);
}

#[test]
fn the_bytes_of_a_request_and_its_answer_are_as_the_rfc_has_them() {
    let resources = crate::coap::Resources::new(["t"]);
    let mut endpoint = Endpoint::new(0);
    let post = [0x42, 0x02, 0x12, 0x34, 0xaa, 0xbb, 0xb1, b't', 0x11, 42, 0xff, 1, 2, 3];
    endpoint.handle_message(0, UnixMillis(0), &post, &resources, &super::rig::LIMITS);
    let Some(crate::coap::Effect::Deliver { exchange, content_format, payload, .. }) =
        endpoint.poll_effect()
    else {
        panic!("not delivered")
    };
    assert_eq!((content_format, payload.as_slice()), (Some(42), &[1, 2, 3][..]));
    endpoint.handle_outcome(1, exchange, Answer::Unavailable { max_age_s: 300 });
    let answer = vec![0x62, 0xa3, 0x12, 0x34, 0xaa, 0xbb, 0xd2, 0x01, 0x01, 0x2c];
    assert_eq!(endpoint.poll_effect(), Some(crate::coap::Effect::Send(answer)));
}

#[test]
fn a_board_is_told_to_renew_in_three_bytes_once_and_a_repetition_is_answered_without() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).outcome(0, CHANGED).send(&post(8, b"21.5"));
    rig.outcome(1, Answer::ChangedAndRenew).send(&post(8, b"21.5"));
    let bytes = |at: usize| rig.sent[at].to_bytes().unwrap();
    let (plain, told, again) = (bytes(0), bytes(1), bytes(2));
    assert_eq!(told[plain.len()..], [0xe0, 0xbd, 0x0f]);
    assert_eq!(told[..plain.len()], again);
    assert_eq!(rig.counted, [code::CHANGED; 2]);
}

#[test]
fn a_call_is_a_short_post_that_wants_no_answer() {
    let mut endpoint = crate::coap::Endpoint::new(0x0102);
    endpoint.call("fw");
    let call = [0x50, code::POST, 1, 2, 0xb2, b'f', b'w', 0xd1, 234, 26].to_vec();
    assert_eq!(endpoint.poll_effect(), Some(crate::coap::Effect::Send(call)));
    assert_eq!((endpoint.poll_effect(), endpoint.poll_timeout()), (None, None));
}

#[test]
fn a_duplicate_is_answered_again_but_not_delivered_again() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).send(&post(7, b"21.5"));
    assert!(rig.sent.is_empty(), "silent while the answer may still ride on the ACK");
    rig.outcome(0, CHANGED).send(&post(7, b"21.5"));
    assert_eq!(rig.sent[0], rig.sent[1]);
    rig.pass(246_000).send(&post(7, b"21.5"));
    assert_eq!(rig.sent[0], rig.sent[2]);
    assert_eq!(rig.delivered.len(), 1);
    assert_eq!(rig.counted.len(), 1);
    assert_eq!(rig.dropped, [DropReason::Duplicate; 3]);
    rig.pass(5_000).send(&post(7, b"22"));
    assert_eq!(rig.delivered.len(), 2, "the id may be used again after the exchange lifetime");
}

#[test]
fn a_refused_reading_is_refused_the_same_way_again() {
    for (answer, code, max_age) in [
        (Answer::Unavailable { max_age_s: 60 }, code::UNAVAILABLE, Some(60)),
        (Answer::Unavailable { max_age_s: 1_000_000 }, code::UNAVAILABLE, Some(65_535)),
        (Answer::TooMany { max_age_s: 5 }, code::TOO_MANY_REQUESTS, Some(5)),
        (Answer::BadGateway, code::BAD_GATEWAY, None),
    ] {
        let mut rig = Rig::new();
        rig.send(&post(7, b"21.5")).outcome(0, answer);
        assert_eq!(rig.code(), code);
        assert_eq!(super::rig::option(rig.last(), coap_lite::CoapOption::MaxAge), max_age);
        rig.send(&post(7, b"21.5"));
        assert_eq!(rig.sent[0], rig.sent[1]);
        rig.send(&post(8, b"21.5"));
        assert_eq!(rig.delivered.len(), 2, "a new id is a new attempt");
    }
}

#[test]
fn the_answer_takes_the_token_of_the_duplicate_it_answers() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).outcome(0, CHANGED);
    let mut duplicate = post(7, b"21.5");
    duplicate.set_token(vec![1, 2, 3]);
    rig.send(&duplicate);
    assert_eq!(rig.last().get_token(), [1, 2, 3]);
}

#[test]
fn a_slow_outcome_gets_an_empty_ack_and_a_separate_response() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).pass(999);
    assert!(rig.sent.is_empty());
    rig.pass(1);
    assert_eq!(rig.last(), &empty(MessageType::Acknowledgement, 7));
    rig.pass(500).send(&post(7, b"21.5"));
    assert_eq!(
        rig.sent[1],
        empty(MessageType::Acknowledgement, 7),
        "a duplicate is re-acknowledged"
    );

    rig.outcome(0, CHANGED);
    let response = rig.last().clone();
    assert_eq!(response.header.get_type(), MessageType::Confirmable);
    assert_eq!(response.header.message_id, 0x9000);
    assert_eq!(response.get_token(), 7_u16.to_le_bytes());
    rig.send(&post(7, b"21.5"));
    assert_eq!(rig.last(), &empty(MessageType::Acknowledgement, 7));

    rig.send(&empty(MessageType::Acknowledgement, 0x9000)).pass(100_000);
    assert_eq!(rig.sent.len(), 4, "an acknowledged response is not sent again");
    assert_eq!(rig.endpoint.poll_timeout(), None);
    rig.send(&post(7, b"21.5"));
    assert_eq!(rig.code(), code::CHANGED);
    assert_eq!(rig.delivered.len(), 1);
}

#[test]
fn an_unacknowledged_response_is_sent_five_times_with_growing_gaps() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).pass(1_000).outcome(0, CHANGED);
    let begin = rig.now;
    let mut gaps = Vec::new();
    while let Some(due) = rig.endpoint.poll_timeout() {
        gaps.push(due - rig.now);
        let wait = due - rig.now;
        rig.pass(wait);
    }
    assert_eq!(rig.sent.len(), 1 + 5);
    assert!(rig.sent[1..].windows(2).all(|pair| pair[0] == pair[1]));
    assert!((2_000..3_000).contains(&gaps[0]));
    assert!(gaps.windows(2).all(|pair| pair[1] == 2 * pair[0]));
    assert!(rig.now - begin <= 93_000, "MAX_TRANSMIT_WAIT");
    assert_eq!(rig.dropped, [DropReason::Unacknowledged]);
}

#[test]
fn a_reset_ends_a_separate_response() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).pass(1_000).outcome(0, CHANGED);
    rig.send(&empty(MessageType::Reset, 0x9000)).pass(100_000);
    assert_eq!(rig.sent.len(), 2);
}

#[test]
fn acks_and_resets_of_nothing_mean_nothing() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).pass(1_000).outcome(0, CHANGED);
    rig.send(&empty(MessageType::Acknowledgement, 7)).send(&empty(MessageType::Reset, 0x9001));
    assert_eq!(rig.sent.len(), 2);
    rig.pass(3_000);
    assert_eq!(rig.sent.len(), 3, "the response is still on its way");
}

#[test]
fn a_non_confirmable_request_is_answered_by_a_non_once() {
    let mut rig = Rig::new();
    rig.send(&non(post(7, b"21.5"))).send(&non(post(7, b"21.5"))).pass(5_000);
    assert!(rig.sent.is_empty(), "no ACK for a NON");
    rig.outcome(0, CHANGED).send(&non(post(7, b"21.5")));
    assert_eq!(rig.sent.len(), 1);
    assert_eq!(rig.last().header.get_type(), MessageType::NonConfirmable);
    assert_eq!(rig.last().header.message_id, 0x9000);
    assert_eq!(rig.code(), code::CHANGED);
    assert_eq!(rig.delivered.len(), 1);
}

#[test]
fn an_outcome_that_never_comes_is_given_up_with_the_lifetime() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).send(&non(post(8, b"21.5"))).pass(260_000);
    assert_eq!(rig.dropped, [DropReason::NoOutcome; 2]);
    assert_eq!(rig.endpoint.poll_timeout(), None);
    rig.outcome(0, CHANGED).outcome(1, CHANGED);
    assert_eq!(rig.sent.len(), 1, "the empty ACK and nothing after it");
}

#[test]
fn an_outcome_counts_once() {
    let mut rig = Rig::new();
    rig.send(&post(7, b"21.5")).outcome(0, CHANGED).outcome(0, Answer::BadGateway);
    rig.send(&post(8, b"21.5")).pass(1_000).outcome(1, CHANGED).outcome(1, Answer::BadGateway);
    assert_eq!(rig.counted, [code::CHANGED; 2]);
}

#[test]
fn too_many_in_flight_get_max_age_at_once() {
    let mut rig = Rig::new();
    for id in 0..5 {
        rig.send(&post(id, b"21.5"));
    }
    assert_eq!(rig.delivered.len(), 4);
    assert_eq!(rig.code(), code::UNAVAILABLE);
    assert_eq!(super::rig::option(rig.last(), coap_lite::CoapOption::MaxAge), Some(30));
    rig.outcome(0, CHANGED).send(&post(4, b"21.5"));
    assert_eq!(rig.code(), code::UNAVAILABLE, "the refused id stays refused");
    rig.send(&post(5, b"21.5"));
    assert_eq!(rig.delivered.len(), 5);
}

#[test]
fn a_board_with_scattered_ids_is_refused_when_the_memory_is_full() {
    let mut rig = Rig::new();
    for id in 0..1_100_u16 {
        rig.send(&post(id.wrapping_mul(7), b"21.5"));
        let last = rig.delivered.len() - 1;
        rig.outcome(last, CHANGED);
    }
    assert_eq!(rig.delivered.len(), 1_024);
    assert_eq!(rig.code(), code::UNAVAILABLE);
    assert_eq!(rig.endpoint.entries(), 1_024);
    rig.pass(251_000).send(&post(3, b"21.5"));
    assert_eq!(rig.delivered.len(), 1_025);
}

#[test]
fn a_busy_board_that_counts_up_is_never_refused() {
    let mut rig = Rig::new();
    let mut worst = 0;
    for id in 0..100_000_u32 {
        rig.pass(4).send(&post(u16::try_from(id % 65_536).unwrap(), b"21.5"));
        rig.endpoint.handle_outcome(rig.now, rig.delivered[0].exchange, CHANGED);
        while rig.endpoint.poll_effect().is_some() {}
        assert_eq!(rig.delivered.len(), 1);
        rig.delivered.clear();
        rig.sent.clear();
        worst = worst.max(rig.endpoint.entries());
    }
    assert!(worst <= 66, "{worst} entries");
}

#[test]
fn a_ping_is_answered_with_a_reset() {
    let mut rig = Rig::new();
    rig.send(&empty(MessageType::Confirmable, 9));
    assert_eq!(rig.last(), &empty(MessageType::Reset, 9));
    assert!(rig.dropped.is_empty());
    rig.send(&empty(MessageType::NonConfirmable, 10));
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn a_get_is_worked_out_anew_each_time() {
    let mut rig = Rig::new();
    let get = request(code::GET, ".well-known/core", 7);
    rig.send(&get).send(&get);
    assert_eq!(rig.sent[0], rig.sent[1]);
    assert_eq!(rig.endpoint.entries(), 0);
}
