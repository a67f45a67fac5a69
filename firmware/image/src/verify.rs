//! Whether an image is what somebody trusted signed.
//!
//! The signature is checked over the digest that was computed, never over the one the image claims; a
//! check that is skipped therefore lets nothing pass by itself.

use p256::ecdsa::Signature as Ecdsa;
use p256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::digest::{self, Digest};
use crate::key::{KeyId, KeySet, Keyring, PublicKey};
use crate::read::{Image, Signature};
use crate::refusal::{ImageError, Refusal};
use crate::source::Source;

/// An image that was signed with a known key, and not changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentic {
    /// The place of the key in the ring.
    pub key: usize,
    /// What was computed and is signed.
    pub digest: Digest,
}

impl Image {
    /// Reads all of the image that is signed, and says whose it is. One good signature of a key that
    /// is known and not revoked is enough.
    pub fn verify<S: Source>(
        &self,
        source: &mut S,
        keyring: &Keyring,
        revoked: KeySet,
    ) -> Result<Authentic, ImageError<S::Error>> {
        let digest = self.digest_of(source)?;
        let key = self.signer(&digest, keyring, revoked)?;
        Ok(Authentic { key, digest })
    }

    /// The digest, where it is the one that the image claims.
    pub fn digest_of<S: Source>(&self, source: &mut S) -> Result<Digest, ImageError<S::Error>> {
        let digest = digest::digest_of(source, self.signed_length)?;
        if digest == self.digest { Ok(digest) } else { Err(Refusal::WrongDigest.into()) }
    }

    /// The place of the key that signed `digest`. A key that the image itself withdraws does not count:
    /// whoever took it over could not hand it on.
    pub fn signer(
        &self,
        digest: &Digest,
        keyring: &Keyring,
        revoked: KeySet,
    ) -> Result<usize, Refusal> {
        let mut refusal = None;
        for signature in self.signatures.iter() {
            refusal = Some(match keyring.iter().find(|(_, key)| key.id() == signature.key) {
                None => refusal.unwrap_or(Refusal::UnknownKey),
                Some((place, _)) if revoked.has(place) => Refusal::RevokedKey,
                Some((_, key)) if self.revokes(&key.id()) => Refusal::RevokedKey,
                Some((place, key)) if signature.is_of(key, digest) => return Ok(place),
                Some(_) => Refusal::WrongSignature,
            });
        }
        Err(refusal.unwrap_or(Refusal::NotSigned))
    }

    fn revokes(&self, key: &KeyId) -> bool {
        self.revoked_keys.iter().any(|revoked| revoked == key)
    }
}

impl Signature {
    /// Whether `key` signed `digest`.
    pub fn is_of(&self, key: &PublicKey, digest: &Digest) -> bool {
        let signature = Ecdsa::from_der(self.der()).ok();
        let checked = signature.zip(key.verifying());
        checked.is_some_and(|(signature, key)| key.verify_prehash(digest, &signature).is_ok())
    }
}
