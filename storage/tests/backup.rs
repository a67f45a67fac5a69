//! Backup and restore of a store: what comes back, and what is left alone.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

mod rig;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rig::{board, rig, route, tenant, upstream};
use storage::backup::{BackupError, restore, verify};
use storage::*;

fn filled(boards: u32) -> (tempfile::TempDir, Store) {
    let (dir, store) = rig();
    for id in ["acme", "bell"] {
        store.tenants().put(&tenant(id)).unwrap();
        store.routes().put(&route(id, "t")).unwrap();
        store.upstreams().put(&upstream(id, "broker")).unwrap();
    }
    let boards = (0..boards).map(numbered);
    store.boards().put_many(boards).unwrap();
    (dir, store)
}

fn numbered(number: u32) -> Board {
    let mut one =
        board(&format!("CB-{number:06}"), if number.is_multiple_of(2) { "acme" } else { "bell" });
    let mut digest = [7; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    one.fingerprint = Some(Fingerprint(digest));
    one
}

fn back_up(store: &Store, file: &Path) -> backup::Contents {
    let to = fs::File::create(file).unwrap();
    store.backup(UnixSeconds(1_700_000_000), "0.1.0", to, |_| {}).unwrap()
}

fn everything(store: &Store) -> String {
    let tenants: Vec<_> = store.tenants().list().map(Result::unwrap).collect();
    let belongings: Vec<_> = tenants
        .iter()
        .map(|tenant| {
            let routes = store.routes().of_tenant(&tenant.id).unwrap();
            (routes, store.upstreams().of_tenant(&tenant.id).unwrap())
        })
        .collect();
    let boards = store.boards().list(None, usize::MAX).unwrap();
    format!("{tenants:#?}{belongings:#?}{boards:#?}")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_restored_store_holds_what_was_backed_up() {
    let (dir, store) = filled(1500);
    let file = dir.path().join("backup");
    let made = back_up(&store, &file);
    assert_eq!(verify(&file).unwrap(), made);
    assert_eq!(made.bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(store.count_for_backup().unwrap(), made.records);

    // Into a folder that is missing, and into one that is there and empty.
    let there = dir.path().join("there");
    fs::create_dir(&there).unwrap();
    for into in [dir.path().join("missing"), there] {
        let mut seen = 0;
        let restored = restore(&file, &into, None, |records| seen += records).unwrap();
        assert_eq!((seen, restored.contents.records), (made.records, made.records));
        assert_eq!(names(&into), ["acknowledged", "files", "lock", "rows", "sled"]);
        let again = Store::open(&into).unwrap();
        assert_eq!(everything(&again), everything(&store));
        let report = again.check(|_| {}).unwrap();
        assert_eq!(report.problems, []);
    }
}

#[test]
fn a_store_that_is_there_is_never_overwritten_but_moved_aside() {
    let (dir, store) = filled(3);
    let file = dir.path().join("backup");
    back_up(&store, &file);
    store.boards().remove(&numbered(1).id).unwrap();
    let home = dir.path().join("store");
    let aside = dir.path().join("store.before");
    let locked = restore(&file, &home, Some(&aside), |_| {}).unwrap_err();
    assert!(matches!(locked, BackupError::Store(StoreError::Locked { .. })), "{locked}");
    drop(store);
    assert!(matches!(restore(&file, &home, None, |_| {}), Err(BackupError::Occupied { .. })));

    let slashed = PathBuf::from(format!("{}/", home.display()));
    let restored = restore(&file, &slashed, Some(&aside), |_| {}).unwrap();
    assert_eq!(restored.moved.as_deref(), Some(aside.as_path()));
    assert_eq!(Store::open(&home).unwrap().boards().count(), 3);
    assert_eq!(Store::open(&aside).unwrap().boards().count(), 2);
    assert_eq!(names(dir.path()), ["backup", "store", "store.before"]);
    // What was moved aside once is not buried under the next.
    let again = restore(&file, &home, Some(&aside), |_| {}).unwrap_err();
    assert!(matches!(&again, BackupError::Occupied { dir } if *dir == aside), "{again}");
}

#[test]
fn nothing_is_made_of_a_backup_that_is_not_whole() {
    let (dir, store) = filled(50);
    let file = dir.path().join("backup");
    back_up(&store, &file);
    drop(store);
    let whole = fs::read(&file).unwrap();
    let into = dir.path().join("into");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    for bytes in [&whole[..whole.len() - 1], &whole[..100], &damaged[..], b"[link]"] {
        fs::write(&file, bytes).unwrap();
        let refused = restore(&file, &into, None, |_| {}).unwrap_err();
        assert!(matches!(refused, BackupError::Unfit { .. }), "{refused}");
        assert!(!into.exists());
        let aside = dir.path().join("aside");
        restore(&file, &dir.path().join("store"), Some(&aside), |_| {}).unwrap_err();
        assert!(!aside.exists());
    }
    assert_eq!(Store::open(&dir.path().join("store")).unwrap().boards().count(), 50);
}

#[test]
fn a_restore_that_broke_off_is_begun_again() {
    let (dir, store) = filled(2);
    let file = dir.path().join("backup");
    back_up(&store, &file);
    let into = dir.path().join("into");
    fs::create_dir_all(into.join("restoring/sled")).unwrap();
    fs::write(into.join("restoring/sled/db"), b"half").unwrap();
    restore(&file, &into, None, |_| {}).unwrap();
    assert_eq!(Store::open(&into).unwrap().boards().count(), 2);
}

#[test]
fn a_backup_taken_while_boards_come_and_go_is_one_moment() {
    let (dir, store) = filled(200);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 1000;
            while !stop.load(Ordering::Relaxed) {
                store.boards().put_many((number..number + 40).map(numbered)).unwrap();
                store.boards().remove(&numbered(number).id).unwrap();
                store.tenants().put(&tenant(&format!("t{number}"))).unwrap();
                number += 40;
            }
        });
        for round in 0..5 {
            let file = dir.path().join(format!("backup-{round}"));
            back_up(&store, &file);
            let into = dir.path().join(format!("into-{round}"));
            restore(&file, &into, None, |_| {}).unwrap();
            let report = Store::open(&into).unwrap().check(|_| {}).unwrap();
            assert_eq!(report.problems, []);
            assert!(report.trees["boards"].records >= 200);
        }
        stop.store(true, Ordering::Relaxed);
    });
}
