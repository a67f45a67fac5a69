//! Sealing of records at rest: AES-256-GCM under a key of each record's own.
//!
//! A record's key is HMAC-SHA256 of the sealing key over the record's context (its tree and its key)
//! and 16 random bytes that stand before it; so no nonce can repeat, however often a record is
//! rewritten, and a record moved to another place does not open. Invariant: keys are wiped when
//! dropped and never printed.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::KeyId;

/// The layout of what one key seals; [`crate::Keyring`] has another, which names its key.
pub(crate) const VERSION: u8 = 1;
const SALT: usize = 16;
const TAG: usize = 16;

/// Bytes that sealing adds, behind what says how and under which key.
pub(crate) const BODY_OVERHEAD: usize = SALT + TAG;

/// A key of 32 bytes that records are sealed under, or that such keys are derived from.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealingKey([u8; 32]);

/// Why a sealed record was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Shorter than a seal.
    #[error("a sealed record of {bytes} bytes is too short")]
    TooShort {
        /// Its length.
        bytes: usize,
    },
    /// Sealed by a newer hub.
    #[error("seal version {found} is not known")]
    UnknownVersion {
        /// The version byte.
        found: u8,
    },
    /// Another key, another place, or changed bytes.
    #[error("the record does not open: sealed under another master key, or damaged")]
    DoesNotOpen,
    /// Sealed under a key that is not in the keyring.
    #[error("the record is sealed under data key {key}, which the keyring does not have")]
    UnknownKey {
        /// The key.
        key: KeyId,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey").finish_non_exhaustive()
    }
}

impl SealingKey {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// The key made of these bytes; they must be random.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// A new random key.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn random() -> Result<Self, SealError> {
        let mut key = Self([0; Self::LEN]);
        getrandom::fill(&mut key.0).map_err(|_| SealError::Random)?;
        Ok(key)
    }

    /// The key itself, for whoever wraps it under another.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// A key for one purpose, unlike that for any other `label`.
    #[must_use]
    pub fn derive(&self, label: &str) -> Self {
        Self(*self.mac(&[b"derive", label.as_bytes()]))
    }

    /// The first 16 bytes, for what needs an AES-128 key and nothing else from this one.
    #[must_use]
    pub fn first_half(&self) -> Zeroizing<[u8; 16]> {
        let mut half = Zeroizing::new([0; 16]);
        half.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        half
    }

    /// Seals `plaintext` for the place that `context` names.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn seal(&self, context: &[&[u8]], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_behind(&[VERSION], context, plaintext)
    }

    /// Opens what [`SealingKey::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError`]; any bytes give a record or an error.
    pub fn open(&self, context: &[&[u8]], record: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let too_short = SealError::TooShort { bytes: record.len() };
        match record.split_first().ok_or(too_short)? {
            (&VERSION, body) => self.open_body(context, body),
            (&found, _) => Err(SealError::UnknownVersion { found }),
        }
    }

    /// Seals `plaintext` behind a head that says how.
    pub(crate) fn seal_behind(
        &self,
        head: &[u8],
        context: &[&[u8]],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|_| SealError::Random)?;
        let sealed = self.cipher(context, &salt).encrypt(&Nonce::default(), plaintext);
        let sealed = sealed.map_err(|_| SealError::DoesNotOpen)?;
        Ok([head, &salt, &sealed].concat())
    }

    /// Opens what is behind that head.
    pub(crate) fn open_body(
        &self,
        context: &[&[u8]],
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let too_short = SealError::TooShort { bytes: body.len() };
        let (salt, sealed) = body.split_first_chunk::<SALT>().ok_or(too_short)?;
        let opened = self.cipher(context, salt).decrypt(&Nonce::default(), sealed);
        opened.map(Zeroizing::new).map_err(|_| SealError::DoesNotOpen)
    }

    /// The nonce may be constant: the key is the salt's own.
    fn cipher(&self, context: &[&[u8]], salt: &[u8; SALT]) -> Aes256Gcm {
        let mut parts = vec![&b"record"[..]];
        parts.extend_from_slice(context);
        parts.push(salt);
        let key = self.mac(&parts);
        Aes256Gcm::new((&*key).into())
    }

    /// HMAC over the parts, each behind its length.
    fn mac(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        // HMAC pads a short key with zeros to the hash's block; doing it here cannot fail.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> SealingKey {
        SealingKey::new([7; 32])
    }

    #[test]
    fn what_was_sealed_opens_in_its_own_place_alone() {
        let sealed = key().seal(&[b"sessions", b"\0\0\0\x01"], b"keys").unwrap();
        assert_eq!(sealed.len(), 1 + BODY_OVERHEAD + 4);
        assert_eq!(&**key().open(&[b"sessions", b"\0\0\0\x01"], &sealed).unwrap(), b"keys");
        let elsewhere = key().open(&[b"sessions", b"\0\0\0\x02"], &sealed);
        assert_eq!(elsewhere, Err(SealError::DoesNotOpen));
        let shifted = key().open(&[b"session", b"s\0\0\0\x01"], &sealed);
        assert_eq!(shifted, Err(SealError::DoesNotOpen));
    }

    #[test]
    fn keys_of_two_purposes_differ() {
        let sealed = key().derive("a").seal(&[], b"x").unwrap();
        assert_eq!(key().derive("b").open(&[], &sealed), Err(SealError::DoesNotOpen));
        assert!(key().derive("a").open(&[], &sealed).is_ok());
    }

    #[test]
    fn sealing_twice_gives_two_records() {
        assert_ne!(key().seal(&[], b"x").unwrap(), key().seal(&[], b"x").unwrap());
    }

    #[test]
    fn a_record_sealed_by_the_first_version_opens_for_ever() {
        let golden = [
            1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 203, 137, 174, 23, 194, 228,
            81, 74, 101, 122, 205, 177, 200, 160, 112, 133, 96, 209, 234, 216,
        ];
        let opened = key().open(&[b"t", b"k"], &golden);
        assert_eq!(opened.map(|plain| plain.to_vec()), Ok(b"gold".to_vec()));
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_opens(at in 0_usize..60, bit in 0_u8..8, plain in any::<[u8; 27]>()) {
            let mut sealed = key().seal(&[b"c"], &plain).unwrap();
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert!(key().open(&[b"c"], &sealed).is_err());
        }

        #[test]
        fn any_bytes_give_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(key().open(&[b"c"], &bytes).is_err());
        }
    }
}
