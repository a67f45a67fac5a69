//! A master key in a token, which it never leaves.

use storage::SealingKey;

use super::VaultError;
use super::master::{Master, Place, key_of};
use crate::trust::keys::WrappingKey;

/// A key in a token that is there.
#[derive(Debug)]
pub(super) struct TokenMaster {
    pub(super) key: WrappingKey,
    pub(super) name: String,
}

impl Master for TokenMaster {
    fn wrap(&self, place: Place, key: &SealingKey) -> Result<Vec<u8>, VaultError> {
        Ok(self.key.seal(&place.bytes(), key.bytes())?)
    }

    fn unwrap(&self, place: Place, wrapped: &[u8]) -> Result<Option<SealingKey>, VaultError> {
        let opened = self.key.unseal(&place.bytes(), wrapped)?;
        Ok(opened.as_deref().and_then(|key| key_of(key)))
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
