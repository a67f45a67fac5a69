//! The audit log: who did what to keys, certificates, tenants and boards, as a chain.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `audit` | u64, big-endian, from 1 | record |
//!
//! Each entry holds the digest of the one before: SHA-256 over `cellular-hub audit`, the entry's
//! number and its record. So no entry can be changed, moved or taken out of the middle unnoticed; that
//! the end was cut off is noticed only by who kept the head's digest ([`Audit::verify`]). Invariant:
//! entries are appended and read, never changed.

use bincode::{Decode, Encode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::tree::Tree;
use super::{Inner, decode, encode};
use crate::record::Record;
use crate::{Store, StoreError, UnixSeconds};

const TREE: &str = "audit";

/// The audit log of a [`Store`].
#[derive(Clone)]
pub struct Audit<'a> {
    inner: &'a Inner,
    tree: Tree,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct AuditEvent {
    /// When.
    pub at: UnixSeconds,
    /// Who did it: `uid:1000` at the command line.
    pub who: String,
    /// What, as a noun and a verb: `key.new`, `certificate.issue`.
    pub what: String,
    /// To what: a key's, tenant's or board's name.
    pub subject: String,
    /// The rest, a JSON object. Never a secret.
    pub detail: String,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct AuditEntry {
    /// What was done.
    pub event: AuditEvent,
    /// The digest of the entry before; zeros in the first.
    pub previous: AuditDigest,
}

/// The digest of an entry, and of all before it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct AuditDigest(pub [u8; 32]);

/// Where a log ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AuditHead {
    /// The number of its last entry; 0 when it is empty.
    pub entries: u64,
    /// That entry's digest: whoever keeps it notices any change to what was written until then.
    pub digest: AuditDigest,
}

/// Why a log is not to be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// An entry is missing.
    #[error("the audit log has no entry {number}: it was taken out")]
    Gap {
        /// Which.
        number: u64,
    },
    /// An entry does not follow from the one before.
    #[error("the audit log is broken at entry {number}: that entry or the one before was changed")]
    Broken {
        /// Which.
        number: u64,
    },
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Record for AuditEntry {
    const VERSION: u8 = 1;
}

impl std::fmt::Display for AuditDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for AuditDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for AuditDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Store {
    /// The audit log.
    pub fn audit(&self) -> Result<Audit<'_>, StoreError> {
        let tree = Tree::open(&self.inner.db, TREE, &self.inner.health)?;
        Ok(Audit { inner: &self.inner, tree })
    }
}

impl Audit<'_> {
    /// Appends an entry and gives the log's new head; durable on return.
    pub fn append(&self, event: AuditEvent) -> Result<AuditHead, StoreError> {
        let writer = self.inner.writer();
        let (number, previous) = match self.tree.last()? {
            None => (1, AuditDigest::default()),
            Some((key, record)) => (number(&key)?.saturating_add(1), digest(&key, &record)),
        };
        let key = number.to_be_bytes();
        let record = encode(&key, &AuditEntry { event, previous })?;
        let head = AuditHead { entries: number, digest: digest(&key, &record) };
        self.tree.insert(key, record)?;
        drop(writer);
        self.inner.flush()?;
        Ok(head)
    }

    /// The entries from number `first` on, with their numbers.
    pub fn iter(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<(u64, AuditEntry), StoreError>> + use<> {
        let entries = self.tree.range(&first.to_be_bytes()[..]..);
        entries.map(|entry| {
            let (key, record) = entry?;
            Ok((number(&key)?, decode(TREE, &key, &record)?))
        })
    }

    /// Reads the whole chain and gives its head.
    ///
    /// # Errors
    /// The first entry that does not follow from the one before.
    pub fn verify(&self) -> Result<AuditHead, AuditError> {
        let mut head = AuditHead::default();
        for entry in self.tree.iter() {
            let (key, record) = entry?;
            let expected = head.entries + 1;
            match number(&key)? {
                number if number != expected => return Err(AuditError::Gap { number: expected }),
                number => {
                    let entry: AuditEntry = decode(TREE, &key, &record)?;
                    if entry.previous != head.digest {
                        return Err(AuditError::Broken { number });
                    }
                }
            }
            head = AuditHead { entries: expected, digest: digest(&key, &record) };
        }
        Ok(head)
    }
}

impl std::fmt::Debug for Audit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

fn digest(key: &[u8], record: &[u8]) -> AuditDigest {
    let mut hash = Sha256::new();
    hash.update(b"cellular-hub audit");
    hash.update(key);
    hash.update(record);
    AuditDigest(hash.finalize().into())
}

fn number(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = <[u8; 8]>::try_from(key).map_err(|_| {
        let source = bincode::error::DecodeError::Other("a number has 8 bytes");
        super::corrupt(TREE, key, crate::record::RecordError::Malformed(source))
    })?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn event(what: &str) -> AuditEvent {
        AuditEvent {
            at: UnixSeconds(1_700_000_000),
            who: String::from("uid:0"),
            what: what.to_owned(),
            subject: String::from("root"),
            detail: String::from("{}"),
        }
    }

    fn three(dir: &Path) -> AuditHead {
        let store = Store::open(dir).unwrap();
        let audit = store.audit().unwrap();
        let heads =
            ["key.new", "tenant.add", "key.new"].map(|what| audit.append(event(what)).unwrap());
        assert_eq!(audit.verify().unwrap(), heads[2]);
        heads[2]
    }

    fn after(damage: impl FnOnce(&sled::Tree)) -> Result<AuditHead, AuditError> {
        let dir = tempfile::tempdir().unwrap();
        three(dir.path());
        let db = sled::open(dir.path().join("sled")).unwrap();
        damage(&db.open_tree(TREE).unwrap());
        drop(db);
        let store = Store::open(dir.path()).unwrap();
        store.audit().unwrap().verify()
    }

    #[test]
    fn entries_are_numbered_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let head = three(dir.path());
        assert_eq!(head.entries, 3);
        let store = Store::open(dir.path()).unwrap();
        let audit = store.audit().unwrap();
        let whats: Vec<_> = audit.iter(2).map(|entry| entry.unwrap()).collect();
        assert_eq!(whats.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(whats[0].1.event, event("tenant.add"));
        assert_eq!(audit.append(event("x")).unwrap().entries, 4);
        assert_eq!(audit.verify().unwrap().entries, 4);
    }

    #[test]
    fn the_bytes_of_an_entry_and_its_digest_stay_as_they_are() {
        let entry = AuditEntry { event: event("key.new"), previous: AuditDigest([7; 32]) };
        let record = encode(b"", &entry).unwrap();
        let mut golden = vec![1, 252, 0x00, 0xf1, 0x53, 0x65];
        for text in ["uid:0", "key.new", "root", "{}"] {
            golden.push(u8::try_from(text.len()).unwrap());
            golden.extend_from_slice(text.as_bytes());
        }
        golden.extend_from_slice(&[7; 32]);
        assert_eq!(record, golden);
        let digest = digest(&1_u64.to_be_bytes(), &record).to_string();
        assert_eq!(digest, "3c12fc7895b1afd8d8072d4834e5bbaadaf8ee21c09f32bd8bcd4a60d6893ffd");
    }

    #[test]
    fn a_changed_removed_or_swapped_entry_is_noticed() {
        let said = |result: Result<AuditHead, AuditError>| result.unwrap_err().to_string();
        let key = |number: u64| number.to_be_bytes();
        let changed = after(|tree| {
            let other = AuditEntry { event: event("other"), previous: AuditDigest::default() };
            tree.insert(key(1), encode(b"", &other).unwrap()).unwrap();
        });
        assert!(said(changed).contains("broken at entry 2"));
        let removed = after(|tree| drop(tree.remove(key(2)).unwrap()));
        assert!(said(removed).contains("no entry 2"));
        let beheaded = after(|tree| drop(tree.remove(key(1)).unwrap()));
        assert!(said(beheaded).contains("no entry 1"));
        let swapped = after(|tree| {
            let (second, third) =
                (tree.get(key(2)).unwrap().unwrap(), tree.get(key(3)).unwrap().unwrap());
            tree.insert(key(2), third).unwrap();
            tree.insert(key(3), second).unwrap();
        });
        assert!(said(swapped).contains("broken at entry 2"));
        // Whoever kept the head's digest notices this one.
        let cut = after(|tree| drop(tree.remove(key(3)).unwrap()));
        assert_eq!(cut.unwrap().entries, 2);
    }
}
