//! A board's certificate, as far as it is remembered. Holds no certificate: what it says was read by
//! whoever had it.

use crate::{AuthorityNumber, Fingerprint, Serial, UnixSeconds};

/// What is remembered of the certificate that a board is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What tells it from all others.
    pub fingerprint: Fingerprint,
    /// Its serial number, where the hub has seen it.
    pub serial: Option<Serial>,
    /// Which of the tenant's authorities issued it, where that is known.
    pub issuer: Option<AuthorityNumber>,
    /// The last second of its validity, where that is known.
    pub not_after: Option<UnixSeconds>,
}

impl From<Fingerprint> for Certificate {
    /// One of which nothing else is known yet.
    fn from(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, serial: None, issuer: None, not_after: None }
    }
}
