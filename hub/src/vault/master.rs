//! What wraps data keys: a master key, wherever it is.
//!
//! Invariant: a data key is wrapped for its place, and opens nowhere else.

use std::fmt::Debug;

use storage::{KeyId, KeyPurpose, SealingKey, Store};
use zeroize::Zeroizing;

use super::VaultError;
#[cfg(feature = "azure-key-vault")]
use super::azure::AzureMaster;
use super::file::{KeyFile, KeyMaster};
use super::token::TokenMaster;
use crate::config::{Config, MasterKind, credential};
use crate::trust::keys::{Pkcs11Options, WrappingKey};

/// The credential that systemd hands over.
const CREDENTIAL: &str = "vault.master_key";

/// A master key. Calls may block for as long as a token or a network takes.
pub(super) trait Master: Debug + Send + Sync {
    /// Wraps a data key for its place.
    fn wrap(&self, place: Place, key: &SealingKey) -> Result<Vec<u8>, VaultError>;

    /// The data key; `None` where another master key has wrapped it, or for another place.
    fn unwrap(&self, place: Place, wrapped: &[u8]) -> Result<Option<SealingKey>, VaultError>;

    /// Which it is, for people: the same for the same key.
    fn name(&self) -> String;
}

/// Which data key, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) id: KeyId,
    pub(super) purpose: KeyPurpose,
}

impl Place {
    /// What wrappings are bound to.
    pub(super) fn bytes(self) -> Vec<u8> {
        let purpose = match self.purpose {
            KeyPurpose::Records => 0,
            KeyPurpose::ConnectionIds => 1,
        };
        [b"cellular-hub data key".as_slice(), &self.id.0.to_be_bytes(), &[purpose]].concat()
    }
}

/// The master key that a configuration names.
pub(super) enum Named {
    /// There is one.
    Found(Box<dyn Master>),
    /// There is none yet.
    Absent(Absent),
}

/// Where a master key is not.
pub(super) enum Absent {
    /// In the file.
    File(KeyFile),
    /// Among the credentials.
    Credential,
    /// In the token.
    Token(Box<WrappingKey>),
}

impl Named {
    /// Looks for the master key of a configuration.
    pub(super) fn by(config: &Config) -> Result<Self, VaultError> {
        match config.vault.master {
            MasterKind::File => {
                let file = key_file(config);
                Ok(file.read()?.map_or(Self::Absent(Absent::File(file)), |key| Self::of_key(&key)))
            }
            MasterKind::Credential => {
                let key = handed_over().map_or(Ok(None), |file| file.read())?;
                Ok(key.map_or(Self::Absent(Absent::Credential), |key| Self::of_key(&key)))
            }
            MasterKind::Pkcs11 => {
                let options = Pkcs11Options::of(&config.trust);
                let key = WrappingKey::open(options, &config.vault.pkcs11_key)?;
                Ok(match key.name()? {
                    Some(name) => Self::Found(Box::new(TokenMaster { key, name })),
                    None => Self::Absent(Absent::Token(Box::new(key))),
                })
            }
            #[cfg(feature = "azure-key-vault")]
            MasterKind::AzureKeyVault => Ok(Self::Found(Box::new(AzureMaster::new(config)?))),
            #[cfg(not(feature = "azure-key-vault"))]
            MasterKind::AzureKeyVault => Err(VaultError::WithoutAzure),
        }
    }

    fn of_key(key: &SealingKey) -> Self {
        Self::Found(Box::new(KeyMaster::new(key)))
    }

    /// The key, made now where there was none and one can be made.
    pub(super) fn or_made(self) -> Result<Box<dyn Master>, VaultError> {
        match self {
            Self::Found(master) => Ok(master),
            Self::Absent(Absent::File(file)) => Ok(Box::new(KeyMaster::new(&file.make()?))),
            Self::Absent(Absent::Credential) => Err(VaultError::NoCredential { name: CREDENTIAL }),
            Self::Absent(Absent::Token(key)) => {
                key.make()?;
                let name = key.name()?.unwrap_or_default();
                tracing::info!(name, "a new master key in the token");
                Ok(Box::new(TokenMaster { key: *key, name }))
            }
        }
    }

    /// The key, which must be there: something is wrapped under `master`.
    pub(super) fn or_missing(self, master: &str) -> Result<Box<dyn Master>, VaultError> {
        let master = master.to_owned();
        match self {
            Self::Found(found) => Ok(found),
            Self::Absent(Absent::File(file)) => Err(missing(&file, master)),
            Self::Absent(Absent::Credential) => Err(VaultError::NoCredential { name: CREDENTIAL }),
            Self::Absent(Absent::Token(key)) => {
                Err(VaultError::Missing { place: key.describe(), master })
            }
        }
    }
}

fn missing(file: &KeyFile, master: String) -> VaultError {
    VaultError::Missing { place: format!("{} ({})", file.path().display(), file.setting), master }
}

/// The key that a hub before data keys has used; `None` where none was here.
pub(super) fn former_key(config: &Config, store: &Store) -> Result<Option<SealingKey>, VaultError> {
    let nobody = SealingKey::new([0; SealingKey::LEN]);
    if store.is_former_key(&nobody)?.is_none() {
        return Ok(None);
    }
    let file = match config.vault.master {
        MasterKind::File => key_file(config),
        MasterKind::Credential => {
            handed_over().ok_or(VaultError::NoCredential { name: CREDENTIAL })?
        }
        MasterKind::Pkcs11 | MasterKind::AzureKeyVault => return Err(VaultError::Former),
    };
    let sealed = || String::from("that of its sessions");
    let key = file.read()?.ok_or_else(|| missing(&file, sealed()))?;
    match store.is_former_key(&key.derive("sessions"))? {
        Some(true) => Ok(Some(key)),
        Some(false) | None => {
            Err(VaultError::Other { sealed: sealed(), here: KeyMaster::new(&key).name() })
        }
    }
}

fn key_file(config: &Config) -> KeyFile {
    let file = config.vault.master_key.clone();
    KeyFile { setting: "vault.master_key", file, is_ours: true }
}

/// What systemd hands over; it may not be there all the same.
fn handed_over() -> Option<KeyFile> {
    let file = credential(CREDENTIAL)?;
    Some(KeyFile { setting: "credential vault.master_key", file, is_ours: false })
}

/// A data key of these bytes; `None` where they are not 32.
pub(super) fn key_of(bytes: &[u8]) -> Option<SealingKey> {
    let bytes = Zeroizing::new(<[u8; SealingKey::LEN]>::try_from(bytes).ok()?);
    Some(SealingKey::new(*bytes))
}
