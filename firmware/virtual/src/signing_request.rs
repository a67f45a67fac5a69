//! A signing request (PKCS#10, RFC 2986) for a board's new key: what the nRF9160's modem makes of
//! `AT%KEYGEN` on a real one.
//!
//! Invariant: P-256 and nothing else; the subject is `CN=` the hardware id.

use ring::rand::SystemRandom;
use ring::signature::{EcdsaKeyPair, KeyPair};

/// `ecPublicKey` on `prime256v1`.
const P256: &[u8] = &[
    0x30, 19, 0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d,
    3, 1, 7,
];
/// `ecdsa-with-SHA256`.
const ECDSA_SHA256: &[u8] = &[0x30, 10, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// `commonName`.
const COMMON_NAME: &[u8] = &[0x06, 3, 0x55, 4, 3];
const VERSION_0: &[u8] = &[0x02, 1, 0];
const NO_ATTRIBUTES: &[u8] = &[0xa0, 0];

/// DER of a request by `key` for `board`; `None` where the system has no randomness.
pub(crate) fn signing_request(board: &str, key: &EcdsaKeyPair) -> Option<Vec<u8>> {
    let name = der(0x30, &[COMMON_NAME, &der(0x0c, &[board.as_bytes()])]);
    let subject = der(0x30, &[&der(0x31, &[&name])]);
    let public = der(0x30, &[P256, &der(0x03, &[&[0], key.public_key().as_ref()])]);
    let content = der(0x30, &[VERSION_0, &subject, &public, NO_ATTRIBUTES]);
    let signature = key.sign(&SystemRandom::new(), &content).ok()?;
    let signature = der(0x03, &[&[0], signature.as_ref()]);
    Some(der(0x30, &[&content, ECDSA_SHA256, &signature]))
}

/// Of less than 64 KiB.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = match (high, low) {
        (0, 0..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;

    use super::*;

    #[test]
    fn openssl_takes_the_request_for_what_it_is() {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
        let der = signing_request("CB-00000042", &key).unwrap();
        let request = openssl::x509::X509Req::from_der(&der).unwrap();
        assert!(request.verify(&request.public_key().unwrap()).unwrap());
        let name = request.subject_name().entries().next().unwrap();
        assert_eq!(name.data().as_slice(), b"CB-00000042");
    }
}
