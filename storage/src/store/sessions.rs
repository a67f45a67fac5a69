//! The boards' sessions: sealed records by slot, an index by board and one by session id, and the
//! slots themselves.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `sessions` | slot, u32 big-endian | record, sealed |
//! | `sessions/board` | board | slot |
//! | `sessions/resumption` | half a session id | slot |
//! | `sessions/address` | address and port | slot |
//!
//! Invariant: a board has one session; whoever stores another removes the one before. The record is
//! written before what points at it, and removed after: whatever a crash leaves, no index leads to
//! another board's session, because the record says whose it is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tree::Tree;
use super::{Inner, decode, encode};
use crate::windows::{BootId, Lease, Past, Slot, Window, Windows};
use crate::{BoardId, ResumptionId, SealingKey, Session, SessionName, Store, StoreError};

const TREE: &str = "sessions";
/// In `meta`: a record that opens under the key that the sessions are sealed under.
pub(crate) const KEY_CHECK: &[u8] = b"sessions";
const FILE: &str = "windows";

/// Write sequences a session may use before its record has to say so: what is skipped after a
/// power failure.
pub const WRITE_MARGIN: u64 = 1 << 20;

/// The sessions of a [`Store`]; clones are the same.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
    key: Arc<SealingKey>,
    trees: Trees,
    windows: Windows,
    writer: Arc<Mutex<()>>,
    path: PathBuf,
}

#[derive(Clone)]
struct Trees {
    records: Tree,
    by_board: Tree,
    by_resumption: Tree,
    by_address: Tree,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Store {
    /// The sessions, sealed under `key`; `boot` is this boot of the machine. One at a time may have
    /// them open, until [`Sessions::close`].
    ///
    /// # Errors
    /// [`StoreError::OtherMasterKey`] when they are sealed under another key;
    /// [`StoreError::Unusable`] when the slots' file cannot be read or made; those of the database.
    pub fn sessions(&self, key: SealingKey, boot: BootId) -> Result<Sessions, StoreError> {
        let path = self.inner.dir.join(FILE);
        self.check_key(&key)?;
        let unusable = |source| StoreError::Unusable { dir: path.clone(), source };
        let (windows, past) = Windows::open(&path, boot).map_err(unusable)?;
        let tree = |name| Tree::open(&self.inner.db, name, &self.inner.health);
        let trees = Trees {
            records: tree(TREE)?,
            by_board: tree("sessions/board")?,
            by_resumption: tree("sessions/resumption")?,
            by_address: tree("sessions/address")?,
        };
        if past == Past::Lost {
            let keys: Result<Vec<_>, _> = trees.records.iter().keys().collect();
            let slots = keys?.into_iter().filter_map(|key| Slot::from_key(&key));
            windows.rebuild(slots).map_err(unusable)?;
        }
        let (inner, key, writer) = (Arc::clone(&self.inner), Arc::new(key), Arc::default());
        Ok(Sessions { inner, key, trees, windows, writer, path })
    }
}

impl Store {
    /// Removes every session: each board has to shake hands again. Durable on return.
    ///
    /// # Errors
    /// Those of the database, and of the slots' file.
    pub fn forget_sessions(&self) -> Result<(), StoreError> {
        let Inner { db, health, meta, .. } = &*self.inner;
        for name in [TREE, "sessions/board", "sessions/resumption", "sessions/address"] {
            Tree::open(db, name, health)?.clear()?;
        }
        meta.remove(KEY_CHECK)?;
        self.flush()?;
        let file = self.inner.dir.join(FILE);
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Unusable { dir: file, source })
            }
            _ => Ok(()),
        }
    }

    fn check_key(&self, key: &SealingKey) -> Result<(), StoreError> {
        let meta = &self.inner.meta;
        let context: [&[u8]; 2] = [b"meta", KEY_CHECK];
        match meta.get(KEY_CHECK)? {
            Some(sealed) => match key.open(&context, &sealed) {
                Ok(_) => Ok(()),
                Err(_) => Err(StoreError::OtherMasterKey { dir: self.inner.dir.clone() }),
            },
            None => {
                let sealed = key.seal(&context, &[]);
                let sealed =
                    sealed.map_err(|source| StoreError::Sealed { tree: "meta", source })?;
                meta.insert(KEY_CHECK, sealed)?;
                self.flush()
            }
        }
    }
}

impl Sessions {
    /// The slots.
    #[must_use]
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// A free slot for a session to be.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] or [`StoreError::NotDurable`] when the slots' file cannot grow; the
    /// store has failed then.
    pub fn take(&self) -> Result<Lease, StoreError> {
        // Only a file that cannot grow fails here; the database is next.
        self.windows.take().map_err(|source| self.inner.health.not_durable(source))
    }

    /// What a slot says; a free one has generation 0.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the file cannot be read.
    pub fn window(&self, slot: Slot) -> Result<Window, StoreError> {
        self.windows.read(slot).map_err(self.unusable())
    }

    /// Stores a new session in the slot that `lease` holds and removes the board's older one, whose
    /// slot is returned. Its window must have been written. Durable after [`Store::flush`].
    ///
    /// # Errors
    /// [`StoreError`]; then the session may be there or not, and is not to be used.
    pub fn put(&self, lease: &Lease, session: &Session) -> Result<Option<Slot>, StoreError> {
        let _writer = self.writer();
        let slot = lease.slot();
        self.write(slot, session)?;
        self.windows.keep(slot);
        let before = self.trees.by_board.insert(session.board.as_str(), &slot.key())?;
        if let Some(resumption) = &session.resumption {
            self.trees.by_resumption.insert(resumption.id, &slot.key())?;
        }
        if let SessionName::Address(address) = session.name {
            self.trees.by_address.insert(address_key(address), &slot.key())?;
        }
        let before = before.and_then(|key| Slot::from_key(&key)).filter(|before| *before != slot);
        if let Some(before) = before {
            self.drop_record(before)?;
        }
        Ok(before)
    }

    /// The session in this slot.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it does not open; those of the database.
    pub fn find(&self, slot: Slot) -> Result<Option<Session>, StoreError> {
        let Some(sealed) = self.trees.records.get(slot.key())? else { return Ok(None) };
        let opened = self.key.open(&[TREE.as_bytes(), &slot.key()], &sealed);
        let record = opened.map_err(|source| StoreError::Sealed { tree: TREE, source })?;
        decode(TREE, &slot.key(), &record).map(Some)
    }

    /// The slot of the board's session.
    ///
    /// # Errors
    /// Those of the database.
    pub fn of_board(&self, board: &BoardId) -> Result<Option<Slot>, StoreError> {
        let slot = self.trees.by_board.get(board.as_str())?;
        Ok(slot.and_then(|key| Slot::from_key(&key)))
    }

    /// The session that a client may resume with a session id that begins with `id`.
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub fn resumable(&self, id: &ResumptionId) -> Result<Option<Session>, StoreError> {
        let Some(key) = self.trees.by_resumption.get(id)? else { return Ok(None) };
        let Some(slot) = Slot::from_key(&key) else { return Ok(None) };
        let is_meant = |session: &Session| {
            session.resumption.as_ref().is_some_and(|resumption| resumption.id == *id)
        };
        Ok(self.find(slot)?.filter(is_meant))
    }

    /// Every session that is known by its address.
    pub fn by_address(&self) -> impl Iterator<Item = Result<(SocketAddr, Slot), StoreError>> {
        self.trees.by_address.iter().filter_map(|entry| match entry {
            Ok((key, slot)) => Some(Ok((parse_address(&key)?, Slot::from_key(&slot)?))),
            Err(error) => Some(Err(error)),
        })
    }

    /// Alters the session of this slot, if it is still that of this generation, and says whether it
    /// was. Durable after [`Store::flush`]. Name, board and session id must stay.
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub fn change(
        &self,
        slot: Slot,
        generation: u32,
        change: impl FnOnce(&mut Session),
    ) -> Result<bool, StoreError> {
        let _writer = self.writer();
        let found = self.find(slot)?.filter(|session| session.generation == generation);
        let Some(mut session) = found else { return Ok(false) };
        change(&mut session);
        self.write(slot, &session)?;
        Ok(true)
    }

    /// Removes the session of this slot, if it is still that of this generation, and says whether
    /// it was. Durable after [`Store::flush`].
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub fn remove(&self, slot: Slot, generation: u32) -> Result<bool, StoreError> {
        let _writer = self.writer();
        match self.find(slot)? {
            Some(session) if session.generation == generation => self.drop_record(slot),
            Some(_) | None => Ok(false),
        }
    }

    /// How many sessions there are, awake or asleep.
    #[must_use]
    pub fn count(&self) -> usize {
        self.windows.count()
    }

    /// Returns when everything stored so far is on the disk.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }

    /// Notes that no session is awake any more, so that the slots can be believed even after the
    /// machine was switched off.
    ///
    /// # Errors
    /// [`StoreError::Unusable`].
    pub fn close(&self) -> Result<(), StoreError> {
        self.windows.close().map_err(self.unusable())
    }

    fn write(&self, slot: Slot, session: &Session) -> Result<(), StoreError> {
        let record = zeroize::Zeroizing::new(encode(&slot.key(), session)?);
        let sealed = self.key.seal(&[TREE.as_bytes(), &slot.key()], &record);
        let sealed = sealed.map_err(|source| StoreError::Sealed { tree: TREE, source })?;
        self.trees.records.insert(slot.key(), sealed)?;
        Ok(())
    }

    /// Removes a record and what points at it; the writer's lock is held.
    fn drop_record(&self, slot: Slot) -> Result<bool, StoreError> {
        // One that does not open any more is removed all the same; its index entries lead nowhere.
        let session = self.find(slot).unwrap_or_default();
        let key = slot.key();
        if let Some(session) = &session {
            remove_if(&self.trees.by_board, session.board.as_str().as_bytes(), &key)?;
            if let Some(resumption) = &session.resumption {
                remove_if(&self.trees.by_resumption, &resumption.id, &key)?;
            }
            if let SessionName::Address(address) = session.name {
                remove_if(&self.trees.by_address, &address_key(address), &key)?;
            }
        }
        let existed = self.trees.records.remove(key)?.is_some();
        self.windows.forget(slot);
        Ok(existed)
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        // The lock guards no value of its own.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unusable(&self) -> impl Fn(io::Error) -> StoreError {
        let dir = self.path.clone();
        move |source| StoreError::Unusable { dir: dir.clone(), source }
    }
}

/// Removes an index entry that still leads to `slot`.
fn remove_if(tree: &Tree, key: &[u8], slot: &[u8; 4]) -> Result<(), StoreError> {
    // Another value: the entry is a newer session's.
    tree.remove_if(key, slot)
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
