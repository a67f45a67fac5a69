//! A board's association and the slot that remembers it: what was received is written there before
//! it has an effect, and nothing is sent that the slot does not reserve.
//!
//! Invariant: whoever acts on what [`Secured::open`] gave calls [`Secured::remember`] first.

use std::io;
use std::net::SocketAddr;

use storage::{Lease, Slot};

use crate::coap::{Challenge, Verdict};
use crate::keeper::Kept;
use crate::link::association::{Association, Dropped, Received};
use crate::link::record::Record;
use crate::link::table::Key;

/// Bytes of IPv4's and UDP's heads.
const HEADERS: u32 = 28;

/// A board's association, kept in its slot.
pub struct Secured {
    association: Association,
    lease: Lease,
    /// What an unproven session's first request has to carry.
    challenge: Option<Challenge>,
    /// Whether the stored session is being told of its write sequences.
    raising: bool,
    /// Bytes that passed, down to IP, and are not written down yet.
    passed: u32,
}

/// What became of a request of an unproven session.
pub enum Proof {
    /// The session is proven, and the request is to be answered as any other.
    Proven,
    /// The board is asked first, with this message.
    Asked(Vec<u8>),
    /// Nothing that could be answered.
    Silence,
}

impl Secured {
    /// The association of a session that begins or wakes.
    #[must_use]
    pub fn new(kept: Kept) -> Box<Self> {
        let Kept { association, lease, .. } = kept;
        Box::new(Self { association, lease, challenge: None, raising: false, passed: 0 })
    }

    /// The board's address, as of its newest record.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.association.peer()
    }

    /// What names the session on the wire; an address that does so never moves.
    #[must_use]
    pub fn key(&self) -> Key {
        self.association.connection_id().map_or(Key::Address(self.peer()), Key::ConnectionId)
    }

    /// Where the session is stored: its slot and generation.
    #[must_use]
    pub fn place(&self) -> (Slot, u32) {
        (self.lease.slot(), self.association.generation())
    }

    /// Takes one record that came from `from`; application data is left in `plaintext`.
    ///
    /// # Errors
    /// Why the record was dropped; nothing has changed.
    pub fn open(
        &mut self,
        record: &Record<'_>,
        from: SocketAddr,
        plaintext: &mut Vec<u8>,
    ) -> Result<Received, Dropped> {
        self.association.open(record, from, plaintext)
    }

    /// Writes what was received since into the slot; what it led to may take effect then.
    ///
    /// # Errors
    /// The system's: then nothing of it may.
    pub fn remember(&mut self) -> io::Result<()> {
        self.lease.write(&self.association.reserve())
    }

    /// Appends `message` as a record to `datagram`.
    ///
    /// # Errors
    /// The system's, where no sequence could be reserved.
    pub fn seal(&mut self, message: &[u8], datagram: &mut Vec<u8>) -> io::Result<()> {
        if self.association.must_reserve() {
            self.remember()?;
        }
        self.association.seal(message, datagram);
        Ok(())
    }

    /// Appends a fatal alert as a record to `datagram`.
    ///
    /// # Errors
    /// The system's, where no sequence could be reserved.
    pub fn seal_alert(&mut self, description: u8, datagram: &mut Vec<u8>) -> io::Result<()> {
        if self.association.must_reserve() {
            self.remember()?;
        }
        self.association.seal_alert(description, datagram);
        Ok(())
    }

    /// The hub's last handshake flight again; `None` once the board has sent data.
    pub fn final_flight(&mut self) -> Option<Vec<u8>> {
        if self.association.must_reserve() {
            self.remember().ok()?;
        }
        self.association.final_flight()
    }

    /// Judges a request of an unproven session, which came in the record `sequence` (RFC 9175 2.3).
    pub fn prove(
        &mut self,
        request: &[u8],
        sequence: u64,
        from: SocketAddr,
        message_id: u16,
    ) -> Proof {
        let challenge = match self.challenge.take() {
            Some(challenge) => challenge,
            None => {
                let mut value = [0; 8];
                if getrandom::fill(&mut value).is_err() {
                    return Proof::Silence;
                }
                Challenge::new(value)
            }
        };
        match challenge.judge(request, message_id) {
            Verdict::Fresh => {
                self.association.prove(sequence, from);
                Proof::Proven
            }
            Verdict::Answer(answer) => {
                self.challenge = Some(challenge);
                Proof::Asked(answer)
            }
            Verdict::Silence => {
                self.challenge = Some(challenge);
                Proof::Silence
            }
        }
    }

    /// Notes that a datagram with so many bytes passed, this way or that.
    pub fn pass(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.passed = self.passed.saturating_add(bytes.saturating_add(HEADERS));
    }

    /// Bytes that passed since this was asked last.
    pub fn take_passed(&mut self) -> u32 {
        std::mem::take(&mut self.passed)
    }

    /// The write floor that the stored session has to be given, once each time it is due.
    pub fn floor_due(&mut self) -> Option<u64> {
        let due = self.association.floor_due().filter(|_| !self.raising);
        self.raising = self.raising || due.is_some();
        due
    }

    /// The stored session has this floor; or has not, and it is due again.
    pub fn floor_raised(&mut self, floor: Option<u64>) {
        self.raising = false;
        if let Some(floor) = floor {
            self.association.raise_floor(floor);
        }
    }
}
