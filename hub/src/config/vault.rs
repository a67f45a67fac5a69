//! `[vault]`: under which master key secrets in the store are sealed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::key::{Kind, Setting, section};

section! {
    /// The vault: sessions and secrets in the store are sealed under data keys, and those lie in the
    /// store wrapped under a master key (docs/vault.md). Without that, no session and no password
    /// opens: keep a copy of it apart from the store.
    pub struct Vault in "vault" {
        /// Where the master key is: "file"; "credential" for the systemd credential vault.master_key,
        /// which holds 32 random bytes as the file does; "pkcs11" for a key in the token that [trust]
        /// names, which never leaves it. To change it, have `vault rewrap` wrap the data keys anew
        /// before you change it here.
        pub master: MasterKind = MasterKind::File;
        /// For "file": 32 random bytes, mode 0600, made at the first start.
        pub master_key: PathBuf = PathBuf::from("vault/master.key");
        /// For "pkcs11": the label of an AES key in the token (trust.pkcs11_module, pkcs11_token and
        /// pkcs11_pin_file); made inside at the first start. The hub needs the token when it starts,
        /// and for `vault rotate` and `vault rewrap`.
        pub pkcs11_key: String = String::from("vault");
    }
}

/// Where the master key is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MasterKind {
    /// In a file.
    #[default]
    File,
    /// In a systemd credential.
    Credential,
    /// In a token.
    Pkcs11,
}

impl Setting for MasterKind {
    const KIND: Kind = Kind::Choice(&["file", "credential", "pkcs11"]);
}
