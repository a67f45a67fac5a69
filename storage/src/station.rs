//! A production station: who may enrol boards of some batches, as long as its certificate counts. Holds no
//! key; that is at the station.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::Record;
use crate::{
    AuthorityNumber, BatchName, Fingerprint, RevocationReason, Serial, TenantId, UnixSeconds,
};

/// One station, which is its certificate: with another it is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Station {
    /// Whose boards it enrols.
    pub tenant: TenantId,
    /// Its name, for people.
    pub name: String,
    /// The batches whose boards it enrols.
    pub batches: Vec<BatchName>,
    /// SHA-256 of its certificate's DER.
    pub fingerprint: Fingerprint,
    /// Its certificate's serial number.
    pub serial: Serial,
    /// Which of the tenant's authorities issued that.
    pub issuer: AuthorityNumber,
    /// When.
    pub issued: UnixSeconds,
    /// Who had it issued, as the audit log names them.
    pub issued_by: String,
    /// The last second of its validity.
    pub not_after: UnixSeconds,
    /// Since when and why it counts no more.
    pub revoked: Option<StationRevoked>,
}

/// A station's end before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct StationRevoked {
    /// Since when.
    pub since: UnixSeconds,
    /// Why, as lists of revoked certificates say it.
    pub reason: RevocationReason,
}

impl Record for Station {
    const VERSION: u8 = 1;
}
