//! What a session of unknown freshness says to each message.

use coap_lite::{CoapOption, Packet};
use proptest::collection::vec;
use proptest::prelude::*;

use super::rig::{Rig, empty, non, post};
use crate::coap::echo::{ANSWER_MAX, Challenge, Verdict};
use crate::coap::message::code;

const VALUE: [u8; 8] = *b"\x01fresh!\xff";
const ECHO: u16 = 252;

fn with_echo(mut packet: Packet, value: &[u8]) -> Packet {
    packet.add_option(CoapOption::from(ECHO), value.to_vec());
    packet
}

fn judge(packet: &Packet) -> Verdict {
    Challenge::new(VALUE).judge(&packet.to_bytes_unlimited().unwrap(), 0x1234)
}

#[test]
fn a_confirmable_request_is_challenged_on_its_acknowledgement() {
    let request = [0x42, code::POST, 0x0a, 0x0b, 7, 9, 0xb1, b't', 0xff, b'2'];
    let mut golden = vec![0x62, 0x81, 0x0a, 0x0b, 7, 9, 0xd8, 239];
    golden.extend(VALUE);
    assert_eq!(Challenge::new(VALUE).judge(&request, 0x1234), Verdict::Answer(golden));
}

#[test]
fn a_non_confirmable_request_is_challenged_by_a_non_with_our_message_id() {
    let request = [0x50, code::GET, 0x0a, 0x0b, 0xb1, b't'];
    let mut golden = vec![0x50, 0x81, 0x12, 0x34, 0xd8, 239];
    golden.extend(VALUE);
    assert_eq!(Challenge::new(VALUE).judge(&request, 0x1234), Verdict::Answer(golden));
}

#[test]
fn only_the_whole_value_of_this_challenge_is_fresh() {
    assert_eq!(judge(&with_echo(post(1, b"2"), &VALUE)), Verdict::Fresh);
    assert_eq!(judge(&non(with_echo(post(1, b"2"), &VALUE))), Verdict::Fresh);
    let other = [VALUE.as_slice(), &[0]].concat();
    for value in [&[][..], &VALUE[..7], &other, &[0; 8], &[7; 40]] {
        assert!(matches!(judge(&with_echo(post(1, b"2"), value)), Verdict::Answer(_)), "{value:?}");
    }
    let twice = with_echo(with_echo(post(1, b"2"), &[0; 8]), &VALUE);
    assert!(matches!(judge(&twice), Verdict::Answer(_)), "the first of two counts");
}

#[test]
fn what_is_no_request_gets_silence() {
    use coap_lite::MessageType::{Acknowledgement, Confirmable, Reset};
    for kind in [Confirmable, Acknowledgement, Reset] {
        assert_eq!(judge(&empty(kind, 7)), Verdict::Silence);
    }
    for bytes in [
        &[][..],
        &[0x40, 2, 0],
        &[0x40, 0x44, 0, 7],
        &[0x60, 2, 0, 7],
        &[0x70, 2, 0, 7],
        &[0x80, 2, 0, 7],
        &[0x49, 2, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        &[0x40, 2, 0, 7, 0xff],
        &[0x40, 0xff, 0, 7],
    ] {
        assert_eq!(Challenge::new(VALUE).judge(bytes, 1), Verdict::Silence, "{bytes:02x?}");
    }
}

#[test]
fn a_challenge_does_not_tell_its_value_to_a_log() {
    assert_eq!(format!("{:?}", Challenge::new(VALUE)), "Challenge(..)");
}

#[test]
fn an_endpoint_takes_the_echo_option_for_the_elective_one_it_is() {
    let mut rig = Rig::new();
    rig.send(&with_echo(post(1, b"21.5"), &VALUE)).send(&with_echo(post(2, b"21.5"), &[]));
    rig.send(&with_echo(with_echo(post(3, b"21.5"), &VALUE), &[9; 41]));
    assert_eq!(rig.delivered.len(), 3);
    assert!(rig.dropped.is_empty() && rig.sent.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_an_answer_is_short_well_formed_and_ours(
        bytes in vec(any::<u8>(), 0..80), head in 0x40_u8..0x60, method in 0_u8..40, mid: u16,
    ) {
        let mut likely = bytes.clone();
        likely.splice(0..0, [head, method, 0, 7]);
        for bytes in [bytes, likely] {
            if let Verdict::Answer(answer) = Challenge::new(VALUE).judge(&bytes, mid) {
                prop_assert!(answer.len() <= ANSWER_MAX);
                let read = Packet::from_bytes(&answer).unwrap();
                prop_assert_eq!(u8::from(read.header.code), code::UNAUTHORIZED);
                prop_assert_eq!(read.get_token(), &bytes[4..4 + usize::from(bytes[0] & 15)]);
                prop_assert_eq!(read.get_first_option(CoapOption::from(ECHO)).unwrap(), &VALUE);
            }
        }
    }

    #[test]
    fn a_board_that_repeats_what_it_was_asked_is_fresh_and_no_other_value_is(
        value: [u8; 8], guess: [u8; 8], id: u16, payload in vec(any::<u8>(), 1..50),
    ) {
        let challenge = Challenge::new(value);
        let judge = |packet: &Packet| challenge.judge(&packet.to_bytes_unlimited().unwrap(), 0);
        let Verdict::Answer(answer) = judge(&post(id, &payload)) else { panic!("not asked") };
        let asked = Packet::from_bytes(&answer).unwrap();
        let asked = asked.get_first_option(CoapOption::from(ECHO)).unwrap().clone();
        prop_assert_eq!(judge(&with_echo(post(id, &payload), &asked)), Verdict::Fresh);
        let guessed = judge(&with_echo(post(id, &payload), &guess)) == Verdict::Fresh;
        prop_assert_eq!(guessed, guess == value);
    }
}
