//! A certificate that was just issued.

use openssl::x509::X509;
use storage::{AuthorityNumber, Certificate, Fingerprint, Serial, UnixSeconds};

use super::TrustError;

/// A certificate that was just issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    der: Vec<u8>,
    serial: [u8; 16],
    not_after: UnixSeconds,
}

impl Issued {
    pub(super) const fn new(der: Vec<u8>, serial: [u8; 16], not_after: UnixSeconds) -> Self {
        Self { der, serial, not_after }
    }

    /// What is remembered of it as a board's, which the tenant's authority of this number issued.
    pub fn remembered(&self, issuer: AuthorityNumber) -> Certificate {
        Certificate {
            fingerprint: self.fingerprint(),
            serial: Some(self.serial()),
            issuer: Some(issuer),
            not_after: Some(self.not_after),
        }
    }

    /// The last second of its validity.
    pub const fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its DER, to keep.
    pub fn into_der(self) -> Vec<u8> {
        self.der
    }

    /// Its serial number.
    pub fn serial(&self) -> Serial {
        Serial::new(&self.serial)
    }

    /// Its PEM.
    pub fn to_pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// How the hub knows it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(openssl::sha::sha256(&self.der))
    }

    /// As OpenSSL has it.
    pub fn to_openssl(&self) -> Result<X509, TrustError> {
        X509::from_der(&self.der).map_err(TrustError::cryptography("read a new certificate"))
    }
}

/// PEM (RFC 7468) from DER: many times quicker than through OpenSSL's encoders.
pub fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes make one line of 64 characters.
    for line in der.chunks(48) {
        text.push_str(&openssl::base64::encode_block(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
