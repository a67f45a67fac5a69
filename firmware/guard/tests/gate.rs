//! An application that goes beyond what it may, and one that does not.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

extern crate std;

#[path = "../../bootloader/tests/rig/flash.rs"]
mod flash;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use flash::{Flash, SECTOR};
use guard::{Denied, Gate};
use image::{
    Area, BootRecord, Keyring, Magic, Map, Outcome, PublicKey, Refusal, Signature, Start, Swap,
    Trailer, Unsigned, Version, digest, write_tail,
};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as Ecdsa, SigningKey};
use proptest::prelude::*;

const MAP: Map = Map {
    sector: SECTOR,
    protected: Area { at: SECTOR, length: 5 * SECTOR },
    first: Area { at: 6 * SECTOR, length: 8 * SECTOR },
    second: Area { at: 14 * SECTOR, length: 8 * SECTOR },
    application: Area { at: 22 * SECTOR, length: 4 * SECTOR },
    address: 0x1000_0000,
    vectors_aligned_to: 0x80,
    memory: Area { at: 0x3800_0000, length: 0x1_0000 },
};
const _: () = assert!(MAP.is_sound());

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> PublicKey {
    let point = key(seed).verifying_key().to_encoded_point(false);
    let point: &[u8; 64] = point.as_bytes().last_chunk().unwrap();
    PublicKey::from_point(*point).unwrap()
}

/// Of whole words.
fn image(signer: u8, counter: u32) -> Vec<u8> {
    let unsigned = Unsigned {
        body: &[7; 700],
        header_size: 0x80,
        version: "1.2.3".parse().unwrap(),
        address: None,
        security_counter: Some(counter),
        dependencies: &[],
        revoked_keys: &[],
    };
    let mut image = vec![0; 1400];
    let length = unsigned.write(&mut image).unwrap();
    let digest = digest(&image[..length]);
    let signature: Ecdsa = key(signer).sign_prehash(&digest).unwrap();
    let signature = Signature::new(public(signer).id(), signature.to_der().as_bytes()).unwrap();
    let tail = write_tail(&digest, &[signature], &mut image[length..]).unwrap();
    image.truncate((length + tail).next_multiple_of(8));
    image
}

fn gate(start: Start, floor: u32) -> Gate<Flash> {
    let mut flash = Flash::new(MAP.application.end());
    flash.put(MAP.protected.at, &Keyring::new(&[public(9)]).unwrap().to_bytes());
    flash.put(MAP.first.at, &image(9, 0));
    let record = BootRecord {
        start,
        version: Version::default(),
        security_counter: 0,
        floor,
        key: 0,
        outcome: Outcome::default(),
        reset_cause: 0,
    };
    Gate::new(flash, MAP, Some(&record))
}

fn put(gate: &mut Gate<Flash>, image: &[u8]) -> Result<(), Denied> {
    gate.erase(MAP.second.at, MAP.second.end())?;
    gate.write(MAP.next_at(), image)
}

fn ask(gate: &mut Gate<Flash>) -> Result<(), Denied> {
    let trailer =
        Trailer { magic: Magic::Good, image_ok: false, copy_done: false, swap: Swap::Test };
    gate.write(MAP.second.end() - Trailer::SWAP_INFO_FROM_END, &trailer.to_bytes())
}

fn confirm(gate: &mut Gate<Flash>) -> Result<(), Denied> {
    let flag = [Trailer::SET, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    gate.write(MAP.first.end() - Trailer::IMAGE_OK_FROM_END, &flag)
}

fn trailer(gate: &mut Gate<Flash>) -> Trailer {
    let mut bytes = [0; Trailer::LENGTH];
    gate.read(MAP.second.end() - Trailer::SWAP_INFO_FROM_END, &mut bytes).unwrap();
    Trailer::parse(&bytes)
}

#[test]
fn an_image_that_is_signed_can_be_asked_for() {
    let mut gate = gate(Start::Again, 3);
    put(&mut gate, &image(9, 3)).unwrap();
    ask(&mut gate).unwrap();
    assert_eq!(trailer(&mut gate).magic, Magic::Good);
}

#[test]
fn an_image_that_may_not_run_is_not_even_asked_for() {
    let mut damaged = image(9, 3);
    damaged[200] ^= 1;
    let cases = [
        (damaged, Refusal::WrongDigest),
        (image(8, 3), Refusal::UnknownKey),
        (image(9, 2), Refusal::Rollback { counter: 2, floor: 3 }),
    ];
    for (image, refusal) in cases {
        let mut gate = gate(Start::Again, 3);
        put(&mut gate, &image).unwrap();
        assert_eq!(ask(&mut gate), Err(Denied::Image(refusal)));
        assert_eq!(trailer(&mut gate).magic, Magic::Unset);
    }
}

#[test]
fn what_is_on_trial_cannot_overwrite_what_would_come_back() {
    let mut gate = gate(Start::Trial, 0);
    assert_eq!(put(&mut gate, &image(9, 0)), Err(Denied::OnTrial));
    assert_eq!(ask(&mut gate), Err(Denied::OnTrial));
    gate.erase(MAP.application.at, MAP.application.end()).unwrap();
    confirm(&mut gate).unwrap();
    put(&mut gate, &image(9, 0)).unwrap();
    ask(&mut gate).unwrap();
}

#[test]
fn without_a_record_the_second_slot_is_closed() {
    let mut gate = Gate::new(Flash::new(MAP.application.end()), MAP, None);
    assert_eq!(put(&mut gate, &image(9, 0)), Err(Denied::OnTrial));
}

#[test]
fn a_flag_is_a_flag_and_a_request_a_request() {
    let mut gate = gate(Start::Again, 0);
    let flag = MAP.first.end() - Trailer::IMAGE_OK_FROM_END;
    assert_eq!(gate.write(flag, &[0; 8]), Err(Denied::Place));
    assert_eq!(gate.write(flag, &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]), Err(Denied::Place));
    assert_eq!(gate.write(flag, &[0xff; 16]), Err(Denied::Place));
    put(&mut gate, &image(9, 0)).unwrap();
    let end = MAP.second.end();
    assert_eq!(gate.write(end - 16, &Trailer::MAGIC), Err(Denied::Place));
    assert_eq!(gate.write(end - 48, &[0xff; 48]), Err(Denied::Place));
    assert_eq!(gate.write(end - SECTOR, &[0xff; SECTOR as usize]), Err(Denied::Place));
    assert_eq!(trailer(&mut gate).magic, Magic::Unset);
}

proptest! {
    #[test]
    fn what_runs_and_what_judges_it_never_changes(
        calls in prop::collection::vec((0..2_u8, 0..30 * SECTOR, 0..3 * SECTOR), 0..60),
        is_on_trial: bool,
    ) {
        let start = if is_on_trial { Start::Trial } else { Start::Again };
        let mut gate = gate(start, 0);
        let closed = MAP.first.end() as usize;
        let mut before = vec![0; MAP.second.end() as usize];
        gate.read(0, &mut before).unwrap();
        for (what, at, length) in calls {
            let (at, length) = match what {
                0 => (at / SECTOR * SECTOR, length / SECTOR * SECTOR),
                _ => (at / 8 * 8, length / 8 * 8),
            };
            let _ = match what {
                0 => gate.erase(at, at.saturating_add(length)),
                _ => gate.write(at, &vec![0; length as usize]),
            };
        }
        let mut after = vec![0; before.len()];
        gate.read(0, &mut after).unwrap();
        prop_assert_eq!(&after[..closed], &before[..closed]);
        prop_assert!(!is_on_trial || after == before);
        prop_assert!(trailer(&mut gate).magic != Magic::Good);
    }
}
