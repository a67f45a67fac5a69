//! Other data keys and other master keys, while a hub runs and while it is killed: no session is lost,
//! and what was sealed opens.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::rig::command::{done, refused, run_with};
use crate::rig::process::Process;
use crate::rig::site::{CELLULAR_HUB, Plan, Site};
use crate::rig::{PATIENCE, eventually};
use crate::trust::Rig;
use crate::vault_upgrade::{former_site, post, sleeper};

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The numbers of the data keys that there are.
fn keys(site: &Site) -> Vec<u64> {
    let shown = json(&done(site, &["vault", "show", "--json"]));
    shown.iter().map(|line| line["key"].as_u64().unwrap()).collect()
}

fn audited(site: &Site, what: &str) -> usize {
    let log = json(&done(site, &["audit", "list", "--json"]));
    log.iter().filter(|line| line["event"]["what"] == what).count()
}

#[test]
fn a_rotation_while_the_hub_runs_loses_no_session_and_the_older_key_goes() {
    let site = former_site();
    let hub = site.start();
    post(&mut sleeper(&site, &hub, 0), 1);
    assert_eq!(keys(&site), [1, 2]);
    let rotated = &json(&done(&site, &["vault", "rotate", "--json"]))[0];
    assert_eq!(rotated["key"], 3);
    post(&mut sleeper(&site, &hub, 1), 1);
    eventually("nothing is under the older key", PATIENCE, || {
        (keys(&site) == [2, 3]).then_some(())
    });
    let shown = json(&done(&site, &["vault", "show", "--json"]));
    assert_eq!((&shown[1]["sessions"], &shown[1]["current"]), (&3.into(), &true.into()));
    let mut hub = hub;
    hub.process.kill();
    let hub = site.start();
    post(&mut sleeper(&site, &hub, 2), 1);
    assert_eq!(hub.metric("hub_handshakes_total", &[]), 0.0);
    assert_eq!(audited(&site, "vault.rotate"), 1);
}

#[test]
fn a_hub_killed_while_it_rotates_opens_all_that_is_sealed() {
    let site = former_site();
    let secret = ["upstream", "secret", "broker", "--tenant", "tenant-0", "--password-file", "-"];
    assert!(run_with(&site, &secret, b"hunter2").status.success());
    for round in 0..12_u16 {
        let mut hub = site.start();
        let mut command = Command::new(CELLULAR_HUB);
        command.args(["vault", "rotate", "--config"]).arg(site.path("hub.toml"));
        let mut rotating = Process::spawn(&mut command);
        // From before the command has reached the hub to the middle of its sweep.
        std::thread::park_timeout(Duration::from_millis(u64::from(round) * 12));
        hub.process.kill();
        rotating.wait(PATIENCE);
        let mut hub = site.start();
        // Each round another message: a board is asked for proof once.
        post(&mut sleeper(&site, &hub, u32::from(round % 3)), 100 + 2 * round);
        assert_eq!(hub.metric("hub_handshakes_total", &[]), 0.0, "round {round}");
        assert!(!hub.log().contains("upstream cannot be used"), "{}", hub.log());
        hub.process.kill();
        let report = site.store().check(|_| {}).unwrap();
        assert_eq!(report.problems, [], "round {round}");
    }
    assert!(keys(&site).last() > Some(&3), "it was never rotated");
}

#[test]
fn another_master_key_while_the_hub_runs_and_the_old_one_opens_nothing_any_more() {
    let site = former_site();
    let mut hub = site.start();
    let text = fs::read_to_string(site.path("hub.toml")).unwrap();
    let mut other: toml::Table = text.parse().unwrap();
    let vault = other.entry("vault").or_insert_with(|| toml::Table::new().into());
    vault.as_table_mut().unwrap().insert("master_key".into(), "vault/other.key".into());
    fs::write(site.path("other.toml"), other.to_string()).unwrap();
    let to = site.path("other.toml");
    let said = done(&site, &["vault", "rewrap", "--to", to.to_str().unwrap()]);
    assert!(said.contains("2 data keys, until now under key "), "{said}");
    assert!(site.path("vault/other.key").exists());
    post(&mut sleeper(&site, &hub, 0), 1);
    // What it makes next is under the other key as well.
    done(&site, &["vault", "rotate"]);
    hub.process.kill();

    let said = crate::sessions::refused(&site);
    assert!(said.contains("sealed under another master key (key "), "{said}");
    site.configure("vault", "master_key", "vault/other.key");
    fs::remove_file(site.path("vault/master.key")).unwrap();
    let hub = site.start();
    post(&mut sleeper(&site, &hub, 1), 1);
    assert_eq!(hub.metric("hub_handshakes_total", &[]), 0.0);
    assert_eq!(audited(&site, "vault.rewrap"), 1);
}

#[test]
fn a_master_key_in_a_token_opens_what_a_file_did_and_back() {
    let rig = Rig::with_token();
    rig.hub(&["ca", "init"]);
    rig.hub(&["tenant", "add", "acme"]);
    fs::write(rig.path("password"), "hunter2").unwrap();
    let add = ["upstream", "add", "broker", "--tenant", "acme", "--mqtt", "mqtts://b.example"];
    rig.hub(&[&add[..], &["--username", "hub", "--password-file", "password"]].concat());
    let text = fs::read_to_string(rig.path("hub.toml")).unwrap();
    fs::write(rig.path("token.toml"), text + "\n[vault]\nmaster = \"pkcs11\"\n").unwrap();
    let said = rig.hub(&["vault", "rewrap", "--to", "token.toml"]);
    assert!(said.contains("are wrapped under token key vault "), "{said}");
    let refused = rig.refused(2, &["vault", "rotate"]);
    assert!(refused.contains("another master key (token key vault "), "{refused}");
    fs::rename(rig.path("vault/master.key"), rig.path("former.key")).unwrap();
    rig.hub(&["vault", "rotate", "--config", "token.toml"]);
    // So says somebody else's tool.
    let list = ["--token-label", "hub", "--login", "--pin", "2718", "--list-objects"];
    let module = ["--module", "/usr/lib/softhsm/libsofthsm2.so", "--type", "secrkey"];
    let objects = rig.program("pkcs11-tool", &[&list[..], &module].concat());
    assert!(objects.contains("AES length 32") && objects.contains("vault"), "{objects}");
    assert!(objects.contains("sensitive, always sensitive, never extractable"), "{objects}");

    let said = rig.hub(&["vault", "rewrap", "--config", "token.toml", "--to", "hub.toml"]);
    assert!(said.contains("until now under token key vault "), "{said}");
    rig.hub(&["vault", "rotate"]);
    let shown = rig.json(&["vault", "show"]);
    let secrets: u64 = shown.iter().map(|line| line["secrets"].as_u64().unwrap()).sum();
    assert_eq!((shown.len(), secrets), (2, 1));
}

#[test]
fn a_master_key_comes_out_of_a_systemd_credential() {
    let site = Plan::boards(1).build();
    done(&site, &["vault", "rotate"]);
    let credentials = site.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(site.path("vault/master.key"), credentials.join("vault.master_key")).unwrap();
    site.configure("vault", "master", "credential");
    refused(&site, &["vault", "rotate"], 2, &["no systemd credential vault.master_key"]);
    let mut command = Command::new(CELLULAR_HUB);
    command.args(["vault", "rotate", "--config"]).arg(site.path("hub.toml"));
    command.env("CREDENTIALS_DIRECTORY", &credentials);
    let said = Process::run(&mut command, PATIENCE);
    assert!(said.status.success(), "{said:?}");
    assert!(!site.path("vault/master.key").exists());
}

#[test]
fn with_the_master_key_lost_a_hub_begins_anew_and_says_which_passwords_it_misses() {
    let site = former_site();
    let secret = ["upstream", "secret", "broker", "--tenant", "tenant-0", "--password-file", "-"];
    assert!(run_with(&site, &secret, b"hunter2").status.success());
    refused(&site, &["vault", "reset"], 1, &["nothing is lost", "--force"]);
    fs::remove_file(site.path("vault/master.key")).unwrap();
    assert!(crate::sessions::refused(&site).contains("cellular-hub vault reset"));
    let said = done(&site, &["vault", "reset"]);
    assert!(said.contains("passwords have to be given again"), "{said}");
    let hub = site.start();
    hub.wait_for_log(&["upstream cannot be used", "not in the vault", "upstream secret"]);
    assert_eq!(hub.metric("hub_sessions_stored", &[]), 0.0);
    let said = run_with(&site, &secret, b"hunter2");
    assert!(said.status.success(), "{said:?}");
    assert_eq!(audited(&site, "vault.reset"), 1);
}
