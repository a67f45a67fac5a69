//! A certificate that is not to be trusted any more, though its board may be.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::{Record, RecordError, decode_body};
use crate::{AuthorityNumber, BoardId, Fingerprint, TenantId, UnixSeconds};

/// The record of one revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Revocation {
    /// Whose authority issued it.
    pub tenant: TenantId,
    /// Which of the tenant's; a serial number says nothing without.
    pub issuer: Option<AuthorityNumber>,
    /// The board it was issued to, where that is known.
    pub board: Option<BoardId>,
    /// What names it.
    pub certificate: RevokedCertificate,
    /// Why.
    pub reason: RevocationReason,
    /// Since when.
    pub since: UnixSeconds,
}

/// What names a revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum RevokedCertificate {
    /// SHA-256 of its DER.
    Fingerprint(Fingerprint),
    /// Its serial number, big-endian without leading zeros, among those of its issuer.
    Serial(Vec<u8>),
}

/// Why a certificate is revoked (RFC 5280 5.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationReason {
    /// Nobody says.
    #[default]
    Unspecified,
    /// The board's key is known to others.
    KeyCompromise,
    /// The authority's key is known to others.
    CaCompromise,
    /// The board belongs to somebody else now.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// The board may not do what it could.
    PrivilegeWithdrawn,
    /// The board is blocked, and may be let in again.
    CertificateHold,
}

impl RevocationReason {
    /// Its number in a certificate revocation list.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
            Self::CertificateHold => 6,
        }
    }
}

impl Record for Revocation {
    const VERSION: u8 = 2;

    /// Before a tenant could have several authorities.
    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        (version == 1).then(|| {
            let ((tenant, board, certificate, reason, since), used) = decode_body(body)?;
            let issuer = Some(AuthorityNumber::FIRST);
            Ok((Self { tenant, issuer, board, certificate, reason, since }, used))
        })
    }
}
