//! What is left of a store's files after a crash, a power failure or a bad disk is opened: either
//! everything that was acknowledged is there, or the store says that it is damaged.
//!
//! A writer runs in a process of its own (this binary once more); the files are copied while it is
//! stopped between two instructions, or while it runs, and then spoiled. The rounds are few here;
//! `cargo test -p storage --test faults -- --nocapture` with other numbers in [`ROUNDS`] and
//! [`SEED`] looks longer.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test's failure is its report, and its numbers are small"
)]

mod rig;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rig::{board, tenant};
use storage::*;

const SEED: u64 = 0x5eed;
const ROUNDS: usize = 24;

const STORE: &str = "STORAGE_FAULTS_STORE";

/// Boards that one step puts; one of the step four before is removed.
const BATCH: u32 = 12;

/// One step of the writer; everything about it follows from its number.
fn step(store: &Store, number: u32) {
    let boards = (number * BATCH..(number + 1) * BATCH).map(numbered);
    store.boards().put_many(boards).unwrap();
    if let Some(gone) = removed_by(number) {
        assert!(store.boards().remove(&numbered(gone).id).unwrap());
    }
    let seen = [(numbered(number * BATCH).id, UnixSeconds(u64::from(number) + 1))];
    store.boards().mark_seen(&seen).unwrap();
    store.flush().unwrap();
}

fn removed_by(step: u32) -> Option<u32> {
    step.checked_sub(4).map(|before| before * BATCH + before % BATCH)
}

/// Large enough that the log goes through several segments and comes back to freed ones.
fn numbered(number: u32) -> Board {
    let mut one = board(&format!("CB-{number:06}"), "acme");
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    one.fingerprint = Some(Fingerprint(digest));
    one.labels.insert("site".into(), format!("{number:0700}"));
    one
}

/// Does a step for each byte it is given.
fn write_when_told(dir: &Path) {
    let store = Store::open(dir).unwrap();
    store.tenants().put(&tenant("acme")).unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nready").unwrap();
    let told = std::io::stdin().lock().bytes();
    for (number, _) in (0..).zip(told) {
        step(&store, number);
        writeln!(out, "done").unwrap();
        out.flush().unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how the parent tells its child what to do")]
fn as_a_child_it_writes_when_told() {
    if let Some(dir) = std::env::var_os(STORE) {
        write_when_told(Path::new(&dir));
    }
}

/// The writer's process; killed when dropped.
struct Writer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Steps that it has acknowledged.
    done: u32,
    /// Steps that it was told to do.
    told: u32,
}

impl Writer {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_a_child_it_writes_when_told", "--nocapture"])
            .env(STORE, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut writer = Self { child, stdin, stdout: BufReader::new(stdout), done: 0, told: 0 };
        writer.wait_for("ready");
        writer
    }

    fn tell(&mut self, steps: u32) {
        self.stdin.write_all(&vec![b'.'; steps as usize]).unwrap();
        self.told += steps;
    }

    fn wait_until_done(&mut self, steps: u32) {
        while self.done < steps {
            self.wait_for("done");
            self.done += 1;
        }
    }

    fn wait_for(&mut self, wanted: &str) {
        let mut line = String::new();
        while line.trim_end() != wanted {
            line.clear();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the writer ended");
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Stops it wherever it is.
    fn stop(&self) {
        self.signal("-STOP");
        let stat = format!("/proc/{}/task", self.child.id());
        let stopped = || {
            fs::read_dir(&stat).unwrap().all(|task| {
                let stat = fs::read_to_string(task.unwrap().path().join("stat"));
                stat.map_or(true, |stat| stat.contains(") T "))
            })
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !stopped() {
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files of a store, by their path in its folder.
#[derive(Clone)]
struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    fn of(dir: &Path) -> Self {
        let mut files = Vec::new();
        gather(dir, dir, &mut files);
        files.sort();
        Self(files)
    }

    fn write(&self, dir: &Path) {
        for (path, bytes) in &self.0 {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::create_dir_all(dir.join("sled/blobs")).unwrap();
    }

    fn log(&self) -> &Vec<u8> {
        &self.0.iter().find(|(path, _)| path.ends_with("sled/db")).unwrap().1
    }

    fn log_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(path, _)| path.ends_with("sled/db")).unwrap().1
    }
}

/// In the order of the names: the count of what is acknowledged before the database.
fn gather(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            gather(root, &path, files);
        } else if let Ok(bytes) = fs::read(&path) {
            files.push((path.strip_prefix(root).unwrap().to_owned(), bytes));
        }
    }
}

/// What a store made of such files turned out to be, and who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Whole,
    /// It said so when it was opened.
    Damaged,
    /// It said so when it was read or checked.
    Named,
    /// Nobody said anything.
    Silent,
}

/// Opens the files and looks for everything that `done` steps had acknowledged.
fn open(files: &Files, done: u32) -> (Found, String) {
    let folder = tempfile::tempdir().unwrap();
    files.write(folder.path());
    let store = match Store::open(folder.path()) {
        Ok(store) => store,
        Err(error @ StoreError::Damaged { .. }) => return (Found::Damaged, error.to_string()),
        Err(error) => panic!("neither open nor damaged: {error:?}"),
    };
    let report = match store.check(|_| {}) {
        Ok(report) if report.problems.is_empty() => report,
        Ok(report) => return (Found::Named, format!("{:?}", report.problems[0])),
        Err(error) => return (Found::Named, error.to_string()),
    };
    assert!(report.trees["boards"].records > 0 || done == 0);
    let all = match store.boards().list(None, usize::MAX) {
        Ok(all) => all,
        Err(error) => return (Found::Named, error.to_string()),
    };
    let ids: BTreeSet<_> = all.iter().map(|board| board.id.clone()).collect();
    let may_be_gone: BTreeSet<_> = (done..done + 64).filter_map(removed_by).collect();
    let gone: BTreeSet<_> = (0..done).filter_map(removed_by).collect();
    for number in 0..done * BATCH {
        let is_there = ids.contains(&numbered(number).id);
        if !is_there && !gone.contains(&number) && !may_be_gone.contains(&number) {
            return (Found::Silent, format!("board {number} of {} is missing", done * BATCH));
        }
        if is_there && gone.contains(&number) {
            return (Found::Silent, format!("board {number} is back"));
        }
    }
    for number in 0..done {
        let heard = all.iter().find(|board| board.id == numbered(number * BATCH).id);
        if heard.is_some_and(|board| board.last_seen != Some(UnixSeconds(u64::from(number) + 1))) {
            return (Found::Silent, format!("board {} was not heard", number * BATCH));
        }
    }
    (Found::Whole, String::new())
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % bound.max(1)
    }
}

fn store_dir() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    (folder, dir)
}

#[test]
fn a_store_stopped_anywhere_is_whole() {
    let (_folder, dir) = store_dir();
    let mut random = Random(SEED);
    let mut writer = Writer::start(&dir);
    for round in 0..ROUNDS {
        writer.tell(2);
        writer.wait_until_done(writer.told - 2 + (round as u32) % 2);
        for _ in 0..random.below(400_000) {
            std::hint::spin_loop();
        }
        writer.stop();
        let files = Files::of(&dir);
        writer.signal("-CONT");
        let (found, why) = open(&files, writer.done);
        assert_eq!(found, Found::Whole, "round {round}: {why}");
        writer.wait_until_done(writer.told);
    }
}

#[test]
fn a_copy_made_under_a_running_writer_is_whole_or_says_that_it_is_not() {
    let (_folder, dir) = store_dir();
    let mut writer = Writer::start(&dir);
    let mut whole = 0;
    for round in 0..ROUNDS {
        writer.tell(4);
        writer.wait_until_done(writer.told - 3);
        let done = writer.done;
        let files = Files::of(&dir);
        let (found, why) = open(&files, done);
        assert!(matches!(found, Found::Whole | Found::Damaged), "round {round}: {found:?} {why}");
        whole += usize::from(found == Found::Whole);
        writer.wait_until_done(writer.told);
    }
    assert!(whole > ROUNDS / 2, "{whole} of {ROUNDS}");
}

#[test]
fn a_power_failure_in_the_middle_of_a_write_loses_nothing_acknowledged() {
    const SECTOR: usize = 512;
    let (_folder, dir) = store_dir();
    let mut random = Random(SEED + 1);
    let mut writer = Writer::start(&dir);
    for round in 0..ROUNDS {
        writer.stop();
        let (before, done) = (Files::of(&dir), writer.done);
        writer.signal("-CONT");
        writer.tell(1);
        writer.wait_until_done(writer.told);
        writer.stop();
        let after = Files::of(&dir);
        writer.signal("-CONT");
        // Any of the sectors of this one step may have reached the disk, and any length.
        let mut torn = before.clone();
        let (old, new) = (before.log(), after.log());
        let length = old.len() + random.below(new.len().saturating_sub(old.len()) + 1);
        torn.log_mut().resize(length, 0);
        let (in_order, cut) = (random.below(2) == 0, random.below(length));
        for at in (0..length).step_by(SECTOR) {
            let end = (at + SECTOR).min(length);
            let landed = if in_order { at < cut } else { random.below(2) == 0 };
            if landed && new.len() >= end {
                torn.log_mut()[at..end].copy_from_slice(&new[at..end]);
            }
        }
        let (found, why) = open(&torn, done);
        assert_eq!(found, Found::Whole, "round {round}: {why}");
    }
}

#[test]
fn a_damaged_store_never_passes_for_a_whole_one() {
    let (_folder, dir) = store_dir();
    let mut random = Random(SEED + 2);
    let mut writer = Writer::start(&dir);
    writer.tell(60);
    writer.wait_until_done(60);
    writer.stop();
    let (fresh, done) = (Files::of(&dir), writer.done);
    drop(writer);
    // The same with a snapshot, as any later opening leaves it.
    drop(Store::open(&dir).unwrap());
    let mut silent = Vec::new();
    for round in 0..ROUNDS * 4 {
        let mut files = if round % 2 == 0 { fresh.clone() } else { Files::of(&dir) };
        let count = files.0.len();
        let how = round / 2 % 6;
        let at = random.below(files.log().len());
        match how {
            0 => files.log_mut()[at] ^= 1 << random.below(8),
            1 => files.log_mut().truncate(at),
            2 => files.log_mut().iter_mut().skip(at & !4095).take(4096).for_each(|b| *b = 0),
            3 => {
                let mut noise = Random(at as u64);
                let page = files.log_mut().iter_mut().skip(at & !4095).take(4096);
                page.for_each(|byte| *byte = noise.below(256) as u8);
            }
            4 => {
                let (_, bytes) = &mut files.0[random.below(count)];
                if !bytes.is_empty() {
                    let at = random.below(bytes.len());
                    bytes[at] ^= 1 << random.below(8);
                }
            }
            _ => drop(files.0.remove(random.below(count))),
        }
        let (one, why) = open(&files, done);
        println!("round {round}, damage {how} at {at}: {one:?} {why}");
        if one == Found::Silent {
            silent.push((round, how, why));
        }
    }
    // sled skips what it cannot read in the middle of a log that it has not opened since it was
    // written, and trusts the later parts: of 320 such damages nine went unnoticed, all of them near
    // the end of a segment. What is cut off or missing, and what was opened once since, never does.
    let is_known =
        |(round, how, _): &&(usize, usize, String)| round % 2 == 0 && ![1, 5].contains(how);
    let unknown: Vec<_> = silent.iter().filter(|one| !is_known(one)).collect();
    assert!(unknown.is_empty() && silent.len() <= 6, "{silent:?}");
}
