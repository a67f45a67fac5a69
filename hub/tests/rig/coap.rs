//! CoAP messages (RFC 7252) written and read by hand, and the client side of one exchange.

use std::time::{Duration, Instant};

pub const CON: u8 = 0;
pub const NON: u8 = 1;
pub const ACK: u8 = 2;
pub const RST: u8 = 3;

pub const GET: u8 = 1;
pub const POST: u8 = 2;

pub const URI_PATH: u16 = 11;
pub const CONTENT_FORMAT: u16 = 12;
pub const MAX_AGE: u16 = 14;
pub const BLOCK1: u16 = 27;

/// A CoAP message; its options in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    pub kind: u8,
    pub code: u8,
    pub id: u16,
    pub token: Vec<u8>,
    pub options: Vec<(u16, Vec<u8>)>,
    pub payload: Vec<u8>,
}

impl Message {
    pub fn request(code: u8, path: &str, id: u16, payload: &[u8]) -> Self {
        let path = path.split('/').filter(|segment| !segment.is_empty());
        Self {
            kind: CON,
            code,
            id,
            token: id.to_be_bytes().to_vec(),
            options: path.map(|segment| (URI_PATH, segment.as_bytes().to_vec())).collect(),
            payload: payload.to_vec(),
        }
    }

    pub fn post(path: &str, id: u16, payload: &[u8]) -> Self {
        Self::request(POST, path, id, payload)
    }

    pub fn empty(kind: u8, id: u16) -> Self {
        Self { kind, id, ..Self::default() }
    }

    /// With an option more; a number's leading zero bytes are left out as RFC 7252 3.2 wants.
    pub fn with(mut self, number: u16, value: u32) -> Self {
        let bytes = value.to_be_bytes();
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        self.options.push((number, bytes[start..].to_vec()));
        self.options.sort_by_key(|(number, _)| *number);
        self
    }

    pub fn option(&self, number: u16) -> Option<u32> {
        let (_, value) = self.options.iter().find(|(n, _)| *n == number)?;
        Some(value.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    /// The code as people write it: "2.04".
    pub fn dotted(&self) -> String {
        format!("{}.{:02}", self.code >> 5, self.code & 31)
    }

    pub fn encode(&self) -> Vec<u8> {
        let token_length = u8::try_from(self.token.len()).unwrap();
        let mut out = vec![0x40 | self.kind << 4 | token_length, self.code];
        out.extend(self.id.to_be_bytes());
        out.extend(&self.token);
        let mut last = 0;
        for (number, value) in &self.options {
            let (delta, delta_more) = nibble(usize::from(number - last));
            let (length, length_more) = nibble(value.len());
            out.push(delta << 4 | length);
            out.extend(delta_more);
            out.extend(length_more);
            out.extend(value);
            last = *number;
        }
        if !self.payload.is_empty() {
            out.push(0xff);
            out.extend(&self.payload);
        }
        out
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[first, code, high, low], rest) = bytes.split_first_chunk::<4>()?;
        let token_length = usize::from(first & 15);
        if first >> 6 != 1 || token_length > 8 {
            return None;
        }
        let (token, mut rest) = rest.split_at_checked(token_length)?;
        let mut message = Self {
            kind: first >> 4 & 3,
            code,
            id: u16::from_be_bytes([high, low]),
            token: token.to_vec(),
            ..Self::default()
        };
        let mut number = 0;
        while let Some((&head, tail)) = rest.split_first() {
            if head == 0xff {
                message.payload = tail.to_vec();
                break;
            }
            let (delta, tail) = extended(head >> 4, tail)?;
            let (length, tail) = extended(head & 15, tail)?;
            let (value, tail) = tail.split_at_checked(length)?;
            number += u16::try_from(delta).ok()?;
            message.options.push((number, value.to_vec()));
            rest = tail;
        }
        Some(message)
    }
}

fn nibble(value: usize) -> (u8, Vec<u8>) {
    match value {
        0..=12 => (u8::try_from(value).unwrap(), vec![]),
        13..=268 => (13, vec![u8::try_from(value - 13).unwrap()]),
        _ => (14, u16::try_from(value - 269).unwrap().to_be_bytes().to_vec()),
    }
}

fn extended(nibble: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    match nibble {
        0..=12 => Some((usize::from(nibble), rest)),
        13 => rest.split_first().map(|(byte, rest)| (usize::from(*byte) + 13, rest)),
        14 => {
            let (&[high, low], rest) = rest.split_first_chunk::<2>()?;
            Some((usize::from(u16::from_be_bytes([high, low])) + 269, rest))
        }
        _ => None,
    }
}

/// Whatever carries datagrams to the hub and back: a DTLS session, a peer's process, a socket.
pub trait Carrier {
    fn send(&mut self, datagram: &[u8]);
    /// The next datagram, or `None` after `limit`.
    fn receive(&mut self, limit: Duration) -> Option<Vec<u8>>;
}

/// How an exchange ended.
#[derive(Debug)]
pub struct Answer {
    pub message: Message,
    /// Whether an empty acknowledgement came first and the answer by itself.
    pub separate: bool,
    /// From the request to the answer.
    pub answered_after: Duration,
}

/// Sends a confirmable request, again after each two seconds of silence, and waits for its answer.
pub fn exchange(carrier: &mut dyn Carrier, request: &Message, limit: Duration) -> Option<Answer> {
    let began = Instant::now();
    let mut acknowledged = false;
    let mut send_at = began;
    while began.elapsed() < limit {
        if !acknowledged && Instant::now() >= send_at {
            carrier.send(&request.encode());
            send_at = Instant::now() + Duration::from_secs(2);
        }
        let Some(datagram) = carrier.receive(Duration::from_millis(200)) else { continue };
        let message = Message::parse(&datagram).expect("the hub speaks CoAP");
        let mine = message.token == request.token && message.code != 0;
        if message.kind == ACK && message.code == 0 && message.id == request.id {
            acknowledged = true;
        } else if mine && message.kind == ACK && message.id != request.id {
            panic!("an answer with another message's id: {message:?}");
        } else if mine {
            if message.kind == CON {
                carrier.send(&Message::empty(ACK, message.id).encode());
            }
            return Some(Answer {
                separate: message.kind != ACK,
                message,
                answered_after: began.elapsed(),
            });
        } else if message.kind == RST && message.id == request.id {
            panic!("the hub reset the exchange: {message:?}");
        } else if message.kind == CON {
            carrier.send(&Message::empty(ACK, message.id).encode()); // a late answer's repetition
        }
    }
    None
}
