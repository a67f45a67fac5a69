//! Certificate revocation lists (RFC 5280, section 5): what is put into one.

use rcgen::{RevokedCertParams, SerialNumber};
use storage::{RevocationReason, UnixSeconds};

/// One certificate in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revoked {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when.
    pub since: UnixSeconds,
    /// Why.
    pub reason: RevocationReason,
}

impl Revoked {
    pub(super) fn entry(&self) -> RevokedCertParams {
        RevokedCertParams {
            serial_number: SerialNumber::from_slice(&self.serial),
            revocation_time: super::profile::moment(self.since),
            reason_code: code(self.reason),
            invalidity_date: None,
        }
    }
}

/// `None` for what the standard says to leave out.
const fn code(reason: RevocationReason) -> Option<rcgen::RevocationReason> {
    use rcgen::RevocationReason as Code;
    match reason {
        RevocationReason::Unspecified => None,
        RevocationReason::KeyCompromise => Some(Code::KeyCompromise),
        RevocationReason::CaCompromise => Some(Code::CaCompromise),
        RevocationReason::AffiliationChanged => Some(Code::AffiliationChanged),
        RevocationReason::Superseded => Some(Code::Superseded),
        RevocationReason::CessationOfOperation => Some(Code::CessationOfOperation),
        RevocationReason::CertificateHold => Some(Code::CertificateHold),
        RevocationReason::PrivilegeWithdrawn => Some(Code::PrivilegeWithdrawn),
    }
}
