//! The store as its callers see it.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

mod rig;

use std::os::unix::fs::PermissionsExt;

use rig::{board, names, rig, tenant};
use storage::*;

#[test]
fn what_was_put_is_found_again_after_reopening() {
    let (dir, store) = rig();
    let acme = Tenant { issuer: AuthorityNumber::new(3), ..tenant("acme") };
    let mut one = board("CB-1", "acme");
    one.fingerprint = Some(Fingerprint([7; 32]));
    one.address = Some("10.0.0.1".parse().unwrap());
    one.labels.insert("site".into(), "roof".into());
    one.state = BoardState::Blocked { reason: "lost".into(), since: UnixSeconds(9) };
    let route = rig::route("acme", "t");
    let upstream = rig::upstream("acme", "broker");
    store.tenants().put(&acme).unwrap();
    store.boards().put(&one).unwrap();
    store.routes().put(&route).unwrap();
    store.upstreams().put(&upstream).unwrap();
    drop(store);

    let store = Store::open(&dir.path().join("store")).unwrap();
    assert_eq!(store.tenants().find(&acme.id).unwrap(), Some(acme.clone()));
    assert_eq!(store.boards().find(&one.id).unwrap(), Some(one.clone()));
    assert_eq!(store.routes().find(&acme.id, &route.resource).unwrap(), Some(route.clone()));
    assert_eq!(store.routes().of_tenant(&acme.id).unwrap(), [route]);
    assert_eq!(store.upstreams().find(&acme.id, &upstream.name).unwrap(), Some(upstream.clone()));
    assert_eq!(store.upstreams().of_tenant(&acme.id).unwrap(), [upstream]);
}

#[test]
fn a_new_folder_is_for_its_owner_alone() {
    let (dir, _store) = rig();
    let mode = dir.path().join("store").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_folder_that_is_open_is_refused_by_name_and_free_again_when_closed() {
    let (dir, store) = rig();
    let path = dir.path().join("store");
    let clone = store.clone();
    drop(store);
    let error = Store::open(&path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let StoreError::Locked { dir } = error else { panic!("{error}") };
    assert_eq!(dir, path);
    drop(clone);
    for _ in 0..20 {
        Store::open(&path).unwrap();
    }
}

#[test]
fn a_file_in_the_folders_place_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::write(&path, "no folder").unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::NotADirectory { dir }) if dir == path));
}

#[test]
fn a_board_needs_its_tenant() {
    let (_dir, store) = rig();
    let refused = store.boards().put(&board("CB-1", "nobody"));
    assert!(
        matches!(refused, Err(StoreError::UnknownTenant { tenant }) if tenant.as_str() == "nobody")
    );
    let refused = store.routes().put(&rig::route("nobody", "t"));
    assert!(matches!(refused, Err(StoreError::UnknownTenant { .. })));
    let refused = store.upstreams().put(&rig::upstream("nobody", "broker"));
    assert!(matches!(refused, Err(StoreError::UnknownTenant { .. })));
}

#[test]
fn another_boards_address_is_refused_naming_its_owner() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("acme")).unwrap();
    let mut first = board("CB-1", "acme");
    first.address = Some("192.0.2.1".parse().unwrap());
    store.boards().put(&first).unwrap();

    let mut second = board("CB-2", "acme");
    second.address = Some("::ffff:192.0.2.1".parse().unwrap());
    let error = store.boards().put(&second).unwrap_err();
    assert!(matches!(&error, StoreError::AddressTaken { board, .. } if *board == first.id));
    assert!(error.to_string().contains("CB-1"), "{error}");
    assert_eq!(store.boards().find(&second.id).unwrap(), None, "a refused board leaves no trace");
}

#[test]
fn a_tenant_with_boards_stays_and_one_without_takes_its_routes_and_upstreams_along() {
    let (_dir, store) = rig();
    for name in ["acme", "acme-2"] {
        store.tenants().put(&tenant(name)).unwrap();
        store.routes().put(&rig::route(name, "t")).unwrap();
        store.upstreams().put(&rig::upstream(name, "broker")).unwrap();
    }
    let one = board("CB-1", "acme");
    store.boards().put(&one).unwrap();
    let refused = store.tenants().remove(&one.tenant);
    assert!(matches!(refused, Err(StoreError::TenantHasBoards { count: 1, .. })));

    assert!(store.boards().remove(&one.id).unwrap());
    assert!(!store.boards().remove(&one.id).unwrap());
    assert!(store.tenants().remove(&one.tenant).unwrap());
    assert!(!store.tenants().remove(&one.tenant).unwrap());
    store.tenants().put(&tenant("acme")).unwrap();
    assert_eq!(store.routes().of_tenant(&one.tenant).unwrap(), []);
    assert_eq!(store.upstreams().of_tenant(&one.tenant).unwrap(), []);
    let other = "acme-2".parse().unwrap();
    assert_eq!(store.routes().of_tenant(&other).unwrap().len(), 1);
    assert_eq!(store.upstreams().of_tenant(&other).unwrap().len(), 1);
}

#[test]
fn boards_are_listed_in_pages_and_by_tenant() {
    let (_dir, store) = rig();
    for name in ["a", "a-b"] {
        store.tenants().put(&tenant(name)).unwrap();
    }
    let owner = |i: u32| if i.is_multiple_of(3) { "a" } else { "a-b" };
    let many = (0..1_000).map(|i| board(&format!("CB-{i:04}"), owner(i)));
    assert_eq!(store.boards().put_many(many).unwrap(), 1_000);
    assert_eq!(store.boards().count(), 1_000);

    let first = store.boards().list(None, 2).unwrap();
    assert_eq!(names(&first), ["CB-0000", "CB-0001"]);
    let second = store.boards().list(Some(&first[1].id), 2).unwrap();
    assert_eq!(names(&second), ["CB-0002", "CB-0003"]);
    assert_eq!(store.boards().list(Some(&"CB-0999".parse().unwrap()), 2).unwrap(), []);

    let a = "a".parse().unwrap();
    let of_a: Vec<_> = store.boards().of_tenant(&a).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(of_a.len(), 334);
    assert_eq!(store.boards().count_of_tenant(&a).unwrap(), 334);
    assert!(of_a.iter().all(|board| board.tenant == a));
}

#[test]
fn put_many_stops_at_the_first_refused_board() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("acme")).unwrap();
    let mut twins = [board("CB-1", "acme"), board("CB-2", "acme")];
    twins.iter_mut().for_each(|board| board.address = Some("192.0.2.1".parse().unwrap()));
    let refused = store.boards().put_many(twins);
    assert!(
        matches!(refused, Err(StoreError::AddressTaken { board, .. }) if board.as_str() == "CB-1")
    );
    assert_eq!(store.boards().count(), 0);
}

#[test]
fn the_first_time_heard_stays_and_the_last_only_moves_forward() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("acme")).unwrap();
    let one = board("CB-1", "acme");
    store.boards().put(&one).unwrap();
    let at = |seconds| (one.id.clone(), UnixSeconds(seconds));
    let stranger = ("CB-9".parse().unwrap(), UnixSeconds(5));
    store.boards().mark_seen(&[at(5), at(9), stranger, at(7)]).unwrap();
    let heard = store.boards().find(&one.id).unwrap().unwrap();
    assert_eq!((heard.first_seen, heard.last_seen), (Some(UnixSeconds(5)), Some(UnixSeconds(9))));
    assert_eq!(store.boards().count(), 1);
}

#[test]
fn a_block_and_a_mark_at_the_same_time_both_stay() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("acme")).unwrap();
    let one = board("CB-1", "acme");
    store.boards().put(&one).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for second in 1..=2_000 {
                store.boards().mark_seen(&[(one.id.clone(), UnixSeconds(second))]).unwrap();
            }
        });
        for note in 0..50 {
            let label = |board: &mut Board| {
                board.labels.insert(format!("note-{note}"), String::new());
            };
            assert!(store.boards().change(&one.id, label).unwrap().is_some());
        }
    });
    let board = store.boards().find(&one.id).unwrap().unwrap();
    assert_eq!(board.labels.len(), 50);
    assert_eq!(board.last_seen, Some(UnixSeconds(2_000)));
}

#[test]
fn a_record_that_could_not_be_read_back_is_not_written() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("acme")).unwrap();
    let mut one = board("CB-1", "acme");
    one.labels.insert("novel".into(), "x".repeat(70_000));
    assert!(
        matches!(store.boards().put(&one), Err(StoreError::Unwritable { key, .. }) if key == "CB-1")
    );

    one.labels = (0..9_000).map(|i| (format!("{i:x}"), String::new())).collect();
    store.boards().put(&one).unwrap();
    assert_eq!(store.boards().find(&one.id).unwrap(), Some(one));
}

#[test]
fn what_is_revoked_stays_so_by_the_name_it_was_revoked_by() {
    let (dir, store) = rig();
    let of = |certificate| Revocation {
        tenant: "acme".parse().unwrap(),
        issuer: AuthorityNumber::new(2),
        board: None,
        certificate,
        reason: RevocationReason::Superseded,
        since: UnixSeconds(1),
    };
    let print = Fingerprint([7; 32]);
    let by_print = of(RevokedCertificate::Fingerprint(print));
    let by_serial = of(RevokedCertificate::Serial(vec![0, 1, 2]));
    assert!(store.revoked().put(&by_print).unwrap());
    assert!(store.revoked().put(&by_serial).unwrap());
    let again = Revocation { since: UnixSeconds(9), ..by_print.clone() };
    assert!(!store.revoked().put(&again).unwrap(), "the first word counts");
    drop(store);

    let store = Store::open(&dir.path().join("store")).unwrap();
    let revoked = store.revoked();
    let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
    assert!(revoked.has_fingerprint(&print).unwrap());
    assert!(!revoked.has_fingerprint(&Fingerprint([8; 32])).unwrap());
    let two = AuthorityNumber::new(2).unwrap();
    assert!(revoked.has_serial(&acme, two, &[1, 2]).unwrap(), "leading zeros say nothing");
    assert!(!revoked.has_serial(&other, two, &[1, 2]).unwrap());
    assert!(!revoked.has_serial(&acme, AuthorityNumber::FIRST, &[1, 2]).unwrap());
    assert!(!revoked.has_serial(&acme, two, &[1]).unwrap());
    let listed: Result<Vec<_>, _> = revoked.list().collect();
    assert_eq!(listed.unwrap(), [by_print, by_serial]);
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
}
