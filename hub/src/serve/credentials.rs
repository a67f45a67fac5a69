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
        let certificate = read(&link.certificate, "link.certificate")?;
        let certificate = X509::from_pem(&certificate).map_err(|_| ServeError::NotA {
            key: "link.certificate",
            file: link.certificate.clone(),
            wanted: "certificate",
        })?;
        let key = read(&link.key, "link.key")?;
        let key = PKey::private_key_from_pem(&key).map_err(|_| ServeError::NotA {
            key: "link.key",
            file: link.key.clone(),
            wanted: "private key",
        })?;
        if !certificate.public_key().is_ok_and(|public| public.public_eq(&key)) {
            return Err(ServeError::AnotherKey {
                key: link.key.clone(),
                certificate: link.certificate.clone(),
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
