//! What a session asks of an upstream, and what it is told.
//! Invariant: exactly one outcome for each delivery; a dropped sender means that the adapter is lost.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use storage::{Acknowledge, AuthorityNumber, BoardId, TenantId};
use tokio::sync::oneshot;

use crate::barred::Moment;

/// The name of one accepted CoAP exchange: a board that repeats its reading has the same one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageId(pub u64);

/// Sixteen lower-case hexadecimal digits.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A board's reading on its way to its tenant's system.
#[derive(Clone)]
pub struct Uplink {
    /// Whose board.
    pub tenant: TenantId,
    /// Which board.
    pub board: BoardId,
    /// Which of the tenant's authorities issued the certificate of its session.
    pub issuer: Option<AuthorityNumber>,
    /// Which exchange.
    pub message_id: MessageId,
    /// The MQTT topic, rendered from the route's template.
    pub topic: String,
    /// The CoAP Content-Format (RFC 7252 section 12.3), when the board gave one.
    pub content_format: Option<u16>,
    /// The reading as the board sent it.
    pub payload: Bytes,
    /// When the session that it came over was admitted.
    pub admitted: Moment,
    /// What its board was promised.
    pub acknowledge: Acknowledge,
}

/// Shows everything but the payload, of which only the length.
impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uplink")
            .field("tenant", &self.tenant)
            .field("board", &self.board)
            .field("message_id", &format_args!("{}", self.message_id))
            .field("topic", &self.topic)
            .field("content_format", &self.content_format)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

impl Uplink {
    /// Bytes a topic may have. MQTT allows 65,535; a rendered template cannot reach this.
    const TOPIC_MAX: usize = 1024;

    /// Why no broker may be given this uplink; `None` when one may (MQTT 5 section 4.7).
    pub(super) fn fault(&self, payload_max: usize) -> Option<&'static str> {
        let topic = self.topic.as_str();
        if topic.is_empty() {
            Some("the topic is empty")
        } else if topic.len() > Self::TOPIC_MAX {
            Some("the topic is longer than 1024 bytes")
        } else if topic.contains(['+', '#']) {
            Some("the topic holds a wildcard")
        } else if topic.chars().any(char::is_control) {
            Some("the topic holds a control character")
        } else if topic.starts_with('$') {
            Some("the topic begins with $, which is the broker's own")
        } else if self.payload.len() > payload_max {
            Some("the payload is larger than the upstream takes")
        } else {
            None
        }
    }

    /// The media type of the payload, where the Content-Format has one that is worth telling.
    pub(super) fn content_type(&self) -> Option<&'static str> {
        match self.content_format? {
            0 => Some("text/plain; charset=utf-8"),
            40 => Some("application/link-format"),
            41 => Some("application/xml"),
            42 => Some("application/octet-stream"),
            47 => Some("application/exi"),
            50 => Some("application/json"),
            60 => Some("application/cbor"),
            63 => Some("application/cbor-seq"),
            110 => Some("application/senml+json"),
            112 => Some("application/senml+cbor"),
            _ => None,
        }
    }
}

/// Asks an upstream to take an uplink.
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub struct Deliver {
    /// What to deliver.
    pub uplink: Uplink,
    /// Told once. When it is dropped untold the adapter is lost, which is to be taken as
    /// [`Outcome::Down`]. Whoever does not want to know may drop the receiver: the uplink is
    /// delivered all the same. Once its board is shut out, what waits is only delivered where the board
    /// has been told that the hub has it ([`Acknowledge::OnReceive`]).
    pub done: oneshot::Sender<Outcome>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The upstream has it (MQTT: PUBACK with success, also when nobody subscribes).
    Accepted,
    /// The upstream cannot be reached, or the connection ended before it acknowledged; it may have
    /// the uplink nevertheless.
    Down {
        /// When another attempt makes sense; at least a second.
        retry_after: Duration,
    },
    /// The queue before the upstream, or the upstream's quota, is full.
    Full {
        /// When another attempt makes sense; at least a second.
        retry_after: Duration,
    },
    /// The upstream will not take this uplink, however often it is tried.
    Refused {
        /// Why, in words for a log; nothing in it comes from outside.
        reason: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::barred::Barred;

    fn uplink(topic: &str) -> Uplink {
        Uplink {
            tenant: "acme".parse().unwrap(),
            board: "CB-1".parse().unwrap(),
            issuer: None,
            message_id: MessageId(0xab),
            topic: topic.to_owned(),
            content_format: Some(112),
            payload: Bytes::from_static(b"secret"),
            admitted: Barred::new(Instant::now()).moment(Instant::now()),
            acknowledge: Acknowledge::OnUpstream,
        }
    }

    #[test]
    fn a_topic_that_a_broker_must_not_be_given_is_a_fault() {
        assert_eq!(uplink("acme/CB-1/telemetry").fault(10), None);
        let long = "t".repeat(1025);
        for topic in ["", "a/+/b", "a/#", "a\0b", "a\nb", "$SYS/x", &long] {
            assert!(uplink(topic).fault(10).is_some(), "{topic:?}");
        }
        assert!(uplink("a").fault(5).is_some());
    }

    #[test]
    fn a_message_id_is_sixteen_hexadecimal_digits() {
        assert_eq!(MessageId(0xab).to_string(), "00000000000000ab");
    }

    #[test]
    fn debug_output_shows_no_payload() {
        let shown = format!("{:?}", uplink("t"));
        assert!(!shown.contains("secret") && shown.contains("payload_len: 6"), "{shown}");
    }
}
