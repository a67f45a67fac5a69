//! The hub's certificate and key, read from their files and found to belong together.

use std::path::Path;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::ServeError;
use crate::config::Config;

/// A certificate and its key.
pub(super) struct Credentials {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
}

impl Credentials {
    /// Reads what `link.certificate` and `link.key` name.
    pub(super) fn read(config: &Config) -> Result<Self, ServeError> {
        let link = &config.link;
        Self::of(("link.certificate", &link.certificate), ("link.key", &link.key))
    }

    /// Reads what `https.certificate` and `https.key` name.
    pub(super) fn read_https(config: &Config) -> Result<Self, ServeError> {
        let https = &config.https;
        Self::of(("https.certificate", &https.certificate), ("https.key", &https.key))
    }

    /// From two files, each with the configuration's key that names it.
    fn of(
        (certificate_key, certificate_file): (&'static str, &Path),
        (key_key, key_file): (&'static str, &Path),
    ) -> Result<Self, ServeError> {
        let certificate = read(certificate_file, certificate_key)?;
        let certificate = X509::from_pem(&certificate).map_err(|_| ServeError::NotA {
            key: certificate_key,
            file: certificate_file.to_owned(),
            wanted: "certificate",
        })?;
        let key = read(key_file, key_key)?;
        let key = PKey::private_key_from_pem(&key).map_err(|_| ServeError::NotA {
            key: key_key,
            file: key_file.to_owned(),
            wanted: "private key",
        })?;
        if !certificate.public_key().is_ok_and(|public| public.public_eq(&key)) {
            return Err(ServeError::AnotherKey {
                setting: key_key,
                key: key_file.to_owned(),
                certificate: certificate_file.to_owned(),
            });
        }
        Ok(Self { certificate, key })
    }
}

fn read(file: &Path, key: &'static str) -> Result<Zeroizing<Vec<u8>>, ServeError> {
    std::fs::read(file).map(Zeroizing::new).map_err(|source| ServeError::File {
        key,
        file: file.to_owned(),
        source,
    })
}
