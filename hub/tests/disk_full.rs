//! A disk that takes no more while the hub runs: said once, shown, and survived.
//!
//! The limit on a file's size stands for the full disk: it needs no mount and no right that a
//! container may lack, and a write fails in the same place (EFBIG where a disk says ENOSPC).

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use crate::rig::board::Board;
use crate::rig::client::{Client, Settings, untouched};
use crate::rig::hub::Hub;
use crate::rig::process::Process;
use crate::rig::site::{CELLULAR_HUB, Plan, Site};
use crate::rig::{PATIENCE, metrics};

/// A hub to which a write beyond the limit is an error and not a signal.
fn start(site: &Site) -> Hub {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" serve --config \"$1\"", CELLULAR_HUB]);
    command.arg(site.path("hub.toml")).env("NO_COLOR", "1");
    Hub::of(Process::spawn(&mut command), site.listen, site.monitoring)
}

/// No file of the hub's grows beyond this any more.
fn limit_files(hub: &Hub, bytes: u64) {
    let mut command = Command::new("prlimit");
    let pid = hub.process.id().to_string();
    command.args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]);
    let said = Process::run(&mut command, PATIENCE);
    assert!(said.status.success(), "{said:?}");
}

fn connected(site: &Site, hub: &Hub, number: usize) -> Board<Client> {
    let identity = site.boards[number].identity();
    Board::new(Client::connect(hub.listen, &site.root(), &identity).expect("a session"))
}

#[test]
fn a_full_disk_is_said_once_and_boards_go_on() {
    // So many that the log is longer than any other file of the store.
    let site = Plan::boards(900).build();
    let mut hub = start(&site);
    let mut board = connected(&site, &hub, 0);
    assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
    assert_eq!(hub.metric("hub_store_healthy", &[]), 1.0);

    // As on a full disk, the slots of the sessions there are may be written anew.
    limit_files(&hub, fs::metadata(site.path("store/windows")).unwrap().len());
    // A session that cannot be remembered does not begin.
    std::thread::scope(|scope| {
        let identity = site.boards[1].identity();
        let (at, root) = (hub.listen, site.root());
        let settings = Settings { patience: Duration::from_secs(5), ..Settings::default() };
        let refused = scope.spawn(move || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let identity = Some(&identity);
            Client::connect_with(socket, at, &root, identity, &settings, &mut untouched).is_err()
        });
        hub.wait_for_metric("hub_store_healthy", &[], |healthy| healthy == 0.0);
        let (status, reason) = metrics::http(site.monitoring, "/readyz").unwrap();
        assert_eq!(status, 503);
        assert!(reason.contains("is full") && reason.contains("free space"), "{reason}");
        for _ in 0..5 {
            assert_eq!(board.post("d", b"during").message.dotted(), "2.04");
        }
        assert!(refused.join().unwrap());
    });
    let backup = site.path("full.backup");
    let mut command = Command::new(CELLULAR_HUB);
    command.arg("backup").arg(&backup).arg("--config").arg(site.path("hub.toml"));
    let said = Process::run(&mut command, PATIENCE);
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains("is full"), "{said:?}");
    assert!(!backup.exists());
    hub.assert_alive();
    let status = hub.terminate(PATIENCE);
    assert!(status.success(), "{status}: {}", hub.log());
    assert_eq!(hub.log().matches("the store failed").count(), 1, "{}", hub.log());

    // There is room again.
    let mut hub = start(&site);
    assert_eq!(hub.metric("hub_store_healthy", &[]), 1.0);
    assert_eq!(connected(&site, &hub, 20).post("d", b"after").message.dotted(), "2.04");
    hub.assert_alive();
    assert!(hub.terminate(PATIENCE).success());
    assert_eq!(site.store().check(|_| {}).unwrap().problems, []);
}
