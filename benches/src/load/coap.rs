//! The few CoAP bytes a measurement needs: one confirmable POST, and what an answer says.
//! Not a CoAP implementation; options of answers are skipped unread.

/// A confirmable POST to one resource, ready but for its message id.
#[derive(Clone, Debug)]
pub struct Post {
    /// From the options on: path, content format, payload marker, payload.
    rest: Vec<u8>,
    /// Bytes of it that are payload.
    payload: usize,
}

const CONFIRMABLE_TOKEN_2: u8 = 0x42;
const POST: u8 = 2;
const OCTET_STREAM: u8 = 42;

impl Post {
    /// A POST of `payload` bytes to `resource` (segments of at most 12 bytes, joined by '/').
    #[must_use]
    pub fn new(resource: &str, payload: usize) -> Self {
        let mut rest = Vec::new();
        let mut delta = 11;
        for segment in resource.split('/') {
            let length = u8::try_from(segment.len().min(12)).unwrap_or(12);
            rest.push(delta << 4 | length);
            rest.extend(segment.bytes().take(12));
            delta = 0;
        }
        rest.extend([0x11, OCTET_STREAM, 0xFF]);
        rest.resize(rest.len() + payload, b'r');
        Self { rest, payload }
    }

    /// The message with this id and, in the first eight bytes of its payload, whose reading it is.
    pub fn write_reading(&self, message_id: u16, board: u32, reading: u32, out: &mut Vec<u8>) {
        self.write(message_id, out);
        let names = board.to_be_bytes().into_iter().chain(reading.to_be_bytes());
        let payload = out.len().saturating_sub(self.payload);
        for (to, from) in out.iter_mut().skip(payload).zip(names) {
            *to = from;
        }
    }

    /// The message with this id; the token is the same two bytes.
    pub fn write(&self, message_id: u16, out: &mut Vec<u8>) {
        let [a, b] = message_id.to_be_bytes();
        out.clear();
        out.extend_from_slice(&[CONFIRMABLE_TOKEN_2, POST, a, b, a, b]);
        out.extend_from_slice(&self.rest);
    }
}

/// What a message of the hub is to a board that waits for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer to the request with this id, with its code as on the wire (2.04 is 0x44).
    Response {
        /// The request, by its token.
        request: u16,
        /// Class and detail.
        code: u8,
        /// The message id to acknowledge, when the answer came separately.
        acknowledge: Option<u16>,
    },
    /// "I have it, the answer will follow."
    Acknowledged {
        /// The request.
        request: u16,
    },
    /// Anything else.
    Other,
}

/// Reads a message of the hub.
#[must_use]
pub fn answer(message: &[u8]) -> Answer {
    let Some((&[head, code, m0, m1], rest)) = message.split_first_chunk::<4>() else {
        return Answer::Other;
    };
    let (kind, token_len) = (head >> 4 & 3, head & 15);
    let message_id = u16::from_be_bytes([m0, m1]);
    match (kind, token_len, rest) {
        (2, 0, []) if code == 0 => Answer::Acknowledged { request: message_id },
        (0..=2, 2, [t0, t1, ..]) if code >= 0x40 => Answer::Response {
            request: u16::from_be_bytes([*t0, *t1]),
            code,
            acknowledge: (kind == 0).then_some(message_id),
        },
        _ => Answer::Other,
    }
}

/// An empty acknowledgement.
#[must_use]
pub fn acknowledgement(message_id: u16) -> [u8; 4] {
    let [a, b] = message_id.to_be_bytes();
    [0x60, 0, a, b]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_has_these_bytes() {
        let mut out = Vec::new();
        Post::new("r/x", 2).write(0x0102, &mut out);
        assert_eq!(out, [0x42, 2, 1, 2, 1, 2, 0xB1, b'r', 0x01, b'x', 0x11, 42, 0xFF, b'r', b'r']);
    }

    #[test]
    fn answers_are_told_apart() {
        let piggybacked = Answer::Response { request: 0x0102, code: 0x44, acknowledge: None };
        assert_eq!(answer(&[0x62, 0x44, 1, 2, 1, 2]), piggybacked);
        let separate = Answer::Response { request: 0x0102, code: 0xA3, acknowledge: Some(0x0909) };
        assert_eq!(answer(&[0x42, 0xA3, 9, 9, 1, 2, 0xFF, 1]), separate);
        assert_eq!(answer(&[0x60, 0, 1, 2]), Answer::Acknowledged { request: 0x0102 });
        assert_eq!(answer(&[0x70, 0, 1, 2]), Answer::Other);
        assert_eq!(answer(&[0x60]), Answer::Other);
    }
}
