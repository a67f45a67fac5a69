//! Firmware images: any bytes are answered, nothing passes that is not signed, and every image that can
//! be made of the input is taken back as it was meant.
#![no_main]

use std::sync::LazyLock;

use image::{
    Dependency, Image, KeyId, KeySet, Keyring, PublicKey, Signature, Unsigned, Version, digest,
    write_tail,
};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as Ecdsa, SigningKey};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_slice(&[7; 32]).unwrap());
static RING: LazyLock<Keyring> = LazyLock::new(|| {
    let point = KEY.verifying_key().to_encoded_point(false);
    let point = point.as_bytes()[1..].try_into().unwrap();
    Keyring::new(&[PublicKey::from_point(point).unwrap()]).unwrap()
});

fuzz_target!(|data: &[u8]| {
    read(data);
    if let Some(bytes) = data.first_chunk() {
        let _ = Keyring::parse(bytes);
    }
    made(data);
});

fn read(mut bytes: &[u8]) {
    let Ok(image) = Image::read(&mut bytes) else { return };
    assert!(image.signed_length < image.length && image.length as usize <= bytes.len());
    assert!(u32::from(image.header.header_size) + image.header.body_size <= image.signed_length);
    // The key is known to nobody, and its like is in no seed but signed ones.
    if image.verify(&mut bytes, &RING, KeySet::default()).is_ok() {
        assert_eq!(image.digest, digest(&bytes[..image.signed_length as usize]));
    }
}

/// An image of the input: its first bytes say what kind, the rest is the body.
fn made(data: &[u8]) {
    let Some((&[kind, a, b, c, d, e, f, g], body)) = data.split_first_chunk() else { return };
    let version = Version {
        major: a,
        minor: b,
        revision: u16::from_le_bytes([c, d]),
        build: u32::from_le_bytes([d, e, f, g]),
    };
    let dependency = Dependency { image: a, at_least: version };
    let unsigned = Unsigned {
        body,
        header_size: 0x20 + u16::from(e) * 4,
        version,
        address: (kind & 1 != 0).then_some(u32::from(f) << 12),
        security_counter: (kind & 2 != 0).then_some(version.build),
        dependencies: &[dependency; 4][..usize::from(kind >> 2 & 3)],
        revoked_keys: &[KeyId([g; 32]); 4][..usize::from(kind >> 4 & 3)],
    };
    let mut bytes = vec![0; body.len() + 0x1000];
    let Ok(length) = unsigned.write(&mut bytes) else { return assert!(body.is_empty()) };
    let signed = digest(&bytes[..length]);
    let signature: Ecdsa = KEY.sign_prehash(&signed).unwrap();
    let (_, key) = RING.iter().next().unwrap();
    let signature = Signature::new(key.id(), signature.to_der().as_bytes()).unwrap();
    let tail = write_tail(&signed, &[signature], &mut bytes[length..]).unwrap();
    let mut source = &bytes[..length + tail];
    let image = Image::read(&mut source).unwrap();
    assert_eq!(image.verify(&mut source, &RING, KeySet::default()).unwrap().key, 0);
    assert_eq!(image.header.version, version);
    assert!(image.dependencies.iter().eq(unsigned.dependencies));
    assert!(image.revoked_keys.iter().eq(unsigned.revoked_keys));
}
