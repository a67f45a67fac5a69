//! Base64 (RFC 4648) as a modem writes it, and PEM (RFC 7468) as it wants certificates.
//!
//! Written here, not taken from a library: it is a table and a shift, and a board has no other use for one.

use alloc::string::String;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PEM_LINE: usize = 64;

/// Bytes of base64 in its alphabet for URLs, without padding; `None` where a character is not of it, or where
/// bits are left over that say something.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    (held < 6 && bits == 0).then_some(bytes)
}

/// A certificate in PEM.
pub fn pem(certificate: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut column = 0;
    for three in certificate.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| three.get(at).copied().unwrap_or_default());
        let bits = u32::from_be_bytes([0, a, b, c]);
        for at in 0..4_usize {
            text.push(if at > three.len() { '=' } else { character(bits >> (18 - 6 * at) & 0x3f) });
        }
        column += 4;
        if column == PEM_LINE {
            text.push('\n');
            column = 0;
        }
    }
    if column > 0 {
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn character(value: u32) -> char {
    let place = usize::try_from(value).unwrap_or_default();
    char::from(ALPHABET.get(place).copied().unwrap_or(b'='))
}

#[cfg(test)]
mod tests {
    use ::base64::prelude::*;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_a_library_wrote_is_read(bytes: Vec<u8>) {
            let text = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            prop_assert_eq!(from_base64url(&text), Some(bytes));
        }

        #[test]
        fn what_a_library_refuses_is_refused(text in "[A-Za-z0-9_=+/ -]{0,40}") {
            prop_assert_eq!(from_base64url(&text), BASE64_URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn a_library_reads_what_is_in_pem(bytes: Vec<u8>) {
            let text = pem(&bytes);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            let inner: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
            prop_assert_eq!(BASE64_STANDARD.decode(inner).unwrap(), bytes);
        }
    }
}
