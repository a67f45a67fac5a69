//! The keys that sign for the hub: its root, its tenants' authorities, firmware, audit checkpoints.
//!
//! Invariant: a private key is made inside its store and nothing here gives one out, but for the key of
//! the TLS server, which OpenSSL needs in the process: that one is always in a sealed file.

mod change;
mod error;
mod file;
mod label;
mod lazy;
mod measured;
mod memory;
mod passphrase;
mod pkcs11;
mod public;
mod sealed;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{KeyStoreKind, Trust, credential};

pub use self::change::Changed;
pub use self::error::KeyError;
pub use self::file::{FileStore, KeyFolders};
pub use self::label::{InvalidLabel, KeyLabel, Purpose};
pub use self::lazy::LazyStore;
pub use self::measured::MeasuredStore;
pub use self::memory::MemoryStore;
pub use self::passphrase::SecretFile;
pub use self::pkcs11::{Pkcs11Options, Pkcs11Store, WrappingKey};
pub use self::public::PublicKey;

/// Where private keys on P-256 are made and used. Every call may block for as long as the disk or
/// the token takes.
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// A new key by this name; durable on return. Refused when there is one
    /// ([`KeyError::Exists`]).
    fn generate(&self, label: &KeyLabel) -> Result<PublicKey, KeyError>;

    /// The public half of a key.
    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, KeyError>;

    /// ECDSA with SHA-256 over `message`, DER (RFC 3279, 2.2.3).
    fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// The names of all keys, sorted.
    fn labels(&self) -> Result<Vec<KeyLabel>, KeyError>;

    /// Takes in the plain key by this name that a former hub left in the pki folder, and gives the
    /// file's new name; `None` where there is none, or the store takes in no keys.
    fn import_plain(&self, _label: &KeyLabel) -> Result<Option<PathBuf>, KeyError> {
        Ok(None)
    }

    /// What and where it is, for people: "the key files in pki/keys".
    fn describe(&self) -> String;
}

/// The sealed files of a configuration; a passphrase is read when a key is first used.
pub fn files(trust: &Trust) -> FileStore {
    let folders = KeyFolders { sealed: trust.dir.join("keys"), plain: trust.dir.clone() };
    let passphrase = SecretFile {
        key: "trust.passphrase_file",
        file: trust.passphrase_file.clone(),
        credential: credential("keys.passphrase"),
    };
    FileStore::new(folders, passphrase)
}

/// Whether a file's bytes are a sealed key.
pub fn is_sealed(file: &[u8]) -> bool {
    sealed::Sealed::begins(file)
}

/// The key store that the configuration names, where `files` are its sealed files. A token is logged
/// in to when a key is first used.
pub fn open(trust: &Trust, files: &Arc<FileStore>) -> Arc<dyn KeyStore> {
    match trust.key_store {
        KeyStoreKind::File => Arc::clone(files) as Arc<dyn KeyStore>,
        KeyStoreKind::Pkcs11 => Arc::new(LazyStore::new(trust)),
    }
}

#[cfg(test)]
mod tests;
