//! A store that was written before the vault had data keys: its master key, its sessions and its
//! upstreams' files go on as they were.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::rig::PATIENCE;
use crate::rig::coap::{Message, exchange};
use crate::rig::hub::Hub;
use crate::rig::process::Process;
use crate::rig::site::{Plan, Site};
use crate::rig::sleeper::Sleeper;

const ECHO: u16 = 252;

/// Folders `store` and `vault` as a hub of 0.1 before data keys wrote them, with `sleeping.bin`:
/// three boards of `tenant-0` asleep until the year 2097, and an upstream with a password file.
const FORMER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/former-store.tar.gz");

pub(crate) fn former_site() -> Site {
    let site = Plan::boards(1).build();
    for folder in ["store", "vault"] {
        let _ = std::fs::remove_dir_all(site.path(folder));
    }
    let mut unpack = Command::new("tar");
    unpack.args(["--extract", "--gzip", "--no-same-owner", "--file", FORMER, "--directory"]);
    let unpacked = Process::run(unpack.arg(site.path("")), PATIENCE);
    assert!(unpacked.status.success(), "{unpacked:?}");
    site
}

pub(crate) fn sleeper(site: &Site, hub: &Hub, number: u32) -> Sleeper {
    Sleeper::of(&site.path("sleeping.bin"), number, hub.listen)
}

/// A reading is taken; the first of a board whose slot was written on another boot is asked for proof.
#[track_caller]
pub(crate) fn post(board: &mut Sleeper, id: u16) {
    let asked = exchange(board, &Message::post("d", id, b"reading"), PATIENCE).expect("an answer");
    if asked.message.dotted() == "2.04" {
        return;
    }
    assert_eq!(asked.message.dotted(), "4.01");
    let (_, echo) = asked.message.options.into_iter().find(|(it, _)| *it == ECHO).expect("Echo");
    let mut proof = Message::post("d", id + 1, b"reading");
    proof.options.push((ECHO, echo));
    let answer = exchange(board, &proof, PATIENCE).expect("an answer");
    assert_eq!(answer.message.dotted(), "2.04");
}

fn trees(store: &Path) -> Vec<(String, u64)> {
    let report = storage::Store::open(store).unwrap().check(|_| {}).unwrap();
    assert_eq!(report.problems, []);
    report.trees.into_iter().map(|(name, tree)| (name, tree.records)).collect()
}

#[test]
fn sessions_of_a_former_hub_go_on_without_a_handshake() {
    let site = former_site();
    let key = std::fs::read(site.path("vault/master.key")).unwrap();
    let mut hub = site.start();
    for number in 0..3 {
        post(&mut sleeper(&site, &hub, number), 1);
    }
    assert_eq!(hub.metric("hub_handshakes_total", &[]), 0.0);
    assert_eq!(std::fs::read(site.path("vault/master.key")).unwrap(), key);
    assert!(hub.terminate(PATIENCE).success());
    let trees = trees(&site.path("store"));
    assert!(trees.contains(&(String::from("vault/keys"), 2)), "{trees:?}");
}

#[test]
fn a_former_store_opens_after_a_kill_at_its_first_start() {
    let site = former_site();
    for _ in 0..3 {
        let mut hub = site.start();
        hub.process.kill();
    }
    let hub = site.start();
    post(&mut sleeper(&site, &hub, 0), 1);
    assert_eq!(hub.metric("hub_handshakes_total", &[]), 0.0);
}

#[test]
fn a_former_store_without_its_master_key_is_refused_and_stays_as_it_is() {
    let site = former_site();
    let kept = site.path("kept.key");
    std::fs::rename(site.path("vault/master.key"), &kept).unwrap();
    for _ in 0..2 {
        let said = crate::sessions::refused(&site);
        assert!(said.contains("there is no") && said.contains("vault/master.key"), "{said}");
        assert!(said.contains("put the copy back"), "{said}");
        assert!(!site.path("vault/master.key").exists(), "no other key is made");
    }
    std::fs::write(site.path("vault/master.key"), [7; 32]).unwrap();
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(site.path("vault/master.key"), mode).unwrap();
    let said = crate::sessions::refused(&site);
    assert!(said.contains("another master key (that of its sessions)"), "{said}");
    std::fs::rename(&kept, site.path("vault/master.key")).unwrap();
    let hub = site.start();
    post(&mut sleeper(&site, &hub, 2), 1);
}
