//! One board's security association after the handshake: opens its records, seals the hub's.
//!
//! What changes with every record is also kept in the session's slot, so that it survives the hub's
//! end: the caller writes [`Association::reserve`]'s window there before a record has any effect, and
//! nothing is sealed beyond what that has reserved. Invariant: no clock, socket, store or actor is
//! reachable from here. Nothing a record says is acted on before it has authenticated, no record is
//! accepted twice, and no write sequence is used twice, by whatever the hub is ended in between.

use std::net::SocketAddr;

use storage::{Secret, Session, SessionName, Trust, WRITE_MARGIN, Window};

use crate::link::cipher::{DirectionKey, Suite};
use crate::link::connection_id::ConnectionId;
use crate::link::established::{Established, FinalFlight};
use crate::link::keys::KeyBlock;
use crate::link::record::{self, ContentType, Record};
use crate::link::window::ReplayWindow;

const EPOCH: u16 = 1;
const CLOSE_NOTIFY: u8 = 0;
const FATAL: u8 = 2;
const FINISHED: u8 = 20;
/// Write sequences that one write of the slot reserves.
const RESERVED: u64 = 64;

/// Keys, window, Connection IDs and address of one board.
pub struct Association {
    read: DirectionKey,
    write: DirectionKey,
    window: ReplayWindow,
    /// The next write sequence.
    write_sequence: u64,
    /// The first that the slot does not reserve.
    write_limit: u64,
    /// What the stored session says: no sequence was used at or above this and [`WRITE_MARGIN`].
    write_floor: u64,
    read_cid: Option<ConnectionId>,
    write_cid: Box<[u8]>,
    peer: SocketAddr,
    final_flight: Option<Box<FinalFlight>>,
    generation: u32,
    trust: Trust,
}

/// What an authenticated record asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Application data; it is in the caller's buffer.
    Data,
    /// The same, of a session that is unproven: it may have been accepted before the machine
    /// failed. [`Association::prove`] makes it the newest.
    Unproven,
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
    /// The association that a finished handshake with `peer` leaves behind, of the session of
    /// `generation`.
    #[must_use]
    pub fn new(established: Established, peer: SocketAddr, generation: u32) -> Self {
        Self {
            read: established.read,
            write: established.write,
            window: established.window,
            write_sequence: established.write_sequence,
            write_limit: established.write_sequence,
            write_floor: 0,
            read_cid: established.read_cid,
            write_cid: established.write_cid,
            peer,
            final_flight: established.final_flight.map(Box::new),
            generation,
            trust: Trust::Yes,
        }
    }

    /// The association of a stored session whose slot says `window`; `None` for a suite that is
    /// not spoken any more.
    #[must_use]
    pub fn restored(session: &Session, window: &Window) -> Option<Self> {
        let suite = Suite::from_iana(session.suite)?;
        let (read, write) = KeyBlock::from_bytes(&session.keys.0).keys(suite);
        let (trust, write_sequence, write_floor) = match window.trust {
            believed @ (Trust::Yes | Trust::Writes) => {
                (believed, window.write_limit, session.write_floor)
            }
            Trust::No => {
                let beyond = session.write_floor.saturating_add(WRITE_MARGIN);
                (Trust::Writes, beyond, beyond)
            }
        };
        Some(Self {
            read,
            write,
            window: ReplayWindow::from_parts(window.next, window.received),
            write_sequence,
            write_limit: write_sequence,
            write_floor,
            read_cid: match session.name {
                SessionName::ConnectionId(id) => Some(ConnectionId::from(id)),
                SessionName::Address(_) => None,
            },
            write_cid: session.write_cid.as_slice().into(),
            peer: session.peer,
            final_flight: None,
            generation: session.generation,
            trust,
        })
    }

    /// The keys as they are stored, client's and server's, with their suite's number.
    #[must_use]
    pub fn stored_keys(&self) -> (u16, Secret<{ KeyBlock::LEN }>) {
        let keys = Secret(*KeyBlock::of(&self.read, &self.write).to_bytes());
        (self.read.suite().iana(), keys)
    }

    /// The Connection ID the hub's records carry; empty for none.
    #[must_use]
    pub fn write_cid(&self) -> &[u8] {
        &self.write_cid
    }

    /// Which session of its slot this is.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// What the slot has to say before anything that was received takes effect, or more is sealed;
    /// with it the next write sequences are reserved.
    pub fn reserve(&mut self) -> Window {
        let most = self.write_floor.saturating_add(WRITE_MARGIN);
        self.write_limit = self.write_sequence.saturating_add(RESERVED).min(most);
        let (next, received) = self.window.parts();
        let (generation, write_limit, trust) = (self.generation, self.write_limit, self.trust);
        Window { generation, next, received, write_limit, trust }
    }

    /// Whether [`Association::reserve`] is due before the next record can be sealed.
    #[must_use]
    pub const fn must_reserve(&self) -> bool {
        self.write_sequence >= self.write_limit
    }

    /// The write floor that the stored session should have by now, where it is far behind.
    #[must_use]
    pub const fn floor_due(&self) -> Option<u64> {
        let behind = self.write_sequence.saturating_sub(self.write_floor);
        if behind > WRITE_MARGIN / 2 { Some(self.write_sequence) } else { None }
    }

    /// The floor that the stored session has.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.write_floor
    }

    /// The stored session has this floor from now on.
    pub const fn raise_floor(&mut self, floor: u64) {
        self.write_floor = floor;
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
        if self.trust != Trust::Yes {
            // It may be one from before: a goodbye is none then, and data has to be proved new.
            return Ok(match content_type {
                ContentType::ApplicationData => Received::Unproven,
                ContentType::Handshake
                | ContentType::Alert
                | ContentType::ChangeCipherSpec
                | ContentType::ConnectionId => Received::Nothing,
            });
        }
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

    /// Whether the record `authenticates`, whatever its sequence; nothing changes.
    pub fn authenticates(&self, record: &Record<'_>, plaintext: &mut Vec<u8>) -> bool {
        record.epoch == EPOCH && self.read.open(record, plaintext).is_ok()
    }

    /// The board has shown that the record `sequence`, from `from`, is newer than all before: it
    /// holds what the hub has sent after its restart.
    pub fn prove(&mut self, sequence: u64, from: SocketAddr) {
        self.window = ReplayWindow::from_parts(sequence.saturating_add(1), u64::MAX);
        self.trust = Trust::Yes;
        if self.read_cid.is_some() {
            self.peer = from;
        }
    }

    /// Whether the board still has to show where it stands.
    #[cfg(test)]
    fn is_unproven(&self) -> bool {
        self.trust != Trust::Yes
    }

    /// Appends `data` as one application record to `datagram`; nothing when no sequence is
    /// reserved for it.
    pub fn seal(&mut self, data: &[u8], datagram: &mut Vec<u8>) {
        self.seal_as(ContentType::ApplicationData, data, datagram);
    }

    /// Appends a fatal alert to `datagram`, behind which nothing is sealed that matters; nothing when
    /// no sequence is reserved for it.
    pub fn seal_alert(&mut self, description: u8, datagram: &mut Vec<u8>) {
        self.seal_as(ContentType::Alert, &[FATAL, description], datagram);
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
        if self.must_reserve() {
            return;
        }
        let sequence = self.write_sequence;
        self.write_sequence = sequence.saturating_add(1);
        let sealed =
            self.write.seal(content_type, EPOCH, sequence, &self.write_cid, plaintext, datagram);
        // Past 2^48 records, nine million years at one a second, the association falls silent.
        debug_assert!(sealed.is_ok(), "a record of ours always fits");
    }
}

#[cfg(test)]
mod tests;
