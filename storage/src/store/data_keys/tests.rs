use std::path::Path;

use super::super::secrets::TREE as SECRETS;
use super::*;
use crate::{
    Board, BootId, Fingerprint, KeyPurpose, Quota, SealError, SecretKind, SecretName, Session,
    SessionName, Slot, Tenant, TenantId, TenantState, Trust, UnixSeconds, Window,
};

const CANARY: &[u8] = b"the-password-of-the-broker";

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn keyring() -> Keyring {
    Keyring::new((KeyId::FIRST, SealingKey::new([9; 32])), SealingKey::new([8; 32]))
}

fn data_key(id: u16) -> DataKey {
    DataKey {
        id: KeyId(id),
        purpose: KeyPurpose::Records,
        made: UnixSeconds(5),
        master: String::from("a test"),
        wrapped: vec![1, 2, 3],
    }
}

fn store(dir: &Path) -> Store {
    let store = Store::open(&dir.join("store")).unwrap();
    let (name, state, quota) = (String::from("Acme"), TenantState::Active, Quota::default());
    let tenant = Tenant { id: acme(), name, state, created: UnixSeconds(1), issuer: None, quota };
    store.tenants().put(&tenant).unwrap();
    store
}

fn name(kind: SecretKind) -> SecretName {
    SecretName::new(Some(&acme()), kind, "broker").unwrap()
}

fn raw(dir: &Path) -> sled::Db {
    crate::store::open::database(&dir.join("store/sled"), dir).unwrap()
}

/// A session of the board, made new, in a slot of its own.
fn sleep(store: &Store, sessions: &crate::Sessions, board: &str) -> Slot {
    let board = Board::new(board.parse().unwrap(), acme(), UnixSeconds(1));
    store.boards().put(&board).unwrap();
    let lease = sessions.take().unwrap();
    let window = Window { generation: 7, trust: Trust::Yes, next: 1, received: 1, write_limit: 1 };
    lease.write(&window).unwrap();
    let address = "192.0.2.1:9".parse().unwrap();
    let session = Session {
        generation: 7,
        board: board.id,
        tenant: acme(),
        fingerprint: Fingerprint([3; 32]),
        not_after: UnixSeconds(9),
        authenticated: UnixSeconds(1),
        open: true,
        name: SessionName::ConnectionId([1; 6]),
        write_cid: vec![],
        peer: address,
        write_floor: 0,
        suite: 0xC02B,
        keys: crate::Secret([5; 40]),
        resumption: None,
    };
    sessions.put(&lease, &session, None).unwrap();
    lease.slot()
}

#[test]
fn a_secret_is_found_by_its_name_until_it_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let secrets = store.secrets(&keyring()).unwrap();
    let password = name(SecretKind::BrokerPassword);
    assert_eq!(secrets.open(&password).unwrap(), None);
    secrets.put(&password, b"first", UnixSeconds(1)).unwrap();
    secrets.put(&password, CANARY, UnixSeconds(2)).unwrap();
    let own = SecretName::new(None, SecretKind::OidcClient, "corp").unwrap();
    secrets.put(&own, b"", UnixSeconds(3)).unwrap();
    assert_eq!(&**secrets.open(&password).unwrap().unwrap(), CANARY);
    assert_eq!(secrets.open(&name(SecretKind::SasKey)).unwrap(), None);
    let listed: Vec<_> = secrets.list().map(Result::unwrap).collect();
    assert_eq!(listed, [(own, UnixSeconds(3)), (password.clone(), UnixSeconds(2))]);
    assert!(secrets.forget(&password).unwrap() && !secrets.forget(&password).unwrap());
    assert_eq!(secrets.open(&password).unwrap(), None);
}

#[test]
fn a_secret_needs_its_tenant_goes_with_it_and_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let secrets = store.secrets(&keyring()).unwrap();
    let other = SecretName::new(Some(&"acme-2".parse().unwrap()), SecretKind::SasKey, "x").unwrap();
    let refused = secrets.put(&other, b"x", UnixSeconds(1)).unwrap_err();
    assert!(matches!(refused, StoreError::UnknownTenant { .. }), "{refused}");
    let long = [7; super::super::secrets::SECRET_BYTES_MAX + 1];
    let refused = secrets.put(&name(SecretKind::SasKey), &long, UnixSeconds(1)).unwrap_err();
    assert!(matches!(refused, StoreError::Unwritable { .. }), "{refused}");
    let most = &long[1..];
    secrets.put(&name(SecretKind::SasKey), most, UnixSeconds(1)).unwrap();
    assert_eq!(&**secrets.open(&name(SecretKind::SasKey)).unwrap().unwrap(), most);
    let own = SecretName::new(None, SecretKind::SasKey, "x").unwrap();
    secrets.put(&own, b"own", UnixSeconds(1)).unwrap();
    store.tenants().remove(&acme()).unwrap();
    let left: Vec<_> = secrets.list().map(|listed| listed.unwrap().0).collect();
    assert_eq!(left, [own]);
}

#[test]
fn a_secret_moved_to_another_place_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let secrets = store(dir.path()).secrets(&keyring()).unwrap();
    secrets.put(&name(SecretKind::BrokerPassword), CANARY, UnixSeconds(1)).unwrap();
    drop(secrets);
    let db = raw(dir.path());
    let tree = db.open_tree(SECRETS).unwrap();
    let record = tree.get(name(SecretKind::BrokerPassword).key()).unwrap().unwrap();
    let elsewhere = [
        name(SecretKind::SasKey),
        SecretName::new(Some(&acme()), SecretKind::BrokerPassword, "broker-2").unwrap(),
        SecretName::new(None, SecretKind::BrokerPassword, "broker").unwrap(),
    ];
    for place in &elsewhere {
        tree.insert(place.key(), &record).unwrap();
    }
    drop((tree, db));
    let secrets = store(dir.path()).secrets(&keyring()).unwrap();
    assert_eq!(&**secrets.open(&name(SecretKind::BrokerPassword)).unwrap().unwrap(), CANARY);
    for place in &elsewhere {
        let refused = secrets.open(place).unwrap_err();
        let sealed = matches!(refused, StoreError::Sealed { source: SealError::DoesNotOpen, .. });
        assert!(sealed, "{place}: {refused}");
    }
}

#[test]
fn neither_the_store_nor_a_backup_shows_a_secret_and_a_restored_one_opens() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let password = name(SecretKind::BrokerPassword);
    let secrets = store.secrets(&keyring()).unwrap();
    secrets.put(&password, CANARY, UnixSeconds(1)).unwrap();
    store.put_data_keys(&[data_key(1)]).unwrap();
    let mut backup = Vec::new();
    store.backup(UnixSeconds(2), "test", &mut backup, |_| {}).unwrap();
    drop((store, secrets));
    let file = dir.path().join("backup");
    std::fs::write(&file, &backup).unwrap();
    let shows = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY);
    assert!(!shows(&backup));
    for file in std::fs::read_dir(dir.path().join("store/sled")).unwrap() {
        let file = file.unwrap().path();
        assert!(file.is_dir() || !shows(&std::fs::read(file).unwrap()));
    }
    crate::backup::restore(&file, &dir.path().join("again"), None, |_| {}).unwrap();
    let restored = Store::open(&dir.path().join("again")).unwrap();
    assert_eq!(restored.data_keys().unwrap(), [data_key(1)]);
    let secrets = restored.secrets(&keyring()).unwrap();
    assert_eq!(&**secrets.open(&password).unwrap().unwrap(), CANARY);
}

#[test]
fn keys_are_listed_by_number_and_put_all_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    assert_eq!(store.data_keys().unwrap(), []);
    store.put_data_keys(&[data_key(300), data_key(2)]).unwrap();
    let naming = DataKey { purpose: KeyPurpose::ConnectionIds, ..data_key(2) };
    store.put_data_keys(std::slice::from_ref(&naming)).unwrap();
    let huge = DataKey { wrapped: vec![0; 70_000], ..data_key(4) };
    assert!(store.put_data_keys(&[data_key(3), huge]).is_err());
    assert_eq!(store.data_keys().unwrap(), [naming, data_key(300)]);
}

#[test]
fn a_key_is_retired_when_neither_secret_nor_session_is_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let keyring = keyring();
    store.put_data_keys(&[data_key(1), data_key(3)]).unwrap();
    let secrets = store.secrets(&keyring).unwrap();
    let sessions = store.sessions(&keyring, BootId([1; 16])).unwrap();
    secrets.put(&name(SecretKind::SasKey), CANARY, UnixSeconds(1)).unwrap();
    let slots = ["CB-1", "CB-2"].map(|board| sleep(&store, &sessions, board));
    let under = |key: u16| store.sealed_under().unwrap().get(&KeyId(key)).copied();
    assert_eq!(under(1), Some(SealedUnder { secrets: 1, sessions: 2 }));
    assert_eq!(store.retire_keys(&keyring).unwrap(), []);

    keyring.add(KeyId(3), SealingKey::new([4; 32]));
    assert_eq!(store.retire_keys(&keyring).unwrap(), []);
    assert_eq!(secrets.reseal().unwrap(), 1);
    assert_eq!(secrets.reseal().unwrap(), 0);
    assert!(sessions.change(slots[0], 7, |session| session.open = false).unwrap());
    assert_eq!(under(1), Some(SealedUnder { secrets: 0, sessions: 1 }), "as they are written");
    assert_eq!(store.retire_keys(&keyring).unwrap(), []);
    let (count, mut next) = store.reseal_sessions(0).unwrap();
    assert_eq!(count, 1);
    while let Some(first) = next {
        (_, next) = store.reseal_sessions(first).unwrap();
    }
    assert_eq!((under(1), under(3)), (None, Some(SealedUnder { secrets: 1, sessions: 2 })));
    assert_eq!(store.retire_keys(&keyring).unwrap(), [KeyId::FIRST]);
    assert_eq!(store.data_keys().unwrap(), [data_key(3)]);
    assert_eq!(&**secrets.open(&name(SecretKind::SasKey)).unwrap().unwrap(), CANARY);
    assert!(slots.iter().all(|slot| sessions.find(*slot).unwrap().is_some()));
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
}

#[test]
fn a_former_hubs_key_is_known_until_it_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(store(dir.path()));
    // As `SealingKey::new([9; 32]).derive("sessions")` had sealed it: version 1, salt 1 to 16.
    let golden = [
        1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 184, 117, 187, 52, 167, 40, 23,
        135, 151, 82, 107, 36, 223, 90, 97, 246,
    ];
    let db = raw(dir.path());
    db.open_tree("meta").unwrap().insert(KEY_CHECK, &golden[..]).unwrap();
    drop(db);
    let store = store(dir.path());
    let key = SealingKey::new([9; 32]).derive("sessions");
    assert_eq!(store.is_former_key(&key).unwrap(), Some(true));
    assert_eq!(store.is_former_key(&SealingKey::new([1; 32])).unwrap(), Some(false));
    store.forget_former_key().unwrap();
    assert_eq!(store.is_former_key(&key).unwrap(), None);
}

#[test]
fn with_the_master_key_all_that_is_sealed_can_be_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let keyring = keyring();
    store.put_data_keys(&[data_key(1)]).unwrap();
    let secrets = store.secrets(&keyring).unwrap();
    secrets.put(&name(SecretKind::SasKey), CANARY, UnixSeconds(1)).unwrap();
    let sessions = store.sessions(&keyring, BootId([1; 16])).unwrap();
    sleep(&store, &sessions, "CB-1");
    drop((sessions, secrets));
    store.forget_sealed().unwrap();
    assert_eq!(store.data_keys().unwrap(), []);
    assert_eq!(store.sealed_under().unwrap().len(), 0);
    let sessions = store.sessions(&keyring, BootId([1; 16])).unwrap();
    assert_eq!((sessions.count(), store.boards().count()), (0, 1));
}

#[test]
fn a_check_notices_a_secret_without_its_key_or_its_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let secrets = store.secrets(&keyring()).unwrap();
    secrets.put(&name(SecretKind::SasKey), CANARY, UnixSeconds(1)).unwrap();
    let said = |store: &Store| -> Vec<String> {
        let report = store.check(|_| {}).unwrap();
        report.problems.iter().map(|it| format!("{} {}: {}", it.tree, it.key, it.what)).collect()
    };
    let problem = "it is sealed under data key 1, which is not there";
    assert_eq!(said(&store), [format!("vault/secrets acme/sas-key/broker: {problem}")]);
    store.put_data_keys(&[data_key(1)]).unwrap();
    assert!(said(&store).is_empty());
    drop((secrets, store));
    raw(dir.path()).open_tree("tenants").unwrap().remove("acme").unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let problem = "its tenant acme does not exist";
    assert_eq!(said(&store), [format!("vault/secrets acme/sas-key/broker: {problem}")]);
}
