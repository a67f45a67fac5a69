//! Secrets that systemd hands over: `LoadCredential=` and `LoadCredentialEncrypted=` (systemd.exec(5)).

use std::path::PathBuf;

/// Where the credential of this name would be; `None` outside a service that has any.
#[expect(clippy::disallowed_methods, reason = "the configuration is the one reader")]
pub fn credential(name: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name))
}
