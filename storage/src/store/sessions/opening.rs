//! From a store to its sessions: their files, what a failure of the machine left of them, and those
//! that are under older keys.
//!
//! Where the slots are known, no record is read: a million sessions are there as soon as their slots
//! are. Where they are not, every record is read once, and what does not open is lost.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{OWNERLESS, Sessions, Shared, TREE, address_key};
use crate::sealed::SealedFile;
use crate::store::tree::Tree;
use crate::store::{Inner, decode};
use crate::windows::{BootId, Past, Slot, Windows};
use crate::{Keyring, Session, SessionName, Store, StoreError};

/// In `meta`, from a hub before data keys: a record that opens under the key that its sessions are
/// sealed under.
pub(crate) const KEY_CHECK: &[u8] = b"sessions";
/// The records' file in the store's folder.
pub(crate) const RECORDS: &str = "sessions";
const WINDOWS: &str = "windows";
const BY_ADDRESS: &str = "sessions/address";
/// Trees in which sessions once were, and those that led to them.
const OLDER: [&str; 3] = ["sessions", "sessions/board", "sessions/resumption"];

impl Store {
    /// The sessions, sealed under the keys of `keyring`; `boot` is this boot of the machine. One at a
    /// time may have them open, until [`Sessions::close`].
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when one of their files cannot be read or made; those of the
    /// database.
    pub fn sessions(&self, keyring: &Keyring, boot: BootId) -> Result<Sessions, StoreError> {
        let inner = &self.inner;
        let path = inner.dir.join(RECORDS);
        let records = SealedFile::open(&path, keyring.clone()).map_err(unusable(&path))?;
        let path = inner.dir.join(WINDOWS);
        let (windows, past) = Windows::open(&path, boot).map_err(unusable(&path))?;
        let is_lost = past == Past::Lost || records.is_new();
        let shared = Arc::new(Shared {
            inner: Arc::clone(inner),
            records,
            by_address: Tree::open(&inner.db, BY_ADDRESS, &inner.health)?,
            windows,
            writer: Mutex::new(()),
            path,
        });
        if is_lost {
            shared.settle()?;
        }
        shared.bury()?;
        let mut open = inner.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        *open = Arc::downgrade(&shared);
        drop(open);
        Ok(Sessions(shared))
    }

    /// Removes every session: each board has to shake hands again. Durable on return.
    ///
    /// # Errors
    /// Those of the database, and of the sessions' files.
    pub fn forget_sessions(&self) -> Result<(), StoreError> {
        let Inner { db, health, meta, dir, .. } = &*self.inner;
        for name in [BY_ADDRESS, OWNERLESS] {
            Tree::open(db, name, health)?.clear()?;
        }
        meta.remove(KEY_CHECK)?;
        self.flush()?;
        remove_file(&dir.join(RECORDS))?;
        remove_file(&dir.join(WINDOWS))
    }

    /// Seals sessions that are under an older key under the current one, among some slots from number
    /// `first` on: how many they were, and the number to go on from. Nothing where no sessions are
    /// open. Durable when the keys are retired.
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub fn reseal_sessions(&self, first: u32) -> Result<(u64, Option<u32>), StoreError> {
        let open = self.inner.sessions.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let Some(shared) = open else { return Ok((0, None)) };
        let (slots, next) = shared.records.under_older_keys(first).map_err(shared.unusable())?;
        let mut count = 0;
        for slot in slots {
            let _writer = shared.writer();
            match shared.find(slot) {
                Ok(Some(session)) => shared.write(slot, &session)?,
                // Lost as it is: nothing reads it but its board, which begins anew.
                Ok(None) | Err(StoreError::Sealed { .. } | StoreError::Corrupt { .. }) => continue,
                Err(error) => return Err(error),
            }
            count += 1;
        }
        Ok((count, next))
    }
}

/// Drops the sessions of a store in which they were trees, with all that led to them: their boards
/// shake hands again. Not flushed.
pub(crate) fn drop_older(inner: &Inner) -> Result<(), StoreError> {
    let Inner { db, health, dir, .. } = inner;
    if !health.contain(|| Ok(db.tree_names()))?.iter().any(|name| name == TREE.as_bytes()) {
        return Ok(());
    }
    Tree::open(db, BY_ADDRESS, health)?.clear()?;
    remove_file(&dir.join(WINDOWS))?;
    // Last the one that they are known by.
    for name in OLDER.iter().rev() {
        health.contain(|| db.drop_tree(name))?;
    }
    Ok(())
}

impl Shared {
    /// Returns when whoever is writing a record now has written it, and the disk has it.
    pub(in crate::store) fn wait_for_writers(&self) -> Result<(), StoreError> {
        drop(self.writer());
        self.records.sync().map_err(|source| self.not_durable(source))
    }

    /// Sees what there is where the slots do not tell: a record that does not open is dropped, one
    /// whose board is gone too, and of two of one board the one that its board does not name. What
    /// leads to the others is put right.
    fn settle(&self) -> Result<(), StoreError> {
        let mut kept = Vec::new();
        self.records.each(self.unusable(), |slot, record| {
            let record = record.ok();
            let session = record.and_then(|record| decode(TREE, &slot.key(), &record).ok());
            match session {
                Some(session) if self.is_current(slot, &session)? => {
                    kept.push((slot, session.generation));
                    Ok(())
                }
                Some(_) | None => {
                    self.records.remove(slot).map_err(|source| self.not_durable(source))
                }
            }
        })?;
        self.windows.rebuild(kept).map_err(self.unusable())?;
        self.records.sync().map_err(|source| self.not_durable(source))?;
        self.inner.flush()
    }

    /// Whether this is its board's one session; then it is found by board and address from now on.
    fn is_current(&self, slot: Slot, session: &Session) -> Result<bool, StoreError> {
        let board = self.inner.board_record(session.board.as_str().as_bytes())?;
        let Some(board) = board else { return Ok(false) };
        if let Some(named) = board.session.filter(|named| *named != slot) {
            let other = self.find(named).ok().flatten();
            if other.is_some_and(|other| other.board == session.board) {
                return Ok(false);
            }
        }
        if board.session != Some(slot) {
            self.inner.point(&session.board, Some(slot))?;
        }
        if let SessionName::Address(address) = session.name {
            self.by_address.insert(address_key(address), &slot.key())?;
        }
        Ok(true)
    }

    /// Removes the sessions of boards that were removed while no sessions were open.
    fn bury(&self) -> Result<(), StoreError> {
        let ownerless = Tree::open(&self.inner.db, OWNERLESS, &self.inner.health)?;
        let _writer = self.writer();
        for entry in ownerless.iter() {
            let (key, board) = entry?;
            if let Some(slot) = Slot::from_key(&key) {
                self.drop_if(slot, |session| session.board.as_str().as_bytes() == &*board)?;
            }
            ownerless.remove(key)?;
        }
        Ok(())
    }
}

fn remove_file(file: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(unusable(file)(source)),
        _ => Ok(()),
    }
}

fn unusable(file: &Path) -> impl Fn(io::Error) -> StoreError {
    let dir = file.to_owned();
    move |source| StoreError::Unusable { dir: dir.clone(), source }
}
