//! One board's CoAP: messages, outcomes and time in any order leave the endpoint within its
//! bounds, and in the end it remembers nothing.
//!
//! The input is a list of steps: a byte that says which, then its arguments.
#![no_main]

use std::collections::BTreeSet;

use coap_lite::Packet;
use libfuzzer_sys::fuzz_target;
use surface::coap::echo::{ANSWER_MAX, Challenge, Verdict};
use surface::coap::{
    Answer, Content, Effect, Endpoint, ExchangeId, Limits, Local, Method, Part, Piece, Resources,
    UnixMillis,
};

const LOCALS: &[Local] = &[
    Local { name: "g", kind: "test.get", method: Method::Get, gives: &[281, 287] },
    Local { name: "p", kind: "test.do", method: Method::Post { takes: 286 }, gives: &[281, 287] },
];

struct Rig {
    endpoint: Endpoint,
    resources: Resources,
    limits: Limits,
    now: u64,
    delivered: Vec<ExchangeId>,
    asked: Vec<ExchangeId>,
    reading: Vec<(ExchangeId, Part)>,
}

fuzz_target!(|data: &[u8]| {
    let mut rig = Rig {
        endpoint: Endpoint::new(0x9000),
        resources: Resources::new(["t", "d", "r/x"]).with_locals("l", "a", LOCALS).with_files("f"),
        limits: Limits { payload_max: 4096, in_flight_max: 4, ..Limits::default() },
        now: 1_000_000,
        delivered: Vec::new(),
        asked: Vec::new(),
        reading: Vec::new(),
    };
    let mut rest = data;
    while let Some((&step, after)) = rest.split_first() {
        rest = rig.step(step, after);
        rig.drain();
        assert!(rig.endpoint.in_flight() <= rig.limits.in_flight_max);
    }
    rig.pass(10_000_000);
    assert_eq!(rig.endpoint.in_flight(), 0, "everything ends");
    rig.pass(rig.limits.exchange_lifetime_ms * 2);
    assert_eq!(rig.endpoint.poll_timeout(), None, "nothing is left to do");
    assert_eq!(rig.endpoint.forgotten_at(), None, "nothing is remembered");
});

impl Rig {
    fn step<'a>(&mut self, step: u8, rest: &'a [u8]) -> &'a [u8] {
        let Some((&argument, after)) = rest.split_first() else { return rest };
        match step % 6 {
            0 => {
                let (message, after) = after.split_at(usize::from(argument).min(after.len()));
                if let Verdict::Answer(answer) = Challenge::new([argument; 8]).judge(message, 0) {
                    assert!(answer.len() <= ANSWER_MAX);
                    drop(Packet::from_bytes(&answer).expect("coap"));
                }
                let (resources, limits) = (&self.resources, &self.limits);
                let time = UnixMillis(self.now);
                self.endpoint.handle_message(self.now, time, message, resources, limits);
                after
            }
            1 => {
                let answer = match argument % 5 {
                    0 => Answer::Changed,
                    4 => Answer::ChangedAndRenew,
                    1 => Answer::Unavailable { max_age_s: u32::from(argument) << 12 },
                    2 => Answer::TooMany { max_age_s: u32::from(argument) },
                    _ => Answer::BadGateway,
                };
                let which = usize::from(argument >> 2) % self.delivered.len().max(1);
                // The newest first: it is the one most likely still open.
                if let Some(&exchange) = self.delivered.iter().rev().nth(which) {
                    self.endpoint.handle_outcome(self.now, exchange, answer);
                }
                after
            }
            4 => {
                if let Some(exchange) = self.asked.pop() {
                    let body = vec![argument; usize::from(argument) * 16].into();
                    let content = Content { code: 0x44, format: Some(281), max_age_s: 0, body };
                    self.endpoint.handle_content(self.now, exchange, content);
                }
                after
            }
            5 => {
                if let Some((exchange, part)) = self.reading.pop() {
                    let piece = match argument % 4 {
                        0 => Piece::Unknown,
                        1 => Piece::Later { max_age_s: u16::from(argument) },
                        2 => Self::part(part.length.min(argument.into()), part),
                        _ => Self::part(part.length, part),
                    };
                    self.endpoint.handle_piece(self.now, exchange, piece);
                }
                after
            }
            2 => {
                self.pass(u64::from(argument) * 16);
                after
            }
            _ => {
                self.pass(u64::from(argument) * 2_000);
                after
            }
        }
    }

    /// So many bytes of a file that goes on by as many.
    fn part(length: u16, part: Part) -> Piece {
        let size = part.at.saturating_add(u32::from(length) * 2);
        Piece::Read { bytes: vec![7; length.into()], size, etag: part.file }
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        while let Some(due) = self.endpoint.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.endpoint.handle_timeout(self.now);
            self.drain();
            let next = self.endpoint.poll_timeout();
            assert!(next.is_none_or(|due| due > self.now), "what was due is still due");
        }
        self.now = until;
        self.endpoint.handle_timeout(until);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.endpoint.poll_effect() {
            match effect {
                Effect::Send(bytes) => drop(Packet::from_bytes(&bytes).expect("coap")),
                Effect::Deliver { exchange, resource, content_format, payload } => {
                    assert!(!payload.is_empty() && payload.len() <= self.limits.payload_max);
                    assert!(resource < 3);
                    if content_format == Some(wire::CONTENT_FORMAT_SENML_CBOR) {
                        wire::validate(&payload).expect("only a pack is delivered as one");
                    }
                    self.delivered.push(exchange);
                    let distinct: BTreeSet<_> =
                        self.delivered.iter().map(|id| format!("{id:?}")).collect();
                    assert_eq!(distinct.len(), self.delivered.len(), "delivered twice");
                }
                Effect::Serve { exchange, ask } => {
                    assert!(ask.local < LOCALS.len() && ask.body.len() <= self.limits.payload_max);
                    self.asked.push(exchange);
                }
                Effect::Read { exchange, part } => {
                    assert!((16..=1024).contains(&part.length));
                    self.reading.push((exchange, part));
                }
                Effect::Counted { code } => assert!(matches!(code >> 5, 2 | 4 | 5)),
                Effect::Dropped { .. } => {}
            }
        }
    }
}
