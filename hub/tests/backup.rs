//! Backup, restore and check of a store, with a hub on it and without.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::client::Client;
use crate::rig::command::{done, refused, run};
use crate::rig::hub::Hub;
use crate::rig::site::{Plan, Site};
use serde_json::Value;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn connected(site: &Site, hub: &Hub, number: usize) -> Board<Client> {
    let identity = site.boards[number].identity();
    Board::new(Client::connect(hub.listen, &site.root(), &identity).expect("a session"))
}

/// Everything that is registered, but for when boards were heard.
fn registered(site: &Site) -> Vec<Value> {
    let mut lines = Vec::new();
    for list in [
        vec!["tenant", "list"],
        vec!["board", "list"],
        vec!["upstream", "list", "--tenant", "tenant-0"],
        vec!["route", "list", "--tenant", "tenant-0"],
    ] {
        let said = done(site, &[&list[..], &["--json"]].concat());
        lines.extend(said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        line.remove("first_seen");
        line.remove("last_seen");
    }
    lines
}

#[test]
fn a_backup_made_under_load_becomes_a_hub_that_the_same_boards_trust() {
    let (mut site, mut hub) = Plan::boards(6).tenants(2).start();
    let file = site.path("monday.backup");
    let (stop, posted) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let mut board = connected(&site, &hub, number);
            let (stop, posted) = (&stop, &posted);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(board.post("d", b"reading").message.dotted(), "2.04");
                    posted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..5 {
            let before = posted.load(Ordering::Relaxed);
            let options: &[&str] = if round == 0 { &[] } else { &["--force"] };
            let said = done(&site, &[&["backup", text(&file), "--json"], options].concat());
            let said: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(said["from"], "hub");
            assert_eq!(said["bytes"], fs::metadata(&file).unwrap().len());
            crate::rig::eventually("boards go on", PATIENCE, || {
                (posted.load(Ordering::Relaxed) > before).then_some(())
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    done(&site, &["store", "check", text(&file)]);

    // Into another folder, while the hub runs; then the hub is switched to it.
    let into = site.path("store-monday");
    let said = done(&site, &["restore", text(&file), "--into", text(&into)]);
    assert!(said.contains("set store.dir"), "{said}");
    assert!(hub.terminate(PATIENCE).success());
    let expected = registered(&site);
    site.configure("store", "dir", text(&into));
    assert_eq!(registered(&site), expected);

    let mut hub = site.start();
    for number in 0..6 {
        let answer = connected(&site, &hub, number).post("d", b"again");
        assert_eq!(answer.message.dotted(), "2.04");
    }
    hub.assert_alive();
    site.boards.clear();
}

#[test]
fn a_store_in_use_is_not_restored_over_and_nothing_is_overwritten_unasked() {
    let (site, mut hub) = Plan::boards(2).start();
    let file = site.path("a.backup");
    done(&site, &["backup", text(&file)]);
    refused(&site, &["backup", text(&file)], 1, &["--force"]);
    for options in [&[][..], &["--replace"]] {
        let arguments = [&["restore", text(&file)], options].concat();
        let said = run(&site, &arguments);
        assert!(matches!(said.status.code(), Some(1 | 2)), "{said:?}");
    }
    refused(&site, &["restore", text(&file), "--replace"], 2, &["stop it first", "--into"]);
    hub.assert_alive();
    assert!(hub.terminate(PATIENCE).success());

    refused(&site, &["restore", text(&file)], 1, &["--replace", "--into"]);
    let damaged = site.path("damaged.backup");
    let mut bytes = fs::read(&file).unwrap();
    bytes[40] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    refused(&site, &["restore", text(&damaged), "--replace"], 2, &["damaged.backup"]);
    refused(&site, &["store", "check", text(&damaged)], 2, &["damaged.backup"]);

    let expected = registered(&site);
    let said = done(&site, &["restore", text(&file), "--replace", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let moved = PathBuf::from(said["moved"].as_str().unwrap());
    assert!(text(&moved).contains("store.before-"), "{moved:?}");
    assert!(moved.join("sled/db").exists());
    assert_eq!(registered(&site), expected);
    // And a stopped hub's backup is the same as a running one's, but for its time.
    let again = site.path("b.backup");
    done(&site, &["backup", text(&again)]);
    let (one, other) = (fs::read(&file).unwrap(), fs::read(&again).unwrap());
    assert_eq!(one.len(), other.len());
}

#[test]
fn the_control_socket_is_the_hubs_own_and_comes_and_goes_with_it() {
    let site = Plan::boards(1).build();
    let socket = site.path("store/control.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists(), "as a killed hub leaves it");
    let mut hub = site.start();
    let there = fs::symlink_metadata(&socket).unwrap();
    assert!(there.file_type().is_socket());
    assert_eq!(there.permissions().mode() & 0o777, 0o600);

    let ask = |line: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        let mut answer = Vec::new();
        // Whoever says too much is cut off.
        let _ = stream.write_all(line).and_then(|()| stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(ask(b"GET / HTTP/1.1\n").starts_with("no this is a hub's control socket"));
    assert!(ask(b"hub-control 9 backup\n").starts_with("no the running hub is"));
    assert!(ask(b"hub-control 1 check\n").starts_with("ok "));
    assert_eq!(ask(&[b'x'; 4096]), "");
    // Clients that say nothing keep others waiting for a moment only, and not the hub from stopping.
    let idle: Vec<_> = (0..6).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let said = done(&site, &["store", "check"]);
    assert!(said.contains("boards/address"), "{said}");
    hub.assert_alive();
    assert!(hub.terminate(PATIENCE).success());
    drop(idle);
    assert!(!socket.exists());
    assert!(done(&site, &["store", "check"]).contains("boards/address"));
}

#[test]
fn a_damaged_store_is_named_with_the_way_back() {
    let site = Plan::boards(20).build();
    let file = site.path("good.backup");
    done(&site, &["backup", text(&file)]);
    let log = site.path("store/sled/db");
    fs::File::options().write(true).open(&log).unwrap().set_len(1000).unwrap();

    let way_out = ["damaged", "cellular-hub store check", "cellular-hub restore FILE --replace"];
    refused(&site, &["store", "check"], 1, &way_out);
    refused(&site, &["board", "list"], 2, &way_out);
    let said = run(&site, &["serve"]);
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    for word in way_out {
        assert!(said.stderr.contains(word), "{}", said.stderr);
    }
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);

    done(&site, &["restore", text(&file), "--replace"]);
    done(&site, &["store", "check"]);
    let hub = site.start();
    assert_eq!(connected(&site, &hub, 19).post("d", b"back").message.dotted(), "2.04");
}
