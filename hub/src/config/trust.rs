//! `[trust]`: where the hub's own certificate authorities are kept.

use std::path::PathBuf;

use super::key::section;

section! {
    /// The hub's own certificate authorities: `ca`, `tenant add` and `fixture` write here.
    pub struct Trust in "trust" {
        /// Folder of the certificates and private keys. Whoever can read it can make boards:
        /// it is made with mode 0700, keys with 0600, and nothing in it is ever overwritten.
        pub dir: PathBuf = PathBuf::from("pki");
    }
}
