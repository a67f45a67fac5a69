//! Boards' certificates: any bytes are read or refused, and what is read says what is in the bytes, once;
//! wherever the hardware id is looked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::IdentityField;
use surface::identity::{IdentityError, identity};

/// DER of the curve P-256's name.
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

fuzz_target!(|data: &[u8]| {
    for field in [
        IdentityField::HardwareModuleName,
        IdentityField::SerialNumber,
        IdentityField::CommonName,
        IdentityField::UserId,
        IdentityField::DnsName,
    ] {
        let Ok(read) = identity(data, field) else { continue };
        let holds = |part: &[u8]| data.windows(part.len()).any(|window| window == part);
        assert!(holds(read.board.as_str().as_bytes()) && holds(P256));
        let serial = &read.serial;
        assert!((1..=20).contains(&serial.len()) && serial[0] != 0 && holds(serial));
        let longer = [data, &[0]].concat();
        let one_less = &data[..data.len() - 1];
        assert_eq!(identity(&longer, field), Err(IdentityError::Malformed), "a byte behind it");
        assert_eq!(identity(one_less, field), Err(IdentityError::Malformed), "one less");
    }
});
