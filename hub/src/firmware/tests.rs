use image::{Unsigned, Version};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::Private;
use proptest::prelude::*;
use storage::{FileDigest, ReleaseState, UnixSeconds};

use super::*;

struct Key {
    private: EcKey<Private>,
    public: PublicKey,
}

impl Key {
    fn new() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let private = EcKey::generate(&group).unwrap();
        let public = PublicKey::from_spki(&private.public_key_to_der().unwrap()).unwrap();
        Self { private, public }
    }

    fn sign(&self, digest: &[u8]) -> Vec<u8> {
        EcdsaSig::sign(digest, &self.private).unwrap().to_der().unwrap()
    }
}

fn unsigned() -> Vec<u8> {
    let body = [7; 500];
    let of = Unsigned {
        body: &body,
        header_size: 0x200,
        version: Version { major: 1, minor: 2, revision: 3, build: 0 },
        address: None,
        security_counter: Some(4),
        dependencies: &[],
        revoked_keys: &[],
    };
    let mut image = vec![0; 2000];
    let length = of.write(&mut image).unwrap();
    image.truncate(length);
    let digest = image::digest(&image);
    let mut tail = [0; 200];
    let length = write_tail(&digest, &[], &mut tail).unwrap();
    image.extend_from_slice(&tail[..length]);
    image
}

#[test]
fn a_draft_is_signed_by_two_one_after_the_other() {
    let (one, two) = (Key::new(), Key::new());
    // A slot's padding is not part of the image.
    let draft = Read::of([unsigned(), vec![0xff; 300]].concat()).unwrap();
    assert_eq!((draft.version().to_string(), draft.image.security_counter), ("1.2.3".into(), 4));
    assert!(!draft.is_signed() && draft.bytes == unsigned());
    assert!(matches!(draft.signer(&[one.public]), Err(Unfit::Refused(Refusal::NotSigned))));
    let der = one.sign(&draft.image.digest);
    let signed = draft.with_signature(&one.public, &der).unwrap();
    assert_eq!(signed.signer(&[two.public, one.public]).unwrap(), one.public.id());
    assert!(matches!(signed.signer(&[two.public]), Err(Unfit::Refused(Refusal::UnknownKey))));
    let other = draft.with_signature(&two.public, &der);
    assert!(matches!(other, Err(Unfit::AnotherSignature)));
    assert!(matches!(draft.with_signature(&one.public, &[0; 80]), Err(Unfit::NoSignature)));
    let both = signed.with_signature(&two.public, &two.sign(&draft.image.digest)).unwrap();
    assert_eq!(both.signer(&[two.public]).unwrap(), two.public.id());
    assert_eq!(both.image.signatures.iter().count(), 2);
}

#[test]
fn a_key_behind_a_ringful_of_others_is_found() {
    let keys: Vec<_> = (0..image::KEYS_MAX + 1).map(|_| Key::new()).collect();
    let publics: Vec<_> = keys.iter().map(|key| key.public).collect();
    let (draft, last) = (Read::of(unsigned()).unwrap(), keys.last().unwrap());
    let signed = draft.with_signature(&last.public, &last.sign(&draft.image.digest)).unwrap();
    assert_eq!(signed.signer(&publics).unwrap(), last.public.id());
}

#[test]
fn whatever_is_changed_is_refused() {
    let image = unsigned();
    for at in [0, 4, 600, image.len() - 1] {
        let mut changed = image.clone();
        changed[at] ^= 1;
        assert!(Read::of(changed).is_err(), "{at}");
    }
    let error = Read::of(b"#!/bin/sh".to_vec()).unwrap_err().to_string();
    assert!(error.contains("image is refused"), "{error}");
}

fn release(number: u64, version: &str, counter: u32) -> Release {
    Release {
        number,
        tenant: None,
        product: "valve".parse().unwrap(),
        hardware: Vec::new(),
        version: version.parse().unwrap(),
        security_counter: counter,
        needs: None,
        digest: FileDigest([0; 32]),
        file: FileDigest([0; 32]),
        size: 1,
        notes: String::new(),
        sbom: None,
        added: UnixSeconds(0),
        by: String::new(),
        state: ReleaseState::Signed { key: FileDigest([0; 32]), signed: UnixSeconds(0) },
    }
}

#[test]
fn what_boards_may_run_already_is_never_followed_by_less() {
    let known = [release(1, "1.2.0", 3)];
    assert_eq!(downgrade(&release(2, "1.2.1", 3), &known), None);
    let older = downgrade(&release(2, "1.2.0", 3), &known).unwrap();
    assert!(older.contains("is no later"), "{older}");
    let lower = downgrade(&release(2, "1.3.0", 2), &known).unwrap();
    assert!(lower.contains("security counter 3, and this one 2"), "{lower}");
    let of =
        |tenant: &str| Release { tenant: Some(tenant.parse().unwrap()), ..release(2, "1.0.0", 1) };
    assert!(downgrade(&of("acme"), &known).is_some(), "every tenant's are theirs too");
    assert_eq!(downgrade(&of("acme"), &[Release { number: 1, ..of("bell") }]), None);
    let on = |revision: &str| Release {
        hardware: vec![revision.parse().unwrap()],
        ..release(2, "1.0.0", 1)
    };
    assert_eq!(downgrade(&on("A"), &[Release { number: 1, ..on("B") }]), None);
    let draft = Release { state: ReleaseState::Draft, ..release(1, "9.0.0", 9) };
    assert_eq!(downgrade(&on("A"), &[draft]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_an_image_or_refused(bytes in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let _ = Read::of(bytes);
        let mut image = unsigned();
        let at = at.index(image.len());
        image[at] ^= 1_u8 << bit;
        if let Ok(read) = Read::of(image) {
            prop_assert!(!read.is_signed());
        }
    }
}
