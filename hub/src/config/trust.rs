//! `[trust]`: where the hub's own certificate authorities and their keys are kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::key::{Kind, Setting, section};

section! {
    /// The hub's own certificate authorities: `ca`, `tenant add`, `key` and `fixture` write here.
    pub struct Trust in "trust" {
        /// Folder of the certificates, of the sealed keys (keys/) and of the server's own key. It is
        /// made with mode 0700, keys with 0600, and nothing in it is ever overwritten.
        pub dir: PathBuf = PathBuf::from("pki");
        /// Days after the end of its certificate for which a board may still come and renew it, and do
        /// nothing else; 0 is never. Certificates are made for decades and renewed long before: what
        /// has ended opens nothing unless this says so. A stolen key is of use that much longer.
        pub renew_after_expiry_days: u64 = 0, from 0 to 3650;
        /// Where the keys of root, tenants, firmware and audit log are made and used: "file" for
        /// sealed files, "pkcs11" for a hardware security module. A key made in a module never
        /// leaves it: who moves to one begins a new hierarchy (docs/trust.md).
        pub key_store: KeyStoreKind = KeyStoreKind::File;
        /// For "file": the passphrase that seals the keys, its first line, mode 0600; made with
        /// 256 random bits when there is none. A systemd credential named keys.passphrase comes
        /// first. Whoever has it and the keys can make boards; without it the keys are lost: keep
        /// a copy apart from both.
        pub passphrase_file: PathBuf = PathBuf::from("vault/keys.passphrase");
        /// For "pkcs11": the module, the shared library that the vendor of the token ships. It
        /// runs inside the hub: name none that you do not trust.
        pub pkcs11_module: PathBuf = PathBuf::from("/usr/lib/softhsm/libsofthsm2.so");
        /// For "pkcs11": the token's label.
        pub pkcs11_token: String = String::from("cellular-hub");
        /// For "pkcs11": the user's PIN, the first line of a file of mode 0600. A systemd
        /// credential named token.pin comes first. A token locks its PIN after a few wrong ones.
        pub pkcs11_pin_file: PathBuf = PathBuf::from("vault/token.pin");
        /// For "pkcs11": sessions open at once, at most. More sign faster on tokens that work on
        /// several at a time.
        pub pkcs11_sessions: u8 = 4, from 1 to 64;
    }
}

/// Where keys are made and used.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStoreKind {
    /// In sealed files.
    #[default]
    File,
    /// In a token.
    Pkcs11,
}

impl Setting for KeyStoreKind {
    const KIND: Kind = Kind::Choice(&["file", "pkcs11"]);
}
