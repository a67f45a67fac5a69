//! Signing requests and answers as bytes, in as much as sessions need them.
//!
//! Invariant: pure; any bytes are answered.

use openssl::nid::Nid;
use openssl::x509::X509Req;
use storage::BoardId;

use crate::trust::keys::PublicKey;

/// Bytes of the largest request that is read; one on P-256 with all its names has 600.
const REQUEST_MAX: usize = 4096;

/// A request (PKCS#10) that is signed by the key in it, which is on P-256, and names a board.
pub(super) struct SigningRequest {
    /// The board it is for.
    pub(super) board: BoardId,
    key: PublicKey,
}

impl SigningRequest {
    /// Reads and checks a request, DER.
    pub(super) fn check(der: &[u8]) -> Result<Self, &'static str> {
        const MALFORMED: &str = "this is not one whole signing request (PKCS#10, DER)";
        const KEY: &str = "the request's key is not on the curve P-256";
        const NAMES: &str = "the request's subject names no board, or two: put the hardware id into \
                             its CN or serialNumber";
        if der.len() > REQUEST_MAX {
            return Err("the signing request is larger than 4096 bytes");
        }
        let request = X509Req::from_der(der).map_err(|_| MALFORMED)?;
        if request.to_der().map_err(|_| MALFORMED)? != der {
            return Err(MALFORMED);
        }
        let key = request.public_key().map_err(|_| KEY)?;
        let public = PublicKey::of(&key).ok_or(KEY)?;
        if !request.verify(&key).unwrap_or(false) {
            return Err("the request is not signed with the key in it");
        }
        let subject = request.subject_name();
        let mut names = [Nid::SERIALNUMBER, Nid::COMMONNAME]
            .into_iter()
            .flat_map(|kind| subject.entries_by_nid(kind))
            .map(|entry| str::from_utf8(entry.data().as_slice()).ok()?.parse::<BoardId>().ok());
        let board = names.next().flatten().ok_or(NAMES)?;
        if names.any(|other| other.as_ref() != Some(&board)) {
            return Err(NAMES);
        }
        Ok(Self { board, key: public })
    }

    /// The board's public key.
    pub(super) fn public_key(&self) -> &PublicKey {
        &self.key
    }
}

/// DER of a PKCS#7 with these certificates (DER) in it and nothing else (RFC 7030 4.1.3).
pub(super) fn certificates_only(certificates: &[&[u8]]) -> Vec<u8> {
    const SIGNED_DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    const VERSION_1: &[u8] = &[0x02, 1, 1];
    const EMPTY_SET: &[u8] = &[0x31, 0];
    let mut sorted = certificates.to_vec();
    sorted.sort_unstable();
    let (content, certificates) = (der(0x30, &[DATA]), der(0xa0, &sorted));
    let signed = der(0x30, &[VERSION_1, EMPTY_SET, &content, &certificates, EMPTY_SET]);
    der(0x30, &[SIGNED_DATA, &der(0xa0, &[&signed])])
}

/// DER of what a request should have (RFC 7030 4.5.2): a key on P-256, ECDSA over SHA-256.
pub(super) fn request_attributes() -> Vec<u8> {
    const EC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const ECDSA_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    der(0x30, &[&der(0x30, &[EC_KEY, &der(0x31, &[P256])]), ECDSA_SHA256])
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let long = bytes.iter().skip_while(|byte| **byte == 0);
            out.push(0x80 | u8::try_from(long.clone().count()).unwrap_or_default());
            out.extend(long);
        }
    }
    out.extend(parts.iter().flat_map(|part| part.iter()));
    out
}
