//! Keys in memory alone: for fixtures, the demo's broker and tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::sign::Signer;

use super::{KeyError, KeyLabel, KeyStore, PublicKey};

/// Keys that are gone with the process, and can be taken out.
#[derive(Default)]
pub struct MemoryStore {
    keys: RwLock<BTreeMap<KeyLabel, PKey<Private>>>,
}

impl MemoryStore {
    /// The key itself; OpenSSL wipes its memory when the last copy is gone.
    pub fn key(&self, label: &KeyLabel) -> Result<PKey<Private>, KeyError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let missing = || KeyError::Missing { label: label.clone(), store: self.describe() };
        keys.get(label).cloned().ok_or_else(missing)
    }

    /// Takes in a key unless there is one by its name.
    pub fn put(&self, label: &KeyLabel, key: PKey<Private>) -> Result<(), KeyError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.contains_key(label) {
            return Err(KeyError::Exists { label: label.clone(), store: self.describe() });
        }
        keys.insert(label.clone(), key);
        Ok(())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl KeyStore for MemoryStore {
    fn generate(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        let key = new_key()?;
        let public = public_half(&key)?;
        self.put(label, key)?;
        Ok(public)
    }

    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        public_half(self.key(label)?.as_ref())
    }

    fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        sign_with(self.key(label)?.as_ref(), message)
    }

    fn labels(&self) -> Result<Vec<KeyLabel>, KeyError> {
        Ok(self.keys.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect())
    }

    fn describe(&self) -> String {
        String::from("memory")
    }
}

pub(super) fn new_key() -> Result<PKey<Private>, KeyError> {
    crate::trust::key::generate().map_err(KeyError::cryptography("make a key"))
}

/// Keys in memory are on P-256: they were made or checked so.
pub(super) fn public_half(key: &PKeyRef<Private>) -> Result<PublicKey, KeyError> {
    let none = openssl::error::ErrorStack::get;
    PublicKey::of(key)
        .ok_or_else(|| KeyError::Cryptography { doing: "read a public key", source: none() })
}

pub(super) fn sign_with(key: &PKeyRef<Private>, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    Signer::new(MessageDigest::sha256(), key)
        .and_then(|mut signer| signer.sign_oneshot_to_vec(message))
        .map_err(KeyError::cryptography("sign"))
}
