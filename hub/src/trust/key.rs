//! Private keys: EC on P-256, the one curve every constrained client of the hub has.

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use zeroize::Zeroizing;

use super::TrustError;

pub(super) const CURVE: Nid = Nid::X9_62_PRIME256V1;

/// A new private key on P-256.
pub fn new_key() -> Result<PKey<Private>, TrustError> {
    generate().map_err(TrustError::cryptography("make a key"))
}

pub(super) fn generate() -> Result<PKey<Private>, ErrorStack> {
    EcGroup::from_curve_name(CURVE)
        .and_then(|group| EcKey::generate(&group))
        .and_then(PKey::from_ec_key)
}

/// The key as PEM (PKCS#8, not encrypted); the memory is wiped when it is dropped.
pub fn private_key_pem(key: &PKeyRef<Private>) -> Result<Zeroizing<Vec<u8>>, TrustError> {
    let encoded = key.private_key_to_pem_pkcs8();
    Ok(Zeroizing::new(encoded.map_err(TrustError::cryptography("encode a key"))?))
}
