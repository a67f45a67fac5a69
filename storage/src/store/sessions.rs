//! The boards' sessions: sealed records by slot in one file, the slots themselves in another, and in
//! the database no more than where to begin.
//!
//! | where | what | leads to |
//! | --- | --- | --- |
//! | file `sessions` | record, sealed, by slot ([`crate::sealed`]) | |
//! | file `windows` | what changes with every record, by slot ([`crate::windows`]) | |
//! | `boards` | the board's record | the slot of its session |
//! | `sessions/address` | address and port, of sessions without a Connection ID | slot |
//! | `sessions/ownerless` | slot, of a board that was removed while no sessions were open | board |
//!
//! A session id leads to its slot by the generation that is made of it ([`crate::generation_of`]).
//!
//! Invariant: a board has one session; whoever stores another removes the one before. The record is
//! written before what points at it, and removed after. What points at a slot may be out of date,
//! as a kill or a power failure leaves it: the record says whose it is, and nothing else is believed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use super::tree::Tree;
use super::{Inner, decode, encode, printable};
use crate::record::RecordError;
use crate::sealed::{RECORD_MAX, SealedError, SealedFile};
use crate::windows::{Lease, Slot, Window, Windows};
use crate::{
    AuthorityNumber, BoardId, Certificate, ResumptionId, Session, SessionName, StoreError,
    generation_of,
};

mod opening;

pub(crate) use opening::{KEY_CHECK, RECORDS, drop_older};

/// How errors name where records are.
const TREE: &str = "sessions";
const OWNERLESS: &str = "sessions/ownerless";

/// Write sequences a session may use before its record has to say so: what is skipped after a
/// power failure.
pub const WRITE_MARGIN: u64 = 1 << 20;

/// The sessions of a [`crate::Store`]; clones are the same.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

pub(crate) struct Shared {
    inner: Arc<Inner>,
    records: SealedFile,
    by_address: Tree,
    windows: Windows,
    writer: Mutex<()>,
    /// Of the slots.
    path: PathBuf,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    /// The slots.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.0.windows
    }

    /// A free slot for a session to be, and room for its record.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] or [`StoreError::NotDurable`] when a file cannot grow; the store has
    /// failed then.
    pub fn take(&self) -> Result<Lease, StoreError> {
        // Only a file that cannot grow fails here; the database is next.
        let taken = self.0.windows.take().and_then(|lease| {
            self.0.records.make_room(lease.slot())?;
            Ok(lease)
        });
        taken.map_err(|source| self.0.not_durable(source))
    }

    /// What a slot says; a free one has generation 0.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the file cannot be read.
    pub fn window(&self, slot: Slot) -> Result<Window, StoreError> {
        self.0.windows.read(slot).map_err(self.0.unusable())
    }

    /// Stores a new session in the slot that `lease` holds and removes the board's older one, whose
    /// slot is returned; `issuer` is the authority of the certificate that it began with, as far as
    /// that is known. Its window must have been written. Durable after [`Sessions::flush`].
    ///
    /// One whose Connection ID is so long that the record has no room for it is kept without what
    /// would resume it.
    ///
    /// # Errors
    /// [`StoreError::UnknownBoard`] when the board is gone meanwhile; others of [`StoreError`]. Then
    /// the session may be there or not, and is not to be used.
    pub fn put(
        &self,
        lease: &Lease,
        session: &Session,
        issuer: Option<AuthorityNumber>,
    ) -> Result<Option<Slot>, StoreError> {
        let shared = &*self.0;
        let _writer = shared.writer();
        let slot = lease.slot();
        shared.write(slot, session)?;
        shared.windows.keep(slot, session.generation).map_err(shared.unusable())?;
        let not_after = Some(session.not_after);
        let certificate =
            Certificate { issuer, not_after, ..Certificate::from(session.fingerprint) };
        let Some(before) = shared.inner.begin(&session.board, slot, &certificate)? else {
            shared.clear(slot)?;
            return Err(StoreError::UnknownBoard { board: session.board.clone() });
        };
        if let SessionName::Address(address) = session.name {
            shared.by_address.insert(address_key(address), &slot.key())?;
        }
        match before.filter(|before| *before != slot) {
            Some(before) if shared.drop_if(before, |older| older.board == session.board)? => {
                Ok(Some(before))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// The session in this slot.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it does not open: it is lost; those of the system.
    pub fn find(&self, slot: Slot) -> Result<Option<Session>, StoreError> {
        self.0.find(slot)
    }

    /// The session that a client may resume with a session id that begins with `id`.
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub fn resumable(&self, id: &ResumptionId) -> Result<Option<Session>, StoreError> {
        if let Ok(Some(session)) = self.look(id) {
            return Ok(Some(session));
        }
        // It may have been on its way from one slot to another; nothing is while we are the writer.
        let _writer = self.0.writer();
        self.look(id)
    }

    fn look(&self, id: &ResumptionId) -> Result<Option<Session>, StoreError> {
        let is_meant = |session: &Session| {
            let resumption = session.resumption.as_ref();
            resumption.is_some_and(|resumption| resumption.id.ct_eq(id).into())
        };
        for slot in self.0.windows.named(generation_of(id, 0)).map_err(self.0.unusable())? {
            if let Some(session) = self.find(slot)?.filter(is_meant) {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// Every session that is known by its address.
    pub fn by_address(&self) -> impl Iterator<Item = Result<(SocketAddr, Slot), StoreError>> {
        self.0.by_address.iter().filter_map(|entry| match entry {
            Ok((key, slot)) => Some(Ok((parse_address(&key)?, Slot::from_key(&slot)?))),
            Err(error) => Some(Err(error)),
        })
    }

    /// Alters the session of this slot, if it is still that of this generation, and says whether it
    /// was. Durable after [`Sessions::flush`]. Name, board and session id must stay.
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub fn change(
        &self,
        slot: Slot,
        generation: u32,
        change: impl FnOnce(&mut Session),
    ) -> Result<bool, StoreError> {
        let _writer = self.0.writer();
        let found = self.find(slot)?.filter(|session| session.generation == generation);
        let Some(mut session) = found else { return Ok(false) };
        change(&mut session);
        self.0.write(slot, &session)?;
        Ok(true)
    }

    /// Removes the session of this slot, if it is still that of this generation, and says whether
    /// it was. Durable after [`Sessions::flush`].
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub fn remove(&self, slot: Slot, generation: u32) -> Result<bool, StoreError> {
        let _writer = self.0.writer();
        match self.find(slot)? {
            Some(session) if session.generation == generation => {
                if self.0.slot_of(&session.board)? == Some(slot) {
                    self.0.inner.point(&session.board, None)?;
                }
                self.0.drop_session(slot, &session).map(|()| true)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// How many sessions there are, awake or asleep.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.windows.count()
    }

    /// Returns when everything stored so far is on the disk.
    ///
    /// # Errors
    /// As [`crate::Store::flush`].
    pub fn flush(&self) -> Result<(), StoreError> {
        self.0.records.sync().map_err(|source| self.0.not_durable(source))?;
        self.0.inner.flush()
    }

    /// Notes that no session is awake any more, so that the slots can be believed even after the
    /// machine was switched off.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`]; [`StoreError::Unusable`].
    pub fn close(&self) -> Result<(), StoreError> {
        self.0.records.sync().map_err(|source| self.0.not_durable(source))?;
        self.0.windows.close().map_err(self.0.unusable())
    }
}

impl Shared {
    fn find(&self, slot: Slot) -> Result<Option<Session>, StoreError> {
        let record = self.records.read(slot).map_err(|error| match error {
            SealedError::File(source) => self.unusable()(source),
            SealedError::Seal(source) => StoreError::Sealed { tree: TREE, source },
        })?;
        record.map(|record| decode(TREE, &slot.key(), &record)).transpose()
    }

    fn write(&self, slot: Slot, session: &Session) -> Result<(), StoreError> {
        let mut record = zeroize::Zeroizing::new(encode(&slot.key(), session)?);
        if record.len() > RECORD_MAX {
            let without = Session { resumption: None, ..session.clone() };
            record = zeroize::Zeroizing::new(encode(&slot.key(), &without)?);
        }
        if record.len() > RECORD_MAX {
            let source = RecordError::TooLarge { bytes: record.len(), max: RECORD_MAX };
            return Err(StoreError::Unwritable { key: printable(&slot.key()), source });
        }
        self.records.write(slot, &record).map_err(|error| match error {
            SealedError::File(source) => self.not_durable(source),
            SealedError::Seal(source) => StoreError::Sealed { tree: TREE, source },
        })
    }

    /// Where the board's record says that its session is.
    fn slot_of(&self, board: &BoardId) -> Result<Option<Slot>, StoreError> {
        let record = self.inner.board_record(board.as_str().as_bytes())?;
        Ok(record.and_then(|record| record.session))
    }

    /// Removes the session of a slot if it is the one that is meant, or cannot be read any more;
    /// the writer's lock is held.
    fn drop_if(
        &self,
        slot: Slot,
        is_meant: impl FnOnce(&Session) -> bool,
    ) -> Result<bool, StoreError> {
        match self.find(slot) {
            Ok(Some(session)) if is_meant(&session) => self.drop_session(slot, &session)?,
            Ok(Some(_) | None) => return Ok(false),
            Err(StoreError::Sealed { .. } | StoreError::Corrupt { .. }) => self.clear(slot)?,
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Removes a session and its address; the writer's lock is held.
    fn drop_session(&self, slot: Slot, session: &Session) -> Result<(), StoreError> {
        if let SessionName::Address(address) = session.name {
            // Another value: the entry is a newer session's.
            self.by_address.remove_if(&address_key(address), &slot.key())?;
        }
        self.clear(slot)
    }

    fn clear(&self, slot: Slot) -> Result<(), StoreError> {
        self.records.remove(slot).map_err(|source| self.not_durable(source))?;
        self.windows.forget(slot);
        Ok(())
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        // The lock guards no value of its own.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_durable(&self, source: io::Error) -> StoreError {
        self.inner.health.not_durable(source)
    }

    fn unusable(&self) -> impl Fn(io::Error) -> StoreError {
        let dir = self.path.clone();
        move |source| StoreError::Unusable { dir: dir.clone(), source }
    }
}

/// Removes the session of a board that is gone: at once where sessions are open, else as soon as
/// they are. Not flushed.
pub(super) fn disown(inner: &Inner, slot: Slot, board: &BoardId) -> Result<(), StoreError> {
    let open = inner.sessions.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    if let Some(shared) = open {
        let _writer = shared.writer();
        return shared.drop_if(slot, |session| session.board == *board).map(drop);
    }
    let ownerless = Tree::open(&inner.db, OWNERLESS, &inner.health)?;
    ownerless.insert(slot.key(), board.as_str()).map(drop)
}

fn address_key(address: SocketAddr) -> Vec<u8> {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    [&ip[..], &address.port().to_be_bytes()].concat()
}

fn parse_address(key: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = key.split_last_chunk::<2>()?;
    let ip = match <[u8; 4]>::try_from(ip) {
        Ok(octets) => IpAddr::from(octets),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests;
