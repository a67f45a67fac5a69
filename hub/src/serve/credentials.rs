//! The hub's certificate and key, read from their files and found to belong together.

use std::path::{Path, PathBuf};

use actors::credentials::Credentials;
use openssl::pkey::PKey;
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::ServeError;
use crate::config::Config;
use crate::trust::Pki;
use crate::trust::keys::is_sealed;

/// Reads what `link.certificate` and `link.key` name.
pub(super) fn read_link(config: &Config, pki: &Pki) -> Result<Credentials, ServeError> {
    let link = &config.link;
    let key = key_file(config, &link.key);
    of(("link.certificate", &link.certificate), ("link.key", &key), pki)
}

/// Reads what `https.certificate` and `https.key` name.
pub(super) fn read_https(config: &Config, pki: &Pki) -> Result<Credentials, ServeError> {
    let https = &config.https;
    let key = key_file(config, &https.key);
    of(("https.certificate", &https.certificate), ("https.key", &key), pki)
}

/// From two files, each with the configuration's key that names it.
fn of(
    (certificate_key, certificate_file): (&'static str, &Path),
    (key_key, key_file): (&'static str, &Path),
    pki: &Pki,
) -> Result<Credentials, ServeError> {
    let certificates = read(certificate_file, certificate_key)?;
    let mut certificates = X509::stack_from_pem(&certificates).unwrap_or_default().into_iter();
    let certificate = certificates.next().ok_or_else(|| ServeError::NotA {
        key: certificate_key,
        file: certificate_file.to_owned(),
        wanted: "certificate",
    })?;
    let chain = certificates.collect();
    let bytes = read(key_file, key_key)?;
    let key = match (is_sealed(&bytes), pki.files()) {
        (true, Some(files)) => files
            .server_key(key_file)
            .map_err(|source| ServeError::SealedKey { key: key_key, source })?,
        (true, None) | (false, _) => {
            // An empty passphrase, so that OpenSSL never asks for one at the terminal.
            let key = PKey::private_key_from_pem_passphrase(&bytes, &[]);
            key.map_err(|_| ServeError::NotA {
                key: key_key,
                file: key_file.to_owned(),
                wanted: "private key, sealed or",
            })?
        }
    };
    if !certificate.public_key().is_ok_and(|public| public.public_eq(&key)) {
        return Err(ServeError::AnotherKey {
            setting: key_key,
            key: key_file.to_owned(),
            certificate: certificate_file.to_owned(),
        });
    }
    Ok(Credentials { certificate, chain, key })
}

/// The file of a key. The hub's own is found under either of its names: plain as hubs before had it,
/// or as it was put there since; else sealed.
pub(super) fn key_file(config: &Config, named: &Path) -> PathBuf {
    let own = [config.trust.dir.join("server.key.pem"), config.trust.dir.join("keys/server.key")];
    let is_own = own.iter().any(|own| own == named);
    let there = own.into_iter().find(|own| own.exists());
    there.filter(|_| is_own).unwrap_or_else(|| named.to_owned())
}

fn read(file: &Path, key: &'static str) -> Result<Zeroizing<Vec<u8>>, ServeError> {
    std::fs::read(file).map(Zeroizing::new).map_err(|source| ServeError::File {
        key,
        file: file.to_owned(),
        source,
    })
}
