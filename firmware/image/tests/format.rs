//! The format, frozen: an image that imgtool 2.5 made, and what it may be changed into (nothing).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

mod rig;

use image::{
    Dependency, Few, Image, ImageError, KeyId, KeySet, Keyring, MalformedKeyring, PublicKey,
    Refusal, Unsigned, Version, digest, write_tail,
};
use rig::{Pair, Plan, judged, keyring};

const SIGNED: &[u8] = include_bytes!("golden/signed.bin");
const KEY: &[u8] = include_bytes!("golden/key.spki");
const BODY_END: usize = 0x40 + 200;
const PROTECTED_END: usize = BODY_END + 4 + 8 + 16 + 36;

fn ring() -> Keyring {
    Keyring::new(&[Pair::of(1).public(), PublicKey::from_spki(KEY).unwrap()]).unwrap()
}

fn read() -> Image {
    Image::read(&mut &SIGNED[..]).unwrap()
}

/// Ascending bytes from `first` on.
fn ascending<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        next += 1;
        next - 1
    })
}

#[test]
fn an_image_of_imgtool_says_what_it_is() {
    let image = read();
    let version = Version { major: 1, minor: 2, revision: 3, build: 45 };
    assert_eq!(image.header.version, version);
    assert_eq!(version.to_string(), "1.2.3+45");
    assert_eq!((image.header.header_size, image.header.body_size), (0x40, 200));
    assert_eq!((image.header.load_address, image.header.flags.0), (0x1001_0000, 0x100));
    assert_eq!(image.security_counter, 7);
    let dependency = Dependency { image: 0, at_least: "1.1.0".parse().unwrap() };
    assert!(image.dependencies.iter().eq(&[dependency]));
    assert!(image.revoked_keys.iter().eq(&[KeyId(ascending(0x20))]));
    assert_eq!(image.signed_length, PROTECTED_END.try_into().unwrap());
    assert_eq!(image.digest, digest(&SIGNED[..PROTECTED_END]));
    assert_eq!(judged(SIGNED, &ring()), Ok(1));
}

#[test]
fn the_same_is_made_here() {
    let image = read();
    let unsigned = Unsigned {
        body: &ascending::<200>(0),
        header_size: 0x40,
        version: image.header.version,
        address: Some(0x1001_0000),
        security_counter: Some(7),
        dependencies: &[Dependency { image: 0, at_least: "1.1".parse().unwrap() }],
        revoked_keys: &[KeyId(ascending(0x20))],
    };
    let mut made = [0; 1024];
    let length = unsigned.write(&mut made).unwrap();
    let digest = digest(&made[..length]);
    let signatures: Vec<_> = image.signatures.iter().copied().collect();
    let tail = write_tail(&digest, &signatures, &mut made[length..]).unwrap();
    assert_eq!(made[..length + tail], *SIGNED);
}

#[test]
fn every_truncation_is_told() {
    for length in 0..SIGNED.len() {
        let refusal = judged(&SIGNED[..length], &ring()).unwrap_err();
        let Refusal::Truncated { needed, present } = refusal else {
            panic!("{length}: {refusal:?}")
        };
        assert_eq!(present, u32::try_from(length).unwrap());
        assert!(needed > present && needed <= SIGNED.len().try_into().unwrap());
    }
}

#[test]
fn every_flipped_bit_is_refused_for_what_it_broke() {
    // Behind an image there is erased flash.
    let mut slot = SIGNED.to_vec();
    slot.resize(2048, 0xff);
    for bit in 0..SIGNED.len() * 8 {
        let mut changed = slot.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let refusal = judged(&changed, &ring()).unwrap_err();
        assert!(is_the_right(refusal, bit / 8), "bit {bit}: {refusal:?}");
    }
}

/// Whether a change of the byte `at` is refused so.
fn is_the_right(refusal: Refusal, at: usize) -> bool {
    use Refusal::*;
    let sizes = matches!(refusal, Sizes | NoTlvArea { .. } | Truncated { .. } | TlvOverrun { .. });
    let entry = matches!(refusal, TlvLength { .. } | TlvOverrun { .. } | TlvRepeated { .. });
    let digest = refusal == WrongDigest;
    let rest = at.wrapping_sub(PROTECTED_END);
    match at {
        0..4 => matches!(refusal, NotAnImage | OldFormat),
        4..8 => digest,
        8..16 => sizes,
        16..20 => digest || matches!(refusal, Flags(_)),
        20..BODY_END => digest,
        _ if at < BODY_END + 4 => sizes,
        _ if at < PROTECTED_END => digest || entry,
        _ => match rest {
            0..2 => matches!(refusal, NoTlvArea { .. }),
            // The area's length, and the head of each entry.
            2..4 => entry || sizes || matches!(refusal, NoDigest | NotSigned | TlvMisplaced { .. }),
            4..8 | 40..44 | 76..80 => entry || sizes || matches!(refusal, TlvMisplaced { .. }),
            8..40 => digest,
            44..76 => refusal == UnknownKey,
            _ => refusal == WrongSignature,
        },
    }
}

#[test]
fn who_signed_decides() {
    let [first, second, stranger] = [1, 2, 3].map(Pair::of);
    let (plan, ring) = (Plan::of("1.0"), keyring(&[&first, &second]));
    assert_eq!(judged(&plan.signed(&[&second]), &ring), Ok(1));
    assert_eq!(judged(&plan.signed(&[&stranger]), &ring), Err(Refusal::UnknownKey));
    assert_eq!(judged(&plan.signed(&[]), &ring), Err(Refusal::NotSigned));
    // While a key is being replaced an image has a signature of each.
    assert_eq!(judged(&plan.signed(&[&stranger, &second]), &ring), Ok(1));
    let bytes = plan.signed(&[&second]);
    let source = &mut &bytes[..];
    let image = Image::read(source).unwrap();
    let revoked = KeySet::default().with(1);
    let refused = image.verify(source, &ring, revoked);
    assert_eq!(refused, Err(ImageError::Refused(Refusal::RevokedKey)));
    let bytes = plan.signed(&[&second, &first]);
    let source = &mut &bytes[..];
    let image = Image::read(source).unwrap();
    assert_eq!(image.verify(source, &ring, revoked).unwrap().key, 0);
}

#[test]
fn a_signature_of_another_image_is_none() {
    let pair = Pair::of(1);
    let (one, other) = (Plan::of("1.0").unsigned(), Plan::of("1.1").unsigned());
    let borrowed = rig::finished(one, &[pair.sign(&digest(&other))]);
    assert_eq!(judged(&borrowed, &keyring(&[&pair])), Err(Refusal::WrongSignature));
}

#[test]
fn what_is_outside_the_signature_is_only_digest_key_and_signature() {
    let pair = Pair::of(1);
    let unsigned = Plan::of("1.0").unsigned();
    let signed = rig::finished(unsigned.clone(), &[pair.sign(&digest(&unsigned))]);
    let with = |kind: u16, value: &[u8]| {
        let mut bytes = signed.clone();
        let total = u16::from_le_bytes([bytes[unsigned.len() + 2], bytes[unsigned.len() + 3]]);
        let total = total + 4 + u16::try_from(value.len()).unwrap();
        bytes[unsigned.len() + 2..][..2].copy_from_slice(&total.to_le_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(value);
        judged(&bytes, &keyring(&[&pair]))
    };
    // A counter that is not signed, an ed25519 signature, a whole key, a second digest, a lone key.
    for (kind, value) in [(0x50, &[1, 0, 0, 0][..]), (0x24, &[0; 64]), (0x02, &[0; 91])] {
        assert_eq!(with(kind, value), Err(Refusal::TlvMisplaced { kind }));
    }
    assert_eq!(with(0x10, &[0; 32]), Err(Refusal::TlvRepeated { kind: 0x10 }));
    assert_eq!(with(0x01, &[0; 32]), Err(Refusal::NotSigned));
    assert_eq!(with(0x22, &[0; 70]), Err(Refusal::UnknownKey));
    assert_eq!(with(0x22, &[0; 73]), Err(Refusal::UnknownKey));
}

#[test]
fn encrypted_compressed_and_ram_loaded_images_are_refused() {
    for flag in [0x04_u32, 0x08, 0x20, 0x200, 0x400, 0x800, 0x8000_0000] {
        let mut bytes = SIGNED.to_vec();
        bytes[16..20].copy_from_slice(&flag.to_le_bytes());
        assert_eq!(judged(&bytes, &ring()), Err(Refusal::Flags(flag)));
    }
}

#[test]
fn versions_are_read_as_imgtool_reads_them_and_count_to_the_build() {
    let version = |text: &str| text.parse::<Version>();
    assert_eq!(version("1.2.3+45").unwrap().to_string(), "1.2.3+45");
    assert_eq!(version("255.255.65535+4294967295").unwrap().build, u32::MAX);
    assert_eq!(version("7").unwrap(), version("7.0.0+0").unwrap());
    assert!(version("1.2.3+4").unwrap() > version("1.2.3").unwrap());
    assert!(version("1.10.0").unwrap() > version("1.9.65535+9").unwrap());
    for wrong in
        ["", "1.", "1.2.3.4", "256", "1.2+3", "01.2", "1.2.3+", "-1", "+1", "1.+2.3", "1.2.3+04"]
    {
        assert!(version(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_keyring_is_frozen_and_no_damage_passes() {
    let ring = keyring(&[&Pair::of(1), &Pair::of(2)]);
    let bytes = ring.to_bytes();
    assert_eq!(bytes[..8], *b"CHKR\x01\0\0\x02");
    assert_eq!(bytes[8..72], *Pair::of(1).public().point());
    assert_eq!(bytes[72..136], *Pair::of(2).public().point());
    assert_eq!(bytes[136..520], [0xff; 384]);
    assert_eq!(bytes[520..], digest(&bytes[..520]));
    assert_eq!(Keyring::parse(&bytes), Ok(ring));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes;
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Keyring::parse(&damaged), Err(MalformedKeyring));
    }
    assert_eq!(Keyring::parse(&[0xff; Keyring::LENGTH]), Err(MalformedKeyring));
}

#[test]
fn a_keyring_holds_eight_keys_and_only_points_of_the_curve() {
    let pairs: Vec<_> = (1..=9).map(Pair::of).collect();
    let keys: Vec<_> = pairs.iter().map(Pair::public).collect();
    assert!(Keyring::new(&keys).is_none() && Keyring::new(&[]).is_none());
    let ring = Keyring::new(&keys[..8]).unwrap();
    assert_eq!(Keyring::parse(&ring.to_bytes()), Ok(ring));
    assert_eq!(ring.place(&keys[7].id()), Some(7));
    assert_eq!(ring.place(&keys[8].id()), None);
    assert_eq!(PublicKey::from_point([7; 64]), None);
    assert_eq!(PublicKey::from_spki(&KEY[1..]), None);
}

#[test]
fn few_gives_back_what_does_not_fit() {
    let mut few: Few<u8, 2> = Few::new();
    assert!(few.is_empty());
    assert_eq!([few.push(1), few.push(2), few.push(3)], [Ok(()), Ok(()), Err(3)]);
    assert!(few.iter().eq(&[1, 2]));
}
