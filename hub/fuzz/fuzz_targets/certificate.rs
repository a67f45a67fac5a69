//! Boards' certificates: any bytes are read or refused, and what is read says what is in the bytes, once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::identity::{IdentityError, identity};

/// DER of the curve P-256's name.
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

fuzz_target!(|data: &[u8]| {
    let Ok(read) = identity(data) else { return };
    let holds = |part: &[u8]| data.windows(part.len()).any(|window| window == part);
    assert!(holds(read.board.as_str().as_bytes()) && holds(P256));
    assert!((1..=20).contains(&read.serial.len()) && read.serial[0] != 0 && holds(&read.serial));
    let longer = [data, &[0]].concat();
    assert_eq!(identity(&longer), Err(IdentityError::Malformed), "a byte behind it");
    assert_eq!(identity(&data[..data.len() - 1]), Err(IdentityError::Malformed), "one less");
});
