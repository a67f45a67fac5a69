//! The public keys that may have signed an image.
//!
//! Never holds a private one.

use p256::ecdsa::VerifyingKey;
use thiserror::Error;

use crate::digest::{DIGEST_LENGTH, Digest, digest};
use crate::few::Few;

/// Keys that a board knows at most.
pub const KEYS_MAX: usize = 8;

/// What comes before the point in the DER of a P-256 key (SubjectPublicKeyInfo, RFC 5480).
const SPKI: [u8; 27] = [
    0x30,
    0x59,
    0x30,
    0x13,
    0x06,
    0x07,
    0x2a,
    0x86,
    0x48,
    0xce,
    0x3d,
    0x02,
    0x01,
    0x06,
    0x08,
    0x2a,
    0x86,
    0x48,
    0xce,
    0x3d,
    0x03,
    0x01,
    0x07,
    0x03,
    0x42,
    0x00,
    UNCOMPRESSED,
];
const UNCOMPRESSED: u8 = 4;
const POINT: usize = 64;

/// SHA-256 of a key's SubjectPublicKeyInfo: how an image names the key that signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Digest);

/// A key on P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Both coordinates.
    point: [u8; POINT],
}

impl PublicKey {
    /// From SubjectPublicKeyInfo in DER, as `openssl ec -pubout -outform DER` writes it; `None` for
    /// any other kind of key, and for a point that is not on the curve.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        Self::from_point(der.strip_prefix(&SPKI)?.try_into().ok()?)
    }

    /// From both coordinates.
    pub fn from_point(point: [u8; POINT]) -> Option<Self> {
        let key = Self { point };
        key.verifying().map(|_| key)
    }

    /// Both coordinates.
    pub fn point(&self) -> &[u8; POINT] {
        &self.point
    }

    /// How images name it.
    pub fn id(&self) -> KeyId {
        let mut spki = [0; SPKI.len() + POINT];
        let bytes = SPKI.iter().chain(&self.point);
        for (place, byte) in spki.iter_mut().zip(bytes) {
            *place = *byte;
        }
        KeyId(digest(&spki))
    }

    pub(crate) fn verifying(&self) -> Option<VerifyingKey> {
        let point = p256::EncodedPoint::from_untagged_bytes(&self.point.into());
        VerifyingKey::from_encoded_point(&point).ok()
    }
}

/// Some keys of a keyring, by their places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySet(pub u32);

impl KeySet {
    /// Whether the key at `place` is one of them.
    pub fn has(self, place: usize) -> bool {
        self.0 & Self::of(place).0 != 0
    }

    /// These and the one at `place`.
    pub fn with(self, place: usize) -> Self {
        Self(self.0 | Self::of(place).0)
    }

    fn of(place: usize) -> Self {
        let bit = u32::try_from(place).ok().and_then(|place| 1_u32.checked_shl(place));
        Self(bit.unwrap_or(0))
    }
}

/// The keys of one board, written into its flash where it is made and never again: a key's place is its
/// number for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: Few<PublicKey, KEYS_MAX>,
}

/// Bytes that are no keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no keyring: it is empty, damaged, or holds a point that is not on the curve")]
pub struct MalformedKeyring;

impl Keyring {
    /// Magic, count, keys, digest of all that: as long whatever it holds.
    pub const LENGTH: usize = Self::HEAD + KEYS_MAX * POINT + DIGEST_LENGTH;
    const HEAD: usize = 8;
    /// `CHKR`, and the version of the form.
    const MAGIC: [u8; 7] = *b"CHKR\x01\0\0";

    /// One of these keys, in their order; `None` where there are more than [`KEYS_MAX`], or none.
    pub fn new(keys: &[PublicKey]) -> Option<Self> {
        let mut ring = Self::default();
        keys.iter().try_for_each(|key| ring.keys.push(*key)).ok()?;
        if keys.is_empty() { None } else { Some(ring) }
    }

    /// Each key with its place.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &PublicKey)> {
        self.keys.iter().enumerate()
    }

    /// The place of a key.
    pub fn place(&self, id: &KeyId) -> Option<usize> {
        self.iter().find(|(_, key)| key.id() == *id).map(|(place, _)| place)
    }

    /// For the flash.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0xff; Self::LENGTH];
        let count = u8::try_from(self.keys.iter().count()).unwrap_or_default();
        let points = self.keys.iter().flat_map(|key| key.point);
        let content = Self::MAGIC.into_iter().chain([count]).chain(points);
        for (place, byte) in bytes.iter_mut().zip(content) {
            *place = byte;
        }
        if let Some((content, check)) = bytes.split_last_chunk_mut::<DIGEST_LENGTH>() {
            *check = digest(content);
        }
        bytes
    }

    /// From the flash.
    pub fn parse(bytes: &[u8; Self::LENGTH]) -> Result<Self, MalformedKeyring> {
        let (content, check) = bytes.split_last_chunk::<DIGEST_LENGTH>().ok_or(MalformedKeyring)?;
        let (head, points) =
            content.split_first_chunk::<{ Self::HEAD }>().ok_or(MalformedKeyring)?;
        let (count, magic) = head.split_last().ok_or(MalformedKeyring)?;
        let is_whole = digest(content) == *check && *magic == Self::MAGIC;
        if !is_whole || *count == 0 || usize::from(*count) > KEYS_MAX {
            return Err(MalformedKeyring);
        }
        let mut ring = Self::default();
        for point in points.chunks_exact(POINT).take(usize::from(*count)) {
            let point = point.try_into().map_err(|_| MalformedKeyring)?;
            let key = PublicKey::from_point(point).ok_or(MalformedKeyring)?;
            ring.keys.push(key).map_err(|_| MalformedKeyring)?;
        }
        Ok(ring)
    }
}
