//! Checkpoints of the audit log: its head, signed with the key `audit`, and what they show.
//!
//! A chain of digests shows a change to whoever knows its head; a signed head shows it to whoever knows
//! the key. Invariant: a log is sound only where every checkpoint is of it, and none is missing between
//! two others. Who takes away the end of both is found out by a head kept elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use openssl::hash::MessageDigest;
use openssl::sign::Verifier;
use serde::Serialize;
use serde_json::json;
use storage::{AuditCheckpoint, AuditDigest, AuditError, AuditHead, StoreError, UnixSeconds};

use super::keys::{KeyError, KeyLabel, KeyStore, Purpose};
use crate::admin::{Admin, AdminError};

/// Why there is no checkpoint, or one shows that the log is not to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// An entry does not follow from the one before, or cannot be read.
    #[error(transparent)]
    Chain(#[from] AuditError),
    /// The log is shorter than a checkpoint says.
    #[error(
        "the audit log ends at entry {entries}, and had {signed} when it was signed: its end was cut off"
    )]
    CutOff {
        /// How many it has.
        entries: u64,
        /// How many it had.
        signed: u64,
    },
    /// The log is another than the one that was signed.
    #[error("the audit log was rewritten: entry {number} is not the one that was signed")]
    Rewritten {
        /// Which entry.
        number: u64,
    },
    /// A checkpoint that the key has not signed.
    #[error("the checkpoint at entry {number} is not signed by the key {key}: it was changed")]
    Forged {
        /// At which entry.
        number: u64,
        /// Which key it names.
        key: String,
    },
    /// A checkpoint is missing.
    #[error("a checkpoint before the one at entry {number} was taken out")]
    Missing {
        /// The one behind it.
        number: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was done cannot be written down.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// What was found of a log.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Where it ends.
    #[serde(flatten)]
    pub head: AuditHead,
    /// How many checkpoints there are.
    pub checkpoints: usize,
    /// How many of its entries a checkpoint vouches for.
    pub signed: u64,
    /// When the last one was signed.
    pub signed_at: Option<UnixSeconds>,
}

/// The checkpoints of a store's audit log.
#[derive(Clone)]
pub struct Checkpoints {
    admin: Admin,
    keys: Arc<dyn KeyStore>,
}

const LABEL: KeyLabel = KeyLabel::first(Purpose::Audit);

impl Checkpoints {
    /// Over the admin's store, signed in `keys`.
    #[must_use]
    pub fn new(admin: Admin, keys: Arc<dyn KeyStore>) -> Self {
        Self { admin, keys }
    }

    /// Whose store it is.
    #[must_use]
    pub const fn admin(&self) -> &Admin {
        &self.admin
    }

    /// How many entries are behind the last checkpoint, and since when none was signed.
    ///
    /// # Errors
    /// The store's.
    pub fn unsigned(&self) -> Result<(u64, Option<UnixSeconds>), StoreError> {
        let store = self.admin.store();
        let last = store.audit_checkpoints().last()?;
        let entries = store.audit()?.head()?.entries;
        let signed = last.as_ref().map_or(0, |last| last.entries);
        Ok((entries.saturating_sub(signed), last.map(|last| last.at)))
    }

    /// Signs where the log ends; `None` where the last checkpoint is of there. The key is made where
    /// there is none.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn sign(&self, now: UnixSeconds) -> Result<Option<AuditCheckpoint>, CheckpointError> {
        let store = self.admin.store();
        if !self.keys.labels()?.contains(&LABEL) {
            self.keys.generate(&LABEL)?;
            self.admin.record("key.new", &LABEL, json!({ "store": self.keys.describe() }))?;
        }
        let last = store.audit_checkpoints().last()?;
        let head = store.audit()?.head()?;
        if head.entries == 0 || last.as_ref().is_some_and(|last| last.entries >= head.entries) {
            return Ok(None);
        }
        let mut checkpoint = AuditCheckpoint {
            entries: head.entries,
            digest: head.digest,
            at: now,
            previous: last.map(|last| last.digest_of_it()).unwrap_or_default(),
            key: LABEL.to_string(),
            signature: Vec::new(),
        };
        checkpoint.signature = self.keys.sign(&LABEL, &checkpoint.signed())?;
        store.audit_checkpoints().put(&checkpoint.entries.to_be_bytes(), &checkpoint)?;
        Ok(Some(checkpoint))
    }

    /// Follows the whole log, and holds it against every checkpoint.
    ///
    /// # Errors
    /// The first thing that does not add up.
    pub fn verify(&self) -> Result<Verified, CheckpointError> {
        let store = self.admin.store();
        let mut checkpoints = BTreeMap::new();
        let mut previous = AuditDigest::default();
        for checkpoint in store.audit_checkpoints().list(None) {
            let (_, checkpoint) = checkpoint?;
            let number = checkpoint.entries;
            if !self.is_signed(&checkpoint)? {
                return Err(CheckpointError::Forged { number, key: checkpoint.key });
            }
            if checkpoint.previous != previous {
                return Err(CheckpointError::Missing { number });
            }
            previous = checkpoint.digest_of_it();
            checkpoints.insert(number, checkpoint);
        }
        let mut rewritten = None;
        let head = store.audit()?.follow(|_, head| {
            if let Some(checkpoint) = checkpoints.get(&head.entries)
                && checkpoint.digest != head.digest
                && rewritten.is_none()
            {
                rewritten = Some(head.entries);
            }
        })?;
        if let Some(number) = rewritten {
            return Err(CheckpointError::Rewritten { number });
        }
        let last = checkpoints.last_key_value().map(|(_, last)| last);
        if let Some(last) = last
            && last.entries > head.entries
        {
            let (entries, signed) = (head.entries, last.entries);
            return Err(CheckpointError::CutOff { entries, signed });
        }
        Ok(Verified {
            head,
            checkpoints: checkpoints.len(),
            signed: last.map_or(0, |last| last.entries),
            signed_at: last.map(|last| last.at),
        })
    }

    fn is_signed(&self, checkpoint: &AuditCheckpoint) -> Result<bool, CheckpointError> {
        let Ok(label) = checkpoint.key.parse::<KeyLabel>() else { return Ok(false) };
        if *label.purpose() != Purpose::Audit {
            return Ok(false);
        }
        let public = match self.keys.public_key(&label) {
            Err(KeyError::Missing { .. }) => return Ok(false),
            found => found?,
        };
        let verified = public.to_openssl().and_then(|key| {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &key)?;
            verifier.verify_oneshot(&checkpoint.signature, &checkpoint.signed())
        });
        Ok(verified.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use storage::Store;

    use super::super::keys::MemoryStore;
    use super::*;
    use crate::admin::Author;

    const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

    fn of(dir: &Path, keys: &Arc<MemoryStore>) -> Checkpoints {
        let author = Author { who: String::from("uid:0"), source: None, now: || NOW };
        let admin = Admin::stopped(Store::open(dir).unwrap(), author);
        Checkpoints::new(admin, Arc::clone(keys) as Arc<dyn KeyStore>)
    }

    fn append(checkpoints: &Checkpoints, count: usize) {
        for _ in 0..count {
            checkpoints.admin.record("key.new", &"x", json!({})).unwrap();
        }
    }

    /// A log of eight entries, of which seven are signed.
    fn signed(dir: &Path, keys: &Arc<MemoryStore>) -> Checkpoints {
        let checkpoints = of(dir, keys);
        append(&checkpoints, 3);
        // The key's making is an entry as well.
        assert_eq!(checkpoints.sign(NOW).unwrap().unwrap().entries, 4);
        assert!(checkpoints.sign(NOW).unwrap().is_none());
        append(&checkpoints, 3);
        assert_eq!(checkpoints.unsigned().unwrap(), (3, Some(NOW)));
        assert_eq!(checkpoints.sign(NOW).unwrap().unwrap().entries, 7);
        append(&checkpoints, 1);
        checkpoints
    }

    fn said(result: Result<Verified, CheckpointError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_sound_log_is_vouched_for_up_to_the_last_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let verified = signed(dir.path(), &Arc::default()).verify().unwrap();
        assert_eq!((verified.head.entries, verified.checkpoints, verified.signed), (8, 2, 7));
    }

    #[test]
    fn a_log_that_was_written_anew_or_cut_off_is_found_out() {
        let (dir, keys) = (tempfile::tempdir().unwrap(), Arc::default());
        let known = signed(dir.path(), &keys);
        let store = known.admin.store();
        let checkpoints: Vec<_> =
            store.audit_checkpoints().list(None).map(|it| it.unwrap().1).collect();
        // Another log, whole in itself, with the checkpoints of this one.
        for (entries, expected) in [(9, "rewritten: entry 4"), (5, "rewritten"), (2, "cut off")] {
            let other = tempfile::tempdir().unwrap();
            let forged = of(other.path(), &keys);
            append(&forged, entries);
            for checkpoint in &checkpoints {
                let key = checkpoint.entries.to_be_bytes();
                forged.admin.store().audit_checkpoints().put(&key, checkpoint).unwrap();
            }
            let found = said(forged.verify());
            assert!(found.contains(expected), "{entries}: {found}");
        }
    }

    #[test]
    fn checkpoints_that_were_changed_taken_out_or_signed_by_another_key_are_found_out() {
        let change = |damage: &dyn Fn(&Store, &AuditCheckpoint)| {
            let (dir, keys) = (tempfile::tempdir().unwrap(), Arc::default());
            let known = signed(dir.path(), &keys);
            let store = known.admin.store();
            let first = store.audit_checkpoints().find(&4_u64.to_be_bytes()).unwrap().unwrap();
            damage(store, &first);
            said(known.verify())
        };
        let key = 4_u64.to_be_bytes();
        let moved = change(&|store, first| {
            let other = AuditCheckpoint { at: UnixSeconds(1), ..first.clone() };
            store.audit_checkpoints().put(&key, &other).unwrap();
        });
        assert!(moved.contains("entry 4 is not signed by the key audit"), "{moved}");
        let others = change(&|store, first| {
            let other = AuditCheckpoint { key: String::from("root"), ..first.clone() };
            store.audit_checkpoints().put(&key, &other).unwrap();
        });
        assert!(others.contains("not signed by the key root"), "{others}");
        let removed = change(&|store, _| {
            store.audit_checkpoints().remove(&key).unwrap();
        });
        assert!(removed.contains("before the one at entry 7 was taken out"), "{removed}");
        let (dir, keys) = (tempfile::tempdir().unwrap(), Arc::default());
        drop(signed(dir.path(), &keys));
        let strange = Arc::new(MemoryStore::default());
        strange.generate(&LABEL).unwrap();
        assert!(said(of(dir.path(), &strange).verify()).contains("not signed"));
    }
}
