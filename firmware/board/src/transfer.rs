//! One request of any length with an answer of any length, in blocks (RFC 7959): how a board asks for
//! a certificate, and fetches an image.
//!
//! The shell calls in with the time, sends what [`Transfer::poll_transmit`] gives, sleeps until
//! [`Transfer::poll_timeout`], and is done once there is an [`Transfer::outcome`].
//! Invariant: no clock, socket or randomness in here, and never more than `answer_max` bytes of answer
//! that were not taken yet.

use alloc::string::String;
use alloc::vec::Vec;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType};

use crate::Millis;
use crate::freshness::Freshness;
use crate::message::{self, acknowledgement};

/// First wait for an answer, doubled each time; NB-IoT takes its time (RFC 7252, section 4.8).
const ACK_TIMEOUT_MS: Millis = 4_000;
const ATTEMPTS: u8 = 5;
/// How long a separate answer may take once it is promised.
const SEPARATE_MS: Millis = 60_000;

/// With which the hub asks for an Echo option.
const UNAUTHORIZED: u8 = 0x81;
const CONTINUE: u8 = 0x5f;
const CONTENT: u8 = 0x45;
const CHANGED: u8 = 0x44;

/// What a transfer asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The CoAP path.
    pub path: String,
    /// The content format that the answer is to have.
    pub accept: u16,
    /// What is sent, and in which content format; without it, the transfer is a GET.
    pub body: Option<(u16, Vec<u8>)>,
    /// Blocks are of `16 << exponent` bytes, at most 6; the hub may ask for smaller ones.
    pub exponent: u8,
    /// Bytes of the longest answer that is gathered; what [`Transfer::take_part`] takes does not count.
    pub answer_max: usize,
    /// Where in the answer to begin: what lies before is here already. A multiple of the blocks' size.
    pub from: usize,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferError {
    /// The hub said no, in words where it had some.
    Refused {
        /// The code, as it stands in the second byte.
        code: u8,
        /// The diagnostic payload.
        words: String,
        /// The seconds after which it may be tried again.
        max_age_s: Option<u32>,
    },
    /// It said nothing.
    Silent,
    /// What it said makes no sense, or is too long.
    Unexpected,
}

impl TransferError {
    /// When it may be tried again, where the hub said so.
    pub fn max_age_s(&self) -> Option<u32> {
        match self {
            Self::Refused { max_age_s, .. } => *max_age_s,
            Self::Silent | Self::Unexpected => None,
        }
    }
}

/// A transfer under way.
#[derive(Debug)]
pub struct Transfer {
    ask: Ask,
    stage: Stage,
    answer: Vec<u8>,
    /// Bytes of the answer before those in `answer`.
    taken: usize,
    etag: Option<Vec<u8>>,
    freshness: Freshness,
    message_id: u16,
    token: u16,
    /// What is repeated until it is answered.
    request: Vec<u8>,
    transmit: Vec<Vec<u8>>,
    due: Millis,
    wait_ms: Millis,
    attempts: u8,
}

#[derive(Debug)]
enum Stage {
    /// So many bytes of the body are with the hub.
    Sending {
        sent: usize,
    },
    Fetching,
    Over(Result<Vec<u8>, TransferError>),
}

impl Transfer {
    /// Begins; `first_id` is where message ids begin, best at random. They are odd, for those of a
    /// [`Board`](crate::Board) on the same connection are even.
    pub fn new(now: Millis, ask: Ask, first_id: u16) -> Self {
        let mut transfer = Self {
            taken: ask.from,
            ask,
            stage: Stage::Sending { sent: 0 },
            answer: Vec::new(),
            etag: None,
            freshness: Freshness::default(),
            message_id: first_id | 1,
            token: first_id,
            request: Vec::new(),
            transmit: Vec::new(),
            due: now,
            wait_ms: 0,
            attempts: 0,
        };
        transfer.next(now);
        transfer
    }

    /// What is to be sent now.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.transmit.is_empty() { None } else { Some(self.transmit.remove(0)) }
    }

    /// When [`Transfer::handle_timeout`] is due; `None` once it is over.
    pub fn poll_timeout(&self) -> Option<Millis> {
        (!matches!(self.stage, Stage::Over(_))).then_some(self.due)
    }

    /// What came of the answer since it was asked last, and where in the whole it begins. The outcome
    /// then holds no more than the rest.
    pub fn take_part(&mut self) -> Option<(usize, Vec<u8>)> {
        if self.answer.is_empty() {
            return None;
        }
        let (at, part) = (self.taken, core::mem::take(&mut self.answer));
        self.taken = at.saturating_add(part.len());
        Some((at, part))
    }

    /// The message id of its last request: where another transfer may go on.
    pub fn last_id(&self) -> u16 {
        self.message_id
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<&Result<Vec<u8>, TransferError>> {
        match &self.stage {
            Stage::Over(outcome) => Some(outcome),
            Stage::Sending { .. } | Stage::Fetching => None,
        }
    }

    /// Repeats a request that was not answered, or gives up.
    pub fn handle_timeout(&mut self, now: Millis) {
        if now < self.due || self.outcome().is_some() {
            return;
        }
        if self.attempts >= ATTEMPTS {
            return self.end(Err(TransferError::Silent));
        }
        self.attempts += 1;
        self.wait_ms = self.wait_ms.saturating_mul(2).max(ACK_TIMEOUT_MS);
        self.due = now.saturating_add(self.wait_ms);
        self.transmit.push(self.request.clone());
    }

    /// Takes a datagram; one that is not for this transfer changes nothing.
    pub fn handle_datagram(&mut self, now: Millis, datagram: &[u8]) {
        let Ok(packet) = Packet::from_bytes(datagram) else { return };
        let (id, kind) = (packet.header.message_id, packet.header.get_type());
        if packet.header.code == MessageClass::Empty {
            if id == self.message_id && kind == MessageType::Acknowledgement {
                self.due = now.saturating_add(SEPARATE_MS);
                self.attempts = ATTEMPTS;
            } else if id == self.message_id && kind == MessageType::Reset {
                self.end(Err(TransferError::Unexpected));
            }
            return;
        }
        if kind == MessageType::Confirmable {
            self.transmit.push(acknowledgement(id));
        }
        if packet.get_token() == self.token() && self.outcome().is_none() {
            self.answered(now, packet);
        }
    }

    fn answered(&mut self, now: Millis, packet: Packet) {
        let block1 = block(&packet, CoapOption::Block1);
        if let Some(echo) = message::echo(&packet)
            && u8::from(packet.header.code) == UNAUTHORIZED
            && self.freshness.take(echo)
        {
            return self.next(now);
        }
        self.freshness.renew();
        match (u8::from(packet.header.code), &mut self.stage) {
            (CONTINUE, Stage::Sending { sent }) => {
                let Some((_, _, exponent)) = block1 else {
                    return self.end(Err(TransferError::Unexpected));
                };
                *sent = sent.saturating_add(16 << self.ask.exponent);
                self.ask.exponent = exponent.min(self.ask.exponent);
                self.next(now);
            }
            (CONTENT | CHANGED, Stage::Sending { .. } | Stage::Fetching) => {
                self.content(now, packet);
            }
            (code, Stage::Sending { .. } | Stage::Fetching) => {
                let words = String::from_utf8_lossy(&packet.payload).into_owned();
                let max_age_s = packet.get_first_option(CoapOption::MaxAge);
                let max_age_s = max_age_s.and_then(|value| message::uint(value));
                self.end(Err(TransferError::Refused { code, words, max_age_s }));
            }
            (_, Stage::Over(_)) => {}
        }
    }

    fn content(&mut self, now: Millis, packet: Packet) {
        let etag = packet.get_first_option(CoapOption::ETag).cloned();
        let block2 = block(&packet, CoapOption::Block2);
        let (number, more, exponent) = block2.unwrap_or((0, false, 6));
        let begins = number.checked_mul(16 << exponent) == Some(self.received());
        let fits = self.answer.len().saturating_add(packet.payload.len()) <= self.ask.answer_max;
        let same = self.received() == self.ask.from || etag == self.etag;
        let whole = !more || packet.payload.len() == 16 << exponent;
        if !(begins && fits && same && whole) {
            return self.end(Err(TransferError::Unexpected));
        }
        self.etag = etag;
        self.answer.extend_from_slice(&packet.payload);
        if !more {
            let answer = core::mem::take(&mut self.answer);
            return self.end(Ok(answer));
        }
        self.ask.exponent = exponent.min(self.ask.exponent);
        self.stage = Stage::Fetching;
        self.next(now);
    }

    fn received(&self) -> usize {
        self.taken.saturating_add(self.answer.len())
    }

    /// Three bytes: those of a board's readings are two, that of its question for the time is one.
    fn token(&self) -> [u8; 3] {
        let [high, low] = self.token.to_be_bytes();
        [b'T', high, low]
    }

    /// Makes the next request and sends it for the first time.
    fn next(&mut self, now: Millis) {
        self.message_id = self.message_id.wrapping_add(2);
        self.token = self.token.wrapping_add(1);
        let mut packet = Packet::new();
        packet.header.set_type(MessageType::Confirmable);
        packet.header.message_id = self.message_id;
        packet.set_token(self.token().to_vec());
        for segment in self.ask.path.split('/') {
            packet.add_option(CoapOption::UriPath, segment.as_bytes().to_vec());
        }
        packet.add_option(CoapOption::Accept, short(u32::from(self.ask.accept)));
        let (exponent, size) = (self.ask.exponent, 16 << self.ask.exponent);
        packet.header.code = match &self.ask.body {
            None => MessageClass::Request(RequestType::Get),
            Some((format, body)) => {
                packet.add_option(CoapOption::ContentFormat, short(u32::from(*format)));
                if let Stage::Sending { sent } = self.stage {
                    let rest = body.get(sent..).unwrap_or_default();
                    let (part, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
                    if sent > 0 || !after.is_empty() {
                        let bits = bits(sent / size, !after.is_empty(), exponent);
                        packet.add_option(CoapOption::Block1, bits);
                    }
                    packet.payload = part.to_vec();
                }
                MessageClass::Request(RequestType::Post)
            }
        };
        // Also with the first request: the hub must not answer in larger blocks than we take.
        let last = match (&self.stage, &self.ask.body) {
            (Stage::Sending { sent }, Some((_, body))) => sent.saturating_add(size) >= body.len(),
            _ => true,
        };
        if last {
            let bits = bits(self.received() / size, false, exponent);
            packet.add_option(CoapOption::Block2, bits);
        }
        let request = packet.to_bytes_unlimited().unwrap_or_default();
        self.request = self.freshness.stamp(request);
        (self.attempts, self.wait_ms) = (1, ACK_TIMEOUT_MS);
        self.due = now.saturating_add(self.wait_ms);
        self.transmit.push(self.request.clone());
    }

    fn end(&mut self, outcome: Result<Vec<u8>, TransferError>) {
        self.stage = Stage::Over(outcome);
    }
}

/// Number, whether more follow, and the exponent; `None` for what is no block.
fn block(packet: &Packet, option: CoapOption) -> Option<(usize, bool, u8)> {
    let bits = message::uint(packet.get_first_option(option)?)?;
    let exponent = u8::try_from(bits & 7).ok().filter(|exponent| *exponent < 7)?;
    Some((usize::try_from(bits >> 4).ok()?, bits & 8 != 0, exponent))
}

fn bits(number: usize, more: bool, exponent: u8) -> Vec<u8> {
    let number = u32::try_from(number).unwrap_or(u32::MAX >> 4);
    short(number << 4 | u32::from(more) << 3 | u32::from(exponent))
}

/// A number in as few bytes as hold it.
fn short(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default().to_vec()
}
