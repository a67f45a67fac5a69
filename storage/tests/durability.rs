//! What was acknowledged survives `kill -9`, and a store in use is refused across processes.
//!
//! The tests run their own binary once more as the process to be killed.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

mod rig;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rig::{board, tenant};
use storage::*;

const STORE: &str = "STORAGE_TEST_STORE";
const FROM: &str = "STORAGE_TEST_FROM";

/// Writes boards for ever and prints each id once the store has acknowledged it.
fn write_for_ever(dir: &Path, from: u32) {
    let store = Store::open(dir).unwrap();
    store.tenants().put(&tenant("acme")).unwrap();
    let mut out = std::io::stdout().lock();
    for number in from.. {
        let mut one = board(&format!("CB-{number}"), "acme");
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        one.fingerprint = Some(Fingerprint(digest));
        store.boards().put(&one).unwrap();
        writeln!(out, "acknowledged {}", one.id).unwrap();
        out.flush().unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "how the parent tells its child what to do")]
fn order() -> Option<(PathBuf, u32)> {
    let dir = std::env::var_os(STORE)?;
    Some((dir.into(), std::env::var(FROM).unwrap().parse().unwrap()))
}

#[test]
fn as_a_child_it_writes_until_it_is_killed() {
    if let Some((dir, from)) = order() {
        write_for_ever(&dir, from);
    }
}

fn start_writer(dir: &Path, from: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_child_it_writes_until_it_is_killed", "--nocapture"])
        .env(STORE, dir)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged(line: &str) -> Option<BoardId> {
    line.split_once("acknowledged ").and_then(|(_, id)| id.parse().ok())
}

/// Kills the writer after it has acknowledged `count` boards and gives all that it acknowledged.
fn kill_after(mut child: Child, count: usize) -> BTreeSet<BoardId> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut ids = BTreeSet::new();
    let mut line = String::new();
    // After the kill, what had been printed before it arrived is still read; a last line without
    // its newline counts for nothing.
    while output.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        ids.extend(acknowledged(line.trim_end()));
        line.clear();
        if ids.len() == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    ids
}

#[test]
fn every_acknowledged_board_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let mut expected = BTreeSet::new();
    for (round, kill_at) in [1, 37, 4, 113, 60].into_iter().enumerate() {
        let from = u32::try_from(round * 100_000).unwrap();
        expected.extend(kill_after(start_writer(&dir, from), kill_at));

        let store = Store::open(&dir).unwrap();
        for id in &expected {
            assert!(store.boards().find(id).unwrap().is_some(), "{id} is lost");
        }
        // A board that was being written is there wholly or not at all.
        let all = store.boards().list(None, usize::MAX).unwrap();
        let of_tenant = store.boards().of_tenant(&"acme".parse().unwrap()).unwrap();
        assert_eq!(of_tenant.map(Result::unwrap).collect::<Vec<_>>(), all);
        assert_eq!(store.check(|_| {}).unwrap().problems, []);
    }
    assert!(expected.len() >= 215);
}

#[test]
fn a_store_open_in_another_process_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let mut child = start_writer(&dir, 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.find_map(|line| acknowledged(&line)).unwrap();
    let refused = Store::open(&dir);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(refused, Err(StoreError::Locked { dir: named }) if named == dir));
    Store::open(&dir).unwrap();
}
