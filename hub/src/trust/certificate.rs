//! Certificates that others issued: a tenant's own authority, a board's.

use std::path::{Path, PathBuf};

use openssl::hash::MessageDigest;
use openssl::x509::{X509, X509Ref};
use storage::{BoardId, Fingerprint, Serial};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{TrustError, hardware_id};

/// The DER of a certificate that may sign others, from what the PEM or DER `file` holds.
pub fn authority_certificate(file: &Path, bytes: &[u8]) -> Result<Vec<u8>, TrustError> {
    let der = to_der(&parse(file, bytes)?)?;
    let is_authority = X509Certificate::from_der(&der)
        .is_ok_and(|(_, certificate)| certificate.tbs_certificate.is_ca());
    match is_authority {
        true => Ok(der),
        false => Err(TrustError::NoAuthority { file: file.to_path_buf() }),
    }
}

/// A board's certificate from a file.
pub struct BoardCertificate {
    file: PathBuf,
    certificate: X509,
}

impl BoardCertificate {
    /// A certificate, PEM or DER, from what `file` holds.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, TrustError> {
        Ok(Self { file: file.to_path_buf(), certificate: parse(file, bytes)? })
    }

    /// Refuses a certificate of another board, or one that `authority` (DER) has not signed.
    pub fn check(&self, board: &BoardId, authority: Option<&[u8]>) -> Result<(), TrustError> {
        let unfit = |problem: String| TrustError::UnfitBoard { file: self.file.clone(), problem };
        let holds = hardware_id(&to_der(&self.certificate)?).map_err(|e| unfit(e.to_string()))?;
        if holds != *board {
            return Err(unfit(format!("the certificate is for board {holds}")));
        }
        let Some(authority) = authority else { return Ok(()) };
        let signed = X509::from_der(authority)
            .and_then(|authority| authority.public_key())
            .and_then(|key| self.certificate.verify(&key));
        match signed {
            Ok(true) => Ok(()),
            _ => Err(unfit(String::from("the certificate is not by the tenant's authority"))),
        }
    }

    /// Its serial number.
    pub fn serial(&self) -> Result<Serial, TrustError> {
        let number = self.certificate.serial_number().to_bn();
        let number = number.map_err(TrustError::cryptography("read a serial number"))?;
        Ok(Serial::new(&number.to_vec()))
    }

    /// How the hub knows this certificate.
    pub fn fingerprint(&self) -> Result<Fingerprint, TrustError> {
        fingerprint(&self.certificate)
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

fn parse(file: &Path, bytes: &[u8]) -> Result<X509, TrustError> {
    X509::from_pem(bytes)
        .or_else(|_| X509::from_der(bytes))
        .map_err(|_| TrustError::NotA { what: "certificate", file: file.into() })
}

fn to_der(certificate: &X509) -> Result<Vec<u8>, TrustError> {
    certificate.to_der().map_err(TrustError::cryptography("encode a certificate"))
}
