//! Who a board is: the hardware id in its certificate's subject alternative name (RFC 4108,
//! section 5: the `otherName` hardwareModuleName), or in another field, where its authority is a
//! tenant's own that puts it there.
//!
//! Invariant: this reads bytes and decides nothing. Whether the certificate is to be trusted, and
//! whether the hub knows the board, is the handshake's and the store's business.

use storage::{BoardId, IdentityField, UnixSeconds};
use x509_parser::asn1_rs::{FromDer as _, Oid, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::{OID_USERID, OID_X509_COMMON_NAME, OID_X509_SERIALNUMBER};
use x509_parser::x509::X509Version;

use crate::board_key::is_on_p256;
pub use crate::hardware_module::HARDWARE_MODULE_NAME;
use crate::hardware_module::serial_number;

/// Why a certificate does not say which board it belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdentityError {
    /// There is no subject alternative name at all.
    #[error("the certificate has no subject alternative name")]
    NoSubjectAlternativeName,
    /// There are other names, but none is a hardwareModuleName.
    #[error("the certificate's subject alternative name holds no hardware id")]
    NoHardwareModuleName,
    /// The field that its authority is to put the hardware id in is not there.
    #[error("the certificate lacks the field that is to hold the hardware id")]
    NoSuchField,
    /// It is not one whole certificate, or the name is not what RFC 4108 says, or it is there twice.
    #[error("the certificate or the hardware id in it is malformed")]
    Malformed,
    /// The key is RSA, on another curve, or on the curve P-256 in another form than the one that
    /// RFC 5480 gives it.
    #[error("the certificate's key is not on the curve P-256")]
    KeyUnsuited,
    /// It may issue other certificates.
    #[error("the certificate is an authority's, not a board's")]
    IsAuthority,
    /// Its key usage does not let the key sign, which a DTLS client has to (RFC 5246 7.4.8).
    #[error("the certificate's key usage does not allow digital signatures")]
    MayNotSign,
    /// The serial number is there, but no text the hub takes for a board's id.
    #[error("the certificate's hardware id is not a valid board id")]
    NotABoardId,
}

/// What a board's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The hardware id it was issued for.
    pub board: BoardId,
    /// The last second of its validity.
    pub not_after: UnixSeconds,
    /// Its serial number, big-endian without leading zeros.
    pub serial: Vec<u8>,
}

/// The hardware id that `certificate_der`, one X.509 certificate of the hub's own, was issued for,
/// provided that it is a board's and its key may sign.
pub fn hardware_id(certificate_der: &[u8]) -> Result<BoardId, IdentityError> {
    identity(certificate_der, IdentityField::HardwareModuleName).map(|identity| identity.board)
}

/// What `certificate_der`, one X.509 certificate, says, provided that it is a board's and its key may
/// sign; the hardware id is in `field`, and there once.
pub fn identity(certificate_der: &[u8], field: IdentityField) -> Result<Identity, IdentityError> {
    let (rest, certificate) =
        X509Certificate::from_der(certificate_der).map_err(|_| IdentityError::Malformed)?;
    if !rest.is_empty() || !is_well_formed(&certificate) {
        return Err(IdentityError::Malformed);
    }
    if !is_on_p256(certificate.public_key()) {
        return Err(IdentityError::KeyUnsuited);
    }
    if certificate.is_ca() {
        return Err(IdentityError::IsAuthority);
    }
    // OpenSSL's purpose check is content with key agreement alone.
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.value.key_cert_sign() => return Err(IdentityError::IsAuthority),
        Ok(Some(usage)) if !usage.value.digital_signature() => {
            return Err(IdentityError::MayNotSign);
        }
        Ok(_) => {}
        Err(_) => return Err(IdentityError::Malformed),
    }
    let board = match field {
        IdentityField::HardwareModuleName => module_name(&certificate),
        IdentityField::SerialNumber => attribute(&certificate, &OID_X509_SERIALNUMBER),
        IdentityField::CommonName => attribute(&certificate, &OID_X509_COMMON_NAME),
        IdentityField::UserId => attribute(&certificate, &OID_USERID),
        IdentityField::DnsName => dns_name(&certificate),
    }?;
    let board = board.parse().map_err(|_| IdentityError::NotABoardId)?;
    // One that ended before 1970 has ended.
    let not_after = certificate.validity().not_after.timestamp();
    let not_after = UnixSeconds(u64::try_from(not_after).unwrap_or(0));
    let serial = certificate.raw_serial();
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    let serial = serial.get(zeros..).unwrap_or_default().to_vec();
    Ok(Identity { board, not_after, serial })
}

fn module_name<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, IdentityError> {
    let mut hardware_modules = names(certificate)?.iter().filter_map(|name| match name {
        GeneralName::OtherName(kind, value) if *kind == oid!(1.3.6.1.5.5.7.8.4) => Some(*value),
        GeneralName::Invalid(..) => Some([].as_slice()),
        _ => None,
    });
    let value = hardware_modules.next().ok_or(IdentityError::NoHardwareModuleName)?;
    if hardware_modules.next().is_some() {
        return Err(IdentityError::Malformed);
    }
    let serial = serial_number(value).ok_or(IdentityError::Malformed)?;
    std::str::from_utf8(serial).map_err(|_| IdentityError::NotABoardId)
}

fn dns_name<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, IdentityError> {
    let mut found = None;
    for name in names(certificate)? {
        match (name, found) {
            (GeneralName::DNSName(name), None) => found = Some(*name),
            (GeneralName::DNSName(_), Some(_)) | (GeneralName::Invalid(..), _) => {
                return Err(IdentityError::Malformed);
            }
            _ => {}
        }
    }
    found.ok_or(IdentityError::NoSuchField)
}

fn names<'a, 'b>(
    certificate: &'a X509Certificate<'b>,
) -> Result<&'a Vec<GeneralName<'b>>, IdentityError> {
    let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Malformed)?;
    let names = names.ok_or(IdentityError::NoSubjectAlternativeName)?;
    Ok(&names.value.general_names)
}

fn attribute<'a>(
    certificate: &'a X509Certificate<'_>,
    kind: &Oid<'_>,
) -> Result<&'a str, IdentityError> {
    let all = certificate.subject().iter_attributes();
    let mut values = all.filter(|attribute| attribute.attr_type() == kind);
    let value = values.next().ok_or(IdentityError::NoSuchField)?;
    if values.next().is_some() {
        return Err(IdentityError::Malformed);
    }
    value.as_str().map_err(|_| IdentityError::NotABoardId)
}

/// What one reader may take for one thing and another for another, a board's certificate has not:
/// extensions in a version that has none, twice the same, or one that cannot be read.
fn is_well_formed(certificate: &X509Certificate<'_>) -> bool {
    let is_read = |extension: &X509Extension<'_>| {
        !matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. })
    };
    certificate.version() == X509Version::V3
        && certificate.extensions_map().is_ok()
        && certificate.extensions().iter().all(is_read)
        && is_serial_number(certificate.raw_serial())
}

/// Positive, and of at most 20 bytes (RFC 5280 4.1.2.2): anything else no list of revoked
/// certificates can name.
fn is_serial_number(integer: &[u8]) -> bool {
    let is_negative = integer.first().is_none_or(|first| first & 0x80 != 0);
    !is_negative && integer.iter().any(|byte| *byte != 0) && integer.len() <= 20
}

#[cfg(test)]
mod tests {
    use openssl::asn1::{Asn1Object, Asn1Time};
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use openssl::x509::extension::SubjectAlternativeName;
    use proptest::prelude::*;

    use super::*;

    /// `SEQUENCE { OID 1.3.6.1.4.1.99999.1, OCTET STRING serial }`
    fn module_name(serial: &[u8]) -> Vec<u8> {
        let hardware_type = [0x06, 9, 0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1];
        let length = |n: usize| u8::try_from(n).unwrap();
        let mut content = hardware_type.to_vec();
        content.extend([0x04, length(serial.len())]);
        content.extend(serial);
        let mut sequence = vec![0x30, length(content.len())];
        sequence.extend(content);
        sequence
    }

    fn certificate(names: Option<&mut SubjectAlternativeName>) -> Vec<u8> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        if let Some(names) = names {
            let extension = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(extension).unwrap();
        }
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        builder.build().to_der().unwrap()
    }

    fn with_module(name: &[u8]) -> Vec<u8> {
        let kind = Asn1Object::from_str(HARDWARE_MODULE_NAME).unwrap();
        certificate(Some(SubjectAlternativeName::new().other_name2(kind, name)))
    }

    #[test]
    fn the_serial_number_is_the_board_id() {
        let der = with_module(&module_name(b"CB-00000042"));
        assert_eq!(hardware_id(&der).unwrap().as_ref(), "CB-00000042");
    }

    #[test]
    fn a_certificate_without_names_is_told_apart_from_one_with_other_names() {
        assert_eq!(hardware_id(&certificate(None)), Err(IdentityError::NoSubjectAlternativeName));
        let der = certificate(Some(SubjectAlternativeName::new().dns("board.example")));
        assert_eq!(hardware_id(&der), Err(IdentityError::NoHardwareModuleName));
    }

    #[test]
    fn a_serial_number_that_is_no_board_id_is_refused() {
        for serial in [b"".as_slice(), b"a/b", b"a+b", b"\xff\xfe", &[b'x'; 33]] {
            let der = with_module(&module_name(serial));
            assert_eq!(hardware_id(&der), Err(IdentityError::NotABoardId), "{serial:?}");
        }
    }

    #[test]
    fn a_name_of_another_shape_is_malformed() {
        let mut longer = module_name(b"CB-1");
        longer.extend([0x05, 0x00]);
        let wrapped = [&[0x30, u8::try_from(longer.len()).unwrap()], longer.as_slice()].concat();
        for name in [wrapped.as_slice(), b"\x0c\x04CB-1", b"\x30\x00", b"\x04\x04CB-1"] {
            assert_eq!(hardware_id(&with_module(name)), Err(IdentityError::Malformed), "{name:?}");
        }
    }

    #[test]
    fn two_hardware_ids_in_one_certificate_are_malformed() {
        let kind = || Asn1Object::from_str(HARDWARE_MODULE_NAME).unwrap();
        let der = certificate(Some(
            SubjectAlternativeName::new()
                .other_name2(kind(), &module_name(b"CB-1"))
                .other_name2(kind(), &module_name(b"CB-2")),
        ));
        assert_eq!(hardware_id(&der), Err(IdentityError::Malformed));
    }

    #[test]
    fn a_curve_whose_name_is_constructed_is_none() {
        let mut der = with_module(&module_name(b"CB-1"));
        let curve = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        let at = der.windows(curve.len()).position(|window| window == curve).unwrap();
        der[at] |= 0x20;
        assert_eq!(hardware_id(&der), Err(IdentityError::KeyUnsuited));
    }

    #[test]
    fn bytes_after_the_certificate_are_malformed() {
        let mut der = with_module(&module_name(b"CB-1"));
        der.push(0);
        assert_eq!(hardware_id(&der), Err(IdentityError::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(der in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = hardware_id(&der);
        }

        #[test]
        fn a_mutated_certificate_is_answered(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
            keep_whole in any::<bool>(),
        ) {
            thread_local! {
                static DER: Vec<u8> = with_module(&module_name(b"CB-00000042"));
            }
            let mut der = DER.with(Clone::clone);
            for (at, byte) in edits {
                let at = at.index(der.len());
                der[at] = byte;
            }
            if !keep_whole {
                der.truncate(cut.index(der.len()));
            }
            let _ = hardware_id(&der);
        }
    }
}
