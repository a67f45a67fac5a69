//! What a board is: its certificate and private key, read from files.
//!
//! Never generates a key; a fixture or a person does.

use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use webrtc_dtls::crypto::{Certificate, CryptoPrivateKey, CryptoPrivateKeyKind};

use crate::renewal::Files;

/// A board's name, certificate chain and key, ready for a handshake.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(crate) board: String,
    pub(crate) certificate: Certificate,
    pub(crate) files: Files,
    /// The root that the hub gave it last, beside those that it was made with.
    pub(crate) root: Option<CertificateDer<'static>>,
}

/// Why files do not make an identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate file holds none.
    #[error("{} holds no certificate in pem or der", file.display())]
    Certificate {
        /// Which file.
        file: PathBuf,
    },
    /// The key file holds no P-256 key.
    #[error("{} holds no ecdsa p-256 key in pkcs#8, pem or der", file.display())]
    Key {
        /// Which file.
        file: PathBuf,
    },
}

impl Identity {
    /// Reads a certificate (or chain, leaf first) and its PKCS#8 key; each PEM or DER.
    pub fn from_files(board: &str, certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let no_certificate = || IdentityError::Certificate { file: certificate.to_owned() };
        let no_key = || IdentityError::Key { file: key.to_owned() };
        let chain = certificates(&read(certificate)?);
        if chain.first().is_none_or(|leaf| leaf.first() != Some(&SEQUENCE)) {
            return Err(no_certificate());
        }
        let bytes = read(key)?;
        let pkcs8 = match PrivatePkcs8KeyDer::from_pem_slice(&bytes) {
            Ok(key) => key.secret_pkcs8_der().to_vec(),
            Err(_) => bytes,
        };
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &SystemRandom::new())
            .map_err(|_| no_key())?;
        let private_key =
            CryptoPrivateKey { kind: CryptoPrivateKeyKind::Ecdsa256(pair), serialized_der: pkcs8 };
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let root = std::fs::read(files.root()).ok().map(CertificateDer::from);
        Ok(Self {
            files,
            root,
            board: board.to_owned(),
            certificate: Certificate { certificate: chain, private_key },
        })
    }

    /// The hardware id.
    pub fn board(&self) -> &str {
        &self.board
    }
}

/// The first byte of every certificate in DER.
const SEQUENCE: u8 = 0x30;

/// The certificates of a PEM file, or the one that a DER file is.
pub(crate) fn certificates(bytes: &[u8]) -> Vec<CertificateDer<'static>> {
    let pem: Vec<_> = CertificateDer::pem_slice_iter(bytes).filter_map(Result::ok).collect();
    if pem.is_empty() { vec![CertificateDer::from(bytes.to_vec())] } else { pem }
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(file)
        .map_err(|source| IdentityError::Unreadable { file: file.to_owned(), source })
}
