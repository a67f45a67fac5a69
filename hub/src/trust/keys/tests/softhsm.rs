//! The key store over PKCS#11, with SoftHSM as the token.
//!
//! SoftHSM reads where its tokens are from the environment when it is loaded, so each test here runs
//! itself again as a process of its own.

#![expect(clippy::disallowed_methods, reason = "the inner process is told so by the environment")]

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::*;

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];
pub(super) const PIN: &str = "271828";
const INNER: &str = "CELLULAR_HUB_SOFTHSM_TEST";

/// Runs `test`, which is `name` in `module`, in a process of its own, with a token in a folder of its own.
pub(super) fn with_token(module: &str, name: &str, test: impl FnOnce(&Token)) {
    let library = MODULES.into_iter().find(|library| Path::new(library).exists());
    let library = library.expect("SoftHSM: scripts/install installs it");
    if let Some(folder) = std::env::var_os(INNER) {
        return test(&Token { folder: folder.into(), module: library.into() });
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("softhsm2.conf");
    let tokens = folder.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
    fs::write(&configuration, text).unwrap();
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("SOFTHSM2_CONF", &configuration).env(INNER, folder.path());
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program:?} {arguments:?}: {said}");
    };
    let made = ["--init-token", "--free", "--label", "hub", "--so-pin", "314159", "--pin", PIN];
    run(Path::new("softhsm2-util"), &made);
    fs::write(folder.path().join("pin"), format!("{PIN}\n")).unwrap();
    fs::set_permissions(folder.path().join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    let name = format!("trust::keys::tests::{module}::{name}");
    run(&std::env::current_exe().unwrap(), &["--exact", &name, "--nocapture"]);
}

pub(super) struct Token {
    folder: PathBuf,
    module: PathBuf,
}

impl Token {
    pub(super) fn options(&self) -> Pkcs11Options {
        let file = self.folder.join("pin");
        Pkcs11Options {
            module: self.module.clone(),
            token: String::from("hub"),
            pin: SecretFile { key: "trust.pkcs11_pin_file", file, credential: None },
            sessions: 3,
        }
    }

    fn store(&self) -> Pkcs11Store {
        Pkcs11Store::open(self.options()).unwrap()
    }

    fn refused(&self, change: impl FnOnce(&mut Pkcs11Options)) -> String {
        let mut options = self.options();
        change(&mut options);
        Pkcs11Store::open(options).unwrap_err().to_string()
    }

    /// A session beside the store's; a login is the process's, so this one has it too.
    pub(super) fn session(&self) -> Session {
        let module = Pkcs11::new(&self.module).unwrap();
        let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        let slots = module.get_slots_with_token().unwrap();
        let is_ours =
            |slot: &cryptoki::slot::Slot| module.get_token_info(*slot).unwrap().label() == "hub";
        module.open_rw_session(slots.into_iter().find(is_ours).unwrap()).unwrap()
    }

    fn write_pin(&self, pin: &str) {
        fs::write(self.folder.join("pin"), pin).unwrap();
    }
}

impl Bench for Token {
    fn open(&self) -> Arc<dyn KeyStore> {
        Arc::new(self.store())
    }
}

#[test]
fn a_token_does_what_every_key_store_does() {
    with_token("softhsm", "a_token_does_what_every_key_store_does", |token| suite(token));
}

#[test]
fn a_private_key_does_not_leave_its_token() {
    with_token("softhsm", "a_private_key_does_not_leave_its_token", |token| {
        token.store().generate(&KeyLabel::ROOT).unwrap();
        let session = token.session();
        let _ = session.login(UserType::User, Some(&AuthPin::new(PIN.into())));
        let find = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(b"root".to_vec())];
        let key = session.find_objects(&find).unwrap()[0];
        let asked = [
            AttributeType::Sensitive,
            AttributeType::AlwaysSensitive,
            AttributeType::Extractable,
            AttributeType::NeverExtractable,
            AttributeType::Private,
        ];
        let expected = vec![
            Attribute::Sensitive(true),
            Attribute::AlwaysSensitive(true),
            Attribute::Extractable(false),
            Attribute::NeverExtractable(true),
            Attribute::Private(true),
        ];
        assert_eq!(session.get_attributes(key, &asked).unwrap(), expected);
        // The value is not given...
        assert!(session.get_attributes(key, &[AttributeType::Value]).unwrap().is_empty());
        // ...nor wrapped under a key of whoever asks...
        let secret =
            [Attribute::Token(false), Attribute::Wrap(true), Attribute::ValueLen(32.into())];
        let wrapping = session.generate_key(&Mechanism::AesKeyGen, &secret).unwrap();
        let refused = session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, key).unwrap_err();
        assert!(matches!(refused, Error::Pkcs11(RvError::KeyUnextractable, _)), "{refused}");
        // ...nor can the key be opened up.
        assert!(session.update_attributes(key, &[Attribute::Extractable(true)]).is_err());
        assert!(session.update_attributes(key, &[Attribute::Sensitive(false)]).is_err());
    });
}

#[test]
fn what_is_wrong_with_a_token_is_said_in_words() {
    with_token("softhsm", "what_is_wrong_with_a_token_is_said_in_words", |token| {
        let said = token.refused(|options| options.module = "/nowhere/libhsm.so".into());
        assert!(said.starts_with("trust.pkcs11_module: /nowhere/libhsm.so cannot be"), "{said}");
        let said = token.refused(|options| options.module = "/etc/hostname".into());
        assert!(said.starts_with("trust.pkcs11_module: /etc/hostname cannot be"), "{said}");
        let said = token.refused(|options| options.token = String::from("other"));
        assert!(said.contains("no token \"other\"") && said.contains("there are: hub"), "{said}");
        let said = token.refused(|options| options.pin.file = token.folder.join("none"));
        assert!(
            said.contains("trust.pkcs11_pin_file: there is no") && said.contains("PIN"),
            "{said}"
        );
        token.write_pin("not the pin");
        let said = token.refused(|_| ());
        assert!(said.contains("refused the PIN in") && !said.contains("not the pin"), "{said}");
        token.write_pin("");
        let said = token.refused(|_| ());
        assert!(said.contains("has nothing in its first line"), "{said}");
        token.write_pin(PIN);
        token.store();
    });
}

#[test]
fn two_keys_of_one_name_are_refused_not_chosen_from() {
    with_token("softhsm", "two_keys_of_one_name_are_refused_not_chosen_from", |token| {
        let store = token.store();
        store.generate(&KeyLabel::ROOT).unwrap();
        let session = token.session();
        let named = [Attribute::Token(true), Attribute::Label(b"root".to_vec())];
        let mut public = named.to_vec();
        public.push(Attribute::EcParams(vec![6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]));
        session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &named).unwrap();
        let refused = store.sign(&KeyLabel::ROOT, b"").unwrap_err();
        assert!(matches!(refused, KeyError::Ambiguous { .. }), "{refused}");
    });
}

#[test]
fn a_store_logs_in_again_after_its_token_was_lost() {
    with_token("softhsm", "a_store_logs_in_again_after_its_token_was_lost", |token| {
        let store = token.store();
        let root = store.generate(&KeyLabel::ROOT).unwrap();
        store.sign(&KeyLabel::ROOT, b"before").unwrap();
        let session = token.session();
        for _ in 0..3 {
            session.logout().unwrap();
            let signature = store.sign(&KeyLabel::ROOT, b"after").unwrap();
            assert!(openssl_verifies(&root, b"after", &signature));
        }
        session.logout().unwrap();
        assert!(matches!(store.sign(&label("audit"), b""), Err(KeyError::Missing { .. })));
        session.logout().unwrap();
        token.write_pin("changed");
        let refused = store.sign(&KeyLabel::ROOT, b"").unwrap_err();
        assert!(matches!(refused, KeyError::WrongPin { .. }), "{refused}");
        token.write_pin(PIN);
        assert!(store.sign(&KeyLabel::ROOT, b"").is_ok());
    });
}
