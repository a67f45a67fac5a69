//! The time of day on the wire.

use proptest::prelude::*;
use wire::{read_time, well_formed, write_time};

#[test]
fn a_time_has_these_bytes() {
    // 2026-01-01T00:00:00.001Z
    let bytes = write_time(1_767_225_600_001);
    assert_eq!(bytes, [0x1b, 0x00, 0x00, 0x01, 0x9b, 0x76, 0xda, 0xa8, 0x01]);
    assert_eq!(read_time(&bytes), Some(1_767_225_600_001));
}

#[test]
fn what_is_not_one_unsigned_integer_is_no_time() {
    assert_eq!(read_time(&[0x18, 24]), Some(24));
    for bytes in [
        &[][..],
        &[0x1b, 0, 0, 1],
        &[0x20],
        &[0xc1, 0x1a, 0, 0, 0, 1],
        &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x00, 0x00],
    ] {
        assert_eq!(read_time(bytes), None, "{bytes:02x?}");
    }
}

proptest! {
    #[test]
    fn a_written_time_is_read_back_and_arbitrary_bytes_do_no_harm(
        unix_ms: u64, bytes in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        let written = write_time(unix_ms);
        well_formed(&written).unwrap();
        prop_assert_eq!(read_time(&written), Some(unix_ms));
        if read_time(&bytes).is_some() {
            well_formed(&bytes).unwrap();
        }
    }
}
