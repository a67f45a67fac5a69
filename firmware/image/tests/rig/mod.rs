//! Images of all kinds, signed with keys that are made of a number.
#![allow(dead_code, clippy::expect_used, reason = "each program of tests uses its part")]

use image::{
    Dependency, Image, ImageError, KeyId, Keyring, PublicKey, Refusal, Signature, Unsigned,
    Version, digest, write_tail,
};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as Ecdsa, SigningKey};
use proptest::prelude::*;

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

    pub(crate) fn sign(&self, digest: &[u8; 32]) -> Signature {
        let signature: Ecdsa = self.0.sign_prehash(digest).unwrap();
        Signature::new(self.public().id(), signature.to_der().as_bytes()).unwrap()
    }
}

/// What an image is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) body: Vec<u8>,
    pub(crate) header_size: u16,
    pub(crate) version: Version,
    pub(crate) address: Option<u32>,
    pub(crate) security_counter: Option<u32>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) revoked_keys: Vec<KeyId>,
}

impl Plan {
    pub(crate) fn of(version: &str) -> Self {
        Self {
            body: (0..=255).cycle().take(777).collect(),
            header_size: 0x200,
            version: version.parse().unwrap(),
            address: None,
            security_counter: Some(7),
            dependencies: Vec::new(),
            revoked_keys: Vec::new(),
        }
    }

    /// Header, body and protected area.
    pub(crate) fn unsigned(&self) -> Vec<u8> {
        let unsigned = Unsigned {
            body: &self.body,
            header_size: self.header_size,
            version: self.version,
            address: self.address,
            security_counter: self.security_counter,
            dependencies: &self.dependencies,
            revoked_keys: &self.revoked_keys,
        };
        let mut bytes = vec![0; self.body.len() + usize::from(self.header_size) + 1024];
        let length = unsigned.write(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }

    pub(crate) fn signed(&self, pairs: &[&Pair]) -> Vec<u8> {
        let unsigned = self.unsigned();
        let digest = digest(&unsigned);
        let signatures: Vec<_> = pairs.iter().map(|pair| pair.sign(&digest)).collect();
        finished(unsigned, &signatures)
    }
}

/// With its digest and these signatures behind it.
pub(crate) fn finished(mut unsigned: Vec<u8>, signatures: &[Signature]) -> Vec<u8> {
    let digest = digest(&unsigned);
    let mut tail = [0; 512];
    let length = write_tail(&digest, signatures, &mut tail).unwrap();
    unsigned.extend_from_slice(&tail[..length]);
    unsigned
}

pub(crate) fn keyring(pairs: &[&Pair]) -> Keyring {
    let keys: Vec<_> = pairs.iter().map(|pair| pair.public()).collect();
    Keyring::new(&keys).unwrap()
}

/// The place of the key that an image is signed with, or why it is refused.
pub(crate) fn judged(mut bytes: &[u8], keyring: &Keyring) -> Result<usize, Refusal> {
    let source = &mut bytes;
    let judge =
        Image::read(source).and_then(|image| image.verify(source, keyring, Default::default()));
    judge.map(|authentic| authentic.key).map_err(|error| {
        let refused = match error {
            ImageError::Refused(refusal) => Some(refusal),
            ImageError::Source(_) => None,
        };
        refused.expect("no more is read than there is")
    })
}

pub(crate) fn versions() -> impl Strategy<Value = Version> {
    any::<(u8, u8, u16, u32)>().prop_map(|(major, minor, revision, build)| Version {
        major,
        minor,
        revision,
        build,
    })
}

/// Anything that an image can be.
pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let dependency =
        (any::<u8>(), versions()).prop_map(|(image, at_least)| Dependency { image, at_least });
    let body = (1_usize..3000, any::<u8>())
        .prop_map(|(length, seed)| (0..=255).cycle().skip(seed.into()).take(length).collect());
    let header = prop_oneof![Just(0x20), Just(0x200), Just(0x800), 0x20_u16..0x1000];
    (
        body,
        header,
        versions(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
        proptest::collection::vec(dependency, 0..=4),
        proptest::option::of(any::<[u8; 32]>()),
    )
        .prop_map(|(body, header_size, version, address, counter, dependencies, revoked)| {
            Plan {
                body,
                header_size,
                version,
                address: address.filter(|address| *address != 0),
                security_counter: counter,
                dependencies,
                revoked_keys: revoked.map(KeyId).into_iter().collect(),
            }
        })
}
