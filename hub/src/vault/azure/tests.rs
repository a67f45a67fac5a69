//! Against a server of ours that keeps to what Microsoft documents of Key Vault, its logins and a
//! machine's metadata service.

mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;
use storage::{KeyId, KeyPurpose};

use self::server::{CLIENT, DIRECTORY, Fault, SECRET, Server};
use super::*;
use crate::config::{AzureLogin, MasterKind};

const HERE: Place = Place { id: KeyId(1), purpose: KeyPurpose::Records };
const THERE: Place = Place { id: KeyId(2), purpose: KeyPurpose::Records };

fn key() -> SealingKey {
    SealingKey::new([0x5a; 32])
}

/// A configuration for the server, with its application's secret.
struct Rig {
    server: Server,
    folder: tempfile::TempDir,
    config: Config,
}

impl Rig {
    fn new() -> Self {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        let mut config = Config::default().relative_to(folder.path());
        let vault = &mut config.vault;
        vault.master = MasterKind::AzureKeyVault;
        vault.azure_key = server.key();
        vault.azure_login_url = server.login_url();
        vault.azure_metadata_url = server.metadata_url();
        vault.azure_directory = DIRECTORY.to_owned();
        let rig = Self { server, folder, config };
        rig.write_secret(SECRET);
        rig
    }

    fn write_secret(&self, secret: &str) {
        let file = self.folder.path().join("vault/azure.secret");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, secret).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn for_an_application(mut self) -> Self {
        self.config.vault.azure_login = AzureLogin::ClientSecret;
        self.config.vault.azure_client = CLIENT.to_owned();
        self
    }

    fn master(&self) -> AzureMaster {
        AzureMaster::with(&self.config, Http::believing(self.server.roots())).unwrap()
    }

    /// What wrapping says after these faults.
    fn refused(&self, faults: &[Fault]) -> String {
        self.server.fail(faults);
        let refused = self.master().wrap(HERE, &key()).unwrap_err().to_string();
        assert!(!refused.contains(SECRET) && !refused.contains("token-"), "{refused}");
        refused
    }
}

fn unwrapped(master: &AzureMaster, place: Place, wrapped: &[u8]) -> Option<[u8; 32]> {
    master.unwrap(place, wrapped).unwrap().map(|key| *key.bytes())
}

#[test]
fn a_key_is_wrapped_and_opens_in_its_place_alone_for_a_machine_and_an_application() {
    for rig in [Rig::new(), Rig::new().for_an_application()] {
        let wrapped = rig.master().wrap(HERE, &key()).unwrap();
        let master = rig.master();
        assert_eq!(unwrapped(&master, HERE, &wrapped), Some([0x5a; 32]));
        assert_eq!(unwrapped(&master, THERE, &wrapped), None);
        assert_eq!(master.name(), rig.config.vault.azure_key);
        // One token each.
        assert_eq!(rig.server.tokens(), 2);
    }
}

#[test]
fn a_key_opens_with_the_version_it_was_wrapped_under_and_others_are_wrapped_under_the_newest() {
    let rig = Rig::new();
    let master = rig.master();
    let first = master.wrap(HERE, &key()).unwrap();
    rig.server.add_version("b2");
    let second = master.wrap(HERE, &key()).unwrap();
    let version = |wrapped: &[u8]| split(wrapped).unwrap().0.rsplit('/').next().unwrap().to_owned();
    assert_eq!((version(&first), version(&second)), (String::from("a1"), String::from("b2")));
    for wrapped in [&first, &second] {
        assert_eq!(unwrapped(&master, HERE, wrapped), Some([0x5a; 32]));
    }
    rig.server.disable("a1");
    let refused = master.unwrap(HERE, &first).unwrap_err().to_string();
    assert!(refused.contains("not allowed on a disabled key"), "{refused}");
    rig.server.remove("a1");
    let refused = master.unwrap(HERE, &first).unwrap_err().to_string();
    assert!(refused.contains("KeyNotFound") && refused.contains("recovered"), "{refused}");
    assert!(unwrapped(&master, HERE, &second).is_some());
}

#[test]
fn a_token_that_ended_early_is_replaced_once() {
    let rig = Rig::new();
    let master = rig.master();
    let wrapped = master.wrap(HERE, &key()).unwrap();
    rig.server.end_tokens();
    assert!(unwrapped(&master, HERE, &wrapped).is_some());
    assert_eq!(rig.server.tokens(), 2);
    let refused = rig.refused(&[Fault::Unauthorised, Fault::Unauthorised]);
    assert!(refused.contains("accepts no token") && refused.contains("AKV10022"), "{refused}");
}

#[test]
fn who_may_not_and_what_is_not_there_is_said_in_words() {
    let rig = Rig::new();
    let refused = rig.refused(&[Fault::Forbidden]);
    assert!(refused.contains("Crypto Service Encryption User"), "{refused}");
    assert!(refused.contains("Forbidden: Caller is not authorized"), "{refused}");
    let mut other = rig.config.clone();
    other.vault.azure_key = rig.server.key().replace("/keys/hub", "/keys/other");
    let master = AzureMaster::with(&other, Http::believing(rig.server.roots())).unwrap();
    let refused = master.wrap(HERE, &key()).unwrap_err().to_string();
    assert!(refused.contains("KeyNotFound"), "{refused}");

    let rig = rig.for_an_application();
    rig.write_secret("canary-of-another-secret");
    let refused = rig.refused(&[]);
    assert!(refused.contains("gives no token: invalid_client: AADSTS7000215"), "{refused}");
    assert!(!refused.contains("canary-of-another-secret"), "{refused}");
    fs::remove_file(rig.folder.path().join("vault/azure.secret")).unwrap();
    let refused = rig.refused(&[]);
    assert!(refused.starts_with("vault.azure_secret_file: there is no"), "{refused}");
}

#[test]
fn who_is_asked_to_come_again_waits_and_not_for_ever() {
    let rig = Rig::new();
    let master = rig.master();
    rig.server.fail(&[Fault::Throttled { after_s: 1 }, Fault::Throttled { after_s: 1 }]);
    let began = std::time::Instant::now();
    assert!(master.wrap(HERE, &key()).is_ok());
    assert!(began.elapsed().as_millis() >= 2_000, "it did not wait");
    // Four times in a row, and a pause that nobody sits through.
    rig.server.fail(&[Fault::Throttled { after_s: 0 }; 4]);
    let refused = master.wrap(HERE, &key()).unwrap_err().to_string();
    assert!(refused.contains("too busy"), "{refused}");
    rig.server.fail(&[Fault::Throttled { after_s: 3600 }]);
    let refused = master.wrap(HERE, &key()).unwrap_err().to_string();
    assert!(refused.contains("come again in 3600 s"), "{refused}");
    rig.server.fail(&[Fault::Internal]);
    assert!(master.wrap(HERE, &key()).is_ok());
}

#[test]
fn a_store_that_was_changed_leads_no_token_elsewhere() {
    let rig = Rig::new();
    let master = rig.master();
    let wrapped = master.wrap(HERE, &key()).unwrap();
    let (kid, value) = split(&wrapped).unwrap();
    let asked = rig.server.asked();
    let others = [
        kid.replace("localhost", "localhost.evil.example"),
        kid.replace("/keys/hub/", "/keys/other/"),
        format!("{kid}/../../../other"),
        format!("{}/", rig.server.key()),
        format!("{kid}?x="),
    ];
    for other in &others {
        let length = u16::try_from(other.len()).unwrap().to_be_bytes();
        let changed = [&[VERSION][..], &length, other.as_bytes(), value].concat();
        assert_eq!(unwrapped(&master, HERE, &changed), None, "{other}");
    }
    assert_eq!(rig.server.asked(), asked, "nobody was asked");
    let mut changed = wrapped.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(unwrapped(&master, HERE, &changed), None);
}

#[test]
fn an_answer_for_another_key_is_not_kept() {
    let rig = Rig::new();
    let refused = rig.refused(&[Fault::OtherKey]);
    assert!(refused.contains("names another key"), "{refused}");
}

#[test]
fn a_server_that_no_authority_vouches_for_is_asked_nothing() {
    let rig = Rig::new().for_an_application();
    let other = Server::start();
    let master = AzureMaster::with(&rig.config, Http::believing(other.roots())).unwrap();
    let refused = master.wrap(HERE, &key()).unwrap_err().to_string();
    assert!(refused.starts_with("cannot reach https://localhost"), "{refused}");
    assert_eq!(rig.server.asked(), 0);
}

#[test]
fn tokens_are_for_the_cloud_that_the_vault_is_in() {
    for (host, resource) in [
        ("acme.vault.azure.net", "https://vault.azure.net"),
        ("acme.vault.azure.cn:443", "https://vault.azure.cn"),
        ("acme.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net"),
        ("localhost:8443", "https://localhost"),
    ] {
        assert_eq!(resource_of(host), resource);
    }
    for key in [
        "",
        "http://a.b/keys/k",
        "https://a.b/secrets/k",
        "https://a b/keys/k",
        "https://a.b/keys/",
    ] {
        assert_eq!(parts(key), None, "{key}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_wrapped_key_or_none(bytes in any::<Vec<u8>>(), kid in "[a-z/:.]{0,40}") {
        let _ = split(&bytes);
        let length = u16::try_from(kid.len()).unwrap().to_be_bytes();
        let whole = [&[VERSION][..], &length, kid.as_bytes(), &bytes].concat();
        prop_assert_eq!(split(&whole), Some((kid.as_str(), bytes.as_slice())));
    }
}
