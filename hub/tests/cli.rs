//! The program `cellular-hub` as a person or a script meets it.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use storage::Store;
use tempfile::TempDir;

use crate::rig::pki::Authority;

/// A folder of its own with a `hub.toml`, and the program in it.
struct Rig {
    folder: TempDir,
}

/// What the program said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("hub.toml"),
            "[monitoring]\nlisten = \"127.0.0.1:0\"\n[https]\nlisten = \"127.0.0.1:0\"\n",
        )
        .unwrap();
        Self { folder }
    }

    /// With a root and the tenant `acme`.
    fn with_tenant() -> Self {
        let rig = Self::new();
        rig.done(&["ca", "init"]);
        rig.done(&["tenant", "add", "acme", "--name", "Acme Water"]);
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let done = Command::new(env!("CARGO_BIN_EXE_cellular-hub"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("CELLULAR_HUB_CONFIG")
            .output()
            .unwrap();
        Said {
            code: done.status.code().unwrap(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }

    fn done(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let out = self.done(&[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap()
    }

    /// The one line of a command that ends with `code`.
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}: {}{}", said.out, said.err);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        said.err.trim_end().strip_prefix("cellular-hub: ").unwrap().to_owned()
    }
}

#[cfg(feature = "demo")]
#[test]
fn every_help_page_reads_as_it_was_agreed() {
    fn pages(command: &mut clap::Command, path: &str, into: &mut String) {
        let path = format!("{path} {}", command.get_name());
        let page = command.clone().bin_name(path.trim()).term_width(100).render_long_help();
        into.push_str(&format!("==== {}\n{page}\n", path.trim()));
        for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
            pages(below, &path, into);
        }
    }
    let mut all = String::new();
    let mut command = hub::cli::command();
    command.build();
    pages(&mut command, "", &mut all);
    insta::assert_snapshot!(all);
}

#[test]
fn a_tenant_with_its_routes_is_built_and_taken_down_again() {
    let rig = Rig::with_tenant();
    rig.done(&["upstream", "add", "broker", "--tenant", "acme", "--mqtt", "mqtts://broker.acme"]);
    rig.done(&["route", "add", "t", "--tenant", "acme", "--upstream", "broker"]);
    let route = rig.json(&["route", "list", "--tenant", "acme"]);
    assert_eq!(route["topic"], "{tenant}/{board}/{resource}");
    assert_eq!(route["acknowledge"], "on-upstream");
    let upstream = rig.json(&["upstream", "list", "--tenant", "acme"]);
    assert_eq!(upstream["port"], 8883);
    assert_eq!(upstream["client_id"], "cellular-hub-acme-broker");
    let tenants = rig.done(&["tenant", "list"]);
    assert!(tenants.lines().nth(1).unwrap().starts_with("acme "), "{tenants}");

    let line = rig.refused(1, &["upstream", "remove", "broker", "--tenant", "acme"]);
    assert!(line.contains("route t of acme"), "{line}");
    rig.done(&["route", "remove", "t", "--tenant", "acme"]);
    rig.done(&["upstream", "remove", "broker", "--tenant", "acme"]);
    rig.done(&["tenant", "remove", "acme"]);
    assert_eq!(rig.done(&["tenant", "list", "--json"]), "");
}

#[test]
fn a_board_is_issued_listed_blocked_and_removed() {
    let rig = Rig::with_tenant();
    rig.done(&[
        "ca",
        "issue",
        "CB-1",
        "--tenant",
        "acme",
        "--key",
        "cb.key.pem",
        "--out",
        "cb.pem",
    ]);
    let mode = fs::metadata(rig.path("cb.key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let board = rig.json(&["board", "show", "CB-1"]);
    let der = Command::new("openssl")
        .args(["x509", "-in", "cb.pem", "-outform", "DER"])
        .current_dir(rig.folder.path())
        .output()
        .unwrap();
    let digest: String =
        openssl::sha::sha256(&der.stdout).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(board["fingerprint"], digest);

    rig.done(&["board", "block", "CB-1", "--reason", "stolen"]);
    assert!(rig.done(&["board", "show", "CB-1"]).contains("blocked: stolen"));
    assert!(rig.done(&["board", "list"]).contains("blocked: stolen"));
    rig.done(&["board", "unblock", "CB-1"]);
    let line = rig.refused(1, &["board", "unblock", "CB-1"]);
    assert!(line.contains("not blocked"), "{line}");
    let line = rig.refused(1, &["tenant", "remove", "acme"]);
    assert!(line.contains("1 board"), "{line}");
    rig.done(&["board", "remove", "CB-1"]);
    let line = rig.refused(2, &["board", "show", "CB-1"]);
    assert!(line.contains("no board CB-1"), "{line}");
}

#[test]
fn a_board_that_made_its_own_key_gets_a_certificate_without_end() {
    let rig = Rig::with_tenant();
    let request = |arguments: &[&str]| {
        let done = Command::new("openssl")
            .args(arguments)
            .current_dir(rig.folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    request(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "own.key"]);
    request(&["req", "-new", "-key", "own.key", "-subj", "/CN=whatever", "-out", "own.csr"]);
    let issue = ["ca", "issue", "CB-2", "--tenant", "acme", "--csr", "own.csr", "--no-expiry"];
    let pem = rig.done(&issue);
    fs::write(rig.path("own.pem"), &pem).unwrap();
    let shown = request(&["x509", "-in", "own.pem", "-noout", "-text"]);
    assert!(shown.contains("Dec 31 23:59:59 9999"), "{shown}");
    assert!(shown.contains("CN = CB-2") || shown.contains("CN=CB-2"), "{shown}");
    request(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        "pki/root.pem",
        "-untrusted",
        "pki/tenants/acme.pem",
        "own.pem",
    ]);

    let line = rig.refused(1, &issue);
    assert!(line.contains("--replace"), "{line}");
    rig.done(&[&issue[..], &["--replace"]].concat());

    request(&["ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "big.key"]);
    request(&["req", "-new", "-key", "big.key", "-subj", "/CN=x", "-out", "big.csr"]);
    let line = rig.refused(1, &["ca", "issue", "CB-3", "--tenant", "acme", "--csr", "big.csr"]);
    assert!(line.contains("P-256"), "{line}");
}

#[test]
fn a_forged_request_is_refused() {
    let rig = Rig::with_tenant();
    let run = |arguments: &[&str]| {
        let folder = rig.folder.path();
        assert!(
            Command::new("openssl").args(arguments).current_dir(folder).status().unwrap().success()
        );
    };
    run(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "own.key"]);
    run(&[
        "req", "-new", "-key", "own.key", "-subj", "/CN=x", "-outform", "DER", "-out", "own.csr",
    ]);
    let mut request = fs::read(rig.path("own.csr")).unwrap();
    // One bit of the common name.
    let at = request.windows(3).position(|bytes| bytes == [0x0c, 1, b'x']).unwrap();
    request[at + 2] ^= 1;
    fs::write(rig.path("forged.csr"), request).unwrap();
    let line = rig.refused(1, &["ca", "issue", "CB-1", "--tenant", "acme", "--csr", "forged.csr"]);
    assert!(line.contains("not signed"), "{line}");
}

#[test]
fn a_certificate_from_elsewhere_is_checked_against_board_and_tenant() {
    let rig = Rig::with_tenant();
    rig.done(&["tenant", "add", "other"]);
    rig.done(&["ca", "issue", "CB-1", "--tenant", "acme", "--key", "k.pem", "--out", "cb.pem"]);
    rig.done(&["board", "remove", "CB-1"]);
    let add = |board: &'static str, tenant: &'static str| {
        ["board", "add", board, "--tenant", tenant, "--certificate", "cb.pem"]
    };
    let line = rig.refused(1, &add("CB-2", "acme"));
    assert!(line.contains("for board CB-1"), "{line}");
    let line = rig.refused(1, &add("CB-1", "other"));
    assert!(line.contains("not by the tenant's authority"), "{line}");
    let good = [&add("CB-1", "acme")[..], &["--label", "site=north", "--address", "10.0.0.1"]];
    let board = rig.json(&good.concat());
    assert_eq!(
        (&board["labels"]["site"], &board["address"]),
        (&"north".into(), &"10.0.0.1".into())
    );
}

#[test]
fn a_tenant_with_its_own_authority_has_its_boards_issued_there() {
    let rig = Rig::with_tenant();
    Authority::new("own").write_certificate(&rig.path("own.pem"));
    Authority::new("another").write_certificate(&rig.path("another.pem"));
    rig.done(&["tenant", "add", "own", "--authority", "own.pem"]);
    let line = rig.refused(1, &["ca", "issue", "CB-1", "--tenant", "own", "--key", "k.pem"]);
    assert!(line.contains("another authority"), "{line}");
    for taken in ["own.pem", "pki/tenants/acme.pem"] {
        let line = rig.refused(1, &["tenant", "add", "bad", "--authority", taken]);
        assert!(line.contains("that key is the authority"), "{line}");
    }
    assert_eq!(rig.done(&["tenant", "list"]).lines().count(), 3);
    let line = rig.refused(1, &["tenant", "add", "bad", "--authority", "pki/server.pem"]);
    assert!(line.contains("no authority's"), "{line}");

    rig.done(&["tenant", "add", "passing"]);
    rig.done(&["tenant", "remove", "passing"]);
    rig.done(&["tenant", "add", "passing", "--authority", "another.pem"]);
    let line = rig.refused(1, &["ca", "issue", "CB-1", "--tenant", "passing", "--key", "k.pem"]);
    assert!(line.contains("another authority"), "{line}");
    assert!(!rig.path("k.pem").exists());
}

#[test]
fn boards_are_listed_in_pages() {
    let rig = Rig::with_tenant();
    for board in ["a", "b", "c", "d"] {
        rig.done(&["board", "add", board, "--tenant", "acme"]);
    }
    let ids = |arguments: &[&str]| -> String {
        let out = rig.done(&[&["board", "list", "--json"], arguments].concat());
        let id =
            |line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        out.lines().map(id).collect()
    };
    assert_eq!(ids(&["--limit", "2"]), "ab");
    assert_eq!(ids(&["--limit", "2", "--after", "b"]), "cd");
    assert_eq!(ids(&["--limit", "0"]), "abcd");
    assert_eq!(ids(&["--tenant", "acme", "--after", "a", "--limit", "2"]), "bc");
}

#[test]
fn the_root_and_the_servers_certificate_are_never_overwritten() {
    let rig = Rig::new();
    rig.done(&["ca", "init", "--server-name", "hub.example.com", "--server-name", "192.0.2.1"]);
    let read = |name: &str| fs::read(rig.path(name)).unwrap();
    let (root, server) = (read("pki/keys/root.key"), read("pki/server.pem"));
    let again = rig.json(&["ca", "init"]);
    assert_eq!(
        (&again["root"]["done"], &again["server"]["done"]),
        (&"kept".into(), &"kept".into())
    );
    assert!(root == read("pki/keys/root.key") && server == read("pki/server.pem"));

    // The key serves its next certificate, too.
    let key = read("pki/keys/server.key");
    fs::remove_file(rig.path("pki/server.pem")).unwrap();
    assert_eq!(rig.json(&["ca", "init"])["server"]["done"], "made");
    assert!(key == read("pki/keys/server.key") && server != read("pki/server.pem"));
    fs::remove_file(rig.path("pki/keys/server.key")).unwrap();
    let line = rig.refused(1, &["ca", "init"]);
    assert!(line.contains("server.pem is there without"), "{line}");
    fs::remove_file(rig.path("pki/server.pem")).unwrap();
    assert_eq!(rig.json(&["ca", "init"])["server"]["done"], "made");
    assert!(key != read("pki/keys/server.key") && !rig.path("pki/server.key.pem").exists());
}

#[test]
fn what_cannot_be_tried_ends_with_2_and_one_line() {
    let rig = Rig::with_tenant();
    fs::write(rig.path("bad.toml"), "[link]\nlissten = 3\n").unwrap();
    for (arguments, says) in [
        (vec!["config", "check", "--config", "bad.toml"], "bad.toml:2: unknown key \"lissten\""),
        (vec!["serve", "--config", "bad.toml"], "the nearest known is \"listen\""),
        (vec!["serve", "--config", "missing.toml"], "cannot read the configuration missing.toml"),
        (vec!["board", "list", "--tenant", "nobody"], "no tenant nobody"),
        (vec!["board", "add", "CB-1", "--tenant", "nobody"], "no tenant nobody"),
        (vec!["board", "remove", "CB-1"], "no board CB-1"),
        (vec!["tenant", "remove", "nobody"], "no tenant nobody"),
        (vec!["route", "remove", "t", "--tenant", "acme"], "no route of acme for t"),
        (
            vec!["route", "add", "t", "--tenant", "acme", "--upstream", "nowhere"],
            "no upstream of acme named nowhere",
        ),
        (
            vec!["board", "add", "CB-1", "--tenant", "acme", "--certificate", "missing.pem"],
            "cannot read missing.pem",
        ),
        (
            vec!["board", "add", "CB-1", "--tenant", "acme", "--certificate", "hub.toml"],
            "hub.toml holds no certificate",
        ),
    ] {
        let line = rig.refused(2, &arguments);
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn a_tenant_without_a_root_is_told_how_to_make_one() {
    let line = Rig::new().refused(2, &["tenant", "add", "acme"]);
    assert!(line.contains("`cellular-hub ca init` makes one"), "{line}");
}

#[test]
fn a_mistyped_configuration_makes_no_empty_store() {
    let rig = Rig::new();
    let line = rig.refused(2, &["board", "list"]);
    assert!(line.contains("there is no store at"), "{line}");
    assert!(!rig.path("store").exists());
}

#[test]
fn a_store_in_use_is_told_with_the_way_out() {
    let rig = Rig::with_tenant();
    let _held = Store::open(&rig.path("store")).unwrap();
    let line = rig.refused(2, &["tenant", "list"]);
    assert!(line.contains("is working on the store") && line.contains("try again"), "{line}");
}

#[test]
fn the_environment_names_the_configuration_and_the_option_wins() {
    let rig = Rig::new();
    fs::write(rig.path("small.toml"), "[link]\nmtu = 256\n").unwrap();
    let mtu = |arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_cellular-hub"))
            .args([&["config", "print", "--json"], arguments].concat())
            .env("CELLULAR_HUB_CONFIG", rig.path("small.toml"))
            .current_dir(Path::new("/"))
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&done.stdout).unwrap()["link"]["mtu"].clone()
    };
    assert_eq!(mtu(&[]), 256);
    assert_eq!(mtu(&["--config", rig.path("hub.toml").to_str().unwrap()]), 1200);
}

#[test]
fn the_printed_configuration_is_one_the_hub_accepts() {
    let rig = Rig::new();
    fs::write(rig.path("hub.toml"), "").unwrap();
    let printed = rig.done(&["config", "print"]);
    fs::write(rig.path("hub.toml"), printed).unwrap();
    assert!(rig.done(&["config", "check"]).contains("hub.toml can be used"));
}

#[test]
fn a_certificate_that_could_not_be_written_leaves_nothing_in_the_way_of_the_next_try() {
    let rig = Rig::with_tenant();
    let issue = ["ca", "issue", "CB-1", "--tenant", "acme", "--key", "cb.key.pem", "--out"];
    rig.refused(2, &[issue.as_slice(), &["nowhere/cb.pem"]].concat());
    assert!(!rig.path("cb.key.pem").exists());
    rig.done(&[issue.as_slice(), &["cb.pem"]].concat());
    assert!(rig.path("cb.pem").exists() && rig.path("cb.key.pem").exists());
}

#[test]
fn a_key_of_another_certificate_is_named_before_anything_is_served() {
    let rig = Rig::with_tenant();
    rig.done(&["ca", "issue", "CB-1", "--tenant", "acme", "--key", "cb.key.pem"]);
    fs::copy(rig.path("cb.key.pem"), rig.path("pki/server.key.pem")).unwrap();
    let line = rig.refused(2, &["serve"]);
    assert!(line.starts_with("link.key: ") && line.contains("does not belong to"), "{line}");
}
