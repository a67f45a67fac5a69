use std::fs;

use storage::{Quota, SecretKind, Tenant, TenantState};

use super::*;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

/// A configuration of its own folder, and a store with one tenant.
struct Rig {
    folder: tempfile::TempDir,
    config: Config,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::default().relative_to(folder.path());
        Self { folder, config }
    }

    fn store(&self) -> Store {
        let store = Store::open(&self.config.store.dir).unwrap();
        let (name, state, quota) = (String::from("Acme"), TenantState::Active, Quota::default());
        let id = "acme".parse().unwrap();
        store
            .tenants()
            .put(&Tenant { id, name, state, created: NOW, issuer: None, quota })
            .unwrap();
        store
    }

    fn unlock(&self, store: &Store) -> Result<Vault, VaultError> {
        Vault::unlock(&self.config, store, NOW)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn password() -> SecretName {
    let tenant = "acme".parse().unwrap();
    SecretName::new(Some(&tenant), SecretKind::BrokerPassword, "broker").unwrap()
}

fn opened(vault: &Vault) -> Option<Vec<u8>> {
    vault.open(&password()).unwrap().map(|secret| secret.to_vec())
}

#[test]
fn what_was_put_opens_when_the_vault_is_unlocked_again() {
    let rig = Rig::new();
    let store = rig.store();
    let vault = rig.unlock(&store).unwrap();
    vault.put(&password(), b"hunter2", NOW).unwrap();
    let again = rig.unlock(&store).unwrap();
    assert_eq!(opened(&again), Some(b"hunter2".to_vec()));
    assert!(again.forget(&password()).unwrap());
    assert_eq!(opened(&vault), None);
    let keys = store.data_keys().unwrap();
    let said: Vec<_> = keys.iter().map(|key| (key.id.0, key.purpose, key.made)).collect();
    assert_eq!(said, [(1, KeyPurpose::Records, NOW), (2, KeyPurpose::ConnectionIds, NOW)]);
}

#[test]
fn another_master_key_or_none_opens_nothing_and_makes_none() {
    let rig = Rig::new();
    let store = rig.store();
    rig.unlock(&store).unwrap().put(&password(), b"hunter2", NOW).unwrap();
    let (key, kept) = (&rig.config.vault.master_key, rig.path("kept"));
    fs::rename(key, &kept).unwrap();
    let refused = rig.unlock(&store).unwrap_err();
    assert!(matches!(refused, VaultError::Missing { .. }), "{refused}");
    assert!(!key.exists());
    let other = Rig::new();
    other.unlock(&other.store()).unwrap();
    fs::copy(&other.config.vault.master_key, key).unwrap();
    let refused = rig.unlock(&store).unwrap_err();
    assert!(matches!(refused, VaultError::Other { .. }), "{refused}");
    fs::rename(&kept, key).unwrap();
    assert_eq!(opened(&rig.unlock(&store).unwrap()), Some(b"hunter2".to_vec()));
}

#[test]
fn a_wrapped_key_of_another_number_does_not_open() {
    let rig = Rig::new();
    let store = rig.store();
    rig.unlock(&store).unwrap();
    let mut keys = store.data_keys().unwrap();
    let first = keys[0].wrapped.clone();
    keys[1].wrapped = first;
    store.put_data_keys(&keys).unwrap();
    let refused = rig.unlock(&store).unwrap_err();
    assert!(matches!(refused, VaultError::Other { .. }), "{refused}");
}

#[test]
fn another_data_key_takes_the_secrets_over_and_the_older_goes() {
    let rig = Rig::new();
    let store = rig.store();
    let vault = rig.unlock(&store).unwrap();
    vault.put(&password(), b"hunter2", NOW).unwrap();
    let done = vault.rotate(UnixSeconds(NOW.0 + 1)).unwrap();
    assert_eq!((done.key, done.secrets, done.retired), (KeyId(3), 1, vec![KeyId::FIRST]));
    assert_eq!(vault.rotate(NOW).unwrap().key, KeyId(4), "no number comes twice");
    for vault in [vault, rig.unlock(&store).unwrap()] {
        assert_eq!(opened(&vault), Some(b"hunter2".to_vec()));
        assert_eq!(vault.keyring().current(), KeyId(4));
    }
    let ids: Vec<_> = store.data_keys().unwrap().iter().map(|key| key.id.0).collect();
    assert_eq!(ids, [2, 4]);
}

#[test]
fn a_data_key_is_not_wrapped_under_another_master_key_than_the_rest() {
    let rig = Rig::new();
    let store = rig.store();
    let vault = rig.unlock(&store).unwrap();
    fs::write(&rig.config.vault.master_key, [7; 32]).unwrap();
    let refused = vault.rotate(NOW).unwrap_err();
    assert!(matches!(refused, VaultError::Other { .. }), "{refused}");
    assert_eq!(store.data_keys().unwrap().len(), 2);
}

#[test]
fn data_keys_are_wrapped_under_another_master_key_and_the_rest_stays() {
    let rig = Rig::new();
    let store = rig.store();
    let vault = rig.unlock(&store).unwrap();
    vault.put(&password(), b"hunter2", NOW).unwrap();
    vault.rotate(NOW).unwrap();
    let sealed = store.sealed_under().unwrap();
    let mut to = rig.config.clone();
    to.vault.master_key = rig.path("vault/other.key");
    let done = vault.rewrap(&to).unwrap();
    assert_ne!(done.from, done.to);
    assert_eq!((done.keys, store.sealed_under().unwrap()), (2, sealed));
    // The running hub goes on, with the other master key for what is made next.
    assert_eq!(opened(&vault), Some(b"hunter2".to_vec()));
    vault.rotate(NOW).unwrap();
    let refused = rig.unlock(&store).unwrap_err().to_string();
    assert!(refused.contains(&done.from) && refused.contains(&done.to), "{refused}");
    let vault = Vault::unlock(&to, &store, NOW).unwrap();
    assert_eq!(opened(&vault), Some(b"hunter2".to_vec()));
}
