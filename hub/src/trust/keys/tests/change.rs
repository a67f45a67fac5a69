//! Another passphrase, with the machine failing before each change of a file.

use super::*;

const OLD: &str = "the old passphrase";
const NEW: &[u8] = b"the new passphrase\nand what is no part of it";

/// Five keys under [`OLD`], a folder deep and two.
fn five() -> (Files, Vec<(KeyLabel, PublicKey)>) {
    let bench = Files::new();
    crate::trust::make_folder(&bench.path("vault")).unwrap();
    crate::trust::write_new_secret(&bench.path("vault/keys.passphrase"), OLD.as_bytes()).unwrap();
    let store = bench.store();
    let names = ["root", "server", "firmware", "tenant/acme", "tenant/acme/2"];
    let keys = names.map(|name| (label(name), store.generate(&label(name)).unwrap()));
    (bench, keys.to_vec())
}

fn all_sign(bench: &Files, keys: &[(KeyLabel, PublicKey)]) {
    let store = bench.store();
    assert_eq!(store.labels().unwrap().len(), keys.len());
    for (label, public) in keys {
        let signature = store.sign(label, b"message").unwrap();
        let signature = openssl::ecdsa::EcdsaSig::from_der(&signature).unwrap();
        let key = public.to_openssl().unwrap().ec_key().unwrap();
        assert!(signature.verify(&openssl::sha::sha256(b"message"), &key).unwrap(), "{label}");
    }
}

/// Changes it as far as the `steps`th change of a file.
fn broken_off(bench: &Files, new: Option<&[u8]>, steps: usize) -> Result<Changed, KeyError> {
    let mut left = steps;
    bench.store().change_passphrase_by(new, &mut || {
        left = left.checked_sub(1).ok_or(KeyError::Random)?;
        Ok(())
    })
}

#[test]
fn all_keys_open_under_the_new_passphrase_alone() {
    let (bench, keys) = five();
    let store = bench.store();
    store.sign(&KeyLabel::ROOT, b"").unwrap();
    let changed = store.change_passphrase(Some(NEW)).unwrap();
    assert_eq!((changed.keys.len(), changed.credential), (5, None));
    let file = bench.path("vault/keys.passphrase");
    assert_eq!(
        (changed.file, fs::read(&file).unwrap()),
        (file.clone(), b"the new passphrase".into())
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Who had keys open goes on, and makes others under the new one.
    assert!(store.sign(&KeyLabel::ROOT, b"").is_ok());
    let audit = store.generate(&label("audit")).unwrap();
    all_sign(&bench, &[keys.as_slice(), &[(label("audit"), audit)]].concat());
    fs::write(&file, OLD).unwrap();
    for (label, _) in &keys {
        let refused = bench.store().sign(label, b"").unwrap_err();
        assert!(matches!(refused, KeyError::WrongPassphrase { .. }), "{refused}");
    }
}

#[test]
fn without_one_given_a_random_one_is_made() {
    let (bench, keys) = five();
    bench.store().change_passphrase(None).unwrap();
    let made = fs::read(bench.path("vault/keys.passphrase")).unwrap();
    assert_eq!(made.len(), 64);
    bench.store().change_passphrase(None).unwrap();
    assert_ne!(fs::read(bench.path("vault/keys.passphrase")).unwrap(), made);
    all_sign(&bench, &keys);
}

#[test]
fn every_key_opens_wherever_the_change_breaks_off_and_it_goes_on_from_there() {
    let mut steps = 0;
    loop {
        let (bench, keys) = five();
        let first = broken_off(&bench, Some(NEW), steps);
        all_sign(&bench, &keys);
        if first.is_ok() {
            break;
        }
        let begun = bench.path("vault/keys.passphrase.new").exists();
        assert_eq!(begun, steps > 0);
        if begun {
            let refused = bench.store().change_passphrase(Some(b"a third")).unwrap_err();
            assert!(matches!(refused, KeyError::Unfinished { .. }), "{refused}");
            // It breaks off once more, at the very next step.
            let again = broken_off(&bench, None, 1);
            all_sign(&bench, &keys);
            if again.is_err() {
                bench.store().change_passphrase(None).unwrap();
            }
            let passphrase = fs::read(bench.path("vault/keys.passphrase")).unwrap();
            assert_eq!(passphrase, b"the new passphrase", "{steps}");
            assert!(!bench.path("vault/keys.passphrase.new").exists());
        }
        all_sign(&bench, &keys);
        steps += 1;
    }
    // The passphrase, three for each key, and the end.
    assert_eq!(steps, 1 + 3 * 5 + 1);
}

#[test]
fn a_key_made_while_a_change_is_broken_off_opens_after_it() {
    let (bench, mut keys) = five();
    broken_off(&bench, Some(NEW), 8).unwrap_err();
    let audit = bench.store().generate(&label("audit")).unwrap();
    keys.push((label("audit"), audit));
    all_sign(&bench, &keys);
    bench.store().change_passphrase(None).unwrap();
    all_sign(&bench, &keys);
}

#[test]
fn what_is_no_passphrase_changes_nothing() {
    let (bench, keys) = five();
    for unfit in [&b""[..], b"\nsecond line", &[b'x'; 1025]] {
        let refused = bench.store().change_passphrase(Some(unfit)).unwrap_err();
        assert!(matches!(refused, KeyError::UnfitSecret { .. }), "{refused}");
    }
    assert!(!bench.path("vault/keys.passphrase.new").exists());
    fs::write(bench.path("vault/keys.passphrase"), "wrong").unwrap();
    let refused = bench.store().change_passphrase(Some(NEW)).unwrap_err();
    assert!(matches!(refused, KeyError::WrongPassphrase { .. }), "{refused}");
    fs::remove_file(bench.path("vault/keys.passphrase")).unwrap();
    fs::write(bench.path("vault/keys.passphrase"), OLD).unwrap();
    fs::set_permissions(bench.path("vault/keys.passphrase"), fs::Permissions::from_mode(0o600))
        .unwrap();
    all_sign(&bench, &keys);
}

#[test]
fn a_credential_of_the_old_passphrase_is_named_and_the_file_opens_the_keys() {
    let bench = Files::new();
    fs::create_dir(bench.path("credentials")).unwrap();
    fs::write(bench.path("credentials/keys.passphrase"), OLD).unwrap();
    let root = bench.store().generate(&KeyLabel::ROOT).unwrap();
    let changed = bench.store().change_passphrase(Some(NEW)).unwrap();
    assert_eq!(changed.credential, Some(bench.path("credentials/keys.passphrase")));
    all_sign(&bench, &[(KeyLabel::ROOT, root)]);
}

#[test]
fn the_servers_key_is_given_out_and_no_other() {
    let (bench, keys) = five();
    let key = bench.store().server_key(&bench.path("pki/keys/server.key")).unwrap();
    assert_eq!(PublicKey::of(&key), Some(keys[1].1));
    let refused = bench.store().server_key(&bench.path("pki/keys/root.key")).unwrap_err();
    assert!(refused.to_string().contains("is the key root, and no server's"), "{refused}");
}
