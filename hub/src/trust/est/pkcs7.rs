//! Certificates and nothing else as PKCS#7, the form EST answers in (RFC 7030 4.1.3; RFC 5652 5):
//! a SignedData without content and without signers. And what a request should contain (4.5.2).

/// `signedData`, 1.2.840.113549.1.7.2.
const SIGNED_DATA: [u8; 11] = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
/// `data`, 1.2.840.113549.1.7.1.
const DATA: [u8; 11] = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const VERSION_1: [u8; 3] = [0x02, 1, 1];
const EMPTY_SET: [u8; 2] = [0x31, 0];

/// `id-ecPublicKey` 1.2.840.10045.2.1
const EC_KEY: [u8; 9] = [0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// `prime256v1` 1.2.840.10045.3.1.7
const P256: [u8; 10] = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// `ecdsa-with-SHA256` 1.2.840.10045.4.3.2
const ECDSA_SHA256: [u8; 10] = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// `extensionRequest` 1.2.840.113549.1.9.14
const EXTENSIONS: [u8; 11] = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
/// `id-on-hardwareModuleName` 1.3.6.1.5.5.7.8.4
const HARDWARE_MODULE_NAME: [u8; 10] = [0x06, 8, 0x2b, 6, 1, 5, 5, 7, 8, 4];

/// DER of a PKCS#7 with these certificates (DER) in it.
pub fn certificates_only(certificates: &[&[u8]]) -> Vec<u8> {
    // A SET OF in DER is sorted.
    let mut sorted = certificates.to_vec();
    sorted.sort_unstable();
    let content = der(0x30, &[&DATA]);
    let certificates = der(0xa0, &sorted);
    let signed = der(0x30, &[&VERSION_1, &EMPTY_SET, &content, &certificates, &EMPTY_SET]);
    der(0x30, &[&SIGNED_DATA, &der(0xa0, &[&signed])])
}

/// DER of what a request should contain: a key on P-256, ECDSA over SHA-256, the hardware id.
pub fn request_attributes() -> Vec<u8> {
    let attribute = |kind: &[u8], value: &[u8]| der(0x30, &[kind, &der(0x31, &[value])]);
    let key = attribute(&EC_KEY, &P256);
    let name = attribute(&EXTENSIONS, &HARDWARE_MODULE_NAME);
    der(0x30, &[&key, &ECDSA_SHA256, &name])
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    match u8::try_from(content.len()) {
        Ok(short @ 0..0x80) => out.push(short),
        _ => {
            let zeros = length.iter().take_while(|byte| **byte == 0).count();
            let long = length.get(zeros..).unwrap_or_default();
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(&content);
    out
}

#[cfg(test)]
mod tests {
    use openssl::pkcs7::Pkcs7;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn openssl_finds_the_certificates_again() {
        let folder = tempfile::tempdir().unwrap();
        let keys = std::sync::Arc::new(crate::trust::keys::MemoryStore::default());
        let (pki, now) =
            (crate::trust::Pki::new(folder.path(), keys), storage::UnixSeconds(1_700_000_000));
        pki.init(&["localhost".parse().unwrap()], now).unwrap();
        let first = pki.root().unwrap().certificate().to_vec();
        let (tenant, _) = pki.add_tenant(&"acme".parse().unwrap(), now).unwrap();
        let second = tenant.certificate().to_vec();
        let made = Pkcs7::from_der(&certificates_only(&[&first, &second])).unwrap();
        let inside = made.signed().unwrap().certificates().unwrap();
        let mut found: Vec<_> = inside.iter().map(|c| c.to_der().unwrap()).collect();
        let mut wanted = vec![first, second];
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }

    #[test]
    fn the_attributes_are_frozen() {
        let hex: String = request_attributes().iter().map(|b| format!("{b:02x}")).collect();
        let key = "301506072a8648ce3d0201310a06082a8648ce3d030107";
        let name = "301706092a864886f70d01090e310a06082b06010505070804";
        assert_eq!(hex, ["303a", key, "06082a8648ce3d040302", name].concat());
    }

    proptest! {
        #[test]
        fn any_length_is_der(content in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            use x509_parser::asn1_rs::{Any, FromDer as _};
            let encoded = der(0x30, &[&content]);
            let (rest, any) = Any::from_der(&encoded).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(any.data, &content[..]);
        }
    }
}
