//! `[vault]`: under which key secrets in the store are sealed.

use std::path::PathBuf;

use super::key::section;

section! {
    /// The vault: secrets in the store are sealed under one master key.
    pub struct Vault in "vault" {
        /// File of the master key: 32 random bytes, mode 0600, made at the first start. Without it
        /// no session opens and every board has to shake hands again; keep a copy apart from the store.
        pub master_key: PathBuf = PathBuf::from("vault/master.key");
    }
}
