//! What a certificate signing request (PKCS#10, RFC 2986) asks for.
//!
//! Invariant: pure, and any bytes are answered; whether the signature is right is
//! [`super::Request`]'s business, whether the board may have a certificate the store's.

use actors::board_key::is_on_p256;
use actors::hardware_module::serial_number;
use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

/// Bytes of the largest request (DER) that is read. One on P-256 with all its names has 600.
pub const CSR_MAX: usize = 4096;

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CsrError {
    /// It is larger than any board's.
    #[error("the signing request has more than {CSR_MAX} bytes")]
    TooLarge,
    /// It is not one whole PKCS#10 request.
    #[error("this is not one whole signing request (PKCS#10)")]
    Malformed,
    /// The key is RSA, or on another curve.
    #[error("the request's key is not on the curve P-256")]
    KeyUnsuited,
    /// The signature is not ECDSA, or over a digest that is broken.
    #[error("the request is not signed with ECDSA over SHA-256, SHA-384 or SHA-512")]
    SignatureUnsuited,
    /// The signature is not by the key in it.
    #[error("the request is not signed with the key in it")]
    NotSigned,
    /// It does not say for which board.
    #[error(
        "the request names no hardware id: put it into the subject's serialNumber or CN, or as \
         hardwareModuleName into the subject alternative name"
    )]
    NoHardwareId,
    /// It says two things.
    #[error("the request names more than one hardware id")]
    TwoHardwareIds,
    /// No board has such an id.
    #[error("the request's hardware id is not 1 to 32 of A-Z, a-z, 0-9, '.', '_', ':' and '-'")]
    NotABoardId,
}

/// A request's names, as its bytes have them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Csr<'a> {
    /// The hardware id: hardwareModuleName, else the subject's serialNumber, else its CN.
    pub hardware_id: &'a str,
    /// DER of the subject.
    pub subject: &'a [u8],
    /// DER of the subject alternative name asked for.
    pub alternative_name: Option<&'a [u8]>,
}

const SIGNATURES: [Oid<'static>; 3] =
    [oid!(1.2.840.10045.4.3.2), oid!(1.2.840.10045.4.3.3), oid!(1.2.840.10045.4.3.4)];
static SERIAL_NUMBER: Oid<'static> = oid!(2.5.4.5);
static COMMON_NAME: Oid<'static> = oid!(2.5.4.3);
const ALTERNATIVE_NAME: Oid<'static> = oid!(2.5.29.17);
const HARDWARE_MODULE_NAME: Oid<'static> = oid!(1.3.6.1.5.5.7.8.4);

impl<'a> Csr<'a> {
    /// Reads a request, DER.
    pub fn parse(der: &'a [u8]) -> Result<Self, CsrError> {
        if der.len() > CSR_MAX {
            return Err(CsrError::TooLarge);
        }
        let (rest, request) =
            X509CertificationRequest::from_der(der).map_err(|_| CsrError::Malformed)?;
        if !rest.is_empty() {
            return Err(CsrError::Malformed);
        }
        let content = &request.certification_request_info;
        if !is_on_p256(&content.subject_pki) {
            return Err(CsrError::KeyUnsuited);
        }
        if !SIGNATURES.contains(&request.signature_algorithm.algorithm) {
            return Err(CsrError::SignatureUnsuited);
        }
        let names = one(content.iter_attributes().filter_map(|a| match a.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(asked) => Some(&asked.extensions),
            _ => None,
        }))?;
        let name =
            one(names.into_iter().flatten().filter(|extension| extension.oid == ALTERNATIVE_NAME))?;
        let subject = range_of(der, content.subject.as_raw())?;
        Ok(Self {
            hardware_id: hardware_id(der, &content.subject, name)?,
            subject,
            alternative_name: name.map(|name| range_of(der, name.value)).transpose()?,
        })
    }
}

fn hardware_id<'a>(
    der: &'a [u8],
    subject: &X509Name<'_>,
    name: Option<&X509Extension<'_>>,
) -> Result<&'a str, CsrError> {
    let module = match name.map(X509Extension::parsed_extension) {
        None => None,
        Some(ParsedExtension::SubjectAlternativeName(names)) => {
            let modules = names.general_names.iter().filter_map(|name| match name {
                GeneralName::OtherName(kind, value) if *kind == HARDWARE_MODULE_NAME => {
                    Some(serial_number(value).ok_or(CsrError::Malformed))
                }
                GeneralName::Invalid(..) => Some(Err(CsrError::Malformed)),
                _ => None,
            });
            one(modules)?.transpose()?
        }
        Some(_) => return Err(CsrError::Malformed),
    };
    let attribute = |kind| {
        let values = subject
            .iter_by_oid(kind)
            .map(|value| value.as_str().map(str::as_bytes).map_err(|_| CsrError::NotABoardId));
        let mut values = values.peekable();
        if values.peek().is_none() { Ok(None) } else { one(values)?.transpose() }
    };
    let serial = attribute(&SERIAL_NUMBER)?;
    let chosen = match (module, serial) {
        (Some(module), Some(serial)) if module != serial => return Err(CsrError::TwoHardwareIds),
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => attribute(&COMMON_NAME)?.ok_or(CsrError::NoHardwareId)?,
    };
    std::str::from_utf8(range_of(der, chosen)?).map_err(|_| CsrError::NotABoardId)
}

/// The only one, if there is one: what stands twice could be read in two ways.
fn one<T>(mut of: impl Iterator<Item = T>) -> Result<Option<T>, CsrError> {
    let first = of.next();
    match of.next() {
        None => Ok(first),
        Some(_) => Err(CsrError::TwoHardwareIds),
    }
}

/// The same bytes, borrowed from the whole: parts of parsed structures borrow from those.
fn range_of<'a>(whole: &'a [u8], part: &[u8]) -> Result<&'a [u8], CsrError> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let range = start..start.wrapping_add(part.len());
    whole.get(range).filter(|found| *found == part).ok_or(CsrError::Malformed)
}

#[cfg(test)]
#[path = "csr_tests.rs"]
mod tests;
