//! What bytes from outside reach, compiled alone: the very files of `actors`, `storage` and `hub`, not their
//! crates, so that a sanitizer build needs neither OpenSSL nor a runtime and takes a minute.
//!
//! Invariant: nothing is defined here; a file that stops compiling alone has lost its purity.
#![allow(dead_code, unreachable_pub, unused_imports, missing_docs)]

#[path = "../../../storage/src/backup/format.rs"]
pub mod backup;
#[path = "../../../actors/src/board_key.rs"]
pub mod board_key;
#[path = "../../../actors/src/coap/mod.rs"]
pub mod coap;
#[path = "../../src/config/mod.rs"]
pub mod config;
// The files name the crates they are from.
extern crate self as actors;
extern crate self as storage;
#[path = "../../src/trust/est/csr.rs"]
pub mod csr;
#[path = "../../src/factory/forms.rs"]
pub mod forms;
#[path = "../../../actors/src/hardware_module.rs"]
pub mod hardware_module;
#[path = "../../../storage/src/id.rs"]
pub mod id;
#[path = "../../../actors/src/identity.rs"]
pub mod identity;
#[path = "../../../storage/src/identity_field.rs"]
pub mod identity_field;
pub use id::{BoardId, UnixSeconds};
pub use identity_field::IdentityField;
/// The pure parts of it.
#[path = "../../../actors/src/link"]
pub mod link {
    pub mod cipher;
    pub mod cookie;
    pub mod hello;
    pub mod offer;
    pub mod record;
}
#[path = "../../src/control/run.rs"]
pub mod run;
