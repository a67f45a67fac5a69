//! The two versions of MQTT behind one face: bytes to what the broker says, what we say to bytes.
//! The packets themselves are rumqttc's. Invariant: no clock, socket or actor is reachable from here.

mod v311;
mod v5;

use std::time::Duration;

use bytes::BytesMut;
use storage::MqttVersion;
use zeroize::Zeroizing;

use super::super::delivery::Uplink;

/// Bytes a packet may have in either direction.
pub(super) const PACKET_MAX: usize = 256 * 1024;
/// Bytes a payload may have: what is left beside a topic and the properties at their longest.
pub(super) const PAYLOAD_MAX: usize = PACKET_MAX - 4 * 1024;

/// User name and password.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: Zeroizing<String>,
}

/// How a client introduces itself.
#[derive(Clone)]
pub(super) struct Introduction {
    pub(super) client_id: String,
    pub(super) login: Option<Login>,
    pub(super) keep_alive: Duration,
}

/// What the broker's CONNACK allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Terms {
    /// Publishes in flight at once.
    pub(super) in_flight_max: u16,
    /// Bytes of a packet.
    pub(super) packet_max: usize,
    /// Whether a publish may ask for an acknowledgement; without that nothing can be delivered.
    pub(super) acknowledges: bool,
    /// How often the broker wants to hear from us, when that is its wish and not ours.
    pub(super) keep_alive: Option<Duration>,
}

/// A packet from the broker, as far as it concerns us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Received {
    Welcome(Terms),
    /// The connection is refused; whether for who we are, and the code's name.
    Rejected {
        unauthorised: bool,
        code: String,
    },
    Acknowledged {
        id: u16,
        verdict: Verdict,
    },
    Pong,
    /// The broker closes the connection; the reason's name.
    Goodbye(String),
    /// A packet that a client which never subscribes is not sent.
    Uncalled,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Accepted,
    QuotaExceeded,
    Refused(&'static str),
}

/// The broker sent what is no MQTT.
#[derive(Debug, thiserror::Error)]
#[error("malformed packet from the broker: {0}")]
pub(super) struct Malformed(String);

/// The packet would be larger than it may be.
#[derive(Debug)]
pub(super) struct TooLarge;

/// A protocol version.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dialect {
    V311,
    V5,
}

impl From<MqttVersion> for Dialect {
    fn from(version: MqttVersion) -> Self {
        match version {
            MqttVersion::V311 => Self::V311,
            MqttVersion::V5 => Self::V5,
        }
    }
}

impl Dialect {
    /// A CONNECT packet that asks for a clean session.
    pub(super) fn connect(self, introduction: &Introduction) -> Result<BytesMut, TooLarge> {
        // rumqttc sets the flags at an index from the buffer's beginning: it has to be empty.
        let mut out = BytesMut::with_capacity(256);
        match self {
            Self::V311 => v311::connect(introduction, &mut out)?,
            Self::V5 => v5::connect(introduction, &mut out)?,
        }
        Ok(out)
    }

    /// Appends a PUBLISH packet with QoS 1.
    pub(super) fn publish(
        self,
        id: u16,
        uplink: Uplink,
        packet_max: usize,
        out: &mut BytesMut,
    ) -> Result<(), TooLarge> {
        match self {
            Self::V311 => v311::publish(id, uplink, packet_max, out),
            Self::V5 => v5::publish(id, uplink, packet_max, out),
        }
    }

    /// Appends a PINGREQ packet; the same in both versions.
    pub(super) fn ping(self, out: &mut BytesMut) {
        out.extend_from_slice(&[0xc0, 0x00]);
    }

    /// Appends a DISCONNECT packet; the same in both versions (MQTT 5: normal disconnection).
    pub(super) fn disconnect(self, out: &mut BytesMut) {
        out.extend_from_slice(&[0xe0, 0x00]);
    }

    /// Takes a whole packet off the front; `None` when there is not a whole one yet.
    pub(super) fn read(self, from: &mut BytesMut) -> Result<Option<Received>, Malformed> {
        match self {
            Self::V311 => v311::read(from),
            Self::V5 => v5::read(from),
        }
    }
}

fn seconds(of: Duration) -> u16 {
    u16::try_from(of.as_secs()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use std::time::Instant;

    use super::super::super::delivery::MessageId;
    use super::*;
    use crate::barred::Barred;

    fn uplink() -> Uplink {
        Uplink {
            tenant: "acme".parse().unwrap(),
            board: "CB-1".parse().unwrap(),
            issuer: None,
            message_id: MessageId(7),
            topic: "a/t".to_owned(),
            content_format: Some(112),
            payload: Bytes::from_static(b"\x81\xa0"),
            admitted: Barred::new(Instant::now()).moment(Instant::now()),
            acknowledge: storage::Acknowledge::OnUpstream,
        }
    }

    fn introduction() -> Introduction {
        let password = Zeroizing::new("p".to_owned());
        Introduction {
            client_id: "hub".to_owned(),
            login: Some(Login { username: "u".to_owned(), password }),
            keep_alive: Duration::from_secs(20),
        }
    }

    #[test]
    fn packets_to_a_3_1_1_broker_are_these_bytes() {
        let connect = Dialect::V311.connect(&introduction()).unwrap();
        assert_eq!(
            &connect[..],
            b"\x10\x15\x00\x04MQTT\x04\xc2\x00\x14\x00\x03hub\x00\x01u\x00\x01p"
        );
        let mut out = BytesMut::new();
        Dialect::V311.publish(0x1234, uplink(), PACKET_MAX, &mut out).unwrap();
        assert_eq!(&out[..], b"\x32\x09\x00\x03a/t\x12\x34\x81\xa0");
    }

    #[test]
    fn packets_to_a_5_broker_are_these_bytes() {
        let connect = Dialect::V5.connect(&introduction()).unwrap();
        let expected: &[u8] = b"\x10\x1b\x00\x04MQTT\x05\xc2\x00\x14\x05\x27\x00\x04\x00\x00\
            \x00\x03hub\x00\x01u\x00\x01p";
        assert_eq!(&connect[..], expected);
        let mut out = BytesMut::new();
        Dialect::V5.publish(0x1234, uplink(), PACKET_MAX, &mut out).unwrap();
        let expected: &[u8] = b"\x32\x5f\x00\x03a/t\x12\x34\x55\
            \x26\x00\x05board\x00\x04CB-1\x26\x00\x06tenant\x00\x04acme\
            \x26\x00\x0amessage-id\x00\x100000000000000007\
            \x03\x00\x16application/senml+cbor\x81\xa0";
        assert_eq!(&out[..], expected);
    }

    #[test]
    fn a_packet_is_read_when_its_last_byte_is_there() {
        for dialect in [Dialect::V311, Dialect::V5] {
            let mut from = BytesMut::from(&b"\x40\x02\x12"[..]);
            assert_eq!(dialect.read(&mut from).unwrap(), None);
            from.extend_from_slice(b"\x34\xd0\x00");
            let acknowledged = Received::Acknowledged { id: 0x1234, verdict: Verdict::Accepted };
            assert_eq!(dialect.read(&mut from).unwrap(), Some(acknowledged));
            assert_eq!(dialect.read(&mut from).unwrap(), Some(Received::Pong));
            assert_eq!(dialect.read(&mut from).unwrap(), None);
        }
    }

    #[test]
    fn an_acknowledgement_of_mqtt_5_carries_its_verdict() {
        let verdict = |reason: u8| {
            let mut from = BytesMut::from(&[0x40, 0x03, 0x00, 0x01, reason][..]);
            match Dialect::V5.read(&mut from).unwrap().unwrap() {
                Received::Acknowledged { id: 1, verdict } => verdict,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(verdict(0x00), Verdict::Accepted);
        assert_eq!(verdict(0x10), Verdict::Accepted);
        assert_eq!(verdict(0x97), Verdict::QuotaExceeded);
        for reason in [0x80, 0x83, 0x87, 0x90, 0x91, 0x99] {
            assert!(matches!(verdict(reason), Verdict::Refused(_)), "{reason:#x}");
        }
    }

    #[test]
    fn a_welcome_of_mqtt_5_carries_the_brokers_terms() {
        let packet =
            b"\x20\x12\x00\x00\x0f\x21\x00\x14\x24\x00\x27\x00\x00\x10\x00\x13\x00\x05\x2a\x01";
        let mut from = BytesMut::from(&packet[..]);
        let terms = Terms {
            in_flight_max: 20,
            packet_max: 4096,
            acknowledges: false,
            keep_alive: Some(Duration::from_secs(5)),
        };
        assert_eq!(Dialect::V5.read(&mut from).unwrap(), Some(Received::Welcome(terms)));
    }

    #[test]
    fn an_uplink_over_the_brokers_limit_leaves_no_byte() {
        for dialect in [Dialect::V311, Dialect::V5] {
            let mut out = BytesMut::new();
            assert!(dialect.publish(1, uplink(), 10, &mut out).is_err());
            assert!(out.is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_of_a_broker_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            for dialect in [Dialect::V311, Dialect::V5] {
                let mut from = BytesMut::from(&bytes[..]);
                while let Ok(Some(_)) = dialect.read(&mut from) {}
            }
        }
    }
}
