//! Why a certificate could not be made, read or kept.

use std::io;
use std::path::PathBuf;

use openssl::error::ErrorStack;

use super::keys::KeyError;

/// Why a certificate could not be made, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file is not there.
    #[error("there is no {what} at {}; {way_out}", file.display())]
    Missing {
        /// What it would hold.
        what: &'static str,
        /// Where it was looked for.
        file: PathBuf,
        /// What makes one.
        way_out: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error(
        "{} is there without {}; put that back, or move the first away to start anew",
        there.display(), missing.display()
    )]
    HalfAPair {
        /// The file that exists.
        there: PathBuf,
        /// The file that does not.
        missing: PathBuf,
    },
    /// A file that must not be overwritten.
    #[error("{} exists already, and it is never overwritten", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The system refused to read, write or make something.
    #[error("cannot {doing} {}: {source}", file.display())]
    File {
        /// What was tried: "read", "write" or "make".
        doing: &'static str,
        /// With which file or folder.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that holds something else.
    #[error("{} holds no {what}", file.display())]
    NotA {
        /// What was wanted.
        what: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// A certificate that would be valid for longer than its issuer's.
    #[error("the certificate would outlive its issuer's, which ends {issuer_ends}")]
    OutlivesIssuer {
        /// The end of the issuer's validity.
        issuer_ends: String,
    },
    /// A certificate that cannot be a tenant's authority.
    #[error("the certificate {} cannot be a tenant's authority: {problem}", file.display())]
    UnfitAuthority {
        /// The certificate's file.
        file: PathBuf,
        /// What is against it.
        problem: String,
    },
    /// A certificate that may not sign others.
    #[error("the certificate {} is no authority's", file.display())]
    NoAuthority {
        /// The certificate's file.
        file: PathBuf,
    },
    /// A board's certificate that does not fit its board or its tenant.
    #[error("{}: {problem}", file.display())]
    UnfitBoard {
        /// The certificate's file.
        file: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// A signing request whose signature is not by the key in it.
    #[error("the request is not signed with the key in it")]
    RequestNotSigned,
    /// A signing request for a key the hub does not take.
    #[error("the request's key is not on the curve P-256")]
    RequestKeyUnsuited,
    /// A certificate whose key is not in the key store.
    #[error(
        "the key of {} is not in {store}; name the store that has it in [trust], or, to begin anew \
         with new keys, move the certificate away",
        certificate.display()
    )]
    KeyElsewhere {
        /// The certificate.
        certificate: PathBuf,
        /// The key store.
        store: String,
    },
    /// A step of the root's rollover that is not the next one.
    #[error("the root is not rolled over: {0}")]
    OutOfTurn(&'static str),
    /// The key store refused.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate could not be put together; with the inputs checked, this is a fault of ours.
    #[error("cannot {doing}: {problem}")]
    Unissuable {
        /// What was tried.
        doing: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// OpenSSL refused; with the inputs checked, this is a fault of ours.
    #[error("cannot {doing}: {source}")]
    Cryptography {
        /// What was tried.
        doing: &'static str,
        /// What OpenSSL says.
        source: ErrorStack,
    },
}

impl TrustError {
    pub(super) fn cryptography(doing: &'static str) -> impl Fn(ErrorStack) -> Self {
        move |source| Self::Cryptography { doing, source }
    }
}
