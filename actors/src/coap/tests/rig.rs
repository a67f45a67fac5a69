//! A board in virtual time for the tests; speaks through coap-lite, which nobody here wrote.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

use crate::coap::message::code;
use crate::coap::{
    Answer, Ask, Content, DropReason, Effect, Endpoint, ExchangeId, Limits, Local, Method, Millis,
    Part, Piece, Resources, UnixMillis,
};

pub(super) const LIMITS: Limits = Limits {
    payload_max: 4096,
    acknowledge_within_ms: 1_000,
    exchange_lifetime_ms: 247_000,
    block_timeout_ms: 120_000,
    in_flight_max: 4,
    retry_after_s: 30,
};

/// The time of day when the rig's clock stood at nought: 2026-01-01.
pub(super) const BOOTED_MS: u64 = 1_767_225_600_000;

/// A resource to GET and one to POST to, as a hub's own.
pub(super) const LOCALS: &[Local] = &[
    Local { name: "get", kind: "test.get", method: Method::Get, gives: &[281, 287] },
    Local { name: "do", kind: "test.do", method: Method::Post { takes: 286 }, gives: &[281, 287] },
];

/// A delivery as the shell sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) exchange: ExchangeId,
    pub(super) resource: usize,
    pub(super) content_format: Option<u16>,
    pub(super) payload: Vec<u8>,
}

pub(super) struct Rig {
    pub(super) endpoint: Endpoint,
    pub(super) resources: Resources,
    pub(super) limits: Limits,
    pub(super) now: Millis,
    pub(super) sent: Vec<Packet>,
    pub(super) delivered: Vec<Delivery>,
    pub(super) asked: Vec<(ExchangeId, Ask)>,
    pub(super) read: Vec<(ExchangeId, Part)>,
    pub(super) dropped: Vec<DropReason>,
    pub(super) counted: Vec<u8>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self {
            endpoint: Endpoint::new(0x9000),
            resources: Resources::new(["t", "r/x", "d"]),
            limits: LIMITS,
            now: 1_000_000,
            sent: Vec::new(),
            delivered: Vec::new(),
            asked: Vec::new(),
            read: Vec::new(),
            dropped: Vec::new(),
            counted: Vec::new(),
        }
    }

    /// A rig with the hub's own resources.
    pub(super) fn with_locals() -> Self {
        let mut rig = Self::new();
        let resources = std::mem::take(&mut rig.resources);
        rig.resources = resources.with_locals("base", "acme", LOCALS);
        rig
    }

    fn drain(&mut self) {
        while let Some(effect) = self.endpoint.poll_effect() {
            match effect {
                Effect::Send(bytes) => self.sent.push(Packet::from_bytes(&bytes).unwrap()),
                Effect::Deliver { exchange, resource, content_format, payload } => {
                    assert_eq!(payload.len(), payload.capacity());
                    self.delivered.push(Delivery { exchange, resource, content_format, payload });
                }
                Effect::Serve { exchange, ask } => self.asked.push((exchange, *ask)),
                Effect::Read { exchange, part } => self.read.push((exchange, part)),
                Effect::Counted { code } => self.counted.push(code),
                Effect::Dropped { reason } => self.dropped.push(reason),
            }
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let (now, time) = (self.now, UnixMillis(BOOTED_MS + self.now));
        self.endpoint.handle_message(now, time, bytes, &self.resources, &self.limits);
        self.drain();
        self
    }

    pub(super) fn send(&mut self, packet: &Packet) -> &mut Self {
        self.bytes(&packet.to_bytes_unlimited().unwrap())
    }

    /// Reports the outcome of the n-th delivery.
    pub(super) fn outcome(&mut self, delivery: usize, answer: Answer) -> &mut Self {
        let exchange = self.delivered[delivery].exchange;
        self.endpoint.handle_outcome(self.now, exchange, answer);
        self.drain();
        self
    }

    /// Answers the n-th request for a local resource.
    pub(super) fn content(&mut self, asked: usize, code: u8, body: &[u8]) -> &mut Self {
        let (exchange, ask) = &self.asked[asked];
        let format = (code >> 5 == 2).then_some(ask.format);
        let max_age_s = if code == code::UNAVAILABLE { 30 } else { 0 };
        let content = Content { code, format, max_age_s, body: body.into() };
        self.endpoint.handle_content(self.now, *exchange, content);
        self.drain();
        self
    }

    /// Answers the n-th request for a part of a file.
    pub(super) fn piece(&mut self, read: usize, piece: Piece) -> &mut Self {
        let (exchange, _) = self.read[read];
        self.endpoint.handle_piece(self.now, exchange, piece);
        self.drain();
        self
    }

    /// Lets time pass, waking the endpoint exactly when it asked for it.
    pub(super) fn pass(&mut self, ms: Millis) -> &mut Self {
        let end = self.now + ms;
        while let Some(due) = self.endpoint.poll_timeout().filter(|&due| due <= end) {
            self.now = due.max(self.now);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self
    }

    pub(super) fn last(&self) -> &Packet {
        self.sent.last().unwrap()
    }

    pub(super) fn code(&self) -> u8 {
        u8::from(self.last().header.code)
    }
}

pub(super) fn empty(kind: MessageType, id: u16) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(kind);
    packet.header.code = MessageClass::Empty;
    packet.header.message_id = id;
    packet
}

pub(super) fn request(method: u8, path: &str, id: u16) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::Confirmable);
    packet.header.code = MessageClass::from(method);
    packet.header.message_id = id;
    packet.set_token(id.to_le_bytes().to_vec());
    for segment in path.split('/') {
        packet.add_option(CoapOption::UriPath, segment.into());
    }
    packet
}

pub(super) fn post(id: u16, payload: &[u8]) -> Packet {
    let mut packet = request(code::POST, "t", id);
    packet.payload = payload.to_vec();
    packet
}

pub(super) fn non(mut packet: Packet) -> Packet {
    packet.header.set_type(MessageType::NonConfirmable);
    packet
}

pub(super) fn block(number: u32, more: bool, exponent: u8) -> Vec<u8> {
    let bits = number << 4 | u32::from(more) << 3 | u32::from(exponent);
    let bytes = bits.to_be_bytes();
    bytes[bytes.iter().position(|&byte| byte != 0).unwrap_or(4)..].to_vec()
}

/// One block of `body`, of 16 << exponent bytes.
pub(super) fn upload(id: u16, body: &[u8], number: u32, exponent: u8) -> Packet {
    let size = 16 << exponent;
    let begin = usize::try_from(number).unwrap() * size;
    let end = (begin + size).min(body.len());
    let mut packet = post(id, &body[begin.min(end)..end]);
    packet.add_option(CoapOption::Block1, block(number, end < body.len(), exponent));
    packet
}

/// A POST to the local resource `do`.
pub(super) fn ask(id: u16, body: &[u8]) -> Packet {
    let mut packet = request(code::POST, "base/do", id);
    packet.add_option(CoapOption::ContentFormat, vec![1, 30]);
    packet.payload = body.to_vec();
    packet
}

pub(super) fn option(packet: &Packet, option: CoapOption) -> Option<u32> {
    let value = packet.get_first_option(option)?;
    Some(value.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}
