//! Boards' certificates that others issued.

use std::path::{Path, PathBuf};

use actors::identity::identity;
use openssl::hash::MessageDigest;
use openssl::x509::{X509, X509Ref};
use storage::{Authority, BoardId, Certificate, Fingerprint, IdentityField, Serial};

use super::TrustError;
use super::chain::{self, At};

/// A board's certificate from a file, with those between it and its authority where it has them.
pub struct BoardCertificate {
    file: PathBuf,
    certificate: X509,
    between: Vec<X509>,
}

impl BoardCertificate {
    /// A certificate, PEM or DER, from what `file` holds; in PEM others may follow it.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, TrustError> {
        let mut between = X509::stack_from_pem(bytes).unwrap_or_default();
        let certificate = match between.is_empty() {
            true => X509::from_der(bytes)
                .map_err(|_| TrustError::NotA { what: "certificate", file: file.into() })?,
            false => between.remove(0),
        };
        Ok(Self { file: file.to_path_buf(), certificate, between })
    }

    /// What is to be remembered of it, if it is this board's and one of the tenant's authorities has
    /// signed it. A tenant without any says nothing about that.
    pub fn check(
        &self,
        board: &BoardId,
        authorities: &[Authority],
    ) -> Result<Certificate, TrustError> {
        let unfit = |problem: String| TrustError::UnfitBoard { file: self.file.clone(), problem };
        let issuer = match authorities {
            [] => None,
            some => {
                let issuer = chain::issuer(&self.certificate, &self.between, some, At::AnyTime);
                let not_theirs = "the certificate is not by the tenant's authority";
                Some(issuer.map_err(|verdict| unfit(format!("{not_theirs}: {verdict}")))?)
            }
        };
        let known = authorities.iter().find(|authority| Some(authority.number) == issuer);
        let field = known.map_or(IdentityField::default(), Authority::id_from);
        let der = self.certificate.to_der();
        let der = der.map_err(TrustError::cryptography("encode a certificate"))?;
        let holds = identity(&der, field).map_err(|error| unfit(error.to_string()))?;
        if holds.board != *board {
            return Err(unfit(format!("the certificate is for board {}", holds.board)));
        }
        Ok(Certificate {
            fingerprint: fingerprint(&self.certificate)?,
            serial: Some(Serial::new(&holds.serial)),
            issuer,
            not_after: Some(holds.not_after),
        })
    }
}

/// SHA-256 over a certificate's DER: how the hub knows the one certificate of a board.
pub fn fingerprint(certificate: &X509Ref) -> Result<Fingerprint, TrustError> {
    let digest = certificate
        .digest(MessageDigest::sha256())
        .map_err(TrustError::cryptography("digest a certificate"))?;
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    Ok(Fingerprint(bytes))
}
