//! Key ceremonies at the command line, and the certificates they make, read by OpenSSL's own program.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::rig::process::Process;

/// SoftHSM, where Debian has it.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

pub(crate) struct Rig {
    folder: TempDir,
    softhsm: Option<PathBuf>,
}

impl Rig {
    fn new(trust: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[monitoring]\nlisten = \"127.0.0.1:0\"\n[https]\nlisten = \"127.0.0.1:0\"\n[trust]\n{trust}"
        );
        fs::write(folder.path().join("hub.toml"), text).unwrap();
        Self { folder, softhsm: None }
    }

    /// With a token for the keys.
    pub(crate) fn with_token() -> Self {
        Self::with_pin("2718")
    }

    pub(crate) fn with_pin(pin: &str) -> Self {
        let text = format!(
            "key_store = \"pkcs11\"\npkcs11_module = \"{MODULE}\"\npkcs11_token = \"hub\"\n"
        );
        let mut rig = Self::new(&text);
        fs::create_dir(rig.path("tokens")).unwrap();
        let text = format!("directories.tokendir = {}\n", rig.path("tokens").display());
        fs::write(rig.path("softhsm2.conf"), text).unwrap();
        rig.softhsm = Some(rig.path("softhsm2.conf"));
        let made = ["--init-token", "--free", "--label", "hub", "--so-pin", "314159", "--pin", pin];
        rig.program("softhsm2-util", &made);
        fs::create_dir(rig.path("vault")).unwrap();
        fs::write(rig.path("vault/token.pin"), format!("{pin}\n")).unwrap();
        fs::set_permissions(rig.path("vault/token.pin"), fs::Permissions::from_mode(0o600))
            .unwrap();
        rig
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("CELLULAR_HUB_CONFIG").env_remove("CREDENTIALS_DIRECTORY");
        command.envs(self.softhsm.iter().map(|file| ("SOFTHSM2_CONF", file)));
        let done = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    }

    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(program, arguments);
        assert_eq!(code, Some(0), "{program} {arguments:?}: {out}{err}");
        out
    }

    /// A hub that serves.
    pub(crate) fn serve(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cellular-hub"));
        command.arg("serve").current_dir(self.folder.path()).env("NO_COLOR", "1");
        command.env_remove("CELLULAR_HUB_CONFIG").env_remove("CREDENTIALS_DIRECTORY");
        command.envs(self.softhsm.iter().map(|file| ("SOFTHSM2_CONF", file)));
        Process::spawn(&mut command)
    }

    pub(crate) fn hub(&self, arguments: &[&str]) -> String {
        self.program(env!("CARGO_BIN_EXE_cellular-hub"), arguments)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let out = self.hub(&[arguments, &["--json"]].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let (ended, out, err) = self.run(env!("CARGO_BIN_EXE_cellular-hub"), arguments);
        assert_eq!(ended, Some(code), "{arguments:?}: {out}{err}");
        err
    }

    /// Root, tenant, board and a firmware key, each used and verified; the key store has these then.
    fn ceremonies(&self, keys_then: &[&str]) {
        self.hub(&["ca", "init", "--server-name", "hub.example.com"]);
        self.hub(&["tenant", "add", "acme"]);
        self.hub(&[
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
        self.hub(&[
            "ca",
            "issue",
            "CB-2",
            "--tenant",
            "acme",
            "--key",
            "2.key.pem",
            "--out",
            "2.pem",
            "--no-expiry",
        ]);
        let verify = ["verify", "-x509_strict", "-check_ss_sig", "-purpose"];
        for (purpose, chain) in [
            ("sslserver", &["-CAfile", "pki/root.pem", "pki/server.pem"][..]),
            (
                "sslclient",
                &["-CAfile", "pki/root.pem", "-untrusted", "pki/tenants/acme.pem", "cb.pem"],
            ),
            (
                "sslclient",
                &["-CAfile", "pki/root.pem", "-untrusted", "pki/tenants/acme.pem", "2.pem"],
            ),
        ] {
            self.program("openssl", &[&verify[..], &[purpose], chain].concat());
        }
        // A board is no server.
        let board = [
            "sslserver",
            "-CAfile",
            "pki/root.pem",
            "-untrusted",
            "pki/tenants/acme.pem",
            "cb.pem",
        ];
        assert_ne!(self.run("openssl", &[&verify[..], &board].concat()).0, Some(0));
        let end = self.program("openssl", &["x509", "-in", "2.pem", "-noout", "-enddate"]);
        assert!(end.contains("Dec 31 23:59:59 9999"), "{end}");

        let made = &self.json(&["key", "new", "firmware"])[0];
        let shown = &self.json(&["key", "show", "firmware"])[0];
        assert_eq!(made["public"], shown["public"]);
        assert!(self.hub(&["key", "show", "firmware"]).starts_with("-----BEGIN PUBLIC KEY-----"));
        let line = self.refused(1, &["key", "new", "firmware"]);
        assert!(line.contains("already, and it is never overwritten"), "{line}");
        let keys = self.json(&["key", "list"]);
        let keys: Vec<_> = keys.iter().map(|line| line["key"].as_str().unwrap()).collect();
        assert_eq!(keys, keys_then);

        let log = self.json(&["audit", "list"]);
        let log: Vec<_> = log
            .iter()
            .map(|line| {
                let of = |key: &str| line["event"][key].as_str().unwrap().to_owned();
                format!("{} {}", of("what"), of("subject"))
            })
            .collect();
        assert_eq!(
            log,
            [
                "ca.init root",
                "certificate.issue server",
                "authority.add acme/1",
                "tenant.add acme",
                "board.certificate CB-1",
                "certificate.issue CB-1",
                "board.certificate CB-2",
                "certificate.issue CB-2",
                "key.new firmware",
            ]
        );
        let head = &self.json(&["audit", "verify"])[0];
        let head = format!("{}:{}", head["entries"], head["digest"].as_str().unwrap());
        self.hub(&["key", "new", "audit"]);
        assert!(self.hub(&["audit", "verify", "--head", &head]).contains("10:"));
        let line = self.refused(1, &["audit", "verify", "--head", &head.replacen("9:", "12:", 1)]);
        assert!(line.contains("does not hold the head 12"), "{line}");
    }
}

#[test]
fn ceremonies_with_sealed_files() {
    let rig = Rig::new("");
    rig.ceremonies(&["root", "tenant/acme", "server", "firmware"]);
    for (file, expected) in [
        ("pki/keys/root.key", true),
        ("pki/keys/server.key", true),
        ("pki/keys/tenant/acme.key", true),
        ("pki/keys/firmware.key", true),
        ("vault/keys.passphrase", true),
        ("pki/root.key.pem", false),
        ("pki/server.key.pem", false),
        ("pki/tenants/acme.key.pem", false),
    ] {
        let found = fs::metadata(rig.path(file));
        assert_eq!(found.is_ok(), expected, "{file}");
        assert!(found.is_ok_and(|found| found.permissions().mode() & 0o077 == 0) || !expected);
    }
    fs::write(rig.path("vault/keys.passphrase"), "wrong").unwrap();
    let line = rig.refused(2, &["tenant", "add", "other"]);
    assert!(line.contains("was sealed under another passphrase"), "{line}");
}

#[test]
fn ceremonies_with_a_token() {
    let rig = Rig::with_token();
    rig.ceremonies(&["root", "tenant/acme", "firmware"]);
    // The server's key alone is sealed in a file: a handshake needs it in the process.
    let files: Vec<_> = fs::read_dir(rig.path("pki/keys")).unwrap().collect();
    assert!(files.len() == 1 && rig.path("pki/keys/server.key").exists(), "{files:?}");
    assert!(rig.path("vault/keys.passphrase").exists());
    // So says somebody else's tool.
    let login = ["--module", MODULE, "--token-label", "hub", "--login", "--pin", "2718"];
    let list = [&login[..], &["--list-objects", "--type", "privkey"]].concat();
    let objects = rig.program("pkcs11-tool", &list);
    assert_eq!(objects.matches("always sensitive, never extractable").count(), 4, "{objects}");

    fs::write(rig.path("vault/token.pin"), "3141\n").unwrap();
    let line = rig.refused(2, &["key", "list"]);
    assert!(line.contains("token \"hub\" refused the PIN in"), "{line}");
}

#[test]
fn plain_keys_of_a_former_hub_are_used_and_then_sealed() {
    let rig = Rig::new("");
    rig.hub(&["fixture", "--boards", "1", "--tenants", "1", "--dir", "hub"]);
    let config = ["--config", "hub/hub.toml"];
    let issue = |board: &str, out: &str| {
        let key = format!("{board}.key.pem");
        let command = ["ca", "issue", board, "--tenant", "tenant-0", "--key", &key, "--out", out];
        rig.hub(&[&command[..], &config].concat());
        let tenant = "hub/pki/tenants/tenant-0.pem";
        let chain = ["-CAfile", "hub/pki/root.pem", "-untrusted", tenant, out];
        rig.program("openssl", &[&["verify", "-x509_strict"][..], &chain].concat());
    };
    issue("CB-before", "before.pem");
    let said = rig.hub(&[&["ca", "init"][..], &config].concat());
    assert!(said.contains("key root taken into the key files in"), "{said}");
    assert!(
        said.contains("key tenant/tenant-0 taken into") && said.contains("root kept"),
        "{said}"
    );
    for (file, is_there) in [
        ("root.key.pem", false),
        ("root.key.pem.imported", true),
        ("server.key.pem", false),
        ("server.key.pem.imported", true),
        ("keys/server.key", true),
        ("keys/root.key", true),
        ("tenants/tenant-0.key.pem", false),
        ("keys/tenant/tenant-0.key", true),
    ] {
        assert_eq!(rig.path("hub/pki").join(file).exists(), is_there, "{file}");
    }
    issue("CB-after", "after.pem");
    let said = rig.hub(&[&["ca", "init"][..], &config].concat());
    assert!(!said.contains("taken into"), "{said}");
}

#[test]
fn a_root_whose_key_is_elsewhere_is_not_replaced() {
    let rig = Rig::new("");
    rig.hub(&["ca", "init"]);
    fs::rename(rig.path("pki/keys"), rig.path("elsewhere")).unwrap();
    for command in [&["ca", "init"][..], &["tenant", "add", "acme"]] {
        let line = rig.refused(2, command);
        assert!(line.contains("root.pem is not in the key files in"), "{line}");
    }
    assert!(!rig.path("pki/keys/root.key").exists());
}
