//! The wrapped data keys in the store, and what is sealed under which.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `vault/keys` | the key's number, u16, big-endian | record |
//!
//! Invariant: no key is removed that anything is sealed under.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use serde::Serialize;

use super::sessions::{KEY_CHECK, RECORDS};
use super::tree::Tree;
use super::{decode, encode};
use crate::sealed::survey;
use crate::{DataKey, KeyId, Keyring, SealedSecret, SealingKey, Store, StoreError};

pub(crate) const TREE: &str = "vault/keys";

/// How much is sealed under a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SealedUnder {
    /// Secrets.
    pub secrets: u64,
    /// Sessions.
    pub sessions: u64,
}

impl Store {
    /// Every data key, by number.
    pub fn data_keys(&self) -> Result<Vec<DataKey>, StoreError> {
        let entries = self.key_tree()?.iter();
        entries.map(|entry| entry.and_then(|(key, record)| decode(TREE, &key, &record))).collect()
    }

    /// Puts keys, each in place of the one of its number, all or none; durable on return.
    pub fn put_data_keys(&self, keys: &[DataKey]) -> Result<(), StoreError> {
        let tree = self.key_tree()?;
        let mut batch = sled::Batch::default();
        for key in keys {
            let place = key.id.0.to_be_bytes();
            batch.insert(&place, encode(&place, key)?);
        }
        tree.apply(batch)?;
        self.flush()
    }

    /// Whether `sessions` is what a hub before data keys has sealed sessions under; `None` where none
    /// has.
    pub fn is_former_key(&self, sessions: &SealingKey) -> Result<Option<bool>, StoreError> {
        let check = self.inner.meta.get(KEY_CHECK)?;
        Ok(check.map(|sealed| sessions.open(&[b"meta", KEY_CHECK], &sealed).is_ok()))
    }

    /// Forgets that a hub before data keys was here; its key is one of them by now. Durable on return.
    pub fn forget_former_key(&self) -> Result<(), StoreError> {
        self.inner.meta.remove(KEY_CHECK)?;
        self.flush()
    }

    /// How much is sealed under each key; reads all of it.
    pub fn sealed_under(&self) -> Result<BTreeMap<KeyId, SealedUnder>, StoreError> {
        let mut under: BTreeMap<KeyId, SealedUnder> = BTreeMap::new();
        for entry in self.secret_tree()?.iter() {
            let (key, record) = entry?;
            let secret: SealedSecret = decode(super::secrets::TREE, &key, &record)?;
            if let Ok(key) = Keyring::key_of(&secret.sealed) {
                under.entry(key).or_default().secrets += 1;
            }
        }
        let file = self.inner.dir.join(RECORDS);
        let surveyed = survey(&file, |_, _, key| {
            if let Ok(key) = key {
                under.entry(key).or_default().sessions += 1;
            }
        });
        surveyed.map_err(|source| StoreError::Unusable { dir: file, source })?;
        Ok(under)
    }

    /// Removes the older keys that nothing is sealed under, from the store and from `keyring`, and
    /// says which. Durable on return.
    pub fn retire_keys(&self, keyring: &Keyring) -> Result<Vec<KeyId>, StoreError> {
        let mut idle = keyring.older();
        if idle.is_empty() {
            return Ok(idle);
        }
        // Whoever seals holds one of two locks meanwhile; once they were free, nothing more comes to
        // be under an older key, and what is under the current one is on the disk.
        drop(self.inner.writer());
        self.settle_sessions()?;
        self.flush()?;
        let under = self.sealed_under()?;
        idle.retain(|id| !under.contains_key(id));
        let tree = self.key_tree()?;
        for id in &idle {
            tree.remove(id.0.to_be_bytes())?;
            keyring.remove(*id);
        }
        self.flush()?;
        Ok(idle)
    }

    /// Removes every data key with all that is sealed: sessions and secrets. For a store whose master
    /// key is lost. Durable on return.
    pub fn forget_sealed(&self) -> Result<(), StoreError> {
        self.forget_sessions()?;
        self.secret_tree()?.clear()?;
        self.key_tree()?.clear()?;
        self.flush()
    }

    fn settle_sessions(&self) -> Result<(), StoreError> {
        let open = self.inner.sessions.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        open.map_or(Ok(()), |sessions| sessions.wait_for_writers())
    }

    fn key_tree(&self) -> Result<Tree, StoreError> {
        Tree::open(&self.inner.db, TREE, &self.inner.health)
    }
}

#[cfg(test)]
mod tests;
