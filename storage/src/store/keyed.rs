//! Nouns of the hub's own, each under a key that is made of it: people, and what they have.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `users` | user | record |
//! | `users/credentials` | user | record |
//! | `users/setup` | 32 bytes, SHA-256 | record |
//! | `api-tokens` | 32 bytes, SHA-256 | record |
//! | `audit/checkpoints` | u64, big-endian: entries so far | record |
//! | `approvals` | u64, big-endian, from 1 | record |
//! | `logins` | 32 bytes, SHA-256 | record |
//! | `jobs` | job | record |
//! | `views` | user NUL view | record |
//! | `firmware` | u64, big-endian, from 1 | record: a release |
//! | `firmware/keys` | 32 bytes, SHA-256 | record |
//! | `firmware/boards` | board | record: what it said last |
//! | `rollouts` | u64, big-endian, from 1 | record |
//! | `campaigns` | u64, big-endian, from 1 | record |
//! | `stations` | 32 bytes, SHA-256: its certificate's | record |

use std::marker::PhantomData;
use std::ops::Bound;

use super::tree::Tree;
use super::{Inner, decode, encode};
use crate::record::Record;
use crate::{
    ApiToken, Approval, AuditCheckpoint, BoardFirmware, Campaign, Credentials, FirmwareKey, Job,
    Login, Release, Rollout, SavedView, SetupLink, Station, Store, StoreError, User,
};

/// SHA-256 of something random that whoever has it shows.
pub type Digest = [u8; 32];

/// The nouns' trees.
pub(crate) struct KeyedTrees {
    pub(crate) users: Tree,
    pub(crate) credentials: Tree,
    pub(crate) setup_links: Tree,
    pub(crate) api_tokens: Tree,
    pub(crate) logins: Tree,
    pub(crate) approvals: Tree,
    pub(crate) checkpoints: Tree,
    pub(crate) jobs: Tree,
    pub(crate) views: Tree,
    pub(crate) releases: Tree,
    pub(crate) firmware_keys: Tree,
    pub(crate) board_firmware: Tree,
    pub(crate) rollouts: Tree,
    pub(crate) campaigns: Tree,
    pub(crate) stations: Tree,
}

impl KeyedTrees {
    pub(super) fn open(
        tree: impl Fn(&'static str) -> Result<Tree, StoreError>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            users: tree(User::TREE)?,
            credentials: tree(Credentials::TREE)?,
            setup_links: tree(SetupLink::TREE)?,
            api_tokens: tree(ApiToken::TREE)?,
            logins: tree(Login::TREE)?,
            approvals: tree(Approval::TREE)?,
            checkpoints: tree(AuditCheckpoint::TREE)?,
            jobs: tree(Job::TREE)?,
            views: tree(SavedView::TREE)?,
            releases: tree(Release::TREE)?,
            firmware_keys: tree(FirmwareKey::TREE)?,
            board_firmware: tree(BoardFirmware::TREE)?,
            rollouts: tree(Rollout::TREE)?,
            campaigns: tree(Campaign::TREE)?,
            stations: tree(Station::TREE)?,
        })
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

impl KeyedNoun for Credentials {
    type Key = str;
    const TREE: &'static str = "users/credentials";
}

impl KeyedNoun for SetupLink {
    type Key = Digest;
    const TREE: &'static str = "users/setup";
}

impl KeyedNoun for Approval {
    type Key = [u8; 8];
    const TREE: &'static str = "approvals";
}

impl KeyedNoun for AuditCheckpoint {
    type Key = [u8; 8];
    const TREE: &'static str = "audit/checkpoints";
}

impl KeyedNoun for Login {
    type Key = Digest;
    const TREE: &'static str = "logins";
}

impl KeyedNoun for ApiToken {
    type Key = Digest;
    const TREE: &'static str = "api-tokens";
}

impl KeyedNoun for Job {
    type Key = str;
    const TREE: &'static str = "jobs";
}

impl KeyedNoun for SavedView {
    type Key = str;
    const TREE: &'static str = "views";
}

impl KeyedNoun for Release {
    type Key = [u8; 8];
    const TREE: &'static str = "firmware";
}

impl KeyedNoun for FirmwareKey {
    type Key = Digest;
    const TREE: &'static str = "firmware/keys";
}

impl KeyedNoun for BoardFirmware {
    type Key = str;
    const TREE: &'static str = "firmware/boards";
}

impl KeyedNoun for Rollout {
    type Key = [u8; 8];
    const TREE: &'static str = "rollouts";
}

impl KeyedNoun for Campaign {
    type Key = [u8; 8];
    const TREE: &'static str = "campaigns";
}

impl KeyedNoun for Station {
    type Key = Digest;
    const TREE: &'static str = "stations";
}

impl Store {
    /// Releases of firmware, by number.
    pub fn releases(&self) -> Keyed<'_, Release> {
        Keyed::new(&self.inner, &self.inner.keyed.releases)
    }

    /// Keys held elsewhere whose signatures on images are taken, by their SHA-256.
    pub fn firmware_keys(&self) -> Keyed<'_, FirmwareKey> {
        Keyed::new(&self.inner, &self.inner.keyed.firmware_keys)
    }

    /// What boards said last of their firmware.
    pub fn board_firmware(&self) -> Keyed<'_, BoardFirmware> {
        Keyed::new(&self.inner, &self.inner.keyed.board_firmware)
    }

    /// Rollouts, by number.
    pub fn rollouts(&self) -> Keyed<'_, Rollout> {
        Keyed::new(&self.inner, &self.inner.keyed.rollouts)
    }

    /// Campaigns, by number.
    pub fn campaigns(&self) -> Keyed<'_, Campaign> {
        Keyed::new(&self.inner, &self.inner.keyed.campaigns)
    }

    /// Production stations, by their certificates' SHA-256.
    pub fn stations(&self) -> Keyed<'_, Station> {
        Keyed::new(&self.inner, &self.inner.keyed.stations)
    }

    /// Work on many boards.
    pub fn jobs(&self) -> Keyed<'_, Job> {
        Keyed::new(&self.inner, &self.inner.keyed.jobs)
    }

    /// Lists that people have kept.
    pub fn views(&self) -> Keyed<'_, SavedView> {
        Keyed::new(&self.inner, &self.inner.keyed.views)
    }

    /// The people.
    pub fn users(&self) -> Keyed<'_, User> {
        Keyed::new(&self.inner, &self.inner.keyed.users)
    }

    /// How people prove who they are.
    pub fn credentials(&self) -> Keyed<'_, Credentials> {
        Keyed::new(&self.inner, &self.inner.keyed.credentials)
    }

    /// People's one-time links, by their digests.
    pub fn setup_links(&self) -> Keyed<'_, SetupLink> {
        Keyed::new(&self.inner, &self.inner.keyed.setup_links)
    }

    /// Signed heads of the audit log, by how many entries it had.
    pub fn audit_checkpoints(&self) -> Keyed<'_, AuditCheckpoint> {
        Keyed::new(&self.inner, &self.inner.keyed.checkpoints)
    }

    /// What waits, or has waited, for a second person, by number.
    pub fn approvals(&self) -> Keyed<'_, Approval> {
        Keyed::new(&self.inner, &self.inner.keyed.approvals)
    }

    /// People's sessions at browsers, by the digests of what those show.
    pub fn logins(&self) -> Keyed<'_, Login> {
        Keyed::new(&self.inner, &self.inner.keyed.logins)
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
    pub fn put(&self, key: &N::Key, noun: &N) -> Result<(), StoreError> {
        let record = encode(key.as_ref(), noun)?;
        self.tree.insert(key, record)?;
        self.inner.flush()
    }

    /// The same, without waiting for the disk, which has it with the next write that does.
    pub fn put_soon(&self, key: &N::Key, noun: &N) -> Result<(), StoreError> {
        self.tree.insert(key, encode(key.as_ref(), noun)?).map(drop)
    }

    /// The noun under this key. Reads what is in memory or on the disk, and never waits for a write.
    pub fn find(&self, key: &N::Key) -> Result<Option<N>, StoreError> {
        let record = self.tree.get(key)?;
        record.map(|record| decode(N::TREE, key.as_ref(), &record)).transpose()
    }

    /// Those behind `after`, or from the first on, with their keys and in their keys' order.
    pub fn list(
        &self,
        after: Option<&N::Key>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, N), StoreError>> + use<'a, N> {
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_ref()));
        self.tree.range((from, Bound::Unbounded)).map(|entry| {
            let (key, record) = entry?;
            Ok((key.to_vec(), decode(N::TREE, &key, &record)?))
        })
    }

    /// The one with the greatest key.
    pub fn last(&self) -> Result<Option<N>, StoreError> {
        let last = self.tree.last()?;
        last.map(|(key, record)| decode(N::TREE, &key, &record)).transpose()
    }

    /// Alters the noun under this key and returns it as it then is; durable on return.
    pub fn change(
        &self,
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

    /// The same, where there may be none yet.
    pub fn change_or_default(
        &self,
        key: &N::Key,
        change: impl FnOnce(&mut N),
    ) -> Result<N, StoreError>
    where
        N: Default,
    {
        let writer = self.inner.writer();
        let record = self.tree.get(key)?;
        let known = record.map(|record| decode(N::TREE, key.as_ref(), &record)).transpose()?;
        let mut noun: N = known.unwrap_or_default();
        change(&mut noun);
        self.tree.insert(key, encode(key.as_ref(), &noun)?)?;
        drop(writer);
        self.inner.flush()?;
        Ok(noun)
    }

    /// Alters the noun under this key without waiting for the disk, which has it with the next write
    /// that does. What was removed stays so.
    pub fn note(&self, key: &N::Key, change: impl Fn(&mut N)) -> Result<(), StoreError> {
        self.tree.update(key, |record| {
            let mut noun: N = decode(N::TREE, key.as_ref(), record?).ok()?;
            change(&mut noun);
            encode(key.as_ref(), &noun).ok().map(Into::into)
        })
    }

    /// Removes the noun under this key and says whether there was one; durable on return.
    pub fn remove(&self, key: &N::Key) -> Result<bool, StoreError> {
        let removed = self.tree.remove(key)?;
        self.inner.flush()?;
        Ok(removed.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SignedInBy, UnixSeconds};

    #[test]
    fn what_is_noted_is_read_and_never_brings_back_what_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let begun = UnixSeconds(5);
        let login = Login {
            user: "anna".parse().unwrap(),
            by: SignedInBy::Password,
            begun,
            last_used: begun,
            source: None,
            agent: String::new(),
        };
        store.logins().put(&[1; 32], &login).unwrap();
        let used = |login: &mut Login| login.last_used = UnixSeconds(6);
        store.logins().note(&[1; 32], used).unwrap();
        assert_eq!(store.logins().find(&[1; 32]).unwrap().unwrap().last_used, UnixSeconds(6));
        assert!(store.logins().remove(&[1; 32]).unwrap());
        store.logins().note(&[1; 32], used).unwrap();
        assert_eq!(store.logins().find(&[1; 32]).unwrap(), None);
        assert!(!store.logins().remove(&[1; 32]).unwrap());
    }

    #[test]
    fn a_list_goes_on_behind_a_key() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for name in ["c", "a", "b"] {
            store.credentials().change_or_default(name, |_| {}).unwrap();
        }
        let keys = |after| -> Vec<String> {
            let listed = store.credentials().list(after);
            listed.map(|entry| String::from_utf8(entry.unwrap().0).unwrap()).collect()
        };
        assert_eq!((keys(None).concat(), keys(Some("a")).concat()), ("abc".into(), "bc".into()));
    }
}
