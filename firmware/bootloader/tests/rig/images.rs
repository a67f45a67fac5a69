//! Images that are programs as far as a bootloader can see, signed with keys that are made of a number.

use image::{Dependency, KeyId, Keyring, PublicKey, Signature, Unsigned, digest, write_tail};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as Ecdsa, SigningKey};

use super::{MAP, SECTOR};

/// A pair of keys.
pub(crate) struct Pair(SigningKey);

impl Pair {
    pub(crate) fn of(number: u8) -> Self {
        Self(SigningKey::from_slice(&[number.max(1); 32]).unwrap())
    }

    pub(crate) fn public(&self) -> PublicKey {
        let point = self.0.verifying_key().to_encoded_point(false);
        PublicKey::from_point(point.as_bytes()[1..].try_into().unwrap()).unwrap()
    }

    fn sign(&self, digest: &[u8; 32]) -> Signature {
        let signature: Ecdsa = self.0.sign_prehash(digest).unwrap();
        Signature::new(self.public().id(), signature.to_der().as_bytes()).unwrap()
    }
}

pub(crate) fn keyring(pairs: &[&Pair]) -> Keyring {
    let keys: Vec<_> = pairs.iter().map(|pair| pair.public()).collect();
    Keyring::new(&keys).unwrap()
}

/// An image to be made.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) version: &'static str,
    pub(crate) sectors: u32,
    pub(crate) counter: u32,
    pub(crate) address: Option<u32>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) revoked_keys: Vec<KeyId>,
    pub(crate) stack: u32,
    /// From the beginning of the first slot.
    pub(crate) reset: u32,
    pub(crate) header_size: u16,
}

impl Plan {
    /// Of three sectors, with counter 1.
    pub(crate) fn of(version: &'static str) -> Self {
        Self {
            version,
            sectors: 3,
            counter: 1,
            address: None,
            dependencies: Vec::new(),
            revoked_keys: Vec::new(),
            stack: MAP.memory.end(),
            reset: 0x89,
            header_size: 0x80,
        }
    }

    pub(crate) fn counter(self, counter: u32) -> Self {
        Self { counter, ..self }
    }

    pub(crate) fn sectors(self, sectors: u32) -> Self {
        Self { sectors, ..self }
    }

    pub(crate) fn revoking(self, pair: &Pair) -> Self {
        Self { revoked_keys: vec![pair.public().id()], ..self }
    }

    pub(crate) fn signed(&self, pair: &Pair) -> Vec<u8> {
        self.signed_by(&[pair])
    }

    pub(crate) fn signed_by(&self, pairs: &[&Pair]) -> Vec<u8> {
        let seed = self.version.bytes().fold(0, |sum: u8, byte| sum.wrapping_mul(31) ^ byte);
        // The header is 128 bytes, what follows the body less than 340.
        let body = usize::try_from(self.sectors * SECTOR).unwrap() - 340 - 0x80;
        let mut body: Vec<_> = (0..=255).map(|byte: u8| byte ^ seed).cycle().take(body).collect();
        let reset = MAP.address + MAP.first.at + self.reset;
        body[..4].copy_from_slice(&self.stack.to_le_bytes());
        body[4..8].copy_from_slice(&reset.to_le_bytes());
        let unsigned = Unsigned {
            body: &body,
            header_size: self.header_size,
            version: self.version.parse().unwrap(),
            address: self.address,
            security_counter: Some(self.counter),
            dependencies: &self.dependencies,
            revoked_keys: &self.revoked_keys,
        };
        let mut image = vec![0; body.len() + 0x1000];
        let length = unsigned.write(&mut image).unwrap();
        let digest = digest(&image[..length]);
        let signatures: Vec<_> = pairs.iter().map(|pair| pair.sign(&digest)).collect();
        let tail = write_tail(&digest, &signatures, &mut image[length..]).unwrap();
        image.truncate(length + tail);
        image
    }
}
