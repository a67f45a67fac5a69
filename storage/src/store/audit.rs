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

use std::net::IpAddr;

use bincode::{Decode, Encode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::tree::Tree;
use super::{Inner, decode, encode};
use crate::record::{Record, RecordError, decode_body};
use crate::{Store, StoreError, TenantId, UnixSeconds};

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
    /// Who did it: `uid:1000` at the command line, `user:anna` or a token of hers over the network.
    pub who: String,
    /// From where, over the network.
    pub source: Option<IpAddr>,
    /// What, as a noun and a verb: `key.new`, `certificate.issue`.
    pub what: String,
    /// To what: a key's, tenant's or board's name.
    pub subject: String,
    /// Whose that is, where it is a tenant's.
    pub tenant: Option<TenantId>,
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
    const VERSION: u8 = 2;

    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        // Before people came over the network.
        (version == 1).then(|| {
            let ((at, who, what, subject, detail, previous), used) = decode_body(body)?;
            let (source, tenant) = (None, None);
            let event = AuditEvent { at, who, source, what, subject, tenant, detail };
            Ok((Self { event, previous }, used))
        })
    }
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

    /// The same, each with its digest.
    pub fn iter_with_digests(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<(u64, AuditEntry, AuditDigest), StoreError>> + use<> {
        let entries = self.tree.range(&first.to_be_bytes()[..]..);
        entries.map(|entry| {
            let (key, record) = entry?;
            Ok((number(&key)?, decode(TREE, &key, &record)?, digest(&key, &record)))
        })
    }

    /// The entry of this number.
    pub fn entry(&self, number: u64) -> Result<Option<AuditEntry>, StoreError> {
        let key = number.to_be_bytes();
        self.tree.get(key)?.map(|record| decode(TREE, &key, &record)).transpose()
    }

    /// Where the log ends, as far as its last entry tells.
    pub fn head(&self) -> Result<AuditHead, StoreError> {
        Ok(match self.tree.last()? {
            None => AuditHead::default(),
            Some((key, record)) => {
                AuditHead { entries: number(&key)?, digest: digest(&key, &record) }
            }
        })
    }

    /// Reads the whole chain and gives its head.
    ///
    /// # Errors
    /// The first entry that does not follow from the one before.
    pub fn verify(&self) -> Result<AuditHead, AuditError> {
        self.follow(|_, _| {})
    }

    /// The same, and says of each entry what it is and where the log ended with it.
    ///
    /// # Errors
    /// As [`Audit::verify`].
    pub fn follow(
        &self,
        mut each: impl FnMut(&AuditEntry, AuditHead),
    ) -> Result<AuditHead, AuditError> {
        let mut head = AuditHead::default();
        for entry in self.tree.iter() {
            let (key, record) = entry?;
            let expected = head.entries + 1;
            if number(&key)? != expected {
                return Err(AuditError::Gap { number: expected });
            }
            let entry: AuditEntry = decode(TREE, &key, &record)?;
            if entry.previous != head.digest {
                return Err(AuditError::Broken { number: expected });
            }
            head = AuditHead { entries: expected, digest: digest(&key, &record) };
            each(&entry, head);
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
            source: None,
            what: what.to_owned(),
            subject: String::from("root"),
            tenant: None,
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
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let at = [252, 0x00, 0xf1, 0x53, 0x65];
        let texts = |texts: &[&str]| texts.iter().flat_map(|it| text(it)).collect::<Vec<u8>>();
        let mut entry = AuditEntry { event: event("key.new"), previous: AuditDigest([7; 32]) };
        let older = [&[1][..], &at, &texts(&["uid:0", "key.new", "root", "{}"]), &[7; 32]].concat();
        assert_eq!(decode::<AuditEntry>(TREE, b"", &older).unwrap(), entry);
        let of_it = digest(&1_u64.to_be_bytes(), &older).to_string();
        assert_eq!(of_it, "3c12fc7895b1afd8d8072d4834e5bbaadaf8ee21c09f32bd8bcd4a60d6893ffd");

        let golden = |source: &[u8], tenant: &[u8]| {
            let (who, what) = (text("uid:0"), texts(&["key.new", "root"]));
            [&[2][..], &at, &who, source, &what, tenant, &text("{}"), &[7; 32]].concat()
        };
        assert_eq!(encode(b"", &entry).unwrap(), golden(&[0], &[0]));
        entry.event.source = Some("10.0.0.1".parse().unwrap());
        entry.event.tenant = Some("acme".parse().unwrap());
        let tenant = [&[1][..], &text("acme")].concat();
        let record = encode(b"", &entry).unwrap();
        assert_eq!(record, golden(&[1, 0, 10, 0, 0, 1], &tenant));
        assert_eq!(decode::<AuditEntry>(TREE, b"", &record).unwrap(), entry);
    }

    #[test]
    fn a_chain_goes_on_over_entries_of_both_versions() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut older = vec![1, 5];
        for text in ["uid:0", "key.new", "root", "{}"] {
            older.push(u8::try_from(text.len()).unwrap());
            older.extend_from_slice(text.as_bytes());
        }
        older.extend_from_slice(&[0; 32]);
        let audit = store.audit().unwrap();
        audit.tree.insert(1_u64.to_be_bytes(), older).unwrap();
        let head = audit.append(event("tenant.add")).unwrap();
        assert_eq!((head.entries, audit.verify().unwrap()), (2, head));
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
