//! One board's security association after the handshake: opens its records, seals the hub's.
//!
//! Invariant: no clock, socket, store or actor is reachable from here. Nothing a record says is acted
//! on before it has authenticated, and no record is accepted twice.

use std::net::SocketAddr;

use crate::link::cipher::DirectionKey;
use crate::link::connection_id::ConnectionId;
use crate::link::established::{Established, FinalFlight};
use crate::link::record::{self, ContentType, Record};
use crate::link::window::ReplayWindow;

const EPOCH: u16 = 1;
const CLOSE_NOTIFY: u8 = 0;
const FATAL: u8 = 2;
const FINISHED: u8 = 20;

/// Keys, window, Connection IDs and address of one board.
pub struct Association {
    read: DirectionKey,
    write: DirectionKey,
    window: ReplayWindow,
    write_sequence: u64,
    read_cid: Option<ConnectionId>,
    write_cid: Box<[u8]>,
    peer: SocketAddr,
    final_flight: Option<Box<FinalFlight>>,
}

/// What an authenticated record asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Application data; it is in the caller's buffer.
    Data,
    /// The board has not seen the hub's last flight: send [`Association::final_flight`] again.
    FlightRepeated,
    /// The board said goodbye.
    Closed,
    /// The board ended the association with a fatal alert.
    Aborted,
    /// Authentic, and nothing to do.
    Nothing,
}

/// Why a record was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// Not of the association's epoch.
    Epoch,
    /// Without the negotiated Connection ID, or with another.
    ConnectionId,
    /// Its sequence number was seen before or is too old to tell.
    Replay,
    /// It does not authenticate.
    Forged,
}

impl Association {
    /// The association that a finished handshake with `peer` leaves behind.
    #[must_use]
    pub fn new(established: Established, peer: SocketAddr) -> Self {
        Self {
            read: established.read,
            write: established.write,
            window: established.window,
            write_sequence: established.write_sequence,
            read_cid: established.read_cid,
            write_cid: established.write_cid,
            peer,
            final_flight: established.final_flight.map(Box::new),
        }
    }

    /// The board's address, as of its newest record.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The Connection ID the board's records carry; `None` where it is known by its address.
    #[must_use]
    pub fn connection_id(&self) -> Option<ConnectionId> {
        self.read_cid
    }

    /// Takes one record that came from `from`; application data is left in `plaintext`.
    ///
    /// The address moves only on a record that authenticates and is newer than all before
    /// (RFC 9146 6), and only where a Connection ID names the association.
    ///
    /// # Errors
    /// Why the record was dropped; the association is unchanged.
    pub fn open(
        &mut self,
        record: &Record<'_>,
        from: SocketAddr,
        plaintext: &mut Vec<u8>,
    ) -> Result<Received, Dropped> {
        if record.epoch != EPOCH {
            return Err(Dropped::Epoch);
        }
        let ours = self.read_cid.as_ref().map_or(&[][..], ConnectionId::as_bytes);
        if record.cid != ours {
            return Err(Dropped::ConnectionId);
        }
        if !self.window.is_fresh(record.sequence) {
            return Err(Dropped::Replay);
        }
        let content_type = self.read.open(record, plaintext).map_err(|_| Dropped::Forged)?;
        let newest = self.window.accept(record.sequence).0;
        if newest && self.read_cid.is_some() {
            self.peer = from;
        }
        Ok(match content_type {
            ContentType::ApplicationData => {
                self.final_flight = None;
                Received::Data
            }
            ContentType::Handshake if plaintext.first() == Some(&FINISHED) => {
                Received::FlightRepeated
            }
            ContentType::Alert => match plaintext.as_slice() {
                [_, CLOSE_NOTIFY] => Received::Closed,
                [FATAL, _] => Received::Aborted,
                _ => Received::Nothing,
            },
            ContentType::Handshake | ContentType::ChangeCipherSpec | ContentType::ConnectionId => {
                Received::Nothing
            }
        })
    }

    /// Appends `data` as one application record to `datagram`.
    pub fn seal(&mut self, data: &[u8], datagram: &mut Vec<u8>) {
        self.seal_as(ContentType::ApplicationData, data, datagram);
    }

    /// The last flight again, under new sequence numbers; `None` once the board has sent data.
    pub fn final_flight(&mut self) -> Option<Vec<u8>> {
        let mut flight = self.final_flight.take()?;
        let mut datagram = Vec::new();
        let sequence = flight.next_plain_sequence;
        record::write_plaintext(ContentType::ChangeCipherSpec, sequence, &[1], &mut datagram)
            .ok()?;
        flight.next_plain_sequence = sequence.saturating_add(1);
        self.seal_as(ContentType::Handshake, &flight.finished, &mut datagram);
        self.final_flight = Some(flight);
        Some(datagram)
    }

    fn seal_as(&mut self, content_type: ContentType, plaintext: &[u8], datagram: &mut Vec<u8>) {
        let sequence = self.write_sequence;
        self.write_sequence = sequence.saturating_add(1);
        let sealed =
            self.write.seal(content_type, EPOCH, sequence, &self.write_cid, plaintext, datagram);
        // Past 2^48 records, nine million years at one a second, the association falls silent.
        debug_assert!(sealed.is_ok(), "a record of ours always fits");
    }
}
