//! What the keepers do to a session, without their mailboxes: give it a place, store it, wake it.
//!
//! Invariant: no actor, socket or clock is reachable from here; time is an argument.

use std::net::SocketAddr;
use std::sync::Arc;

use storage::{
    BoardId, Fingerprint, Lease, Resumption, Secret, Session, SessionName, Sessions, Slot,
    StoreError, Trust, UnixSeconds, Window, generation_of,
};

use crate::admission::{Admitted, Registry, Shown};
use crate::link::association::Association;
use crate::link::connection_id::{ConnectionId, ConnectionIds};
use crate::link::established::Established;
use crate::link::record;
use crate::link::table::Key;
use crate::refusal::{ACCESS_DENIED, Refusal};

/// The stored sessions, and who may have one.
#[derive(Clone)]
pub struct Keep {
    sessions: Sessions,
    registry: Arc<Registry>,
    ids: ConnectionIds,
}

/// Where a session will be, should its handshake succeed.
#[derive(Debug)]
pub struct Place {
    /// Its slot.
    pub lease: Lease,
    /// What tells it from other sessions of that slot, unless it can be resumed: then the session's
    /// id and the last 8 bits of this do.
    pub generation: u32,
    /// The Connection ID that leads to it.
    pub id: ConnectionId,
}

/// A session in memory.
pub struct Kept {
    /// Who the board is.
    pub admitted: Admitted,
    /// Its association.
    pub association: Association,
    /// Its slot.
    pub lease: Lease,
}

/// Why a datagram woke nobody.
#[derive(Debug, thiserror::Error)]
pub enum NotWoken {
    /// It is awake, or going to be.
    #[error("the session is awake")]
    Awake,
    /// There is no such session.
    #[error("there is no such session")]
    Unknown,
    /// No record of the datagram authenticates.
    #[error("no record authenticates")]
    Forged,
    /// The board may not have a session any more.
    #[error("the board may not have a session: {refusal}")]
    NotAdmitted {
        /// The board.
        board: BoardId,
        /// Why.
        refusal: Refusal,
        /// The record that tells it so, with which the session is over; `None` where the board
        /// cannot be told, or has been.
        alert: Option<Vec<u8>>,
    },
    /// The slot could not be written.
    #[error("the session's slot cannot be written")]
    Slot(#[source] std::io::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Why a session could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// The slot could not be written.
    #[error("the session's slot cannot be written")]
    Slot(#[source] std::io::Error),
    /// The board may not have one after all.
    #[error("the board may not have a session: {0}")]
    NotAdmitted(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keep {
    /// Keeps `sessions` of the boards in `registry`, under Connection IDs of `ids`.
    #[must_use]
    pub const fn new(sessions: Sessions, registry: Arc<Registry>, ids: ConnectionIds) -> Self {
        Self { sessions, registry, ids }
    }

    /// The stored sessions.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Who may have one.
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The certificate that the session in `slot` was begun with, and when it ends; `None` where
    /// another session has taken its place.
    ///
    /// # Errors
    /// The store's.
    pub fn certificate(
        &self,
        slot: Slot,
        generation: u32,
    ) -> Result<Option<(Fingerprint, UnixSeconds)>, StoreError> {
        let session = self.sessions.find(slot)?.filter(|it| it.generation == generation);
        Ok(session.map(|session| (session.fingerprint, session.not_after)))
    }

    /// A place for a session that the arbiter `shard` would own.
    ///
    /// # Errors
    /// [`NotKept`]; then no handshake can begin.
    pub fn place(&self, shard: u8) -> Result<Place, NotKept> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|_| NotKept::Random)?;
        let [a, b, c, own] = random;
        // The last bits stay where a session id takes the others' place, and 0 is nobody's.
        let generation = u32::from_be_bytes([a, b, c, own.max(1)]);
        let lease = self.sessions.take()?;
        let id = self.ids.of(shard, lease.slot(), generation);
        Ok(Place { lease, generation, id })
    }

    /// The slot of a sleeping session that the Connection ID may name; one look at the slot refuses
    /// what was made up.
    #[must_use]
    pub fn named(&self, id: ConnectionId) -> Option<Slot> {
        let (slot, low) = self.ids.place(id)?;
        let window = self.sessions.window(slot).ok()?;
        let [.., kept] = window.generation.to_be_bytes();
        let meant = match window.trust {
            Trust::Yes | Trust::Writes => window.generation != 0 && kept == low,
            Trust::No => self.sessions.windows().keeps(slot),
        };
        meant.then_some(slot)
    }

    /// Stores the session that a handshake with `peer` left, in place of the board's older one.
    /// Durable after the store's flush; only then may the board learn of it.
    ///
    /// # Errors
    /// [`NotKept`]; the board has to begin again.
    pub fn establish(
        &self,
        established: Established,
        place: Place,
        peer: SocketAddr,
        now: UnixSeconds,
    ) -> Result<Kept, NotKept> {
        let Place { lease, generation, .. } = place;
        let admitted = established.admitted.clone();
        self.registry.used(&admitted).map_err(NotKept::NotAdmitted)?;
        if !established.is_resumed() {
            let given = established.resumption.as_ref().and_then(|it| it.session_id.first_chunk());
            let shook =
                self.registry.shook_hands(&admitted.board, established.offered.as_ref(), given);
            shook.map_err(NotKept::NotAdmitted)?;
        }
        let authenticated = established.resumption.as_ref().and_then(|it| it.authenticated);
        let authenticated = authenticated.unwrap_or(now);
        let resumption = established.resumption.as_ref().map(|resumption| Resumption {
            id: *resumption.session_id.first_chunk().unwrap_or(&[0; 16]),
            master: Secret(*resumption.master),
        });
        let generation = match &resumption {
            Some(resumption) => generation_of(&resumption.id, generation.to_be_bytes()[3]),
            None => generation,
        };
        let mut association = Association::new(established, peer, generation);
        lease.write(&association.reserve()).map_err(NotKept::Slot)?;
        let (suite, keys) = association.stored_keys();
        let session = Session {
            generation,
            board: admitted.board.clone(),
            tenant: admitted.tenant.clone(),
            fingerprint: admitted.fingerprint,
            not_after: admitted.not_after,
            authenticated,
            open: true,
            name: match association.connection_id() {
                Some(id) => SessionName::ConnectionId(id.octets()),
                None => SessionName::Address(peer),
            },
            write_cid: association.write_cid().to_vec(),
            peer,
            write_floor: association.floor(),
            suite,
            keys,
            resumption,
        };
        self.sessions.put(&lease, &session, Some(admitted.issuer))?;
        Ok(Kept { admitted, association, lease })
    }

    /// Wakes the session in `slot` that `datagram`, for `key`, is meant for: it must be stored, its
    /// board must still be admitted, and a record must authenticate.
    ///
    /// # Errors
    /// [`NotWoken`]; then nothing was left in memory.
    pub fn wake(
        &self,
        slot: Slot,
        key: Key,
        datagram: &[u8],
        now: UnixSeconds,
    ) -> Result<Kept, NotWoken> {
        let lease = self.sessions.windows().lease(slot).ok_or(NotWoken::Awake)?;
        let session = self.sessions.find(slot)?.filter(|session| session.open);
        let session = session.ok_or(NotWoken::Unknown)?;
        if key_of(&session.name) != key {
            return Err(NotWoken::Unknown);
        }
        let mut window = self.sessions.window(slot)?;
        if window.generation != session.generation {
            if window.trust != Trust::No {
                // A crash left the record of a session that another had already replaced.
                return Err(NotWoken::Unknown);
            }
            let generation = session.generation;
            window = Window { generation, trust: Trust::No, ..Window::default() };
        }
        let mut association = Association::restored(&session, &window).ok_or(NotWoken::Unknown)?;
        if !authenticates(&association, datagram) {
            return Err(NotWoken::Forged);
        }
        let shown = Shown {
            board: session.board.clone(),
            tenant: session.tenant,
            fingerprint: session.fingerprint,
            not_after: session.not_after,
        };
        let admitted = match self.registry.readmit(shown, now) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let alert = match (refusal, window.trust) {
                    (Refusal::Internal, _) | (_, Trust::Writes | Trust::No) => None,
                    (_, Trust::Yes) => farewell(&mut association, &lease, datagram),
                };
                if refusal.is_final() || alert.is_some() {
                    self.sessions.remove(slot, session.generation)?;
                }
                return Err(NotWoken::NotAdmitted { board: session.board, refusal, alert });
            }
        };
        if window.trust == Trust::No {
            let floor = association.floor();
            let raised =
                self.sessions.change(slot, session.generation, |it| it.write_floor = floor)?;
            self.sessions.flush()?;
            if !raised {
                return Err(NotWoken::Unknown);
            }
            lease.write(&association.reserve()).map_err(NotWoken::Slot)?;
        }
        Ok(Kept { admitted, association, lease })
    }
}

fn key_of(name: &SessionName) -> Key {
    match name {
        SessionName::ConnectionId(id) => Key::ConnectionId(ConnectionId::from(*id)),
        SessionName::Address(address) => Key::Address(*address),
    }
}

/// The alert that ends a session whose board has just sent `datagram`: for new records alone, and
/// never longer than what came, so that no overheard record is worth sending again.
fn farewell(association: &mut Association, lease: &Lease, datagram: &[u8]) -> Option<Vec<u8>> {
    let (mut plaintext, mut alert) = (Vec::new(), Vec::new());
    let peer = association.peer();
    let is_new = record::records(datagram, crate::link::connection_id::LENGTH)
        .flatten()
        .filter(|record| record.epoch != 0)
        .take(1)
        .any(|record| association.open(&record, peer, &mut plaintext).is_ok());
    zeroize::Zeroize::zeroize(&mut plaintext);
    if !is_new || lease.write(&association.reserve()).is_err() {
        return None;
    }
    association.seal_alert(ACCESS_DENIED, &mut alert);
    (!alert.is_empty() && alert.len() <= datagram.len()).then_some(alert)
}

/// Whether a protected record of the datagram is the board's. A repeated last flight has others
/// before it.
fn authenticates(association: &Association, datagram: &[u8]) -> bool {
    let mut plaintext = Vec::new();
    let length = crate::link::connection_id::LENGTH;
    let genuine = record::records(datagram, length)
        .flatten()
        .filter(|record| record.epoch != 0)
        .take(1)
        .any(|record| association.authenticates(&record, &mut plaintext));
    zeroize::Zeroize::zeroize(&mut plaintext);
    genuine
}
