//! Who vouches for whom: the hub's root, each tenant's authority under it, the server's and the
//! boards' certificates.
//!
//! Invariant: a private key leaves this module only into a new file of mode 0600; nothing here
//! overwrites a file, logs a key or reads a clock.

mod authority;
mod certificate;
mod error;
pub mod est;
mod files;
mod key;
mod pki;
mod profile;
mod request;

pub use actors::identity::{IdentityError, hardware_id};

pub use self::authority::{Authority, fingerprint};
pub use self::certificate::{BoardCertificate, authority_certificate};
pub use self::error::TrustError;
pub use self::files::{Readers, make_folder, write_new, write_new_secret, write_new_unsynced};
pub use self::key::{new_key, private_key_pem};
pub use self::pki::{Initialised, KeyPairFiles, Made, Pki};
pub use self::profile::{BOARD_YEARS, Expiry, SERVER_YEARS, ServerName, StationName};
pub use self::request::BoardRequest;
