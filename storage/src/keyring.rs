//! The data keys: what records in the store are sealed under, each behind a number.
//!
//! ```text
//! version 2   the key's number, big-endian   salt   sealed
//! 1           2                              16     n + 16
//! ```
//! What hubs before the keyring sealed (version 1, without a number) is under the first key. Another
//! key can be added while records are written and read: what is sealed from then on is under that
//! one, and the older open what is still under them.
//!
//! Invariant: a key is in the store, wrapped, before anything is sealed under it, and leaves the
//! keyring when nothing is ([`crate::Store::retire_keys`]).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::seal::{self, BODY_OVERHEAD};
use crate::{SealError, SealingKey};

const VERSION: u8 = 2;
const ID: usize = 2;

/// Bytes that sealing adds to a record.
pub const SEAL_OVERHEAD: usize = 1 + ID + BODY_OVERHEAD;

/// The number of a data key; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct KeyId(pub u16);

impl KeyId {
    /// The first, under which is what names no key.
    pub const FIRST: Self = Self(1);

    /// The one behind it; `None` behind the last there can be.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

/// The data keys of a store, open; clones are the same.
#[derive(Clone)]
pub struct Keyring(Arc<RwLock<Keys>>);

struct Keys {
    /// The last is what records are sealed under.
    sealing: BTreeMap<KeyId, SealingKey>,
    /// What Connection IDs are made with.
    naming: SealingKey,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// A keyring of one key for records, and one that Connection IDs are made with.
    #[must_use]
    pub fn new(first: (KeyId, SealingKey), naming: SealingKey) -> Self {
        Self(Arc::new(RwLock::new(Keys { sealing: BTreeMap::from([first]), naming })))
    }

    /// Adds a key; records are sealed under the one with the greatest number.
    pub fn add(&self, id: KeyId, key: SealingKey) {
        self.write().sealing.insert(id, key);
    }

    /// Takes a key out, unless it is the one that records are sealed under.
    pub(crate) fn remove(&self, id: KeyId) {
        let mut keys = self.write();
        if keys.sealing.last_key_value().is_some_and(|(last, _)| *last != id) {
            keys.sealing.remove(&id);
        }
    }

    /// The number of the key that records are sealed under.
    #[must_use]
    pub fn current(&self) -> KeyId {
        self.read().sealing.last_key_value().map_or(KeyId::FIRST, |(id, _)| *id)
    }

    /// The numbers of the keys for records that are older than the current one.
    #[must_use]
    pub fn older(&self) -> Vec<KeyId> {
        let keys = self.read();
        keys.sealing.keys().rev().skip(1).copied().collect()
    }

    /// A key for records, for whoever wraps it under another master key.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<SealingKey> {
        self.read().sealing.get(&id).cloned()
    }

    /// The key that Connection IDs are made with.
    #[must_use]
    pub fn naming(&self) -> SealingKey {
        self.read().naming.clone()
    }

    /// Seals `plaintext` for the place that `context` names.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn seal(&self, context: &[&[u8]], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let keys = self.read();
        let missing = SealError::UnknownKey { key: KeyId::FIRST };
        let (id, key) = keys.sealing.last_key_value().ok_or(missing)?;
        let [high, low] = id.0.to_be_bytes();
        key.seal_behind(&[VERSION, high, low], context, plaintext)
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// [`SealError`]; any bytes give a record or an error.
    pub fn open(&self, context: &[&[u8]], record: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, body) = parts(record)?;
        let keys = self.read();
        let key = keys.sealing.get(&id).ok_or(SealError::UnknownKey { key: id })?;
        key.open_body(context, body)
    }

    /// Which key a record says it is sealed under.
    ///
    /// # Errors
    /// [`SealError`] for what has not the form of a sealed record.
    pub fn key_of(record: &[u8]) -> Result<KeyId, SealError> {
        let (id, body) = parts(record)?;
        match body.len() >= BODY_OVERHEAD {
            true => Ok(id),
            false => Err(SealError::TooShort { bytes: record.len() }),
        }
    }

    // Whoever panicked with it had done everything or nothing.
    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record's key, and what is behind its name.
fn parts(record: &[u8]) -> Result<(KeyId, &[u8]), SealError> {
    let too_short = SealError::TooShort { bytes: record.len() };
    match record {
        [] => Err(too_short),
        [seal::VERSION, body @ ..] => Ok((KeyId::FIRST, body)),
        [VERSION, high, low, body @ ..] => Ok((KeyId(u16::from_be_bytes([*high, *low])), body)),
        [VERSION, ..] => Err(too_short),
        [found, ..] => Err(SealError::UnknownVersion { found: *found }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring() -> Keyring {
        Keyring::new((KeyId::FIRST, SealingKey::new([7; 32])), SealingKey::new([8; 32]))
    }

    #[test]
    fn a_record_names_its_key_and_opens_in_its_place_alone() {
        let ring = ring();
        let sealed = ring.seal(&[b"t", b"k"], b"gold").unwrap();
        assert_eq!((&sealed[..3], sealed.len()), (&[2, 0, 1][..], SEAL_OVERHEAD + 4));
        assert_eq!(Keyring::key_of(&sealed), Ok(KeyId::FIRST));
        assert_eq!(**ring.open(&[b"t", b"k"], &sealed).unwrap(), *b"gold");
        assert_eq!(ring.open(&[b"t", b"l"], &sealed), Err(SealError::DoesNotOpen));
    }

    #[test]
    fn what_one_key_sealed_before_there_were_several_is_under_the_first() {
        let sealed = SealingKey::new([7; 32]).seal(&[b"t"], b"old").unwrap();
        assert_eq!(Keyring::key_of(&sealed), Ok(KeyId::FIRST));
        assert_eq!(**ring().open(&[b"t"], &sealed).unwrap(), *b"old");
    }

    #[test]
    fn a_record_sealed_by_version_2_opens_for_ever() {
        let golden = [
            2, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 203, 137, 174, 23, 194,
            228, 81, 74, 101, 122, 205, 177, 200, 160, 112, 133, 96, 209, 234, 216,
        ];
        assert_eq!(**ring().open(&[b"t", b"k"], &golden).unwrap(), *b"gold");
    }

    #[test]
    fn another_key_seals_and_the_older_still_opens_until_it_is_taken_out() {
        let ring = ring();
        let old = ring.seal(&[], b"old").unwrap();
        ring.add(KeyId(2), SealingKey::random().unwrap());
        let new = ring.seal(&[], b"new").unwrap();
        assert_eq!((ring.current(), Keyring::key_of(&new)), (KeyId(2), Ok(KeyId(2))));
        assert!(ring.open(&[], &old).is_ok() && ring.open(&[], &new).is_ok());
        ring.remove(KeyId(2));
        ring.remove(KeyId::FIRST);
        assert_eq!(ring.open(&[], &old), Err(SealError::UnknownKey { key: KeyId::FIRST }));
        assert!(ring.open(&[], &new).is_ok(), "the current key stays");
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let said = format!("{:?} {:?}", ring(), ring().naming());
        assert!(!said.contains('7') && !said.contains('8'), "{said}");
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_opens(at in 0_usize..60, bit in 0_u8..8, plain in any::<[u8; 25]>()) {
            let ring = ring();
            ring.add(KeyId(2), SealingKey::new([9; 32]));
            let mut sealed = ring.seal(&[b"c"], &plain).unwrap();
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert!(ring.open(&[b"c"], &sealed).is_err());
        }

        #[test]
        fn any_bytes_give_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(ring().open(&[b"c"], &bytes).is_err());
            let _ = Keyring::key_of(&bytes);
        }
    }
}
