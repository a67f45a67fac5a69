//! What production writes: one layout for good, and nothing else is taken for it.

use board::Identity;
use proptest::prelude::*;

const IDENTITY: Identity<'_> = Identity {
    hub: [10, 0, 2, 2],
    port: 5684,
    made_s: 0x6a5e_0000,
    seed: &[7; 32],
    hub_name: "hub",
    key: &[1, 2],
    certificate: &[3],
    root: &[],
};

#[test]
fn its_bytes_are_for_good() {
    let mut golden = b"CHI\x01\x0a\0\x02\x02\x34\x16\0\0\x5e\x6a\0\0\0\0".to_vec();
    golden.extend([7; 32]);
    golden.extend(b"\x03\0hub\x02\0\x01\x02\x01\0\x03\0\0");
    let check = image::digest(&golden);
    golden.extend(check);
    assert_eq!(IDENTITY.to_bytes().unwrap(), golden);
    golden.extend([0xff; 9]);
    assert!(Identity::parse(&golden) == Some(IDENTITY));
}

#[test]
fn what_was_changed_or_cut_off_is_none() {
    let bytes = IDENTITY.to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(Identity::parse(bytes.get(..length).unwrap()).is_none(), "{length}");
    }
    for at in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        *changed.get_mut(at / 8).unwrap() ^= 1 << (at % 8);
        assert!(Identity::parse(&changed).is_none(), "{at}");
    }
    assert!(!format!("{IDENTITY:?}").contains('7'), "a secret is shown");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(mut bytes: Vec<u8>) {
        prop_assert!(Identity::parse(&bytes).is_none());
        bytes.splice(0..0, *b"CHI\x01");
        prop_assert!(Identity::parse(&bytes).is_none());
    }
}
