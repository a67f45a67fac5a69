//! Why the vault does not open or change. Holds no key and no secret.

use std::io;
use std::path::PathBuf;

use storage::{SealError, SealingKey, StoreError};

use crate::trust::TrustError;
use crate::trust::keys::KeyError;

/// Why the vault does not open or change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The master key cannot be read.
    #[error("{setting}: cannot read {}", file.display())]
    Unreadable {
        /// The configuration's key, or the credential's name.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is not 32 bytes long.
    #[error(
        "{setting}: {} does not hold {} bytes; put the right file there, or move it away to begin \
         anew and forget what is sealed: `cellular-hub vault reset`",
        file.display(), SealingKey::LEN
    )]
    NotAKey {
        /// The configuration's key, or the credential's name.
        setting: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// Others may read the file.
    #[error("{setting}: {file} can be read by others; `chmod 600 {file}`", file = file.display())]
    Open {
        /// The configuration's key.
        setting: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// No new key could be written.
    #[error("{setting}: no key can be made")]
    Unwritable {
        /// The configuration's key.
        setting: &'static str,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// There is no master key where there should be one.
    #[error(
        "there is no {place}; the data keys in the store are wrapped under {master}: put the copy \
         back that was kept of it, or forget all that is sealed, sessions and passwords: \
         `cellular-hub vault reset`"
    )]
    Missing {
        /// Where it was looked for.
        place: String,
        /// What was looked for.
        master: String,
    },
    /// No systemd credential, and none is made.
    #[error(
        "vault.master: there is no systemd credential {name}; the unit loads it with \
         LoadCredential= or LoadCredentialEncrypted="
    )]
    NoCredential {
        /// Its name.
        name: &'static str,
    },
    /// The data keys are wrapped under another master key.
    #[error(
        "vault.master: what is in the store is sealed under another master key ({sealed}) than this \
         one ({here}); put that key back, or forget all that is sealed, sessions and passwords: \
         `cellular-hub vault reset`"
    )]
    Other {
        /// The one that they are under.
        sealed: String,
        /// The one that the configuration names.
        here: String,
    },
    /// A hub before data keys was here, and the configuration does not name its key.
    #[error(
        "vault.master: the sessions in the store are sealed under the key file of a former hub; \
         start once with master = \"file\", then `cellular-hub vault rewrap`"
    )]
    Former,
    /// The store has data keys, and not the two that it must have.
    #[error("data keys are missing in the store; restore a backup, or `cellular-hub vault reset`")]
    Incomplete,
    /// The numbers of data keys are used up.
    #[error("the store has had 65535 data keys, and there is no number for another")]
    NoNumber,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] KeyError),
    /// Azure Key Vault did not help.
    #[cfg(feature = "azure-key-vault")]
    #[error(transparent)]
    Azure(#[from] super::AzureError),
    /// This hub cannot use Azure Key Vault.
    #[cfg(not(feature = "azure-key-vault"))]
    #[error("vault.master: this hub was built without the feature azure-key-vault")]
    WithoutAzure,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SealError> for VaultError {
    /// Sealing fails for want of random bytes alone.
    fn from(_: SealError) -> Self {
        Self::Random
    }
}
