//! The certificate of an authority that a tenant brings: read, and seen to be one that boards can be
//! believed by.
//!
//! Invariant: what is imported here, the handshake can verify: a key on P-256, because that is what
//! boards' suites and this hub's signatures are for, and nothing critical that OpenSSL does not know.

use std::path::{Path, PathBuf};

use openssl::x509::X509;
use storage::UnixSeconds;
use x509_parser::prelude::{FromDer as _, ParsedExtension, X509Certificate};

use super::keys::PublicKey;
use super::{TrustError, chain};

/// A certificate that may be a tenant's authority.
#[derive(Clone, Debug)]
pub struct Anchor {
    certificate: X509,
    der: Vec<u8>,
}

/// What an authority's certificate says, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AnchorFacts {
    /// Its subject.
    pub subject: String,
    /// Its issuer; the same as the subject where it signed itself.
    pub issuer: String,
    /// From when on it is valid.
    pub not_before: UnixSeconds,
    /// The last second of its validity.
    pub not_after: UnixSeconds,
    /// How many authorities may stand between it and a board; `None` where nothing is said.
    pub path_length: Option<u32>,
    /// Whether it bounds the names of what it signs.
    pub name_constraints: bool,
}

impl Anchor {
    /// A certificate, PEM or DER, from what `file` holds: one that may sign others, whose key is on
    /// P-256, and which is valid `now`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(file: &Path, bytes: &[u8], now: UnixSeconds) -> Result<Self, TrustError> {
        let not_one = |problem: String| TrustError::UnfitAuthority { file: file.into(), problem };
        let certificate = only(file, bytes)?;
        let der = certificate.to_der().map_err(TrustError::cryptography("read a certificate"))?;
        let anchor = Self { certificate, der };
        let (_, read) =
            X509Certificate::from_der(&anchor.der).map_err(|error| not_one(error.to_string()))?;
        if !read.tbs_certificate.is_ca() {
            return Err(TrustError::NoAuthority { file: file.to_path_buf() });
        }
        match read.key_usage() {
            Ok(Some(usage)) if usage.value.key_cert_sign() => {}
            Ok(_) => {
                return Err(not_one(String::from("its key usage is not to sign certificates")));
            }
            Err(error) => return Err(not_one(error.to_string())),
        }
        match read.extended_key_usage() {
            Ok(None) => {}
            Ok(Some(usage)) if usage.value.any || usage.value.client_auth => {}
            Ok(Some(_)) => {
                return Err(not_one(String::from(
                    "it is for others than clients, which boards are",
                )));
            }
            Err(error) => return Err(not_one(error.to_string())),
        }
        if anchor.key().is_none() {
            let why = "its key is not on the curve P-256, the one that boards are verified with";
            return Err(not_one(String::from(why)));
        }
        let is_own = read.subject().as_raw() == read.issuer().as_raw();
        let key =
            anchor.certificate.public_key().map_err(TrustError::cryptography("read a key"))?;
        if is_own && !anchor.certificate.verify(&key).unwrap_or(false) {
            return Err(not_one(String::from("it names itself as its issuer, and has not signed")));
        }
        let facts = facts(&read);
        if facts.not_before > now {
            return Err(not_one(String::from("its validity has not begun")));
        }
        if facts.not_after < now {
            return Err(not_one(String::from("it has ended")));
        }
        // Last, for it speaks in words of its own.
        chain::fault(&anchor.certificate)
            .map_err(|verdict| not_one(format!("no chain can be verified by it: {verdict}")))?;
        Ok(anchor)
    }

    /// Its DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its DER, to keep.
    #[must_use]
    pub fn into_der(self) -> Vec<u8> {
        self.der
    }

    fn key(&self) -> Option<PublicKey> {
        PublicKey::of(self.certificate.public_key().ok()?.as_ref())
    }
}

/// The one certificate in a file.
fn only(file: &Path, bytes: &[u8]) -> Result<X509, TrustError> {
    let none = || TrustError::NotA { what: "certificate", file: file.into() };
    let mut stack = X509::stack_from_pem(bytes).unwrap_or_default();
    match (stack.pop(), stack.is_empty()) {
        (Some(certificate), true) => Ok(certificate),
        (Some(_), false) => {
            let problem = String::from("it holds several certificates; import each by itself");
            Err(TrustError::UnfitAuthority { file: file.into(), problem })
        }
        (None, _) => X509::from_der(bytes).map_err(|_| none()),
    }
}

/// What the certificate (DER) of an authority says.
///
/// # Errors
/// That it cannot be read.
pub fn anchor_facts(der: &[u8]) -> Result<AnchorFacts, TrustError> {
    let unreadable = |error: &dyn std::fmt::Display| TrustError::UnfitAuthority {
        file: PathBuf::from("the store"),
        problem: error.to_string(),
    };
    let (_, read) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
    Ok(facts(&read))
}

fn facts(read: &X509Certificate<'_>) -> AnchorFacts {
    let seconds = |at: i64| UnixSeconds(u64::try_from(at).unwrap_or(0));
    let constraints = read.basic_constraints().ok().flatten();
    AnchorFacts {
        subject: read.subject().to_string(),
        issuer: read.issuer().to_string(),
        not_before: seconds(read.validity().not_before.timestamp()),
        not_after: seconds(read.validity().not_after.timestamp()),
        path_length: constraints.and_then(|constraints| constraints.value.path_len_constraint),
        name_constraints: read.iter_extensions().any(|extension| {
            matches!(extension.parsed_extension(), ParsedExtension::NameConstraints(_))
        }),
    }
}

/// Whether two certificates (DER) are for one key: then each passes for the other.
#[must_use]
pub fn have_one_key(one: &[u8], other: &[u8]) -> bool {
    let key = |der: &[u8]| {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        Some(read.public_key().raw.to_vec())
    };
    key(one).is_some_and(|one| key(other) == Some(one))
}
