//! From a store to its sessions: the key they are sealed under, their files, and what a failure of
//! the machine left of them.
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
use crate::{SealingKey, Session, SessionName, Store, StoreError};

/// In `meta`: a record that opens under the key that the sessions are sealed under.
pub(crate) const KEY_CHECK: &[u8] = b"sessions";
/// The records' file in the store's folder.
pub(crate) const RECORDS: &str = "sessions";
const WINDOWS: &str = "windows";
const BY_ADDRESS: &str = "sessions/address";
/// Trees in which sessions once were, and those that led to them.
const OLDER: [&str; 3] = ["sessions", "sessions/board", "sessions/resumption"];

impl Store {
    /// The sessions, sealed under `key`; `boot` is this boot of the machine. One at a time may have
    /// them open, until [`Sessions::close`].
    ///
    /// # Errors
    /// [`StoreError::OtherMasterKey`] when they are sealed under another key;
    /// [`StoreError::Unusable`] when one of their files cannot be read or made; those of the
    /// database.
    pub fn sessions(&self, key: SealingKey, boot: BootId) -> Result<Sessions, StoreError> {
        let inner = &self.inner;
        self.check_key(&key)?;
        let path = inner.dir.join(RECORDS);
        let records = SealedFile::open(&path, key).map_err(unusable(&path))?;
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
