//! A key store whose signatures are counted and timed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use actors::metrics::{KeyKind, Metrics};

use super::{KeyError, KeyLabel, KeyStore, PublicKey, Purpose};

/// Another key store, measured.
pub struct MeasuredStore {
    store: Arc<dyn KeyStore>,
    metrics: Arc<Metrics>,
}

impl MeasuredStore {
    /// Measures `store`.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }
}

impl std::fmt::Debug for MeasuredStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(f)
    }
}

const fn kind(label: &KeyLabel) -> KeyKind {
    match label.purpose() {
        Purpose::Root => KeyKind::Root,
        Purpose::Tenant(_) => KeyKind::Tenant,
        Purpose::Server => KeyKind::Server,
        Purpose::Firmware => KeyKind::Firmware,
        Purpose::Audit => KeyKind::Audit,
    }
}

impl KeyStore for MeasuredStore {
    fn generate(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        self.store.generate(label)
    }

    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        self.store.public_key(label)
    }

    fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let began = Instant::now();
        let signed = self.store.sign(label, message);
        self.metrics.key_signature(kind(label), began.elapsed(), signed.is_ok());
        signed
    }

    fn labels(&self) -> Result<Vec<KeyLabel>, KeyError> {
        self.store.labels()
    }

    fn import_plain(&self, label: &KeyLabel) -> Result<Option<PathBuf>, KeyError> {
        self.store.import_plain(label)
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}
