//! `[store]`: where the hub remembers tenants, boards, routes and upstreams.

use std::path::PathBuf;

use super::key::section;

section! {
    /// Where tenants, boards, routes and upstreams are remembered.
    pub struct Store in "store" {
        /// Folder of the store. It is made with mode 0700; one program at a time may open it.
        pub dir: PathBuf = PathBuf::from("store");
    }
}
