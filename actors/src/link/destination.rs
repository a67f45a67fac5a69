//! Whom a datagram is for, by the headers of its records, and which arbiter that is.
//!
//! The kernel's program (`steering`) answers the same question sooner; it may err, this may not.
//! Invariant: pure; nothing here knows a session, a handshake or a key.

use std::net::{IpAddr, SocketAddr};

use crate::link::connection_id::{self, ConnectionId};
use crate::link::hello::ClientHello;
use crate::link::record::{self, ContentType};
use crate::link::socket::DATAGRAM_MAX;
use crate::metrics::RecordDrop;

/// What the words of an address are multiplied with, so that neighbours are spread.
pub(super) const SPREAD: u32 = 0x9E37_79B1;
/// The bits of a product that are any good are its upper ones.
pub(super) const SPREAD_SHIFT: u32 = 16;

/// Whom a datagram is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The front door: a handshake's unprotected message.
    Door,
    /// The session or the handshake that was given this Connection ID.
    ConnectionId(ConnectionId),
    /// The session, or the handshake, or both, with the address it came from.
    Address,
}

impl Destination {
    /// Whom `datagram` is for.
    ///
    /// A last flight, repeated or not, is unprotected with a protected record behind: that says whose.
    ///
    /// # Errors
    /// Why it is for nobody.
    pub fn of(datagram: &[u8]) -> Result<Self, RecordDrop> {
        if datagram.len() > DATAGRAM_MAX {
            return Err(RecordDrop::Oversize);
        }
        let mut records = record::records(datagram, connection_id::LENGTH);
        let Some(Ok(first)) = records.next() else { return Err(RecordDrop::Malformed) };
        if first.epoch == 0 && ClientHello::parse(&first).is_ok() {
            return Ok(Self::Door);
        }
        let protected =
            std::iter::once(first).chain(records.flatten()).find(|record| record.epoch != 0);
        match protected {
            None => Ok(Self::Door),
            Some(record) if record.content_type == ContentType::ConnectionId => {
                let id = ConnectionId::from_wire(record.cid).ok_or(RecordDrop::Malformed)?;
                Ok(Self::ConnectionId(id))
            }
            Some(_) => Ok(Self::Address),
        }
    }

    /// Which of `shards` arbiters owns the session; `None` where it is the front door's.
    #[must_use]
    pub fn owner(self, from: SocketAddr, shards: usize) -> Option<usize> {
        match self {
            Self::Door => None,
            Self::ConnectionId(id) => Some(usize::from(id.shard()) % shards.max(1)),
            Self::Address => Some(owner_of_address(from, shards)),
        }
    }
}

/// Whether the first record is none of a session's: in a datagram that is for one all the same, a last
/// flight.
#[must_use]
pub fn begins_unprotected(datagram: &[u8]) -> bool {
    let mut records = record::records(datagram, connection_id::LENGTH);
    records.next().is_some_and(|first| first.is_ok_and(|first| first.epoch == 0))
}

/// Which of `shards` arbiters owns a session that is known by its peer's address.
#[must_use]
pub fn owner_of_address(peer: SocketAddr, shards: usize) -> usize {
    let address = match peer.ip().to_canonical() {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let words = address.octets();
            words.chunks(4).fold(0, |folded, word| {
                folded ^ word.iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
            })
        }
    };
    let mixed = address.wrapping_mul(SPREAD).wrapping_add(u32::from(peer.port()));
    let spread = mixed.wrapping_mul(SPREAD) >> SPREAD_SHIFT;
    usize::try_from(spread).unwrap_or(0) % shards.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::link::record::{write_header, write_plaintext};

    fn protected(id: &[u8]) -> Vec<u8> {
        let content_type =
            if id.is_empty() { ContentType::Handshake } else { ContentType::ConnectionId };
        let mut out = Vec::new();
        write_header(content_type, record::VERSION_1_2, 1, 0, id, 4, &mut out).unwrap();
        out.extend([1, 2, 3, 4]);
        out
    }

    fn unprotected() -> Vec<u8> {
        let mut out = Vec::new();
        write_plaintext(ContentType::ChangeCipherSpec, 7, &[1], &mut out).unwrap();
        out
    }

    #[test]
    fn a_last_flight_is_for_whom_its_protected_record_names() {
        let id = [0, 3, 1, 2, 3, 4];
        let named = Destination::ConnectionId(ConnectionId::from_wire(&id).unwrap());
        assert_eq!(Destination::of(&protected(&id)), Ok(named));
        assert_eq!(Destination::of(&[unprotected(), protected(&id)].concat()), Ok(named));
        let by_address = [unprotected(), protected(&[])].concat();
        assert_eq!(Destination::of(&by_address), Ok(Destination::Address));
        assert_eq!(Destination::of(&unprotected()), Ok(Destination::Door));
        assert!(begins_unprotected(&[unprotected(), protected(&id)].concat()));
        assert!(!begins_unprotected(&[protected(&id), unprotected()].concat()));
        assert_eq!(Destination::of(&[]), Err(RecordDrop::Malformed));
        assert_eq!(Destination::of(&[22; 4096]), Err(RecordDrop::Oversize));
    }

    #[test]
    fn an_address_has_one_owner_however_it_is_written() {
        let plain: SocketAddr = "192.0.2.7:5000".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:5000".parse().unwrap();
        assert_eq!(owner_of_address(plain, 7), owner_of_address(mapped, 7));
    }

    #[test]
    fn the_ports_behind_one_address_are_spread_over_all_arbiters() {
        let mut seen = [0; 4];
        for port in 40_000..41_000 {
            seen[owner_of_address(SocketAddr::from(([10, 0, 0, 1], port)), 4)] += 1;
        }
        assert!(seen.iter().all(|count| (150..350).contains(count)), "{seen:?}");
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_for_somebody_that_there_is_or_dropped(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            port: u16,
            shards in 1..9_usize,
        ) {
            if let Ok(destination) = Destination::of(&bytes) {
                let owner = destination.owner(SocketAddr::from(([127, 0, 0, 1], port)), shards);
                prop_assert!(owner.is_none_or(|owner| owner < shards));
            }
        }
    }
}
