//! A token that is opened when a key is first needed, and again after that failed: a hub whose security
//! module is away starts, and serves its boards.

use std::sync::{Arc, Mutex, PoisonError};

use super::{KeyError, KeyLabel, KeyStore, Pkcs11Options, Pkcs11Store, PublicKey};
use crate::config::Trust;

/// The token of a configuration, opened on first use.
#[derive(Debug)]
pub struct LazyStore {
    trust: Trust,
    opened: Mutex<Option<Arc<Pkcs11Store>>>,
}

impl LazyStore {
    /// The token that `trust` names.
    #[must_use]
    pub fn new(trust: &Trust) -> Self {
        Self { trust: trust.clone(), opened: Mutex::default() }
    }

    fn store(&self) -> Result<Arc<Pkcs11Store>, KeyError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*opened {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(Pkcs11Store::open(Pkcs11Options::of(&self.trust))?);
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

    fn describe(&self) -> String {
        match self.store() {
            Ok(store) => store.describe(),
            Err(_) => format!("the token {}", self.trust.pkcs11_token),
        }
    }
}
