//! Secrets do not get out: unlike any other text, each is looked for in all that the hub says, writes
//! and leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::pkey::PKey;

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::Client;
use crate::rig::command::{run, run_with};
use crate::rig::hub::Hub;
use crate::rig::process::{Finished, Process};
use crate::rig::records::prf;
use crate::rig::site::{CELLULAR_HUB, Site};
use crate::vault_upgrade::{former_site, post, sleeper};

const MASTER: &[u8; 32] = b"canary-master-key-of-32-bytes-41";
const PASSPHRASE: &str = "canary-passphrase-of-the-keys-7352";
const NEW_PASSPHRASE: &str = "canary-passphrase-after-that-1188";
const PASSWORD: &str = "canary-password-of-the-broker-9026";
const WRONG: &str = "canary-password-that-is-wrong-3340";

/// A secret, as bytes, and what to call it.
struct Canary {
    name: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    /// As it is, in hexadecimal, in base64, and as Rust shows bytes.
    fn new(name: &'static str, secret: &[u8]) -> Self {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{secret:?}");
        let forms = vec![
            secret.to_vec(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
            STANDARD.encode(secret).trim_end_matches('=').as_bytes().to_vec(),
            URL_SAFE_NO_PAD.encode(secret).into_bytes(),
            list.trim_matches(['[', ']']).as_bytes().to_vec(),
        ];
        Self { name, forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
    }
}

/// All that was said and written.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn command(&mut self, site: &Site, arguments: &[&str]) -> Finished {
        self.heard(arguments, run(site, arguments))
    }

    fn command_with(&mut self, site: &Site, arguments: &[&str], input: &str) -> Finished {
        self.heard(arguments, run_with(site, arguments, input.as_bytes()))
    }

    fn heard(&mut self, arguments: &[&str], said: Finished) -> Finished {
        let text = format!("{}{}", said.stdout, said.stderr);
        self.0.push((arguments.join(" "), text.into_bytes()));
        said
    }

    fn log(&mut self, hub: &Hub) {
        self.0.push((String::from("the log"), hub.log().into_bytes()));
    }

    fn files(&mut self, folder: &Path) {
        for file in files_below(folder) {
            self.0.push((file.display().to_string(), fs::read(&file).unwrap()));
        }
    }

    #[track_caller]
    fn shows_none_of(&self, canaries: &[Canary]) {
        for (what, bytes) in &self.0 {
            for canary in canaries {
                assert!(!canary.is_in(bytes), "{} is in {what}", canary.name);
            }
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match fs::symlink_metadata(&path).unwrap().file_type() {
            kind if kind.is_dir() => files.extend(files_below(&path)),
            kind if kind.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

fn write_secret(file: &Path, secret: &[u8]) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, secret).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A key's number, as it would stand in a file.
fn scalar(pem: &Path) -> Vec<u8> {
    let key = PKey::private_key_from_pem(&fs::read(pem).unwrap()).unwrap();
    key.ec_key().unwrap().private_key().to_vec_padded(32).unwrap()
}

/// The keys of the sleeping board 0, as the store would hold them.
fn session_keys(site: &Site) -> Vec<u8> {
    let list = fs::read(site.path("sleeping.bin")).unwrap();
    prf(&list[..48], b"key expansion", &[0; 64], 40)
}

#[test]
fn no_secret_is_in_a_log_an_answer_an_error_a_backup_or_the_store() {
    let broker = Broker::with_password(PASSWORD);
    // A hub whose store was made with other keys, and its own with ours.
    let site = former_site();
    let session = session_keys(&site);
    let server = scalar(&site.path("pki/server.key.pem"));
    let root = scalar(&site.path("pki/root.key.pem"));
    write_secret(&site.path("vault/keys.passphrase"), PASSPHRASE.as_bytes());
    write_secret(&site.path("vault/canary.key"), MASTER);
    let client_key = site.path("client.key.pem");
    fs::copy(site.boards[0].key.clone(), &client_key).unwrap();
    let client = scalar(&client_key);
    let canaries = [
        Canary::new("the master key", MASTER),
        Canary::new("the passphrase", PASSPHRASE.as_bytes()),
        Canary::new("the new passphrase", NEW_PASSPHRASE.as_bytes()),
        Canary::new("the password", PASSWORD.as_bytes()),
        Canary::new("the wrong password", WRONG.as_bytes()),
        Canary::new("the client key", &client),
        Canary::new("the server's key", &server),
        Canary::new("the root's key", &root),
        Canary::new("the session's client key", &session[..16]),
        Canary::new("the session's server key", &session[16..32]),
    ];
    let mut seen = Seen::default();

    // The master key is ours from the first start on.
    let to = site.path("to.toml");
    fs::copy(site.path("hub.toml"), &to).unwrap();
    site.configure("log", "level", "trace");
    assert!(seen.command(&site, &["vault", "show"]).status.success());
    let text = fs::read_to_string(&to).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    let mut vault = toml::Table::new();
    vault.insert("master_key".into(), "vault/canary.key".into());
    table.insert("vault".into(), vault.into());
    fs::write(&to, table.to_string()).unwrap();
    let to = to.to_str().unwrap().to_owned();
    assert!(seen.command(&site, &["vault", "rewrap", "--to", &to, "--json"]).status.success());
    site.configure("vault", "master_key", "vault/canary.key");
    assert!(seen.command(&site, &["ca", "init", "--json"]).status.success());

    let mut hub = site.start();
    post(&mut sleeper(&site, &hub, 0), 1);
    let identity = site.boards[0].identity();
    // Its store is another hub's: it knows the authority, and not this board.
    drop(Client::connect(hub.listen, &site.root(), &identity).map(Board::new));
    let (url, ca) = (format!("mqtts://{}", broker.tls), broker.ca());
    let ca = ca.to_str().unwrap();
    let add = ["upstream", "add", "guarded", "--tenant", "tenant-0", "--mqtt", &url, "--ca", ca];
    let login = ["--username", "hub", "--password-file", "-", "--json"];
    let certificate = site.boards[0].certificate.to_str().unwrap().to_owned();
    let pair = ["--certificate", &certificate, "--key", client_key.to_str().unwrap()];
    let add = [&add[..], &login, &pair].concat();
    assert!(seen.command_with(&site, &add, WRONG).status.success());
    hub.wait_for_metric(
        "hub_upstream_connections_ended_total",
        &[("upstream", "guarded"), ("reason", "unauthorised")],
        |ended| ended > 0.0,
    );
    let secret = ["upstream", "secret", "guarded", "--tenant", "tenant-0", "--password-file", "-"];
    assert!(seen.command_with(&site, &secret, PASSWORD).status.success());
    hub.wait_for_metric("hub_upstream_connected", &[("upstream", "guarded")], |now| now == 1.0);

    let new = ["key", "passphrase", "--new", "-", "--json"];
    assert!(seen.command_with(&site, &new, NEW_PASSPHRASE).status.success());
    let backup = site.path("monday.backup");
    let backup = backup.to_str().unwrap().to_owned();
    for arguments in [
        &["vault", "rotate", "--json"][..],
        &["vault", "show", "--json"],
        &["upstream", "list", "--tenant", "tenant-0", "--json"],
        &["upstream", "list", "--tenant", "tenant-0"],
        &["key", "list", "--json"],
        &["key", "show", "root", "--json"],
        &["key", "show", "server"],
        &["tenant", "list", "--json"],
        &["board", "list", "--json"],
        &["audit", "list", "--json"],
        &["config", "print"],
        &["store", "check", "--json"],
        &["backup", &backup],
    ] {
        assert!(seen.command(&site, arguments).status.success(), "{arguments:?}");
    }
    hub.process.signal("HUP");
    hub.wait_for_log(&["reloaded"]);

    // Errors, with the secrets in their hands.
    for (arguments, input) in [
        (
            &["upstream", "secret", "nobody", "--tenant", "tenant-0", "--password-file", "-"][..],
            WRONG,
        ),
        (&["upstream", "secret", "discard", "--tenant", "tenant-0", "--password-file", "-"], WRONG),
        (&["upstream", "secret", "guarded", "--tenant", "tenant-0", "--key", "-"], PASSWORD),
        (&["upstream", "secret", "guarded", "--tenant", "tenant-0", "--password", WRONG], ""),
        (&["vault", "rewrap", "--to", "-"], PASSWORD),
    ] {
        let said = match arguments.contains(&"--password") {
            // An argument is not taken at all; it is the shell's to have shown it.
            true => run(&site, &arguments[..5]),
            false => seen.command_with(&site, arguments, input),
        };
        assert!(!said.status.success(), "{arguments:?}");
    }
    assert!(hub.terminate(PATIENCE).success());
    seen.log(&hub);

    // A master key and a passphrase that do not fit.
    write_secret(&site.path("vault/keys.passphrase"), PASSPHRASE.as_bytes());
    assert!(!seen.command(&site, &["tenant", "add", "other"]).status.success());
    let said = crate::sessions::refused(&site);
    seen.0.push((String::from("a start"), said.into_bytes()));
    write_secret(&site.path("vault/keys.passphrase"), NEW_PASSPHRASE.as_bytes());
    write_secret(&site.path("vault/canary.key"), &MASTER[..31]);
    let said = crate::sessions::refused(&site);
    assert!(said.contains("does not hold 32 bytes"), "{said}");
    seen.0.push((String::from("a start"), said.into_bytes()));

    seen.files(&site.path("store"));
    seen.files(&site.path("pki/keys"));
    seen.0.push((String::from("the backup"), fs::read(&backup).unwrap()));
    seen.shows_none_of(&canaries);
    // Whoever looks like this finds what is there.
    let mut kept = Seen::default();
    kept.files(&site.path("vault"));
    let found = |canary: &Canary| kept.0.iter().any(|(_, bytes)| canary.is_in(bytes));
    assert!(found(&canaries[2]), "the passphrase is in its file");
    let log = &seen.0.iter().find(|(what, _)| what == "the log").unwrap().1;
    for level in ["TRACE", "DEBUG", "INFO"] {
        assert!(Canary::new("a level", level.as_bytes()).is_in(log), "no line of {level}");
    }
    let named = Canary::new("a name", b"cellular-hub-tenant-0-guarded");
    assert!(seen.0.iter().any(|(what, bytes)| what.contains("store/sled") && named.is_in(bytes)));
}

#[test]
fn the_pin_of_a_token_is_in_no_answer_and_no_log() {
    const PIN: &str = "canary-pin-8431";
    let rig = crate::trust::Rig::with_pin(PIN);
    let mut said = String::new();
    for arguments in [&["ca", "init"][..], &["key", "list", "--json"], &["tenant", "add", "acme"]] {
        said += &rig.hub(arguments);
    }
    let text = fs::read_to_string(rig.path("hub.toml")).unwrap();
    let text = format!(
        "{text}\n[vault]\nmaster = \"pkcs11\"\n[log]\nlevel = \"trace\"\n\
         [link]\nlisten = \"127.0.0.1:0\"\n"
    );
    fs::write(rig.path("hub.toml"), text).unwrap();
    let mut hub = rig.serve();
    hub.stderr.wait_for_line("the hub serves", PATIENCE);
    hub.signal("TERM");
    assert!(hub.wait(PATIENCE).success(), "{}{}", hub.stdout.text(), hub.stderr.text());
    let log = hub.stdout.text() + &hub.stderr.text();
    assert!(log.contains("TRACE") && log.contains("the hub serves"), "{log}");
    said += &log;
    fs::write(rig.path("vault/token.pin"), format!("{PIN}-wrong")).unwrap();
    said += &rig.refused(2, &["key", "list"]);
    assert!(!Canary::new("the PIN", PIN.as_bytes()).is_in(said.as_bytes()), "{said}");
}

/// Runs a program that may write cores of any size into its folder, and aborts it.
fn aborted(folder: &Path, program: &[&str], is_ready: impl Fn(&Process)) -> (ExitStatus, bool) {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited && exec \"$0\" \"$@\""]).args(program);
    let mut process = Process::spawn(command.current_dir(folder));
    is_ready(&process);
    process.signal("ABRT");
    let status = process.wait(PATIENCE);
    let core = fs::read_dir(folder)
        .unwrap()
        .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("core"));
    (status, core)
}

#[test]
fn no_core_is_written_of_a_hub_that_is_aborted() {
    let folder = tempfile::tempdir().unwrap();
    let program = |process: &Process| {
        crate::rig::eventually("sh became the program, and that sleeps", PATIENCE, || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).ok()?;
            stat.contains("(sleep) S ").then_some(())
        });
    };
    let (status, _) = aborted(folder.path(), &["sleep", "600"], program);
    assert_eq!(status.signal(), Some(6));
    assert!(status.core_dumped(), "this machine writes no cores, and the test shows nothing");

    let site = crate::rig::site::Plan::boards(1).build();
    let folder = tempfile::tempdir().unwrap();
    let config = site.path("hub.toml");
    let serve = [CELLULAR_HUB, "serve", "--config", config.to_str().unwrap()];
    let (status, core) = aborted(folder.path(), &serve, |process| {
        process.stderr.wait_for_line("the hub serves", PATIENCE);
        let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(line.split_whitespace().filter(|word| *word == "0").count(), 2, "{line}");
    });
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped() && !core, "a core was written");
}
