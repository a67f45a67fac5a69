//! A board's certificate signing request (RFC 2986): the way a key stays on its board.

use std::path::Path;

use openssl::x509::X509Req;

use super::TrustError;
use super::keys::PublicKey;

/// A signing request, checked: signed by the key in it, and that key is one the hub takes. The
/// names in it are not used: the hub's own records say which board it is for.
pub struct BoardRequest {
    key: PublicKey,
}

impl BoardRequest {
    /// A request, PEM or DER, from what `file` holds.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, TrustError> {
        let request = X509Req::from_pem(bytes)
            .or_else(|_| X509Req::from_der(bytes))
            .map_err(|_| TrustError::NotA { what: "signing request", file: file.into() })?;
        let key = request.public_key().map_err(|_| TrustError::RequestKeyUnsuited)?;
        let public = PublicKey::of(&key).ok_or(TrustError::RequestKeyUnsuited)?;
        if !request.verify(&key).unwrap_or(false) {
            return Err(TrustError::RequestNotSigned);
        }
        Ok(Self { key: public })
    }

    /// The board's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }
}
