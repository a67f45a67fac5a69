//! Anything may arrive, in any order, at any time.

use std::collections::HashMap;

use coap_lite::{CoapOption, Packet};
use proptest::collection::vec;
use proptest::prelude::*;

use super::rig::{Rig, ask, block, empty, non, post, request};
use crate::coap::message::{Block, Encoder, Kind, Malformed, Message, Token, code};
use crate::coap::{Answer, Effect, Endpoint, Limits, Millis, UnixMillis};

/// Most an endpoint may hold under the rig's limits: the body and a retransmitted answer for each
/// open exchange, an answer that is kept, 1,024 remembered entries of 16 bytes (twice, for growth), and
/// change.
const HEAP_MAX: usize = 4096 + 4 * 1_400 + ANSWER_MAX + 1_028 * 16 * 2 + 1_024;

/// The longest answer of a local resource here.
const ANSWER_MAX: usize = 3_000;

#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>),
    Send(Packet),
    Outcome { which: usize, answer: Answer },
    Content { which: usize, len: usize },
    Pass(Millis),
}

fn packet() -> impl Strategy<Value = Packet> {
    let blocks = prop_oneof![Just(None), (0_u32..6, any::<bool>(), 0_u8..8).prop_map(Some)];
    let to = 0_u8..6;
    (0_u16..24, 0_usize..80, blocks, any::<bool>(), to).prop_map(|(id, len, blocks, is_non, to)| {
        let mut packet = match to {
            0 => request(code::GET, "base/get", id),
            1 => ask(id, &vec![7; len]),
            2 => ask(id, &[]),
            _ => post(id, &vec![7; len]),
        };
        let option = if matches!(to, 0 | 2) { CoapOption::Block2 } else { CoapOption::Block1 };
        if let Some((number, more, exponent)) = blocks {
            packet.add_option(option, block(number, more, exponent));
        }
        if is_non { non(packet) } else { packet }
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        3 => Just(Answer::Changed),
        1 => Just(Answer::ChangedAndRenew),
        1 => any::<u32>().prop_map(|max_age_s| Answer::Unavailable { max_age_s }),
        1 => any::<u32>().prop_map(|max_age_s| Answer::TooMany { max_age_s }),
        1 => Just(Answer::BadGateway),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let settling = (0_u16..32, any::<bool>()).prop_map(|(id, is_ack)| {
        let kind = if is_ack {
            coap_lite::MessageType::Acknowledgement
        } else {
            coap_lite::MessageType::Reset
        };
        empty(kind, 0x9000 + id)
    });
    prop_oneof![
        1 => vec(any::<u8>(), 0..40).prop_map(Step::Bytes),
        1 => vec(any::<u8>(), 0..40).prop_map(|mut tail| { tail.splice(0..0, [0x40, 2, 0, 7, 0xb1, b't']); Step::Bytes(tail) }),
        6 => packet().prop_map(Step::Send),
        2 => settling.prop_map(Step::Send),
        4 => (0_usize..8, answer()).prop_map(|(which, answer)| Step::Outcome { which, answer }),
        3 => (0_usize..4, 0..ANSWER_MAX).prop_map(|(which, len)| Step::Content { which, len }),
        2 => (0_u64..4_000).prop_map(Step::Pass),
        1 => (0_u64..300_000).prop_map(Step::Pass),
    ]
}

fn take(rig: &mut Rig, step: Step) {
    match step {
        Step::Bytes(bytes) => drop(rig.bytes(&bytes)),
        Step::Send(packet) => drop(rig.send(&packet)),
        Step::Outcome { which, answer } if which < rig.delivered.len() => {
            let which = rig.delivered.len() - 1 - which;
            rig.outcome(which, answer);
        }
        Step::Content { which, len } if which < rig.asked.len() => {
            let which = rig.asked.len() - 1 - which;
            rig.content(which, code::CHANGED, &vec![9; len]);
        }
        Step::Outcome { .. } | Step::Content { .. } => {}
        Step::Pass(ms) => drop(rig.pass(ms)),
    }
}

proptest! {
    // A failure prints its input; write a test of it rather than keep a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(datagrams in vec(vec(any::<u8>(), 0..200), 0..30)) {
        let mut rig = Rig::new();
        for datagram in datagrams {
            // coap-lite reads the answers back, so they are at least well-formed.
            rig.bytes(&datagram);
        }
        prop_assert!(rig.endpoint.heap_bytes() <= HEAP_MAX);
    }

    #[test]
    fn any_interleaving_stays_within_bounds(steps in vec(step(), 0..200)) {
        let mut rig = Rig::with_locals();
        for step in steps {
            take(&mut rig, step);
            prop_assert!(rig.endpoint.heap_bytes() <= HEAP_MAX);
            prop_assert!(rig.endpoint.in_flight() <= rig.limits.in_flight_max);
            prop_assert!(rig.endpoint.poll_timeout().is_none_or(|due| due > rig.now));
        }
        rig.pass(3_000_000);
        rig.endpoint.handle_timeout(rig.now);
        while rig.endpoint.poll_effect().is_some() {}
        prop_assert_eq!(rig.endpoint.heap_bytes(), 0, "everything ends");
    }

    /// The model: an id is free, or it was delivered or refused within its lifetime.
    #[test]
    fn each_id_is_delivered_exactly_once_within_its_lifetime(
        steps in vec((0_u16..12, 0_u64..30_000, any::<bool>(), answer(), any::<bool>()), 0..300),
    ) {
        let mut rig = Rig::new();
        let mut model: HashMap<u16, Millis> = HashMap::new();
        let lifetime = rig.limits.exchange_lifetime_ms;
        for (id, gap, is_non, answer, at_once) in steps {
            rig.pass(gap);
            let deliveries = rig.delivered.len();
            let has_room = rig.endpoint.open_exchanges() < rig.limits.in_flight_max;
            let payload = [b'#', id.to_be_bytes()[1]];
            let packet = if is_non { non(post(id, &payload)) } else { post(id, &payload) };
            rig.send(&packet);
            let is_delivered = rig.delivered.len() > deliveries;

            // Forgetting is late by a 64th of the lifetime at most, never early.
            let is_free = model.get(&id).is_none_or(|&since| {
                let slice = lifetime / 64;
                (since + lifetime).div_ceil(slice) * slice <= rig.now
            });
            prop_assert_eq!(is_delivered, is_free && has_room);
            if is_free {
                model.insert(id, rig.now);
            }
            if is_delivered {
                prop_assert_eq!(&rig.delivered[deliveries].payload, &payload);
            }
            if is_delivered && at_once {
                rig.outcome(deliveries, answer);
            } else if deliveries > 0 {
                rig.outcome(usize::from(id) % deliveries, answer);
            }
        }
    }

    #[test]
    fn messages_are_read_as_coap_lite_reads_them(bytes in message_bytes()) {
        let theirs = Packet::from_bytes(&bytes);
        match Message::decode(&bytes) {
            Ok(ours) => {
                let theirs = theirs.unwrap();
                prop_assert_eq!(ours.code, u8::from(theirs.header.code));
                prop_assert_eq!(ours.id, theirs.header.message_id);
                prop_assert_eq!(ours.token.as_bytes(), theirs.get_token());
                prop_assert_eq!(ours.payload, &theirs.payload);
                let options: Vec<_> = theirs.options()
                    .flat_map(|(number, values)| values.iter().map(|value| (*number, value.as_slice())))
                    .collect();
                prop_assert_eq!(ours.options().collect::<Vec<_>>(), options);
            }
            // Where only we say no: version, a marker before nothing, an empty message that is not.
            Err(Malformed::Foreign) => prop_assert!(bytes.len() < 4 || bytes[0] >> 6 != 1),
            Err(Malformed::Format { .. }) => {
                let lenient = theirs.is_ok_and(|theirs| bytes[1] != 0 && !(bytes.ends_with(&[0xff]) && theirs.payload.is_empty()));
                prop_assert!(!lenient);
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        id: u16, code in 1_u8.., token in vec(any::<u8>(), 0..=8), payload in vec(any::<u8>(), 0..50),
        mut options in vec((any::<u16>(), vec(any::<u8>(), 0..=12)), 0..6),
    ) {
        options.sort_by_key(|option| option.0);
        let mut message = Encoder::new(Kind::Confirmable, code, id, &Token::new(&token).unwrap(), 0);
        for (number, value) in &options {
            message = message.option(*number, value);
        }
        let bytes = message.finish(&payload);
        let read = Message::decode(&bytes).unwrap();
        prop_assert_eq!((read.kind, read.code, read.id), (Kind::Confirmable, code, id));
        prop_assert_eq!((read.token.as_bytes(), read.payload), (&token[..], &payload[..]));
        let options: Vec<_> = options.iter().map(|(number, value)| (*number, &value[..])).collect();
        prop_assert_eq!(read.options().collect::<Vec<_>>(), options);
        prop_assert!(Packet::from_bytes(&bytes).is_ok());
    }

    #[test]
    fn blocks_are_read_within_their_bounds(value in vec(any::<u8>(), 0..5)) {
        if let Some(block) = Block::read(&value) {
            prop_assert!(block.size() <= 1024 && block.number < 1 << 20);
        }
    }

    #[test]
    fn moments_at_the_end_of_time_do_no_harm(now in u64::MAX - 10.., packets in vec(packet(), 0..20)) {
        let mut rig = Rig::new();
        let limits = Limits { exchange_lifetime_ms: u64::MAX, block_timeout_ms: u64::MAX, ..rig.limits.clone() };
        rig.endpoint = Endpoint::new(u16::MAX);
        for packet in packets {
            let bytes = packet.to_bytes_unlimited().unwrap();
            rig.endpoint.handle_message(now, UnixMillis(0), &bytes, &rig.resources, &limits);
            while let Some(effect) = rig.endpoint.poll_effect() {
                if let Effect::Deliver { exchange, .. } = effect {
                    rig.endpoint.handle_outcome(now, exchange, Answer::Changed);
                }
            }
            rig.endpoint.handle_timeout(now);
        }
    }
}

/// Bytes with a likely header and likely options, so that more than the first check is reached.
fn message_bytes() -> impl Strategy<Value = Vec<u8>> {
    let likely = prop_oneof![3 => 0x40_u8..0x49, 1 => any::<u8>()];
    let tail = vec(prop_oneof![6 => 0_u8..0x40, 1 => any::<u8>(), 1 => Just(0xff)], 0..60);
    let whole = (likely, any::<u8>(), any::<u16>(), tail).prop_map(|(first, code, id, tail)| {
        let [high, low] = id.to_be_bytes();
        let mut bytes = vec![first, code, high, low];
        bytes.extend(tail);
        bytes
    });
    prop_oneof![5 => whole, 1 => vec(any::<u8>(), 0..20)]
}
