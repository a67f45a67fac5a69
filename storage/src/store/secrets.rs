//! Secrets in the store, each sealed for its place.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `vault/secrets` | tenant NUL kind NUL name; the hub's own without a tenant | record |
//!
//! Invariant: a secret is in here sealed alone, and a tenant's go with the tenant.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::tree::Tree;
use super::{Inner, decode, encode, printable, scoped};
use crate::record::RecordError;
use crate::{
    Keyring, SealError, SealedSecret, SecretName, Store, StoreError, TenantId, UnixSeconds,
};

pub(crate) const TREE: &str = "vault/secrets";

/// Bytes of the longest secret.
pub const SECRET_BYTES_MAX: usize = 16 * 1024;

/// The secrets of a [`Store`], with the keys that open them; clones are the same.
#[derive(Clone)]
pub struct Secrets {
    inner: Arc<Inner>,
    tree: Tree,
    keyring: Keyring,
}

impl Store {
    /// The secrets, sealed under the keys of `keyring`.
    pub fn secrets(&self, keyring: &Keyring) -> Result<Secrets, StoreError> {
        let (inner, tree) = (Arc::clone(&self.inner), self.secret_tree()?);
        Ok(Secrets { inner, tree, keyring: keyring.clone() })
    }

    /// Removes the secret of this name and says whether there was one; durable on return.
    pub fn forget_secret(&self, name: &SecretName) -> Result<bool, StoreError> {
        let removed = self.secret_tree()?.remove(name.key())?;
        self.flush()?;
        Ok(removed.is_some())
    }

    pub(crate) fn secret_tree(&self) -> Result<Tree, StoreError> {
        Tree::open(&self.inner.db, TREE, &self.inner.health)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Seals a secret in place of the one that has its name; durable on return. Refused without its
    /// tenant ([`StoreError::UnknownTenant`]), and when it is longer than [`SECRET_BYTES_MAX`].
    pub fn put(
        &self,
        name: &SecretName,
        secret: &[u8],
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        let key = name.key();
        if secret.len() > SECRET_BYTES_MAX {
            let source = RecordError::TooLarge { bytes: secret.len(), max: SECRET_BYTES_MAX };
            return Err(StoreError::Unwritable { key: printable(&key), source });
        }
        // Held while sealing, too: see `Store::retire_keys`.
        let writer = self.inner.writer();
        if let Some(tenant) = name.tenant() {
            self.inner.require_tenant(tenant)?;
        }
        self.write(&key, secret, now)?;
        drop(writer);
        self.inner.flush()
    }

    /// The secret of this name; wiped when it is dropped.
    pub fn open(&self, name: &SecretName) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let key = name.key();
        let found = self.find(&key)?;
        found.map(|record| self.unseal(&key, &record)).transpose()
    }

    /// Removes the secret of this name and says whether there was one; durable on return.
    pub fn forget(&self, name: &SecretName) -> Result<bool, StoreError> {
        let removed = self.tree.remove(name.key())?;
        self.inner.flush()?;
        Ok(removed.is_some())
    }

    /// The names of all secrets, by tenant, and since when each is there. Those of kinds that a later
    /// hub added are left out.
    pub fn list(
        &self,
    ) -> impl Iterator<Item = Result<(SecretName, UnixSeconds), StoreError>> + use<> {
        self.tree.iter().filter_map(|entry| {
            let named = entry.and_then(|(key, record)| {
                let record: SealedSecret = decode(TREE, &key, &record)?;
                Ok(SecretName::of_key(&key).map(|name| (name, record.since)))
            });
            named.transpose()
        })
    }

    /// Seals what is under an older key under the current one, and says how many secrets that were;
    /// durable on return.
    pub fn reseal(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for key in self.tree.iter().keys() {
            let key = key?;
            let writer = self.inner.writer();
            let Some(record) = self.find(&key)? else { continue };
            if Keyring::key_of(&record.sealed) == Ok(self.keyring.current()) {
                continue;
            }
            let secret = self.unseal(&key, &record)?;
            self.write(&key, &secret, record.since)?;
            drop(writer);
            count += 1;
        }
        self.inner.flush()?;
        Ok(count)
    }

    fn find(&self, key: &[u8]) -> Result<Option<SealedSecret>, StoreError> {
        self.tree.get(key)?.map(|record| decode(TREE, key, &record)).transpose()
    }

    /// The writer's lock is held.
    fn write(&self, key: &[u8], secret: &[u8], since: UnixSeconds) -> Result<(), StoreError> {
        let sealed = self.keyring.seal(&[TREE.as_bytes(), key], secret).map_err(failed)?;
        self.tree.insert(key, encode(key, &SealedSecret { since, sealed })?).map(drop)
    }

    fn unseal(&self, key: &[u8], record: &SealedSecret) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.keyring.open(&[TREE.as_bytes(), key], &record.sealed).map_err(failed)
    }
}

/// Removes a tenant's secrets; not flushed.
pub(super) fn remove_tenant(inner: &Inner, tenant: &TenantId) -> Result<(), StoreError> {
    let tree = Tree::open(&inner.db, TREE, &inner.health)?;
    for key in tree.scan_prefix(scoped(tenant, "")).keys() {
        tree.remove(key?)?;
    }
    Ok(())
}

const fn failed(source: SealError) -> StoreError {
    StoreError::Sealed { tree: TREE, source }
}
