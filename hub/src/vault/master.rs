//! What wraps data keys: a master key, wherever it is.
//!
//! Invariant: a data key is wrapped for its place, and opens nowhere else.

use std::fmt::Debug;

use storage::{KeyId, KeyPurpose, SealingKey, Store};

use super::VaultError;
use super::file::{KeyFile, KeyMaster};
use crate::config::{Config, MasterKind, credential};

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

/// The master key that a configuration names; made where there is none and may be one.
pub(super) enum Named {
    /// There is one.
    Found(Box<dyn Master>),
    /// There is none; this makes it.
    ToMake(KeyFile),
}

impl Named {
    /// Looks for the master key of a configuration.
    pub(super) fn by(config: &Config) -> Result<Self, VaultError> {
        match config.vault.master {
            MasterKind::File | MasterKind::Credential => {
                let file = key_file(config)?;
                Ok(match file.read()? {
                    Some(key) => Self::Found(Box::new(KeyMaster::new(&key))),
                    None => Self::ToMake(file),
                })
            }
        }
    }

    /// The key, made now where there was none.
    pub(super) fn or_made(self) -> Result<Box<dyn Master>, VaultError> {
        match self {
            Self::Found(master) => Ok(master),
            Self::ToMake(file) if file.is_ours => Ok(Box::new(KeyMaster::new(&file.make()?))),
            Self::ToMake(_) => Err(VaultError::NoCredential { name: CREDENTIAL }),
        }
    }

    /// The key, which must be there: something is wrapped under `master`.
    pub(super) fn or_missing(self, master: &str) -> Result<Box<dyn Master>, VaultError> {
        match self {
            Self::Found(found) => Ok(found),
            Self::ToMake(file) if file.is_ours => Err(VaultError::Missing {
                place: format!("{} ({})", file.path().display(), file.setting),
                master: master.to_owned(),
            }),
            Self::ToMake(_) => Err(VaultError::NoCredential { name: CREDENTIAL }),
        }
    }
}

/// The key that a hub before data keys would have used.
pub(super) fn former_key(config: &Config, store: &Store) -> Result<Option<SealingKey>, VaultError> {
    let nobody = SealingKey::new([0; SealingKey::LEN]);
    if store.is_former_key(&nobody)?.is_none() {
        return Ok(None);
    }
    let file = match config.vault.master {
        MasterKind::File | MasterKind::Credential => key_file(config)?,
    };
    let sealed = || String::from("that of its sessions");
    let missing = || VaultError::Missing {
        place: format!("{} ({})", file.path().display(), file.setting),
        master: sealed(),
    };
    let key = file.read()?.ok_or_else(missing)?;
    match store.is_former_key(&key.derive("sessions"))? {
        Some(true) => Ok(Some(key)),
        Some(false) | None => {
            Err(VaultError::Other { sealed: sealed(), here: KeyMaster::new(&key).name() })
        }
    }
}

fn key_file(config: &Config) -> Result<KeyFile, VaultError> {
    match config.vault.master {
        MasterKind::File => {
            let file = config.vault.master_key.clone();
            Ok(KeyFile { setting: "vault.master_key", file, is_ours: true })
        }
        MasterKind::Credential => {
            let file =
                credential(CREDENTIAL).ok_or(VaultError::NoCredential { name: CREDENTIAL })?;
            Ok(KeyFile { setting: "credential vault.master_key", file, is_ours: false })
        }
    }
}
