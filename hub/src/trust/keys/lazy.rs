//! A key store that is opened when a key is first needed, and again after that failed: a hub whose
//! security module is away starts, and serves its boards.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::{KeyError, KeyLabel, KeyStore, PublicKey, open};
use crate::config::{KeyStoreKind, Trust};

/// The key store of a configuration, opened on first use.
#[derive(Debug)]
pub struct LazyStore {
    trust: Trust,
    opened: Mutex<Option<Arc<dyn KeyStore>>>,
}

impl LazyStore {
    /// The key store that `trust` names.
    #[must_use]
    pub fn new(trust: &Trust) -> Self {
        Self { trust: trust.clone(), opened: Mutex::default() }
    }

    fn store(&self) -> Result<Arc<dyn KeyStore>, KeyError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*opened {
            return Ok(Arc::clone(store));
        }
        let store = open(&self.trust)?;
        *opened = Some(Arc::clone(&store));
        Ok(store)
    }
}

impl KeyStore for LazyStore {
    fn generate(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        self.store()?.generate(label)
    }

    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        self.store()?.public_key(label)
    }

    fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.store()?.sign(label, message)
    }

    fn labels(&self) -> Result<Vec<KeyLabel>, KeyError> {
        self.store()?.labels()
    }

    fn import_plain(&self, label: &KeyLabel) -> Result<Option<PathBuf>, KeyError> {
        self.store()?.import_plain(label)
    }

    fn describe(&self) -> String {
        match (self.store(), self.trust.key_store) {
            (Ok(store), _) => store.describe(),
            (Err(_), KeyStoreKind::File) => String::from("the key files"),
            (Err(_), KeyStoreKind::Pkcs11) => format!("the token {}", self.trust.pkcs11_token),
        }
    }
}
