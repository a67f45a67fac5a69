//! Freshness for a session that came back without its replay window (RFC 9175 section 2.3): until
//! a request carries the Echo value that only this moment could have taught its sender, any
//! request may be an old one played back, and none is acted on.
//! Invariant: no state but the value; judging a message changes nothing and remembers nothing, so
//! a duplicate is told the same.

use std::fmt;

use subtle::ConstantTimeEq;

use super::message::{Encoder, Kind, Message, MessageId, code, option};

/// Bytes of a value; enough that nobody guesses it within a session's lifetime.
pub const ECHO_LENGTH: usize = 8;

/// A [`Verdict::Answer`] is never longer: header, longest token, Echo option.
pub const ANSWER_MAX: usize = 4 + 8 + 2 + ECHO_LENGTH;

/// What a message is, seen before its session is known to be fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A request that carries our value: it was made after the challenge. The endpoint may have it.
    Fresh,
    /// A request that may be old: send this 4.01 with the Echo option, and nothing else.
    Answer(Vec<u8>),
    /// Nothing that could be answered: empty messages, ACK, RST, responses, bytes that are no CoAP.
    Silence,
}

/// The value that a session's first request has to carry.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge([u8; ECHO_LENGTH]);

impl Challenge {
    /// `value` is random and of this session alone.
    pub fn new(value: [u8; ECHO_LENGTH]) -> Self {
        Self(value)
    }

    /// Judges one message of the board. `next_mid` is the hub's own next message id; only the
    /// answer to a NON uses it.
    pub fn judge(&self, message: &[u8], next_mid: u16) -> Verdict {
        let Ok(request) = Message::decode(message) else { return Verdict::Silence };
        let (kind, id) = match request.kind {
            Kind::Confirmable => (Kind::Acknowledgement, request.id),
            Kind::NonConfirmable => (Kind::NonConfirmable, next_mid),
            Kind::Acknowledgement | Kind::Reset => return Verdict::Silence,
        };
        if !request.is_request() {
            return Verdict::Silence;
        }
        // The option is not repeatable: the first stands for all.
        let echo = request.options().find(|&(number, _)| number == option::ECHO);
        match echo {
            Some((_, value)) if bool::from(value.ct_eq(&self.0)) => Verdict::Fresh,
            Some(_) | None => Verdict::Answer(self.ask(&request, kind, id)),
        }
    }

    fn ask(&self, request: &Message<'_>, kind: Kind, id: MessageId) -> Vec<u8> {
        Encoder::new(kind, code::UNAUTHORIZED, id, &request.token, 2 + ECHO_LENGTH)
            .option(option::ECHO, &self.0)
            .finish(&[])
    }
}

impl fmt::Debug for Challenge {
    /// Whoever knows the value passes for fresh; it is in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(..)")
    }
}
