//! Nouns of the hub's own, each under a key that is made of it: people, and what they have.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `users` | user | record |
//! | `api-tokens` | 32 bytes, SHA-256 | record |

use std::marker::PhantomData;
use std::ops::Bound;

use super::tree::Tree;
use super::{Inner, decode, encode};
use crate::record::Record;
use crate::{ApiToken, Store, StoreError, User};

/// SHA-256 of something random that whoever has it shows.
pub type Digest = [u8; 32];

/// The nouns' trees.
pub(crate) struct KeyedTrees {
    pub(crate) users: Tree,
    pub(crate) api_tokens: Tree,
}

impl KeyedTrees {
    pub(super) fn open(
        tree: impl Fn(&'static str) -> Result<Tree, StoreError>,
    ) -> Result<Self, StoreError> {
        Ok(Self { users: tree(User::TREE)?, api_tokens: tree(ApiToken::TREE)? })
    }
}

/// One kind of noun, by its key.
pub struct Keyed<'a, N> {
    inner: &'a Inner,
    tree: &'a Tree,
    kind: PhantomData<N>,
}

/// A noun that is kept under a key.
#[expect(private_bounds, reason = "only this crate's nouns have records")]
pub trait KeyedNoun: Record {
    /// What finds it.
    type Key: AsRef<[u8]> + ?Sized;
    /// The name of the tree its records are in.
    const TREE: &'static str;
}

impl KeyedNoun for User {
    type Key = str;
    const TREE: &'static str = "users";
}

impl KeyedNoun for ApiToken {
    type Key = Digest;
    const TREE: &'static str = "api-tokens";
}

impl Store {
    /// The people.
    pub fn users(&self) -> Keyed<'_, User> {
        Keyed::new(&self.inner, &self.inner.keyed.users)
    }

    /// The tokens of people's programs, by their digests.
    pub fn api_tokens(&self) -> Keyed<'_, ApiToken> {
        Keyed::new(&self.inner, &self.inner.keyed.api_tokens)
    }
}

impl<'a, N: KeyedNoun> Keyed<'a, N> {
    fn new(inner: &'a Inner, tree: &'a Tree) -> Self {
        Self { inner, tree, kind: PhantomData }
    }

    /// Adds the noun or replaces the one under its key; durable on return.
    pub fn put(self, key: &N::Key, noun: &N) -> Result<(), StoreError> {
        let record = encode(key.as_ref(), noun)?;
        self.tree.insert(key, record)?;
        self.inner.flush()
    }

    /// The noun under this key. Reads what is in memory or on the disk, and never waits for a write.
    pub fn find(self, key: &N::Key) -> Result<Option<N>, StoreError> {
        let record = self.tree.get(key)?;
        record.map(|record| decode(N::TREE, key.as_ref(), &record)).transpose()
    }

    /// Those behind `after`, or from the first on, with their keys and in their keys' order.
    pub fn list(
        self,
        after: Option<&N::Key>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, N), StoreError>> + use<'a, N> {
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_ref()));
        self.tree.range((from, Bound::Unbounded)).map(|entry| {
            let (key, record) = entry?;
            Ok((key.to_vec(), decode(N::TREE, &key, &record)?))
        })
    }

    /// Alters the noun under this key and returns it as it then is; durable on return.
    pub fn change(
        self,
        key: &N::Key,
        change: impl FnOnce(&mut N),
    ) -> Result<Option<N>, StoreError> {
        let writer = self.inner.writer();
        let Some(record) = self.tree.get(key)? else { return Ok(None) };
        let mut noun = decode(N::TREE, key.as_ref(), &record)?;
        change(&mut noun);
        self.tree.insert(key, encode(key.as_ref(), &noun)?)?;
        drop(writer);
        self.inner.flush()?;
        Ok(Some(noun))
    }

    /// Removes the noun under this key and says whether there was one; durable on return.
    pub fn remove(self, key: &N::Key) -> Result<bool, StoreError> {
        let removed = self.tree.remove(key)?;
        self.inner.flush()?;
        Ok(removed.is_some())
    }
}
