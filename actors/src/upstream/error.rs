//! Why an upstream's adapter could not be started: always the configuration's fault.
//! Invariant: names files and fields, never what is in them.

use std::io;

/// A configured upstream that cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// A file could not be read.
    #[error("cannot read the {what} file {path}")]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// Its path as configured.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it is for.
    #[error("the {what} file {path} holds no usable {what}: {reason}")]
    Unusable {
        /// What the file is for.
        what: &'static str,
        /// Its path as configured.
        path: String,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// A secret that should be in the vault is not.
    #[error("its {what} is not in the vault; give it again: `cellular-hub upstream secret`")]
    NotInVault {
        /// What it is for.
        what: &'static str,
    },
    /// The vault does not open a secret.
    #[error("its {what} does not open")]
    Vault {
        /// What it is for.
        what: &'static str,
        /// Why.
        #[source]
        source: storage::StoreError,
    },
    /// What the vault has is not what it is for.
    #[error("the {what} in the vault is no usable {what}: {reason}")]
    Unfit {
        /// What it is for.
        what: &'static str,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// A value cannot be worked with.
    #[error("upstream field {field}: {rule}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] native_tls::Error),
}
