//! Virtual boards against a hub on OpenSSL: an implementation of DTLS nobody here wrote.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's failure is its report"
)]

mod rig;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rig::{HUB_TIME_S, Party, start_hub, write_fixture};
use tempfile::TempDir;
use virtual_board::{ConnectError, Connector, Fixture, Fleet, Identity, Plan, run_fleet};

struct Scene {
    dir: TempDir,
    server: Party,
    tenant: Party,
}

fn scene(boards: usize) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let root = Party::authority("root");
    let tenant = Party::authority("tenant-0");
    write_fixture(dir.path(), &root, &tenant, boards);
    let server = root.issue("hub", Some("localhost"));
    Scene { dir, server, tenant }
}

fn fleet(dir: &Path, hub: SocketAddr, boards: usize, readings: u64) -> Fleet {
    let fixture = Fixture::new(dir);
    let plan =
        Plan { interval: Duration::from_millis(20), readings: Some(readings), ..Plan::default() };
    Fleet {
        identities: fixture.boards(0, boards).unwrap(),
        connector: Connector::new(hub, "localhost", &fixture.root(), 8).unwrap(),
        plan,
        seed: 1,
        tally: std::sync::Arc::default(),
    }
}

async fn connect(dir: &Path, hub: SocketAddr, name: &str) -> Result<(), ConnectError> {
    let fixture = Fixture::new(dir);
    let connector = Connector::new(hub, name, &fixture.root(), 1).unwrap();
    let board = fixture.boards(0, 1).unwrap().remove(0);
    connector.connect(&board).await.map(drop)
}

fn command(hub: SocketAddr, dir: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_virtual-board"))
        .args(["--hub", &hub.to_string(), "--fixture"])
        .arg(dir)
        .args(["--interval", "0.02", "--json"])
        .args(more)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reading_of_every_board_arrives_under_its_own_certificate() {
    let scene = scene(12);
    let (hub, seen) = start_hub(&scene.server, &scene.tenant, |_| (0x44, None));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let end = run_fleet(fleet(scene.dir.path(), hub, 12, 3), stopped).await;
    assert_eq!((end.acknowledged, end.submitted, end.handshakes), (36, 36, 12), "{end:?}");
    assert_eq!(end.online, 0);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.accepted.len(), 36);
    assert_eq!(seen.accepted.iter().filter(|(board, _)| board == "CB-00000011").count(), 3);
    assert_eq!(seen.ciphers.iter().collect::<Vec<_>>(), ["ECDHE-ECDSA-AES128-GCM-SHA256"]);
    assert_eq!(seen.without_extended_master_secret, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_put_off_with_max_age_arrives_later() {
    let scene = scene(1);
    let answers = |count| if count == 0 { (0xa3, Some(1)) } else { (0x44, None) };
    let (hub, seen) = start_hub(&scene.server, &scene.tenant, answers);
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let end = run_fleet(fleet(scene.dir.path(), hub, 1, 2), stopped).await;
    assert_eq!((end.acknowledged, end.deferred, end.handshakes), (2, 1, 1), "{end:?}");
    assert!(end.acknowledge_ms_mean >= 500.0);
    assert_eq!(seen.lock().unwrap().accepted.len(), 2);
}

#[test]
fn a_board_without_a_right_clock_measures_by_the_hubs_time_once_it_knows_it() {
    for (clock, first) in [("none", None), ("-500000000", Some(false))] {
        let scene = scene(1);
        let (hub, seen) = start_hub(&scene.server, &scene.tenant, |_| (0x44, None));
        let output = command(hub, scene.dir.path(), &["--readings", "3", "--clock", clock]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let json = String::from_utf8(output.stdout).unwrap();
        assert!(json.contains(r#""times_learned":1,"#), "{json}");
        let seen = seen.lock().unwrap();
        let is_right = |time: f64| (time - HUB_TIME_S as f64).abs() < 60.0;
        assert_eq!(seen.times[0].map(is_right), first, "{:?}", seen.times);
        assert!(seen.times[2].is_some_and(is_right), "{:?}", seen.times);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_under_another_root_or_with_another_name_is_not_talked_to() {
    let scene = scene(1);
    let (hub, _) = start_hub(&scene.server, &scene.tenant, |_| (0x44, None));
    connect(scene.dir.path(), hub, "localhost").await.unwrap();
    let other_name = connect(scene.dir.path(), hub, "hub.example").await;
    assert!(matches!(other_name, Err(ConnectError::Handshake { .. })));
    let stranger = Party::authority("stranger").issue("hub", Some("localhost"));
    let (hub, seen) = start_hub(&stranger, &scene.tenant, |_| (0x44, None));
    let refused = connect(scene.dir.path(), hub, "localhost").await;
    assert!(matches!(refused, Err(ConnectError::Handshake { .. })));
    assert_eq!(seen.lock().unwrap().handshakes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_of_an_unknown_tenant_learns_that_it_is_refused() {
    let scene = scene(1);
    let (hub, seen) = start_hub(&scene.server, &Party::authority("other"), |_| (0x44, None));
    let refused = connect(scene.dir.path(), hub, "localhost").await;
    assert!(matches!(refused, Err(ConnectError::Handshake { .. })));
    assert_eq!(seen.lock().unwrap().handshakes, 0);
}

#[test]
fn the_command_exits_0_when_every_reading_was_acknowledged() {
    let scene = scene(3);
    let (hub, seen) = start_hub(&scene.server, &scene.tenant, |_| (0x44, None));
    let more = ["--count", "2", "--skip", "1", "--readings", "2"];
    let output = command(hub, scene.dir.path(), &more);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let json = String::from_utf8(output.stdout).unwrap();
    assert!(json.starts_with(r#"{"boards":2,"#) && json.contains(r#""acknowledged":4,"#), "{json}");
    let boards: Vec<_> = seen.lock().unwrap().accepted.iter().cloned().collect();
    assert_eq!(boards[0].0, "CB-00000001");
}

#[test]
fn the_command_exits_1_and_says_why_when_readings_are_rejected() {
    let scene = scene(1);
    let (hub, _) = start_hub(&scene.server, &scene.tenant, |_| (0x84, None));
    let output = command(hub, scene.dir.path(), &["--readings", "2"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("2 readings were not acknowledged (CB-00000000: a reading was"),
        "{words}"
    );
}

#[test]
fn what_cannot_be_used_is_one_clear_line_and_exit_code_2() {
    let scene = scene(1);
    let hub = "127.0.0.1:9".parse().unwrap();
    let nowhere = scene.dir.path().join("nowhere");
    for (dir, more, words) in [
        (scene.dir.path(), &["--count", "5"][..], "lists 1 boards, 5 are asked for"),
        (&nowhere, &[], "pki/root.pem"),
        (scene.dir.path(), &["--server-name", "a b"], "is no server name"),
        (scene.dir.path(), &["--ca", "/dev/null"], "is no certificate that could verify a hub"),
    ] {
        let output = command(hub, dir, more);
        assert_eq!(output.status.code(), Some(2));
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.contains(words) && line.lines().count() == 1, "{line}");
    }
    let output = command(hub, scene.dir.path(), &["--readings", "0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn certificates_and_keys_are_read_in_pem_as_in_der_and_others_are_refused_by_name() {
    let scene = scene(1);
    let file = |suffix| scene.dir.path().join(format!("boards/0000/CB-00000000.{suffix}"));
    for (certificate, key) in [("cert.pem", "key.pem"), ("cert.der", "key.der")] {
        Identity::from_files("CB-00000000", &file(certificate), &file(key)).unwrap();
    }
    let swapped = Identity::from_files("CB-00000000", &file("cert.der"), &file("cert.der"));
    assert!(swapped.unwrap_err().to_string().ends_with("pem or der"));
}
