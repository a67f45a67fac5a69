//! One tree of the database, with every call contained (see [`super::health`]).

use std::ops::RangeBounds;
use std::sync::Arc;

use sled::IVec;

use super::health::Health;
use crate::StoreError;

/// A tree of the store's; clones are the same tree.
#[derive(Clone)]
pub(crate) struct Tree {
    tree: sled::Tree,
    health: Arc<Health>,
}

/// The entries of a tree, in their keys' order; the first that cannot be read ends them.
pub(crate) struct Entries {
    entries: sled::Iter,
    health: Arc<Health>,
    has_ended: bool,
}

impl Tree {
    pub(crate) fn open(
        db: &sled::Db,
        name: impl AsRef<[u8]>,
        health: &Arc<Health>,
    ) -> Result<Self, StoreError> {
        let tree = health.contain(|| db.open_tree(name))?;
        Ok(Self { tree, health: Arc::clone(health) })
    }

    /// The database's own, for a transaction; its caller contains it.
    pub(crate) const fn raw(&self) -> &sled::Tree {
        &self.tree
    }

    pub(crate) fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>, StoreError> {
        self.health.contain(|| self.tree.get(key))
    }

    pub(crate) fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool, StoreError> {
        self.health.contain(|| self.tree.contains_key(key))
    }

    pub(crate) fn insert(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<IVec>,
    ) -> Result<Option<IVec>, StoreError> {
        let value = value.into();
        self.health.contain(|| self.tree.insert(key, value))
    }

    pub(crate) fn remove(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>, StoreError> {
        self.health.contain(|| self.tree.remove(key))
    }

    /// Removes the entry if this is its value.
    pub(crate) fn remove_if(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let none: Option<&[u8]> = None;
        self.health.contain(|| self.tree.compare_and_swap(key, Some(value), none)).map(drop)
    }

    pub(crate) fn update(
        &self,
        key: impl AsRef<[u8]>,
        change: impl FnMut(Option<&[u8]>) -> Option<IVec>,
    ) -> Result<(), StoreError> {
        self.health.contain(|| self.tree.update_and_fetch(key, change)).map(drop)
    }

    /// All of it or nothing.
    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.health.contain(|| self.tree.apply_batch(batch))
    }

    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        self.health.contain(|| self.tree.clear())
    }

    /// The entry with the greatest key.
    pub(crate) fn last(&self) -> Result<Option<(IVec, IVec)>, StoreError> {
        self.health.contain(|| self.tree.last())
    }

    pub(crate) fn iter(&self) -> Entries {
        self.entries(self.tree.iter())
    }

    pub(crate) fn range<'k>(&self, keys: impl RangeBounds<&'k [u8]>) -> Entries {
        self.entries(self.tree.range(keys))
    }

    /// The last entry in a range.
    pub(crate) fn last_of<'k>(
        &self,
        keys: impl RangeBounds<&'k [u8]>,
    ) -> Result<Option<(IVec, IVec)>, StoreError> {
        self.health.contain(|| self.tree.range(keys).next_back().transpose())
    }

    pub(crate) fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Entries {
        self.entries(self.tree.scan_prefix(prefix))
    }

    fn entries(&self, entries: sled::Iter) -> Entries {
        Entries { entries, health: Arc::clone(&self.health), has_ended: false }
    }
}

impl Entries {
    pub(crate) fn keys(self) -> impl Iterator<Item = Result<IVec, StoreError>> {
        self.map(|entry| entry.map(|(key, _)| key))
    }

    pub(crate) fn values(self) -> impl Iterator<Item = Result<IVec, StoreError>> {
        self.map(|entry| entry.map(|(_, value)| value))
    }
}

impl Iterator for Entries {
    type Item = Result<(IVec, IVec), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let entries = &mut self.entries;
        let next = self.health.contain(|| entries.next().transpose()).transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}
