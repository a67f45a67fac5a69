//! The vault: secrets and sessions in the store are sealed under data keys, which lie in the store
//! themselves, wrapped under a master key that is elsewhere.
//!
//! ```text
//! master key (file, credential, token, cloud)  wraps  data keys  seal  secrets, sessions
//! ```
//! Invariant: a secret leaves the vault in memory that is wiped, and a data key is in the store
//! before anything is sealed under it.

#[cfg(feature = "azure-key-vault")]
mod azure;
mod error;
mod file;
mod master;
mod sweeper;
mod token;

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use storage::{
    DataKey, KeyId, KeyPurpose, Keyring, SealingKey, SecretName, Secrets, Store, StoreError,
    UnixSeconds,
};
use zeroize::Zeroizing;

use self::master::{Master, Named, Place};
use crate::config::Config;

#[cfg(feature = "azure-key-vault")]
pub use self::azure::AzureError;
pub use self::error::VaultError;
pub use self::sweeper::Sweeper;

/// The vault of a store, open; clones are the same.
#[derive(Clone, Debug)]
pub struct Vault(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    keyring: Keyring,
    secrets: Secrets,
    /// Which names the master key; held by whoever changes the data keys.
    config: Mutex<Config>,
}

/// What a change of the master key did.
#[derive(Debug, Serialize)]
pub struct Rewrapped {
    /// Under which master key the data keys were.
    pub from: String,
    /// Under which they are.
    pub to: String,
    /// How many.
    pub keys: usize,
}

/// What a rotation did.
#[derive(Debug, Serialize)]
pub struct Rotated {
    /// The new data key.
    pub key: KeyId,
    /// How many secrets were sealed anew.
    pub secrets: u64,
    /// Older keys that nothing was under.
    pub retired: Vec<KeyId>,
}

impl Vault {
    /// Unlocks the vault of a store with the master key that the configuration names. A store without
    /// data keys gets some: new ones, or what a hub before data keys has sealed its sessions under,
    /// so that they open. A master key is made where there is none and nothing is sealed.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn unlock(config: &Config, store: &Store, now: UnixSeconds) -> Result<Self, VaultError> {
        let keys = store.data_keys()?;
        let keyring = match keys.first() {
            None => begin(config, store, now)?,
            Some(first) => {
                let master = Named::by(config)?.or_missing(&first.master)?;
                unwrap(&keys, master.as_ref())?
            }
        };
        let secrets = store.secrets(&keyring)?;
        let (config, store) = (Mutex::new(config.clone()), store.clone());
        Ok(Self(Arc::new(Inner { store, keyring, secrets, config })))
    }

    /// Seals a secret in place of the one that has its name; durable on return.
    ///
    /// # Errors
    /// The store's; a secret has at most [`storage::SECRET_BYTES_MAX`] bytes.
    pub fn put(
        &self,
        name: &SecretName,
        secret: &[u8],
        now: UnixSeconds,
    ) -> Result<(), VaultError> {
        Ok(self.0.secrets.put(name, secret, now)?)
    }

    /// The secret of this name, if there is one; wiped when it is dropped.
    ///
    /// # Errors
    /// The store's.
    pub fn open(&self, name: &SecretName) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Ok(self.0.secrets.open(name)?)
    }

    /// Removes the secret of this name and says whether there was one; durable on return.
    ///
    /// # Errors
    /// The store's.
    pub fn forget(&self, name: &SecretName) -> Result<bool, VaultError> {
        Ok(self.0.secrets.forget(name)?)
    }

    /// Makes another data key, and seals every secret under it; sessions follow as they are written.
    /// An older key goes when nothing is under it any more.
    ///
    /// # Errors
    /// [`VaultError`]; a key that was made stays, and what could not be sealed anew is under an older.
    pub fn rotate(&self, now: UnixSeconds) -> Result<Rotated, VaultError> {
        let Inner { config, store, keyring, secrets } = &*self.0;
        let config = config.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = store.data_keys()?;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return Err(VaultError::Incomplete);
        };
        let master = Named::by(&config)?.or_missing(&first.master)?;
        // It was read anew: a new key must not be wrapped under another than the rest.
        unwrap(&keys, master.as_ref())?;
        let id = last.id.next().ok_or(VaultError::NoNumber)?;
        let key = SealingKey::random()?;
        let data_key = wrapped(master.as_ref(), id, KeyPurpose::Records, &key, now)?;
        store.put_data_keys(std::slice::from_ref(&data_key))?;
        keyring.add(id, key);
        let secrets = secrets.reseal()?;
        let retired = store.retire_keys(keyring)?;
        Ok(Rotated { key: id, secrets, retired })
    }

    /// Removes the older data keys that nothing is under, and says which.
    fn retire(&self) -> Result<Vec<KeyId>, StoreError> {
        let Inner { store, keyring, config, .. } = &*self.0;
        let _changing = config.lock().unwrap_or_else(PoisonError::into_inner);
        store.retire_keys(keyring)
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    /// Wraps the data keys under the master key that another configuration names, which is made where
    /// there is none; what they seal stays as it is. All are wrapped anew, or none.
    ///
    /// # Errors
    /// [`VaultError`]; then everything is as it was.
    pub fn rewrap(&self, to: &Config) -> Result<Rewrapped, VaultError> {
        let Inner { config, store, keyring, .. } = &*self.0;
        let mut config = config.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = store.data_keys()?;
        let master = Named::by(to)?.or_made()?;
        let from = keys.first().map(|key| key.master.clone()).unwrap_or_default();
        for data_key in &mut keys {
            let DataKey { id, purpose, made, .. } = *data_key;
            let key = match purpose {
                KeyPurpose::Records => keyring.key(id).ok_or(VaultError::Incomplete)?,
                KeyPurpose::ConnectionIds => keyring.naming(),
            };
            *data_key = wrapped(master.as_ref(), id, purpose, &key, made)?;
        }
        // What does not open again must not take the place of what does.
        unwrap(&keys, master.as_ref())?;
        store.put_data_keys(&keys)?;
        *config = to.clone();
        Ok(Rewrapped { from, to: master.name(), keys: keys.len() })
    }

    /// The secrets themselves, for who reads many.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// The data keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }
}

/// Gives a store its first data keys.
fn begin(config: &Config, store: &Store, now: UnixSeconds) -> Result<Keyring, VaultError> {
    let former = master::former_key(config, store)?;
    let master = Named::by(config)?.or_made()?;
    let (first, naming) = match &former {
        Some(key) => (key.derive("sessions"), key.derive("connection ids")),
        None => (SealingKey::random()?, SealingKey::random()?),
    };
    let second = KeyId::FIRST.next().ok_or(VaultError::NoNumber)?;
    store.put_data_keys(&[
        wrapped(master.as_ref(), KeyId::FIRST, KeyPurpose::Records, &first, now)?,
        wrapped(master.as_ref(), second, KeyPurpose::ConnectionIds, &naming, now)?,
    ])?;
    if former.is_some() {
        store.forget_former_key()?;
        tracing::info!("the sessions' key is a data key now, wrapped under the master key");
    }
    Ok(Keyring::new((KeyId::FIRST, first), naming))
}

fn wrapped(
    master: &dyn Master,
    id: KeyId,
    purpose: KeyPurpose,
    key: &SealingKey,
    made: UnixSeconds,
) -> Result<DataKey, VaultError> {
    let wrapped = master.wrap(Place { id, purpose }, key)?;
    Ok(DataKey { id, purpose, made, master: master.name(), wrapped })
}

/// Opens every data key.
fn unwrap(keys: &[DataKey], master: &dyn Master) -> Result<Keyring, VaultError> {
    let (mut sealing, mut naming) = (Vec::new(), None);
    for DataKey { id, purpose, master: sealed, wrapped, .. } in keys {
        let other = || VaultError::Other { sealed: sealed.clone(), here: master.name() };
        let place = Place { id: *id, purpose: *purpose };
        let key = master.unwrap(place, wrapped)?.ok_or_else(other)?;
        match purpose {
            KeyPurpose::Records => sealing.push((*id, key)),
            KeyPurpose::ConnectionIds => naming = Some(key),
        }
    }
    let mut sealing = sealing.into_iter();
    let (Some(first), Some(naming)) = (sealing.next(), naming) else {
        return Err(VaultError::Incomplete);
    };
    let keyring = Keyring::new(first, naming);
    sealing.for_each(|(id, key)| keyring.add(id, key));
    Ok(keyring)
}

#[cfg(test)]
mod tests;
