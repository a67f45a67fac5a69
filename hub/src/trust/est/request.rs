//! A board's signing request whose proof of possession holds.

use openssl::sha::sha256;
use openssl::x509::X509Req;
use storage::BoardId;

use super::{Csr, CsrError};
use crate::trust::keys::PublicKey;

/// A request that is signed by the key in it, which is on P-256, and names a board.
pub struct Request<'a> {
    /// The board it is for.
    pub board: BoardId,
    /// Its names.
    pub csr: Csr<'a>,
    key: PublicKey,
    key_digest: [u8; 32],
}

impl<'a> Request<'a> {
    /// Reads and checks a request, DER.
    pub fn check(der: &'a [u8]) -> Result<Self, CsrError> {
        let csr = Csr::parse(der)?;
        let board = csr.hardware_id.parse().map_err(|_| CsrError::NotABoardId)?;
        let request = X509Req::from_der(der).map_err(|_| CsrError::Malformed)?;
        let key = request.public_key().map_err(|_| CsrError::KeyUnsuited)?;
        let public = PublicKey::of(&key).ok_or(CsrError::KeyUnsuited)?;
        if !request.verify(&key).unwrap_or(false) {
            return Err(CsrError::NotSigned);
        }
        let encoded = key.public_key_to_der().map_err(|_| CsrError::KeyUnsuited)?;
        Ok(Self { board, csr, key_digest: sha256(&encoded), key: public })
    }

    /// The board's public key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// SHA-256 over the key: whether two requests are for the same.
    pub const fn key_digest(&self) -> &[u8; 32] {
        &self.key_digest
    }
}
