//! One suite over every key store, and what each has of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::file::KeyFolders;
use super::sealed::Cost;
use super::*;

mod change;
mod softhsm;
mod wrapping;

/// Something that opens one and the same key store again and again.
trait Bench {
    fn open(&self) -> Arc<dyn KeyStore>;
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> FileStore {
        let folders = KeyFolders { sealed: self.path("pki/keys"), plain: self.path("pki") };
        let file = self.path("vault/keys.passphrase");
        let credential = Some(self.path("credentials/keys.passphrase"));
        let passphrase = SecretFile { key: "trust.passphrase_file", file, credential };
        FileStore::with_cost(folders, passphrase, Self::CHEAP)
    }
}

impl Bench for Files {
    fn open(&self) -> Arc<dyn KeyStore> {
        Arc::new(self.store())
    }
}

fn label(text: &str) -> KeyLabel {
    text.parse().unwrap()
}

/// Whether OpenSSL's own program finds the signature good.
fn openssl_verifies(public: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("public.pem"), public.to_pem().unwrap()).unwrap();
    fs::write(file("message"), message).unwrap();
    fs::write(file("signature"), signature).unwrap();
    let arguments =
        ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"];
    let run = Command::new("openssl").args(arguments).current_dir(folder.path()).output().unwrap();
    run.status.success()
}

/// What every key store does.
fn suite(bench: &dyn Bench) {
    let store = bench.open();
    assert!(store.labels().unwrap().is_empty());
    let root = store.generate(&KeyLabel::ROOT).unwrap();
    let tenant = store.generate(&label("tenant/acme")).unwrap();
    let later = store.generate(&label("tenant/acme/2")).unwrap();
    assert!(root != tenant && tenant != later);

    let twice = store.generate(&KeyLabel::ROOT).unwrap_err();
    assert!(matches!(twice, KeyError::Exists { .. }), "{twice}");
    let missing = store.sign(&label("firmware"), b"image").unwrap_err().to_string();
    assert!(missing.contains("no key firmware in the ") && missing.contains("key new firmware"));
    assert!(matches!(store.public_key(&label("audit")), Err(KeyError::Missing { .. })));

    let signature = store.sign(&KeyLabel::ROOT, b"message").unwrap();
    assert!(openssl_verifies(&root, b"message", &signature));
    assert!(!openssl_verifies(&root, b"massage", &signature));
    assert!(!openssl_verifies(&tenant, b"message", &signature));
    drop(store);

    let store = bench.open();
    let all = ["root", "tenant/acme", "tenant/acme/2"].map(label);
    assert_eq!(store.labels().unwrap(), all);
    assert_eq!(store.public_key(&label("tenant/acme/2")).unwrap(), later);
    let signature = store.sign(&label("tenant/acme"), b"again").unwrap();
    assert!(openssl_verifies(&tenant, b"again", &signature));

    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let store = &store;
            scope.spawn(move || {
                let signature = store.sign(&KeyLabel::ROOT, &[thread]).unwrap();
                let key = root.to_openssl().unwrap();
                let digest = openssl::sha::sha256(&[thread]);
                let signature = openssl::ecdsa::EcdsaSig::from_der(&signature).unwrap();
                assert!(signature.verify(&digest, &key.ec_key().unwrap()).unwrap());
            });
        }
    });
}

#[test]
fn sealed_files_do_what_every_key_store_does() {
    suite(&Files::new());
}

#[test]
fn a_passphrase_is_made_once_for_its_owner_alone() {
    let bench = Files::new();
    bench.store().generate(&KeyLabel::ROOT).unwrap();
    let file = bench.path("vault/keys.passphrase");
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&bench.path("pki/keys/root.key"))), (0o600, 0o600));
    let made = fs::read(&file).unwrap();
    assert_eq!(made.len(), 64);
    bench.store().generate(&label("firmware")).unwrap();
    assert_eq!(fs::read(&file).unwrap(), made);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = bench.store().sign(&KeyLabel::ROOT, b"").unwrap_err().to_string();
    assert!(refused.contains("can be read by others; `chmod 600 "), "{refused}");
}

#[test]
fn a_wrong_or_missing_passphrase_is_said_in_words_and_makes_no_other() {
    let bench = Files::new();
    bench.store().generate(&KeyLabel::ROOT).unwrap();
    let file = bench.path("vault/keys.passphrase");
    fs::write(&file, "another\n").unwrap();
    for refused in [
        bench.store().sign(&KeyLabel::ROOT, b"").unwrap_err(),
        bench.store().generate(&label("audit")).unwrap_err(),
    ] {
        assert!(matches!(refused, KeyError::WrongPassphrase { .. }), "{refused}");
    }
    fs::remove_file(&file).unwrap();
    for refused in [
        bench.store().sign(&KeyLabel::ROOT, b"").unwrap_err(),
        bench.store().generate(&label("audit")).unwrap_err(),
    ] {
        assert!(matches!(refused, KeyError::NoSecret { .. }), "{refused}");
    }
    assert!(!file.exists());
    // Who has no passphrase can still see what there is.
    assert!(bench.store().public_key(&KeyLabel::ROOT).is_ok());
}

#[test]
fn a_systemd_credential_comes_before_the_file() {
    let bench = Files::new();
    fs::create_dir(bench.path("credentials")).unwrap();
    fs::write(bench.path("credentials/keys.passphrase"), "from systemd").unwrap();
    bench.store().generate(&KeyLabel::ROOT).unwrap();
    assert!(!bench.path("vault/keys.passphrase").exists());
    assert!(bench.store().sign(&KeyLabel::ROOT, b"").is_ok());
}

#[test]
fn a_moved_or_cut_key_file_is_refused() {
    let bench = Files::new();
    bench.store().generate(&KeyLabel::ROOT).unwrap();
    let root = bench.path("pki/keys/root.key");
    fs::copy(&root, bench.path("pki/keys/firmware.key")).unwrap();
    let refused = bench.store().sign(&label("firmware"), b"").unwrap_err().to_string();
    assert!(refused.contains("is the key root, not firmware"), "{refused}");
    let whole = fs::read(&root).unwrap();
    fs::write(&root, &whole[..whole.len() - 1]).unwrap();
    let refused = bench.store().sign(&KeyLabel::ROOT, b"").unwrap_err().to_string();
    assert!(refused.contains("is too short or too long; restore it"), "{refused}");
}

#[test]
fn a_plain_key_is_used_as_it_is_and_imported_once() {
    let bench = Files::new();
    fs::create_dir_all(bench.path("pki/tenants")).unwrap();
    let key = crate::trust::new_key().unwrap();
    let public = PublicKey::of(&key).unwrap();
    let file = bench.path("pki/tenants/acme.key.pem");
    fs::write(&file, crate::trust::private_key_pem(&key).unwrap().as_slice()).unwrap();
    let (store, acme) = (bench.store(), label("tenant/acme"));
    assert_eq!(
        (store.labels().unwrap(), store.public_key(&acme).unwrap()),
        (vec![acme.clone()], public)
    );
    assert!(matches!(store.generate(&acme), Err(KeyError::Exists { .. })));

    let kept = store.import_plain(&acme).unwrap().unwrap();
    assert!(kept.ends_with("acme.key.pem.imported") && kept.exists() && !file.exists());
    assert_eq!(store.import_plain(&acme).unwrap(), None);
    let again = bench.store();
    assert_eq!(
        (again.labels().unwrap(), again.public_key(&acme).unwrap()),
        (vec![acme.clone()], public)
    );
    let signature = again.sign(&acme, b"message").unwrap();
    assert!(openssl_verifies(&public, b"message", &signature));
}
