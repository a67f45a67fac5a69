//! Who vouches for whom: the hub's root, each tenant's authority under it, the server's and the
//! boards' certificates.
//!
//! Invariant: keys that sign stay in their key store ([`keys`]), and other private keys leave this
//! module only into a new file of mode 0600; nothing here overwrites a file, logs a key or reads a
//! clock.

mod anchor;
mod answers;
mod authorities;
mod authority;
mod certificate;
mod chain;
mod checkpoints;
mod crl;
mod enrolment;
mod error;
pub mod est;
mod files;
mod issued;
mod key;
pub mod keys;
mod lists;
mod ocsp;
mod pki;
mod places;
mod profile;
mod request;
mod rollover;

pub use actors::identity::{IdentityError, hardware_id};

pub use self::anchor::{Anchor, AnchorFacts, anchor_facts, have_one_key};
pub use self::authorities::{Authorities, Issuing, Unopened};
pub use self::authority::{Authority, Station};
pub use self::certificate::{BoardCertificate, fingerprint};
pub use self::checkpoints::{CheckpointError, Checkpoints, Verified};
pub use self::crl::Revoked;
pub use self::enrolment::BoardEnrolment;
pub use self::error::TrustError;
pub use self::files::{Readers, make_folder, write_new, write_new_secret, write_new_unsynced};
pub use self::issued::{Issued, pem};
pub use self::key::{new_key, private_key_pem};
pub use self::lists::{List, ListLives, ListName, Lists, Unlisted};
pub use self::ocsp::{Answered, Question};
pub use self::pki::{Imported, Initialised, KeyPairFiles, Made, Pki, certificate_end};
pub use self::places::Places;
pub use self::profile::{
    BOARD_YEARS, Expiry, SERVER_YEARS, STATION_YEARS, ServerName, StationName,
};
pub use self::request::BoardRequest;
pub use self::rollover::{Rollover, RolloverStage};
