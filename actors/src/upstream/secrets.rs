//! What opens an upstream: its password and the key of its client certificate, out of the vault.
//! Invariant: wiped when dropped and never printed.

use storage::{SecretKind, Secrets, Upstream, UpstreamKind};
use zeroize::Zeroizing;

use super::UpstreamError;

/// The most bytes a password has.
const PASSWORD_MAX: usize = 8192;

/// The secrets of an upstream that the vault has.
#[derive(Clone, Default)]
pub struct UpstreamSecrets {
    /// Its password.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The private key of its client certificate, PEM.
    pub client_key: Option<Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for UpstreamSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamSecrets").finish_non_exhaustive()
    }
}

impl UpstreamSecrets {
    /// Opens what the upstream says that the vault has.
    ///
    /// # Errors
    /// [`UpstreamError::NotInVault`] where it has not; [`UpstreamError::Vault`] where it fails.
    pub fn of(upstream: &Upstream, vault: &Secrets) -> Result<Self, UpstreamError> {
        let UpstreamKind::Mqtt(mqtt) = &upstream.kind else { return Ok(Self::default()) };
        let open = |what, kind, sealed: bool| {
            if !sealed {
                return Ok(None);
            }
            let name = upstream.secret(kind).map_err(|_| UpstreamError::NotInVault { what })?;
            let opened =
                vault.open(&name).map_err(|source| UpstreamError::Vault { what, source })?;
            opened.map(Some).ok_or(UpstreamError::NotInVault { what })
        };
        Ok(Self {
            password: open("password", SecretKind::BrokerPassword, mqtt.password_sealed)?,
            client_key: open("client key", SecretKind::ClientKey, mqtt.client_key_sealed)?,
        })
    }
}

/// A password as it stands in a file or was typed: without the line's end.
///
/// # Errors
/// What is wrong with it.
pub fn password_of(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    match text.trim_end_matches(['\r', '\n']) {
        text if text.is_empty() || text.len() > PASSWORD_MAX => Err("it must have 1 to 8192 bytes"),
        text => Ok(text),
    }
}

/// Whether bytes are a private key as a client certificate needs one: PEM, without a passphrase.
#[must_use]
pub fn is_client_key(pem: &[u8]) -> bool {
    // An empty passphrase, so that OpenSSL never asks for one at the terminal.
    openssl::pkey::PKey::private_key_from_pem_passphrase(pem, &[]).is_ok()
}
