//! Why enrolment gives nobody a certificate; whose fault it was decides what the asker is told.

use openssl::x509::X509VerifyResult;
use storage::{EnrolmentRefusal, StoreError, TenantId};

use super::CsrError;
use crate::trust::{TrustError, Unopened};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request is not one.
    #[error(transparent)]
    Request(#[from] CsrError),
    /// Nobody vouches for it.
    #[error(
        "show who you are: with a station's certificate as TLS client, or with a one-time token \
         (Basic, user token, or Bearer)"
    )]
    Nobody,
    /// The tenant's label is of nobody.
    #[error("there is no tenant {0}")]
    UnknownTenant(TenantId),
    /// Who asks is another tenant's.
    #[error("this is tenant {theirs}'s; {label} is not its label")]
    OtherLabel {
        /// Whose the credential is.
        theirs: TenantId,
        /// What was asked for.
        label: TenantId,
    },
    /// The client's certificate is no station's.
    #[error("the client's certificate is not a station's (O is the tenant, OU is station)")]
    NotAStation,
    /// The client's certificate is no board's.
    #[error("the client's certificate is not the one the hub knows of a board")]
    NotABoard,
    /// The client's certificate is not vouched for by who it says.
    #[error("the client's certificate is not by {tenant}'s authority: {reason}")]
    Forged {
        /// The tenant it names.
        tenant: TenantId,
        /// OpenSSL's words.
        reason: X509VerifyResult,
    },
    /// The client's certificate has ended, or not begun.
    #[error("the client's certificate is not valid now: {0}")]
    NotNow(X509VerifyResult),
    /// The client's certificate was revoked.
    #[error("the client's certificate is revoked: {0}")]
    Revoked(String),
    /// The request is for somebody else than who asks.
    #[error("the request's subject and alternative name are not those of the certificate renewed")]
    OtherNames,
    /// The store's rules are against it.
    #[error(transparent)]
    Rule(#[from] EnrolmentRefusal),
    /// The hub cannot sign for this tenant.
    #[error(
        "no key is here that issues certificates for {0}'s boards; ask whoever has their authority"
    )]
    OwnAuthority(TenantId),
    /// The store failed.
    #[error("the store takes nothing now")]
    Store(#[from] StoreError),
    /// The authority failed.
    #[error("the authority cannot sign now")]
    Trust(#[from] TrustError),
}

impl From<Unopened> for Refusal {
    fn from(error: Unopened) -> Self {
        match error {
            Unopened::Store(error) => Self::Store(error),
            Unopened::Trust(error) => Self::Trust(error),
        }
    }
}
