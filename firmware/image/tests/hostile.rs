//! Bytes from nobody: they are refused, read without a panic, and never taken for what was signed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

mod rig;

use image::{HEADER_LENGTH, Header, Image, Keyring, Magic, Swap, Trailer};
use proptest::prelude::*;
use proptest::sample::Index;
use rig::{Pair, judged, keyring, plans, versions};

fn ring() -> Keyring {
    keyring(&[&Pair::of(1), &Pair::of(2)])
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(judged(&bytes, &ring()).is_err());
    }

    #[test]
    fn any_bytes_behind_a_header_are_answered(
        (header_size, protected_size, body_size) in (0_u16..200, 0_u16..200, 0_u32..200),
        version in versions(),
        mut bytes in proptest::collection::vec(any::<u8>(), 32..800),
        areas in proptest::collection::vec((any::<Index>(), 0x6907_u16..0x6909, 0_u16..300), 0..4),
    ) {
        let flags = Default::default();
        let header = Header { load_address: 0, header_size, protected_size, body_size, flags, version };
        bytes[..HEADER_LENGTH].copy_from_slice(&header.to_bytes());
        for (at, magic, total) in areas {
            let at = at.index(bytes.len() - 4);
            bytes[at..at + 2].copy_from_slice(&magic.to_le_bytes());
            bytes[at + 2..at + 4].copy_from_slice(&total.to_le_bytes());
        }
        prop_assert!(judged(&bytes, &ring()).is_err());
    }

    #[test]
    fn no_change_of_a_signed_image_passes_that_changes_what_was_signed(
        plan in plans(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let signed = plan.signed(&[&Pair::of(2)]);
        let image = Image::read(&mut &signed[..]).unwrap();
        let covered = usize::try_from(image.signed_length).unwrap();
        let mut changed = signed.clone();
        for (at, value) in changes {
            changed[at.index(signed.len())] = value;
        }
        changed.truncate(cut.map_or(signed.len(), |cut| cut.index(signed.len())));
        if judged(&changed, &ring()).is_ok() {
            prop_assert_eq!(&changed[..covered], &signed[..covered]);
        }
    }

    #[test]
    fn what_is_made_is_read_back(plan in plans()) {
        let signed = plan.signed(&[&Pair::of(1)]);
        prop_assert_eq!(judged(&signed, &ring()), Ok(0));
        let image = Image::read(&mut &signed[..]).unwrap();
        prop_assert_eq!(image.header.version, plan.version);
        prop_assert_eq!(image.header.version.to_string().parse(), Ok(plan.version));
        prop_assert_eq!(image.security_counter, plan.security_counter.unwrap_or_default());
        prop_assert!(image.dependencies.iter().eq(&plan.dependencies));
        prop_assert!(image.revoked_keys.iter().eq(&plan.revoked_keys));
    }

    #[test]
    fn any_trailer_is_read_and_one_of_ours_is_read_back(
        bytes in any::<[u8; Trailer::LENGTH]>(),
        (is_good, image_ok, copy_done) in any::<(bool, bool, bool)>(),
        swap in prop_oneof![Just(Swap::None), Just(Swap::Test), Just(Swap::Permanent), Just(Swap::Revert)],
    ) {
        let any = Trailer::parse(&bytes);
        prop_assert!(any.magic == Magic::Bad || bytes[24..] == Trailer::MAGIC);
        let magic = if is_good { Magic::Good } else { Magic::Unset };
        let trailer = Trailer { magic, image_ok, copy_done, swap };
        prop_assert_eq!(Trailer::parse(&trailer.to_bytes()), trailer);
    }
}

/// MCUboot's table (docs/design.md, "Image trailers"), its states in their order.
#[test]
fn the_trailers_ask_for_what_mcuboot_would_do() {
    let magics = [Magic::Good, Magic::Unset, Magic::Bad];
    let mut seen = 0;
    for (first_magic, second_magic) in magics.iter().flat_map(|a| magics.map(|b| (*a, b))) {
        for bits in 0..16 {
            let bit = |place: u32| bits & 1 << place != 0;
            let trailer = |magic, image_ok, copy_done| Trailer {
                magic,
                image_ok,
                copy_done,
                swap: Swap::None,
            };
            let first = trailer(first_magic, bit(0), bit(1));
            let second = trailer(second_magic, bit(2), bit(3));
            let expected = if second_magic == Magic::Good && !bit(2) {
                Swap::Test
            } else if second_magic == Magic::Good && bit(2) {
                Swap::Permanent
            } else if first_magic == Magic::Good && !bit(0) && bit(1) {
                Swap::Revert
            } else {
                Swap::None
            };
            assert_eq!(Swap::asked(&first, &second), expected);
            seen += 1;
        }
    }
    assert_eq!(seen, 144);
}
