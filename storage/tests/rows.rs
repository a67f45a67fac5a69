//! The rows that lists are made from are what the records say, whatever ended the hub: killed, the
//! file lost, the store one from before there were rows.
//!
//! The tests run their own binary once more as the process to be killed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

mod rig;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rig::{board, names, rig, tenant};
use storage::*;

const STORE: &str = "STORAGE_ROWS_STORE";
/// More than are read before a store is open.
const MANY: u32 = 25_000;

fn numbered(number: u32) -> Board {
    let mut one = board(&format!("CB-{number:06}"), ["acme", "beta"][number as usize % 2]);
    one.labels.insert("site".into(), format!("{}", number % 7));
    one
}

/// Everything that a row follows, in every state of being on the disk.
fn change_for_ever(dir: &Path) {
    let store = Store::open(dir).unwrap();
    for id in ["acme", "beta"] {
        store.tenants().put(&tenant(id)).unwrap();
    }
    let batch = Batch {
        tenant: "acme".parse().unwrap(),
        name: "spring".parse().unwrap(),
        allowed: Allowed::Prefix { prefix: "E-".parse().unwrap(), max: u32::MAX },
        state: BatchState::Open,
        certificates: CertificateLife::Never,
        again: Again::Always,
        enrolled: 0,
        created: UnixSeconds(1),
        expires: None,
    };
    store.batches().add(&batch, Vec::new()).unwrap();
    let first = u32::try_from(store.boards().count()).unwrap() * 1000;
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nready").unwrap();
    for number in first.. {
        let one = numbered(number);
        store.boards().put(&one).unwrap();
        for turn in 0..20 {
            // Not flushed: a kill sets some of them back, and not their rows.
            let wanted = Enrolment {
                board: format!("E-{}", (number * 20 + turn) % 97).parse().unwrap(),
                tenant: batch.tenant.clone(),
                batch: batch.name.clone(),
                token: None,
                at: UnixSeconds(5),
                taking: Taking::AsTheBatchSays,
                labels: BTreeMap::new(),
            };
            // Those that went to the other tenant are refused.
            let _ = store.enrol(&wanted, &Fingerprint([1; 32]).into()).unwrap();
            store.boards().mark_seen(&[(wanted.board, UnixSeconds(number.into()))]).unwrap();
        }
        let relabel = |board: &mut Board| {
            board.tenant = if number % 2 == 0 { "acme" } else { "beta" }.parse().unwrap();
            board.labels.insert("turn".into(), number.to_string());
        };
        store.boards().change(&format!("E-{}", number % 97).parse().unwrap(), relabel).unwrap();
        store.boards().remove(&format!("E-{}", number % 89).parse().unwrap()).unwrap();
        if number % 3 == 0 {
            store.boards().remove(&one.id).unwrap();
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how the parent tells its child what to do")]
fn as_a_child_it_changes_boards_until_it_is_killed() {
    if let Some(dir) = std::env::var_os(STORE) {
        change_for_ever(Path::new(&dir));
    }
}

fn start_writer(dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_child_it_changes_boards_until_it_is_killed", "--nocapture"])
        .env(STORE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    child
}

/// Whether lists are exactly what the records say.
fn compare(store: &Store) {
    assert_eq!(store.rows_state(), RowsState::Ready);
    let report = store.check(|_| {}).unwrap();
    assert_eq!(report.problems, []);
    let all = store.boards().list(None, usize::MAX).unwrap();
    let page =
        store.boards().query(&BoardQuery { limit: usize::MAX >> 1, ..BoardQuery::default() });
    let page = page.unwrap();
    assert_eq!((page.total, &page.boards), (all.len() as u64, &all));
    assert_eq!(report.trees["rows"].records, all.len() as u64);
    assert_eq!(store.boards().count(), all.len());
}

#[test]
fn killed_at_any_moment_the_rows_say_what_the_records_say() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    for round in 0..12_u64 {
        let mut child = start_writer(&dir);
        let until = Instant::now() + Duration::from_millis(20 + 17 * round);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(child.try_wait().unwrap(), None, "it stopped by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let inode = |path: &str| {
            use std::os::unix::fs::MetadataExt as _;
            std::fs::metadata(dir.join(path)).unwrap().ino()
        };
        let before = (inode("rows"), std::fs::read(dir.join("rows")).unwrap()[8..32].to_vec());
        let store = Store::open(&dir).unwrap();
        let after = (inode("rows"), std::fs::read(dir.join("rows")).unwrap()[8..32].to_vec());
        assert!(round == 0 || before == after, "they were believed, not made anew");
        compare(&store);
    }
}

#[test]
fn a_lost_file_is_made_anew_while_boards_go_on() {
    let (dir, store) = rig();
    for id in ["acme", "beta"] {
        store.tenants().put(&tenant(id)).unwrap();
    }
    store.boards().put_many((0..MANY).map(numbered)).unwrap();
    drop(store);
    let path = dir.path().join("store");
    std::fs::remove_file(path.join("rows")).unwrap();
    let store = Store::open(&path).unwrap();
    assert!(matches!(store.rows_state(), RowsState::Building { read: 20_000.., boards: None }));
    let beta = "beta".parse().unwrap();
    // Nobody is told that there is nothing, and what depends on all boards knows them all.
    assert!(matches!(store.boards().query(&BoardQuery::default()), Err(StoreError::ListsNotReady)));
    assert!(matches!(
        store.tenants().remove(&beta),
        Err(StoreError::TenantHasBoards { count: 12_500, .. })
    ));
    assert_eq!(store.boards().of_tenant(&beta).unwrap().count(), 12_500);
    // And boards come, change, are heard and go.
    store.boards().put(&numbered(MANY)).unwrap();
    store.boards().remove(&numbered(2).id).unwrap();
    store.boards().put(&numbered(2)).unwrap();
    store.boards().remove(&numbered(24_000).id).unwrap();
    let relabel = |board: &mut Board| drop(board.labels.insert("site".into(), "roof".into()));
    store.boards().change(&numbered(7).id, relabel).unwrap();
    store.boards().mark_seen(&[(numbered(8).id, UnixSeconds(9))]).unwrap();
    wait_until_ready(&store);
    compare(&store);
    let roof = LabelFilter { key: "site".into(), values: vec!["roof".into()] };
    let filter = BoardFilter { labels: vec![roof], ..BoardFilter::default() };
    let page = store.boards().query(&BoardQuery { filter, limit: 5, ..BoardQuery::default() });
    assert_eq!(names(&page.unwrap().boards), ["CB-000007"]);
}

fn wait_until_ready(store: &Store) {
    let until = Instant::now() + Duration::from_secs(60);
    while store.rows_state() != RowsState::Ready {
        assert!(Instant::now() < until, "{:?}", store.rows_state());
        std::thread::yield_now();
    }
}

#[test]
fn a_store_closed_while_its_rows_are_made_begins_again() {
    let (dir, store) = rig();
    for id in ["acme", "beta"] {
        store.tenants().put(&tenant(id)).unwrap();
    }
    store.boards().put_many((0..MANY).map(numbered)).unwrap();
    drop(store);
    let path = dir.path().join("store");
    std::fs::remove_file(path.join("rows")).unwrap();
    for _ in 0..2 {
        let store = Store::open(&path).unwrap();
        assert!(matches!(store.rows_state(), RowsState::Building { .. }));
    }
    let store = Store::open(&path).unwrap();
    wait_until_ready(&store);
    compare(&store);
}

#[test]
fn what_boards_run_is_counted_and_outlives_the_file_and_goes_with_its_board() {
    let (dir, store) = rig();
    for id in ["acme", "beta"] {
        store.tenants().put(&tenant(id)).unwrap();
    }
    store.boards().put_many((0..12).map(numbered)).unwrap();
    let version = |text: &str| text.parse::<FirmwareVersion>().unwrap();
    let say = |store: &Store, number: u32, runs: &str| {
        let said = BoardFirmware {
            board: numbered(number).id,
            product: "valve".into(),
            hardware: if number < 6 { "A" } else { "B" }.into(),
            version: version(runs),
            floor: 0,
            on_trial: false,
            battery_percent: None,
            rsrp_dbm: None,
            reset_cause: 0,
            fault: None,
            reported: UnixSeconds(1),
        };
        store.boards().mark_firmware(&said).unwrap();
    };
    (0..10).for_each(|number| say(&store, number, "1.0.0"));
    (0..4).for_each(|number| say(&store, number, "1.1.0+7"));
    say(&store, 99, "1.1.0+7");
    assert_eq!(store.board_firmware().find("CB-000099").unwrap(), None, "there is no such board");
    let release = |tenant: Option<&str>, hardware: &[&str], runs: &str| Release {
        number: 1,
        tenant: tenant.map(|id| id.parse().unwrap()),
        product: "valve".parse().unwrap(),
        hardware: hardware.iter().map(|name| name.parse().unwrap()).collect(),
        version: version(runs),
        security_counter: 0,
        needs: None,
        digest: FileDigest([0; 32]),
        file: FileDigest([0; 32]),
        size: 1,
        notes: String::new(),
        sbom: None,
        added: UnixSeconds(1),
        by: String::new(),
        state: ReleaseState::Draft,
    };
    let acme: TenantId = "acme".parse().unwrap();
    let counts = |store: &Store| {
        let running = store.boards().running().unwrap();
        let of =
            |tenant, hardware: &[&str], runs| running.of(&release(tenant, hardware, runs), None);
        [
            running.known(),
            running.unknown(),
            of(None, &[], "1.0.0"),
            of(None, &["B"], "1.0.0"),
            of(Some("acme"), &[], "1.0.0"),
            running.of(&release(None, &[], "1.1.0+7"), Some(std::slice::from_ref(&acme))),
            of(None, &[], "1.1.0"),
        ]
    };
    let expected = [10, 2, 6, 4, 3, 2, 0];
    assert_eq!(counts(&store), expected);
    // Whatever else is changed of the board.
    store.boards().change(&numbered(9).id, |board| board.labels.clear()).unwrap();
    assert_eq!(counts(&store), expected);
    drop(store);
    std::fs::remove_file(dir.path().join("store/rows")).unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    assert_eq!(counts(&store), expected, "made anew from the records");
    store.boards().remove(&numbered(0).id).unwrap();
    assert_eq!(store.board_firmware().find("CB-000000").unwrap(), None);
    let revoked = BoardState::Revoked { reason: String::new(), since: UnixSeconds(1) };
    store.boards().change(&numbered(1).id, |board| board.state = revoked.clone()).unwrap();
    // Another board in its row has said nothing yet.
    store.boards().put(&numbered(50)).unwrap();
    assert_eq!(counts(&store), [8, 3, 6, 4, 3, 1, 0]);
}
