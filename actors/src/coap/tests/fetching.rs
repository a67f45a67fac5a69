//! A board that uploads in blocks of any size and fetches the answer in blocks of any size, over a link
//! that loses and repeats: what it has in the end is the answer, and the shell was asked once.

use std::collections::VecDeque;

use coap_lite::{CoapOption, MessageType, Packet};
use proptest::collection::vec;
use proptest::prelude::*;

use super::rig::{Rig, ask, block, empty, option, request};
use crate::coap::message::code;

/// What becomes of one transmission.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    RequestLost,
    AnswerLost,
    Doubled,
}

struct Board {
    rig: Rig,
    fates: VecDeque<Fate>,
    /// How long the shell takes.
    shell_ms: u64,
    answer: Vec<u8>,
    answered: usize,
    next_id: u16,
}

impl Board {
    /// Sends a request until it is answered, as often as CoAP lets it.
    fn exchange(&mut self, packet: &Packet) -> Packet {
        for _ in 0..5 {
            match self.fates.pop_front().unwrap_or(Fate::Arrives) {
                Fate::RequestLost => drop(self.rig.pass(2_000)),
                Fate::AnswerLost => {
                    self.deliver(packet);
                    self.rig.sent.clear();
                    self.rig.pass(2_000);
                }
                fate => {
                    self.deliver(packet);
                    if matches!(fate, Fate::Doubled) {
                        self.deliver(packet);
                    }
                }
            }
            if let Some(answer) = self.heard(packet) {
                return answer;
            }
            // A separate response that got lost comes again by itself.
            self.rig.pass(3_000);
            if let Some(answer) = self.heard(packet) {
                return answer;
            }
        }
        panic!("five times lost");
    }

    /// The answer to `packet`, acknowledged where it asks for that, out of what has come since.
    fn heard(&mut self, packet: &Packet) -> Option<Packet> {
        let said = std::mem::take(&mut self.rig.sent);
        let mut said = said.into_iter().filter(|it| it.get_token() == packet.get_token());
        let answer = said.find(|it| u8::from(it.header.code) != 0)?;
        if answer.header.get_type() == MessageType::Confirmable {
            self.rig.send(&empty(MessageType::Acknowledgement, answer.header.message_id));
        }
        Some(answer)
    }

    fn deliver(&mut self, packet: &Packet) {
        self.rig.send(packet);
        if self.rig.asked.len() > self.answered {
            self.rig.pass(self.shell_ms);
            let answer = self.answer.clone();
            self.rig.content(self.answered, code::CHANGED, &answer);
            self.answered += 1;
        }
    }

    fn id(&mut self) -> u16 {
        self.next_id += 1;
        self.next_id
    }

    /// Fetches what `first` began, in blocks of `exponent` from its end on.
    fn fetch(&mut self, first: &Packet, exponent: u8, again: impl Fn(u16) -> Packet) -> Vec<u8> {
        let mut body = first.payload.clone();
        let mut more = option(first, CoapOption::Block2).is_some_and(|bits| bits & 8 != 0);
        let etag = first.get_first_option(CoapOption::ETag).cloned();
        while more {
            let size = 16 << exponent;
            assert_eq!(body.len() % size, 0, "a smaller block begins where the last ended");
            let mut packet = again(self.id());
            let number = u32::try_from(body.len() / size).unwrap();
            packet.add_option(CoapOption::Block2, block(number, false, exponent));
            let answer = self.exchange(&packet);
            assert_eq!(answer.get_first_option(CoapOption::ETag), etag.as_ref());
            let bits = option(&answer, CoapOption::Block2).unwrap();
            assert_eq!((bits >> 4, bits & 7), (number, u32::from(exponent)));
            assert!(answer.payload.len() <= size);
            body.extend(&answer.payload);
            more = bits & 8 != 0;
        }
        body
    }
}

fn fates() -> impl Strategy<Value = VecDeque<Fate>> {
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::AnswerLost),
        1 => Just(Fate::Doubled),
    ];
    vec(fate, 0..40).prop_map(|mut fates: Vec<Fate>| {
        // Never more than three losses in a row: five are the exchange's end, and the test's.
        for at in 3..fates.len() {
            let lost = |fate: &Fate| matches!(fate, Fate::RequestLost | Fate::AnswerLost);
            if fates[at - 3..at].iter().all(lost) {
                fates[at] = Fate::Arrives;
            }
        }
        fates.into()
    })
}

fn board(fates: VecDeque<Fate>, shell_ms: u64, answer: &[u8]) -> Board {
    let rig = Rig::with_locals();
    Board { rig, fates, shell_ms, answer: answer.to_vec(), answered: 0, next_id: 100 }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

proptest! {
    // A failure prints its input; write a test of it rather than keep a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_post_in_blocks_is_answered_in_blocks(
        (len, up) in (1_usize..1500, 0_u8..7),
        (answer, first, then) in (0_usize..3000, prop::option::of(0_u8..7), 0_u8..7),
        fates in fates(),
        shell_ms in prop_oneof![Just(0_u64), Just(1_500)],
    ) {
        // A board may ask for smaller blocks than it was given, not for larger ones (section 2.4).
        let then = then.min(first.unwrap_or(6));
        prop_assume!(len.div_ceil(16 << up) < 40 && answer.div_ceil(16 << then) < 40);
        let (body, answer) = (bytes(len), bytes(answer));
        let mut board = board(fates, shell_ms, &answer);
        let size = 16 << up;
        let mut last = None;
        for (number, chunk) in body.chunks(size).enumerate() {
            let more = (number + 1) * size < len;
            let mut packet = ask(board.id(), chunk);
            if len > size {
                let number = u32::try_from(number).unwrap();
                packet.add_option(CoapOption::Block1, block(number, more, up));
            }
            if let Some(exponent) = first.filter(|_| !more) {
                packet.add_option(CoapOption::Block2, block(0, false, exponent));
            }
            let said = board.exchange(&packet);
            prop_assert_eq!(u8::from(said.header.code), if more { code::CONTINUE } else { code::CHANGED });
            last = Some(said);
        }
        let fetched = board.fetch(&last.unwrap(), then, |id| ask(id, &[]));
        prop_assert_eq!(fetched, answer);
        prop_assert_eq!(board.rig.asked.len(), 1, "asked once");
        prop_assert_eq!(&board.rig.asked[0].1.body, &body);
    }

    #[test]
    fn a_get_is_fetched_whole_whatever_its_blocks(
        answer in 0_usize..3000, first in prop::option::of(0_u8..7), then in 0_u8..7, fates in fates(),
    ) {
        let then = then.min(first.unwrap_or(6));
        prop_assume!(answer.div_ceil(16 << then) < 40);
        let answer = bytes(answer);
        let mut board = board(fates, 0, &answer);
        let mut packet = request(code::GET, "base/get", board.id());
        if let Some(exponent) = first {
            packet.add_option(CoapOption::Block2, block(0, false, exponent));
        }
        let said = board.exchange(&packet);
        let fetched = board.fetch(&said, then, |id| request(code::GET, "base/get", id));
        prop_assert_eq!(fetched, answer);
    }
}
