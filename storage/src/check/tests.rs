//! Every kind of problem, made behind the store's back.

use std::net::IpAddr;

use super::*;
use crate::store::open::{DATABASE, database};
use crate::{Board, Fingerprint, Tenant, TenantState, UnixSeconds};

fn store_with_two_boards(dir: &std::path::Path) {
    let store = Store::open(dir).unwrap();
    let tenant = Tenant {
        id: "acme".parse().unwrap(),
        name: "Acme".into(),
        state: TenantState::Active,
        created: UnixSeconds(1),
        issuer: None,
        quota: crate::Quota::default(),
    };
    store.tenants().put(&tenant).unwrap();
    for number in [1, 2] {
        let id = format!("CB-{number}").parse().unwrap();
        let mut board = Board::new(id, tenant.id.clone(), UnixSeconds(1));
        board.fingerprint = Some(Fingerprint([number; 32]));
        board.address = Some(IpAddr::from([10, 0, 0, number]));
        store.boards().put(&board).unwrap();
    }
}

fn check(dir: &std::path::Path) -> Report {
    let mut seen = 0;
    let report = Store::open(dir).unwrap().check(|records| seen += records).unwrap();
    assert_eq!(seen, report.trees.values().map(|tree| tree.records).sum::<u64>());
    report
}

/// What the check says after `damage`, as `tree key: what`.
fn after(damage: impl FnOnce(&sled::Db)) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    store_with_two_boards(dir.path());
    let db = database(&dir.path().join(DATABASE), dir.path()).unwrap();
    damage(&db);
    drop(db);
    let report = check(dir.path());
    assert_eq!(report.problems_total, report.problems.len() as u64);
    report.problems.iter().map(|p| format!("{} {}: {}", p.tree, p.key, p.what)).collect()
}

#[test]
fn a_sound_store_is_counted_tree_by_tree() {
    let dir = tempfile::tempdir().unwrap();
    store_with_two_boards(dir.path());
    let report = check(dir.path());
    assert_eq!(report.problems, []);
    let records: Vec<_> = report.trees.iter().map(|(n, t)| (n.as_str(), t.records)).collect();
    let expected = [
        ("api-tokens", 0),
        ("approvals", 0),
        ("audit/checkpoints", 0),
        ("authorities", 0),
        ("authorities/certificate", 0),
        ("batches", 0),
        ("batches/list", 0),
        ("boards", 2),
        ("boards/address", 2),
        ("boards/history", 0),
        ("boards/renewal", 0),
        ("campaigns", 0),
        ("certificates/revoked", 0),
        ("firmware", 0),
        ("firmware/boards", 0),
        ("firmware/keys", 0),
        ("jobs", 0),
        ("logins", 0),
        ("meta", 3),
        ("rollouts", 0),
        ("routes", 0),
        ("rows", 2),
        ("sessions", 0),
        ("stations", 0),
        ("tenants", 1),
        ("tokens", 0),
        ("upstreams", 0),
        ("users", 0),
        ("users/credentials", 0),
        ("users/setup", 0),
        ("views", 0),
    ];
    assert_eq!(records, expected);
    assert!(report.trees.values().all(|tree| tree.is_known && tree.problems == 0));
    assert_eq!(report.trees["boards/address"].bytes, 2 * (4 + 4));
}

#[test]
fn indexes_are_checked_both_ways() {
    let said = after(|db| {
        db.open_tree("boards/address").unwrap().insert([10, 0, 0, 2], "CB-1").unwrap();
    });
    assert_eq!(
        said,
        [
            "boards CB-2: its address is not its own in boards/address",
            "boards/address 0a000002: board CB-1 has another address",
        ]
    );
}

#[test]
fn sessions_are_looked_at_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = b"hubses\0\x01".to_vec();
    file.resize(4096 + 3 * 512, 0);
    // One in form, one that no hub has sealed, and one that claims more than its slot.
    file[4096..4096 + 3].copy_from_slice(&[60, 0, 1]);
    file[4608..4608 + 3].copy_from_slice(&[60, 0, 7]);
    file[5120..5120 + 2].fill(0xFF);
    store_with_two_boards(dir.path());
    std::fs::write(dir.path().join("sessions"), file).unwrap();
    let report = check(dir.path());
    let said: Vec<_> = report.problems.iter().map(|p| format!("{} {}", p.key, p.what)).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("00000001 seal version 7"), "{said:?}");
    assert!(said[1].starts_with("00000002 a sealed record of"), "{said:?}");
    assert_eq!((report.trees["sessions"].records, report.trees["sessions"].problems), (3, 2));
    std::fs::write(dir.path().join("sessions"), b"something else").unwrap();
    assert_eq!(check(dir.path()).problems_total, 1);
}

#[test]
fn orphans_unreadable_records_and_misplaced_ones_are_named() {
    let said = after(|db| {
        db.open_tree("tenants").unwrap().remove("acme").unwrap();
        let boards = db.open_tree("boards").unwrap();
        let one = boards.get("CB-1").unwrap().unwrap();
        boards.insert("CB-3", one).unwrap();
        boards.insert("CB-2", &[9]).unwrap();
    });
    let orphan = "boards CB-1: its tenant acme does not exist";
    let unreadable = "boards CB-2: record version 9 is not known; this hub knows";
    assert!(said.iter().any(|line| line == orphan), "{said:#?}");
    assert!(said.iter().any(|line| line.starts_with(unreadable)), "{said:#?}");
    assert!(said.iter().any(|line| line == "boards CB-3: the record is CB-1's"), "{said:#?}");
    assert!(said.iter().any(|line| line.ends_with("board CB-2 cannot be read")), "{said:#?}");
}

#[test]
fn more_problems_than_anybody_reads_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    store_with_two_boards(dir.path());
    let db = database(&dir.path().join(DATABASE), dir.path()).unwrap();
    let routes = db.open_tree("routes").unwrap();
    for number in 0..PROBLEMS_MAX + 7 {
        routes.insert(format!("acme\0{number}"), "").unwrap();
    }
    db.open_tree("later").unwrap().insert("a", "b").unwrap();
    drop((routes, db));
    let report = check(dir.path());
    assert_eq!(report.problems.len(), PROBLEMS_MAX);
    assert_eq!(report.problems_total, PROBLEMS_MAX as u64 + 7);
    assert!(!report.trees["later"].is_known);
    assert_eq!(report.trees["later"].problems, 0);
}
