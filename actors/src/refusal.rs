//! Why a handshake ended without a session: the words for people, the alert for the peer.

use openssl::x509::X509VerifyResult;

use crate::metrics::HandshakeEnd;

/// The AlertDescription of a board that an admin shut out (RFC 5246 7.2).
pub const ACCESS_DENIED: u8 = 49;

/// The AlertDescription of a session that is over (RFC 5246 7.2.1).
pub const CLOSE_NOTIFY: u8 = 0;

/// The reason a handshake was refused or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// No certificate was presented.
    #[error("the peer presented no certificate")]
    NoCertificate,
    /// No tenant's authority issued the certificate.
    #[error("the certificate was issued by no authority of this hub")]
    UnknownAuthority,
    /// The certificate's or a message's signature is wrong.
    #[error("a signature does not verify")]
    BadSignature,
    /// The certificate's validity has ended.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate's validity has not begun.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// Key usage or extended key usage does not allow client authentication.
    #[error("the certificate's key usage does not allow client authentication")]
    WrongKeyUsage,
    /// The certificate cannot be read, or its key is not ECDSA P-256.
    #[error("the certificate is malformed or its key is not ECDSA P-256")]
    UnsupportedCertificate,
    /// A certificate above it is none of an authority.
    #[error("the certificate was issued with a certificate that is no authority's")]
    NotAnAuthority,
    /// It is an authority's own certificate, or one that could issue others.
    #[error("the certificate is an authority's, not a board's")]
    IsAuthority,
    /// A digest or an authority's key of less than 112 bits of security: SHA-1, RSA of 1024 bits.
    #[error("the certificate is signed with a digest or a key that is too weak")]
    WeakSignature,
    /// An extension is critical, and nobody here knows what it says.
    #[error("the certificate has a critical extension that the hub does not know")]
    UnknownExtension,
    /// More certificates, or bytes of them, than any board has.
    #[error("the certificate chain is longer than the hub takes")]
    ChainTooLong,
    /// More authorities stand below one than it allows.
    #[error("the certificate chain goes past the path length of an authority in it")]
    PathLength,
    /// It has a name that an authority above it may not give.
    #[error("the certificate has a name outside the name constraints of its authority")]
    NameConstraints,
    /// The certificate names no hardware id (RFC 4108 hardwareModuleName).
    #[error("the certificate holds no hardware id")]
    NoHardwareId,
    /// The hardware id is not registered.
    #[error("no board with this hardware id is registered")]
    UnknownBoard,
    /// The board is registered with another certificate.
    #[error("the board is registered with another certificate")]
    OtherCertificate,
    /// The certificate was issued by another tenant's authority than the board's.
    #[error("the certificate comes from another tenant's authority")]
    OtherTenant,
    /// The board is blocked.
    #[error("the board is blocked")]
    Blocked,
    /// The board is not registered, and its authority's batch does not take it.
    #[error("the board is not registered, and the batch of its authority does not take it")]
    NotInBatch,
    /// The board is held: there seem to be two of it.
    #[error("the board is held, for there seem to be two of it")]
    Held,
    /// The certificate's authority has done its service.
    #[error("the authority of the certificate is retired")]
    AuthorityRetired,
    /// The certificate's authority is not to be trusted any more.
    #[error("the authority of the certificate is revoked")]
    AuthorityRevoked,
    /// The board or its certificate is revoked.
    #[error("the board is revoked")]
    Revoked,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The tenant has had as many handshakes as it may for now.
    #[error("the board's tenant begins too many sessions a second")]
    TenantRate,
    /// The board shakes hands more often than its quota lets it.
    #[error("the board shakes hands more often than its quota lets it")]
    BoardQuota,
    /// The tenant's boards together do.
    #[error("the tenant's boards shake hands more often than its quota lets them")]
    TenantQuota,
    /// No cipher suite, group or signature algorithm in common.
    #[error("no cipher suite, group or signature algorithm in common")]
    NothingInCommon,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol")]
    Protocol,
    /// The peer's Finished does not verify.
    #[error("the peer's finished does not verify")]
    BadFinished,
    /// The peer ended the handshake with an alert.
    #[error("the peer ended the handshake with an alert")]
    PeerAlert,
    /// The peer was silent when another needed its place.
    #[error("the handshake was silent and another needed its place")]
    Evicted,
    /// The peer went silent.
    #[error("the handshake did not finish in time")]
    TimedOut,
    /// The hub failed: its store or its cryptography.
    #[error("the hub could not decide")]
    Internal,
}

impl Refusal {
    /// All there are, in the order of their numbers.
    const ALL: [Self; 35] = [
        Self::NoCertificate,
        Self::UnknownAuthority,
        Self::BadSignature,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongKeyUsage,
        Self::UnsupportedCertificate,
        Self::NotAnAuthority,
        Self::IsAuthority,
        Self::WeakSignature,
        Self::UnknownExtension,
        Self::ChainTooLong,
        Self::PathLength,
        Self::NameConstraints,
        Self::NoHardwareId,
        Self::UnknownBoard,
        Self::OtherCertificate,
        Self::OtherTenant,
        Self::Blocked,
        Self::NotInBatch,
        Self::Held,
        Self::AuthorityRetired,
        Self::AuthorityRevoked,
        Self::Revoked,
        Self::TenantSuspended,
        Self::TenantRate,
        Self::BoardQuota,
        Self::TenantQuota,
        Self::NothingInCommon,
        Self::Protocol,
        Self::BadFinished,
        Self::PeerAlert,
        Self::Evicted,
        Self::TimedOut,
        Self::Internal,
    ];

    /// What it is called in the store; given out once and for good, from 1 on.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::NoCertificate => 1,
            Self::UnknownAuthority => 2,
            Self::BadSignature => 3,
            Self::Expired => 4,
            Self::NotYetValid => 5,
            Self::WrongKeyUsage => 6,
            Self::UnsupportedCertificate => 7,
            Self::NotAnAuthority => 8,
            Self::IsAuthority => 9,
            Self::WeakSignature => 10,
            Self::UnknownExtension => 11,
            Self::ChainTooLong => 12,
            Self::PathLength => 13,
            Self::NameConstraints => 14,
            Self::NoHardwareId => 15,
            Self::UnknownBoard => 16,
            Self::OtherCertificate => 17,
            Self::OtherTenant => 18,
            Self::Blocked => 19,
            Self::NotInBatch => 20,
            Self::Held => 21,
            Self::AuthorityRetired => 22,
            Self::AuthorityRevoked => 23,
            Self::Revoked => 24,
            Self::TenantSuspended => 25,
            Self::TenantRate => 26,
            Self::BoardQuota => 27,
            Self::TenantQuota => 28,
            Self::NothingInCommon => 29,
            Self::Protocol => 30,
            Self::BadFinished => 31,
            Self::PeerAlert => 32,
            Self::Evicted => 33,
            Self::TimedOut => 34,
            Self::Internal => 35,
        }
    }

    /// That of this number; none for one that a later hub has given out.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.number() == number)
    }

    /// Whether a session of the board has no use any more: it could not come back by an admin's
    /// lifting something.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Revoked
                | Self::UnknownBoard
                | Self::OtherTenant
                | Self::OtherCertificate
                | Self::AuthorityRetired
                | Self::AuthorityRevoked
        )
    }

    /// How a handshake refused for this reason is counted.
    #[must_use]
    pub fn end(self) -> HandshakeEnd {
        match self {
            Self::NoCertificate => HandshakeEnd::NoCertificate,
            Self::UnknownAuthority => HandshakeEnd::UnknownAuthority,
            Self::BadSignature => HandshakeEnd::BadSignature,
            Self::Expired => HandshakeEnd::Expired,
            Self::NotYetValid => HandshakeEnd::NotYetValid,
            Self::WrongKeyUsage => HandshakeEnd::WrongKeyUsage,
            Self::UnsupportedCertificate => HandshakeEnd::BadCertificate,
            Self::NotAnAuthority => HandshakeEnd::NotAnAuthority,
            Self::IsAuthority => HandshakeEnd::IsAuthority,
            Self::WeakSignature => HandshakeEnd::WeakSignature,
            Self::UnknownExtension => HandshakeEnd::UnknownExtension,
            Self::ChainTooLong => HandshakeEnd::ChainTooLong,
            Self::PathLength => HandshakeEnd::PathLength,
            Self::NameConstraints => HandshakeEnd::NameConstraints,
            Self::NoHardwareId => HandshakeEnd::NoHardwareId,
            Self::UnknownBoard => HandshakeEnd::UnknownBoard,
            Self::OtherCertificate => HandshakeEnd::OtherCertificate,
            Self::OtherTenant => HandshakeEnd::OtherTenant,
            Self::Blocked => HandshakeEnd::Blocked,
            Self::NotInBatch => HandshakeEnd::NotInBatch,
            Self::Held => HandshakeEnd::Held,
            Self::AuthorityRetired => HandshakeEnd::AuthorityRetired,
            Self::AuthorityRevoked => HandshakeEnd::AuthorityRevoked,
            Self::Revoked => HandshakeEnd::Revoked,
            Self::TenantSuspended => HandshakeEnd::TenantSuspended,
            Self::TenantRate => HandshakeEnd::TenantRate,
            Self::BoardQuota => HandshakeEnd::BoardQuota,
            Self::TenantQuota => HandshakeEnd::TenantQuota,
            Self::NothingInCommon => HandshakeEnd::NoCommonCipher,
            Self::Protocol => HandshakeEnd::Malformed,
            Self::BadFinished => HandshakeEnd::BadFinished,
            Self::PeerAlert => HandshakeEnd::PeerAlert,
            Self::Evicted => HandshakeEnd::Evicted,
            Self::TimedOut => HandshakeEnd::TimedOut,
            Self::Internal => HandshakeEnd::Internal,
        }
    }

    /// The AlertDescription for the peer (RFC 5246 7.2); `None` where silence is the answer.
    #[must_use]
    pub fn alert(self) -> Option<u8> {
        match self {
            Self::NoCertificate | Self::NothingInCommon => Some(40), // handshake_failure
            Self::UnknownAuthority
            | Self::NotAnAuthority
            | Self::ChainTooLong
            | Self::PathLength
            | Self::AuthorityRetired => Some(48), // unknown_ca
            Self::BadSignature | Self::BadFinished => Some(51),      // decrypt_error
            Self::Expired => Some(45),                               // certificate_expired
            Self::NotYetValid | Self::NoHardwareId | Self::NameConstraints => Some(42), // bad_certificate
            Self::WrongKeyUsage
            | Self::UnsupportedCertificate
            | Self::IsAuthority
            | Self::WeakSignature
            | Self::UnknownExtension => Some(43), // unsupported_certificate
            Self::UnknownBoard | Self::OtherCertificate | Self::NotInBatch => Some(46), // certificate_unknown
            Self::Revoked | Self::AuthorityRevoked => Some(44), // certificate_revoked
            Self::OtherTenant | Self::Blocked | Self::Held | Self::TenantSuspended => Some(49), // access_denied
            Self::BoardQuota | Self::TenantQuota => Some(49), // access_denied
            Self::Protocol => Some(47),                       // illegal_parameter
            // Of the alerts there are, the one that asks for another attempt.
            Self::Internal | Self::TenantRate => Some(80), // internal_error
            Self::PeerAlert | Self::TimedOut | Self::Evicted => None,
        }
    }

    /// What OpenSSL's verdict on a chain means.
    #[must_use]
    pub fn from_verdict(verdict: X509VerifyResult) -> Self {
        // Values of X509_V_ERR_*, x509_vfy.h.
        match verdict.as_raw() {
            2 | 18 | 19 | 20 | 21 | 27 => Self::UnknownAuthority,
            4 | 6 | 7 => Self::BadSignature,
            9 => Self::NotYetValid,
            10 => Self::Expired,
            22 => Self::ChainTooLong,
            23 => Self::Revoked,
            26 => Self::WrongKeyUsage,
            24 | 32 | 79 => Self::NotAnAuthority,
            25 => Self::PathLength,
            34 => Self::UnknownExtension,
            // Violated, or of a kind that OpenSSL cannot judge.
            47..=49 | 51..=53 => Self::NameConstraints,
            67 | 68 => Self::WeakSignature,
            _ => Self::UnsupportedCertificate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_found_by_its_number() {
        let numbers: Vec<u8> = Refusal::ALL.iter().map(|refusal| refusal.number()).collect();
        let from_one = 1..=u8::try_from(Refusal::ALL.len()).unwrap();
        assert_eq!(numbers, from_one.collect::<Vec<_>>());
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::of_number(refusal.number()), Some(refusal));
        }
        assert_eq!((Refusal::of_number(0), Refusal::of_number(255)), (None, None));
        // Stores name them so.
        assert_eq!((Refusal::NoCertificate.number(), Refusal::Blocked.number()), (1, 19));
        assert_eq!((Refusal::Revoked.number(), Refusal::Internal.number()), (24, 35));
    }
}
