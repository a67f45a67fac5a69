//! `[trust]`: where the hub's own certificate authorities are kept.

use std::path::PathBuf;

use super::key::section;

section! {
    /// The hub's own certificate authorities: `ca`, `tenant add` and `fixture` write here.
    pub struct Trust in "trust" {
        /// Folder of the certificates and private keys. Whoever can read it can make boards:
        /// it is made with mode 0700, keys with 0600, and nothing in it is ever overwritten.
        pub dir: PathBuf = PathBuf::from("pki");
        /// Days after the end of its certificate for which a board may still come and renew it, and do
        /// nothing else; 0 is never. Certificates are made for decades and renewed long before: what
        /// has ended opens nothing unless this says so. A stolen key is of use that much longer.
        pub renew_after_expiry_days: u64 = 0, from 0 to 3650;
    }
}
