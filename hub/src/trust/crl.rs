//! Certificate revocation lists (RFC 5280, section 5): what is put into one.

use rcgen::{RevokedCertParams, SerialNumber};
use storage::UnixSeconds;

/// Why a certificate was revoked (RFC 5280, section 5.3.1). The numbers are the standard's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RevocationReason {
    /// Nothing was said.
    #[default]
    Unspecified,
    /// Its key may be in other hands.
    KeyCompromise,
    /// Its issuer's key may be in other hands.
    CaCompromise,
    /// The board belongs to somebody else now.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// The board is out of service.
    CessationOfOperation,
    /// Blocked, and may be let in again.
    CertificateHold,
    /// A right was taken away.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// None for what the standard says to leave out.
    const fn code(self) -> Option<rcgen::RevocationReason> {
        use rcgen::RevocationReason as Code;
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(Code::KeyCompromise),
            Self::CaCompromise => Some(Code::CaCompromise),
            Self::AffiliationChanged => Some(Code::AffiliationChanged),
            Self::Superseded => Some(Code::Superseded),
            Self::CessationOfOperation => Some(Code::CessationOfOperation),
            Self::CertificateHold => Some(Code::CertificateHold),
            Self::PrivilegeWithdrawn => Some(Code::PrivilegeWithdrawn),
        }
    }
}

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
            reason_code: self.reason.code(),
            invalidity_date: None,
        }
    }
}
