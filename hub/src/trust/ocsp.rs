//! Questions after single certificates and their answers (OCSP, RFC 6960; nonces of RFC 8954).
//!
//! An authority answers for the certificates that it issued itself, so no other certificate is needed
//! to verify the answer. Invariant: a question's length is bounded by who reads it, and so is the
//! number of certificates it may ask after; of what it brings, those and a nonce alone are signed.

use std::sync::Arc;
use std::time::Duration;

use storage::{Revocation, RevocationReason, Serial, StoreError, TenantId, UnixSeconds};
use x509_cert::der::asn1::{
    BitString, GeneralizedTime, ObjectIdentifier, OctetString, OctetStringRef,
};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlReason;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse,
    ResponderId, ResponseData, RevokedInfo, SingleResponse, Version,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::lists::Unlisted;
use super::{Authority, TrustError};

/// Certificates that one question may ask after.
const ASKED_MAX: usize = 16;

const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const ECDSA_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// `id-pkix-ocsp-nonce`.
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");

/// A question that can be answered.
pub struct Question {
    asked: Vec<CertId>,
    nonce: Option<Extension>,
}

impl Question {
    /// From its DER; `None` for what is malformed.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let request = OcspRequest::from_der(der).ok()?.tbs_request;
        let asked: Vec<_> = request.request_list.into_iter().map(|asked| asked.req_cert).collect();
        let mut nonces = request.request_extensions.unwrap_or_default();
        nonces.retain(|extension| extension.extn_id == NONCE);
        let nonce = nonces.pop();
        let is_one = nonces.is_empty() && nonce.as_ref().is_none_or(is_nonce);
        ((1..=ASKED_MAX).contains(&asked.len()) && is_one).then_some(Self { asked, nonce })
    }

    /// What its answer is kept by; `None` where it cannot be anybody else's: with a nonce.
    pub(super) fn name(&self, tenant: &TenantId) -> Option<[u8; 32]> {
        if self.nonce.is_some() {
            return None;
        }
        let mut text = tenant.as_str().as_bytes().to_vec();
        for asked in &self.asked {
            text.push(0);
            text.extend(asked.to_der().ok()?);
        }
        Some(openssl::sha::sha256(&text))
    }

    /// Whether a certificate is asked after that this authority has issued.
    pub(super) fn is_after(&self, authority: &Authority) -> bool {
        Ours::of(authority).is_ok_and(|ours| self.asked.iter().any(|asked| ours.issued(asked)))
    }
}

/// 1 to 32 bytes (RFC 8954, 2.1).
fn is_nonce(extension: &Extension) -> bool {
    let nonce = OctetStringRef::from_der(extension.extn_value.as_bytes());
    nonce.is_ok_and(|nonce| (1..=32).contains(&nonce.as_bytes().len()))
}

/// An answer, and until when it may be given again.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its DER.
    pub der: Arc<[u8]>,
    /// `None` where it is for one client alone.
    pub until: Option<UnixSeconds>,
}

impl Answered {
    /// The answer to what is no question; nobody signs it.
    #[must_use]
    pub fn malformed() -> Self {
        Self::unsigned(OcspResponse::malformed_request())
    }

    /// The answer while too many ask; nobody signs it.
    #[must_use]
    pub fn try_later() -> Self {
        Self::unsigned(OcspResponse::try_later())
    }

    fn unsigned(response: OcspResponse) -> Self {
        Self { der: response.to_der().unwrap_or_default().into(), until: None }
    }

    /// Whether it may be given at this moment.
    pub(super) fn is_in_force(&self, now: UnixSeconds) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// The signed answer: `find` says what is known to be revoked among the authority's certificates, and
/// of another's nothing is known. Without a nonce it is in force until the given moment.
pub(super) fn answer(
    question: &Question,
    authority: &Authority,
    find: impl Fn(&Serial) -> Result<Option<Revocation>, StoreError>,
    now: UnixSeconds,
    until: UnixSeconds,
) -> Result<Answered, Unlisted> {
    let until = question.nonce.is_none().then_some(until);
    let next_update = until.map(moment).transpose().map_err(unencodable)?;
    let ours = Ours::of(authority).map_err(Unlisted::Trust)?;
    let mut responses = Vec::new();
    for asked in &question.asked {
        let cert_status = match ours.issued(asked) {
            false => CertStatus::unknown(),
            true => match find(&Serial::new(asked.serial_number.as_bytes()))? {
                None => CertStatus::good(),
                Some(revocation) => CertStatus::Revoked(RevokedInfo {
                    revocation_time: moment(revocation.since).map_err(unencodable)?,
                    revocation_reason: reason(revocation.reason),
                }),
            },
        };
        responses.push(SingleResponse {
            cert_id: asked.clone(),
            cert_status,
            this_update: moment(now).map_err(unencodable)?,
            next_update,
            single_extensions: None,
        });
    }
    let key_hash = OctetString::new(ours.by_sha_1.key).map_err(unencodable)?;
    let said = ResponseData {
        version: Version::V1,
        responder_id: ResponderId::ByKey(key_hash),
        produced_at: moment(now).map_err(unencodable)?,
        responses,
        response_extensions: question.nonce.clone().map(|nonce| vec![nonce]),
    };
    let signature =
        authority.sign(&said.to_der().map_err(unencodable)?).map_err(Unlisted::Trust)?;
    let signed = BasicOcspResponse {
        tbs_response_data: said,
        signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
        signature: BitString::from_bytes(&signature).map_err(unencodable)?,
        certs: None,
    };
    let answer = OcspResponse::successful(signed).and_then(|answer| answer.to_der());
    Ok(Answered { der: answer.map_err(unencodable)?.into(), until })
}

/// What names an authority in a question.
struct Ours {
    by_sha_1: Digests<20>,
    by_sha_256: Digests<32>,
}

/// Of its subject, and of its key without the tag before it.
struct Digests<const N: usize> {
    name: [u8; N],
    key: [u8; N],
}

impl Ours {
    fn of(authority: &Authority) -> Result<Self, TrustError> {
        use openssl::sha::{sha1, sha256};
        let unfit = |error: &dyn std::fmt::Display| TrustError::Unissuable {
            doing: "answer after a certificate",
            problem: error.to_string(),
        };
        let certificate = X509Certificate::from_der(authority.certificate());
        let (_, certificate) = certificate.map_err(|error| unfit(&error))?;
        let name = certificate.subject().as_raw();
        let key = &certificate.public_key().subject_public_key.data;
        Ok(Self {
            by_sha_1: Digests { name: sha1(name), key: sha1(key) },
            by_sha_256: Digests { name: sha256(name), key: sha256(key) },
        })
    }

    fn issued(&self, asked: &CertId) -> bool {
        let (name, key) = (asked.issuer_name_hash.as_bytes(), asked.issuer_key_hash.as_bytes());
        match asked.hash_algorithm.oid {
            SHA_1 => name == self.by_sha_1.name && key == self.by_sha_1.key,
            SHA_256 => name == self.by_sha_256.name && key == self.by_sha_256.key,
            _ => false,
        }
    }
}

fn moment(at: UnixSeconds) -> Result<OcspGeneralizedTime, x509_cert::der::Error> {
    GeneralizedTime::from_unix_duration(Duration::from_secs(at.0)).map(OcspGeneralizedTime)
}

/// `None` where nobody says.
const fn reason(reason: RevocationReason) -> Option<CrlReason> {
    match reason {
        RevocationReason::Unspecified => None,
        RevocationReason::KeyCompromise => Some(CrlReason::KeyCompromise),
        RevocationReason::CaCompromise => Some(CrlReason::CaCompromise),
        RevocationReason::AffiliationChanged => Some(CrlReason::AffiliationChanged),
        RevocationReason::Superseded => Some(CrlReason::Superseded),
        RevocationReason::CessationOfOperation => Some(CrlReason::CessationOfOperation),
        RevocationReason::PrivilegeWithdrawn => Some(CrlReason::PrivilegeWithdrawn),
        RevocationReason::CertificateHold => Some(CrlReason::CertificateHold),
    }
}

fn unencodable(error: x509_cert::der::Error) -> Unlisted {
    let problem = error.to_string();
    Unlisted::Trust(TrustError::Unissuable { doing: "answer after a certificate", problem })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A question with this nonce, as DER, without one for `None`.
    fn question(nonce: Option<&[u8]>, count: usize) -> Vec<u8> {
        let hash = || OctetString::new([7; 20]).unwrap();
        let asked = x509_ocsp::Request {
            req_cert: CertId {
                hash_algorithm: AlgorithmIdentifierOwned { oid: SHA_1, parameters: None },
                issuer_name_hash: hash(),
                issuer_key_hash: hash(),
                serial_number: 5_u8.into(),
            },
            single_request_extensions: None,
        };
        let nonce = nonce.map(|nonce| {
            let text = OctetStringRef::new(nonce).unwrap().to_der().unwrap();
            let extn_value = OctetString::new(text).unwrap();
            vec![Extension { extn_id: NONCE, critical: false, extn_value }]
        });
        let tbs_request = x509_ocsp::TbsRequest {
            request_list: vec![asked; count],
            request_extensions: nonce,
            ..x509_ocsp::TbsRequest::default()
        };
        OcspRequest { tbs_request, optional_signature: None }.to_der().unwrap()
    }

    #[test]
    fn a_question_is_after_some_certificates_with_a_nonce_of_1_to_32_bytes() {
        for (nonce, count, is_good) in [
            (None, 1, true),
            (None, ASKED_MAX, true),
            (None, 0, false),
            (None, ASKED_MAX + 1, false),
            (Some(&[][..]), 1, false),
            (Some(&[1][..]), 1, true),
            (Some(&[1; 32][..]), 1, true),
            (Some(&[1; 33][..]), 1, false),
        ] {
            let read = Question::read(&question(nonce, count));
            assert_eq!(read.is_some(), is_good, "{nonce:?} {count}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_question_or_none(
            der in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0..60_usize,
            byte in any::<u8>(),
        ) {
            let _ = Question::read(&der);
            let mut spoilt = question(Some(&[1; 16]), 1);
            spoilt[at] = byte;
            let _ = Question::read(&spoilt);
        }
    }
}
