//! The key layout and the schema, seen from behind the store's back.

use super::*;
use crate::{
    Acknowledge, AuthorityNumber, Board, Fingerprint, Origin, Quota, Route, Tenant, TenantState,
    UnixSeconds, Upstream, UpstreamKind,
};

fn raw(dir: &Path) -> Db {
    // With patience: a store's thread inside sled outlives it by an instant.
    open::database(&dir.join("sled"), dir).unwrap()
}

fn write_one_of_each(dir: &Path) {
    let store = Store::open(dir).unwrap();
    let tenant = Tenant {
        id: "acme".parse().unwrap(),
        name: "Acme".into(),
        state: TenantState::Active,
        created: UnixSeconds(1),
        issuer: None,
        quota: Quota::default(),
    };
    store.tenants().put(&tenant).unwrap();
    for (id, address) in [("CB-1", "10.0.0.1"), ("CB-2", "2001:db8::1")] {
        let mut board = Board::new(id.parse().unwrap(), tenant.id.clone(), UnixSeconds(1));
        board.fingerprint = Some(Fingerprint([id.as_bytes()[3]; 32]));
        board.address = Some(address.parse().unwrap());
        store.boards().put(&board).unwrap();
    }
    let route = Route {
        tenant: tenant.id.clone(),
        resource: "r/x".parse().unwrap(),
        upstream: "sink".parse().unwrap(),
        topic: "{board}".parse().unwrap(),
        acknowledge: Acknowledge::OnUpstream,
    };
    store.routes().put(&route).unwrap();
    let name = route.upstream.clone();
    let upstream = Upstream { tenant: tenant.id.clone(), name, kind: UpstreamKind::Discard };
    store.upstreams().put(&upstream).unwrap();
}

#[test]
fn every_key_is_where_the_layout_says() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let db = raw(dir.path());
    let keys = |tree: &str| -> Vec<Vec<u8>> {
        db.open_tree(tree).unwrap().iter().keys().map(|key| key.unwrap().to_vec()).collect()
    };
    let entries = |tree: &str| -> Vec<(Vec<u8>, Vec<u8>)> {
        let entries = db.open_tree(tree).unwrap().iter();
        entries.map(|entry| entry.unwrap()).map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
    };
    // Opening and making its rows, each of five writes, and closing.
    assert_eq!(
        entries("meta"),
        [
            (b"acknowledged".to_vec(), vec![0, 0, 0, 0, 0, 0, 0, 8]),
            (b"rows".to_vec(), std::fs::read(dir.path().join("rows")).unwrap()[16..32].to_vec()),
            (b"schema".to_vec(), vec![0, 0, 0, 1])
        ]
    );
    assert_eq!(keys("tenants"), [b"acme"]);
    assert_eq!(keys("boards"), [b"CB-1", b"CB-2"]);
    let address = |hex: &[u8], board: &[u8]| (hex.to_vec(), board.to_vec());
    let mut v6 = [0; 16];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    v6[15] = 1;
    assert_eq!(
        entries("boards/address"),
        [address(&[10, 0, 0, 1], b"CB-1"), address(&v6, b"CB-2")]
    );
    assert_eq!(keys("routes"), [b"acme\0r/x"]);
    assert_eq!(keys("upstreams"), [b"acme\0sink"]);
}

#[test]
fn a_store_of_another_schema_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let set = |value: Option<&[u8]>| {
        let db = raw(dir.path());
        let meta = db.open_tree("meta").unwrap();
        match value {
            Some(value) => meta.insert(SCHEMA_KEY, value).unwrap(),
            None => meta.remove(SCHEMA_KEY).unwrap(),
        };
        db.flush().unwrap();
    };
    let mark = dir.path().join(mark::NAME);
    let cases: [(Option<&[u8]>, u32); 4] =
        [(Some(&[0, 0, 0, 2]), 2), (Some(&[0, 0, 0, 0]), 0), (Some(b"odd"), 0), (None, 0)];
    for (value, shown) in cases {
        // A database of ours that names no schema is damaged; one that never was ours is another's.
        if value.is_none() {
            std::fs::remove_file(&mark).unwrap();
        }
        set(value);
        let error = Store::open(dir.path()).unwrap_err();
        let named = dir.path().display().to_string();
        assert!(error.to_string().contains(&named), "{error}");
        assert!(
            matches!(error, StoreError::UnknownSchema { found, known: 1, .. } if found == shown)
        );
    }
    set(Some(&[0, 0, 0, 1]));
    assert_eq!(Store::open(dir.path()).unwrap().boards().count(), 2);
}

#[test]
fn a_damaged_record_is_named_and_the_others_are_still_read() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let db = raw(dir.path());
    db.open_tree("boards").unwrap().insert("CB-1", &[9, 9]).unwrap();
    drop(db);
    let store = Store::open(dir.path()).unwrap();
    let one = "CB-1".parse().unwrap();
    let error = store.boards().find(&one).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { tree: "boards", key, .. } if key == "CB-1"));
    assert!(store.boards().mark_seen(&[(one, UnixSeconds(1))]).is_err());
    assert!(store.boards().find(&"CB-2".parse().unwrap()).unwrap().is_some());
}

#[test]
fn a_store_may_be_opened_again_at_once_after_it_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..50 {
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.boards().count(), 0);
    }
}

#[test]
fn a_store_from_before_a_tree_was_added_is_opened_with_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let db = raw(dir.path());
    for tree in ["upstreams", "boards/address"] {
        assert!(db.drop_tree(tree).unwrap());
    }
    // And one that a hub after this one added.
    db.open_tree("visitors").unwrap().insert("a", "b").unwrap();
    drop(db);
    // A store from before flushes were counted has no such file.
    std::fs::remove_file(dir.path().join(mark::NAME)).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.boards().count(), 2);
    assert!(store.upstreams().of_tenant(&"acme".parse().unwrap()).unwrap().is_empty());
    drop(store);
    let visitors = raw(dir.path()).open_tree("visitors").unwrap();
    assert_eq!(visitors.get("a").unwrap().unwrap(), b"b");
}

#[test]
fn what_led_to_sessions_in_trees_goes_with_them() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let older = ["sessions", "sessions/board", "sessions/resumption", "boards/fingerprint"];
    let db = raw(dir.path());
    for tree in older.iter().chain(&["sessions/address"]) {
        db.open_tree(tree).unwrap().insert([0, 0, 0, 1], &[0; 4]).unwrap();
    }
    drop(db);
    std::fs::write(dir.path().join("windows"), b"their slots").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(!dir.path().join("windows").exists());
    let key = || crate::SealingKey::new([9; 32]);
    let keyring = crate::Keyring::new((crate::KeyId::FIRST, key()), key());
    let sessions = store.sessions(&keyring, crate::BootId([1; 16])).unwrap();
    assert_eq!((sessions.count(), sessions.by_address().count()), (0, 0));
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
    assert_eq!(store.boards().count(), 2);
    drop((store, sessions));
    let names = raw(dir.path()).tree_names();
    assert!(older.iter().all(|older| names.iter().all(|name| name != older.as_bytes())));
}

#[test]
fn a_store_from_before_rows_is_given_them_and_loses_the_index_they_took_the_place_of() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let db = raw(dir.path());
    let boards = db.open_tree("boards").unwrap();
    for (key, number) in [("CB-1", 0), ("CB-2", 1)] {
        let record = boards.get(key).unwrap().unwrap();
        let without = record.strip_suffix(&[0, 0, 0, 1, number, 0, 0]).unwrap();
        boards.insert(key, [&[3], &without[1..], &[0]].concat()).unwrap();
        db.open_tree("boards/tenant").unwrap().insert(format!("acme\0{key}"), "").unwrap();
    }
    db.open_tree("meta").unwrap().remove("rows").unwrap();
    drop((boards, db));
    std::fs::remove_file(dir.path().join("rows")).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.rows_state(), crate::RowsState::Ready);
    assert_eq!(store.boards().count_of_tenant(&"acme".parse().unwrap()).unwrap(), 2);
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
    drop(store);
    assert!(raw(dir.path()).tree_names().iter().all(|name| name != b"boards/tenant"));
}

#[test]
fn two_boards_never_share_a_row_whatever_their_records_say() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let db = raw(dir.path());
    let boards = db.open_tree("boards").unwrap();
    let record = boards.get("CB-2").unwrap().unwrap();
    let same = [record.strip_suffix(&[1, 0, 0]).unwrap(), &[0, 0, 0]].concat();
    boards.insert("CB-2", same).unwrap();
    drop((boards, db));
    let said = Store::open(dir.path()).unwrap().check(|_| {}).unwrap();
    let said: Vec<_> = said.problems.iter().map(|p| format!("{} {}", p.tree, p.key)).collect();
    assert_eq!(said, ["boards CB-2", "rows CB-2"]);
    std::fs::remove_file(dir.path().join("rows")).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
    assert_eq!(store.boards().count(), 2);
}

#[test]
fn a_database_that_lost_what_was_acknowledged_is_reported_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    write_one_of_each(dir.path());
    let db = raw(dir.path());
    db.open_tree("meta").unwrap().insert(ACKNOWLEDGED_KEY, &6_u64.to_be_bytes()).unwrap();
    drop(db);
    for _ in 0..2 {
        let error = Store::open(dir.path()).unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, StoreError::Damaged { .. }), "{said}");
        assert!(said.contains("last 2 acknowledged") && said.contains("restore FILE"), "{said}");
    }
    // Nor is a new database begun where one was.
    std::fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert!(matches!(Store::open(dir.path()).unwrap_err(), StoreError::Damaged { .. }));
    std::fs::remove_file(dir.path().join(mark::NAME)).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().boards().count(), 0);
}

/// A record of a tenant with an authority as versions 1 and 2 were.
fn former(version: u8, id: &str) -> Vec<u8> {
    let length = u8::try_from(id.len()).unwrap();
    let mut record = vec![version, length];
    record.extend(id.as_bytes());
    record.extend([1, b'N', 0, 5, 1, 2, 0x30, 0x82]);
    record.extend([0; 8].iter().filter(|_| version == 2));
    record
}

#[test]
fn the_one_authority_of_a_tenants_record_becomes_its_first_and_keeps_its_revocations() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let db = raw(dir.path());
    db.open_tree("tenants").unwrap().insert("acme", former(1, "acme")).unwrap();
    let revoked = db.open_tree("certificates/revoked").unwrap();
    let revocation = b"\x01\x04acme\x00\x01\x02\x01\xab\x01\x05";
    revoked.insert(b"sacme\0\x01\xab", revocation.as_slice()).unwrap();
    db.flush().unwrap();
    drop((revoked, db));

    for _ in 0..2 {
        let store = Store::open(dir.path()).unwrap();
        let acme = store.tenants().find(&"acme".parse().unwrap()).unwrap().unwrap();
        assert_eq!((acme.name.as_str(), acme.created), ("N", UnixSeconds(5)));
        let issuing = store.authorities().issuing(&acme).unwrap().unwrap();
        assert_eq!(issuing.certificate, [0x30, 0x82]);
        assert_eq!(issuing.origin, Origin::Own { key: "tenant/acme".into() });
        assert_eq!(issuing.name().to_string(), "acme/1");
        assert_eq!(store.authorities().list(None).count(), 1);
        let revoked = store.revoked();
        assert!(revoked.has_serial(&acme.id, AuthorityNumber::FIRST, &[1, 0xab]).unwrap());
        assert_eq!(revoked.list().count(), 1);
        assert_eq!(store.check(|_| {}).unwrap().problems, []);
    }
}

#[test]
fn a_tenant_of_before_without_an_authority_has_none() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let db = raw(dir.path());
    let record = b"\x02\x04acme\x01N\x00\x05\x00\0\0\0\0\0\0\0\0";
    db.open_tree("tenants").unwrap().insert("acme", record.as_slice()).unwrap();
    db.open_tree("tenants").unwrap().insert("two", former(2, "two")).unwrap();
    db.flush().unwrap();
    drop(db);
    let store = Store::open(dir.path()).unwrap();
    let issuers: Vec<_> = store.tenants().list().map(|tenant| tenant.unwrap().issuer).collect();
    assert_eq!(issuers, [None, Some(AuthorityNumber::FIRST)]);
    assert_eq!(store.authorities().list(None).count(), 1);
}
