//! The other certificate that a certificate has beside it without its authority's doing.
//!
//! Who has an ECDSA signature (r, s) can make (r, n - s) of it, which is as good. So a certificate has a
//! twin that says the same and has another fingerprint: what is revoked by its fingerprint alone is so
//! only together with that.

use openssl::bn::BigNum;
use openssl::ec::EcGroup;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::sha::sha256;
use storage::Fingerprint;
use x509_parser::asn1_rs::{BitString, Sequence, SerializeError, ToDer as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The fingerprint of the twin of a certificate (DER) that an authority on P-256 has signed. `None` where
/// the certificate is not written as DER wants it: then it has more of them than one.
pub(super) fn twin(certificate: &[u8]) -> Option<Fingerprint> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let signature = EcdsaSig::from_der(&parsed.signature_value.data).ok()?;
    let signed = parsed.tbs_certificate.as_ref();
    let algorithm = parsed.signature_algorithm.algorithm.to_der_vec().ok()?;
    let written = |signature: &EcdsaSig| write(signed, &algorithm, &signature.to_der().ok()?).ok();
    if written(&signature)? != certificate {
        return None;
    }
    let other = written(&mirrored(&signature).ok()?)?;
    Some(Fingerprint(sha256(&other)))
}

/// (r, n - s).
fn mirrored(signature: &EcdsaSig) -> Result<EcdsaSig, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let (mut order, mut context) = (BigNum::new()?, openssl::bn::BigNumContext::new()?);
    group.order(&mut order, &mut context)?;
    let mut s = BigNum::new()?;
    s.checked_sub(&order, signature.s())?;
    EcdsaSig::from_private_components(signature.r().to_owned()?, s)
}

/// A certificate (RFC 5280, 4.1) of its three parts.
fn write(signed: &[u8], algorithm: &[u8], signature: &[u8]) -> Result<Vec<u8>, SerializeError> {
    let algorithm = Sequence::new(algorithm.into()).to_der_vec()?;
    let signature = BitString::new(0, signature).to_der_vec()?;
    Sequence::new([signed, &algorithm, &signature].concat().into()).to_der_vec()
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::EcKey;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use proptest::prelude::*;

    use super::*;

    fn certificate() -> (Vec<u8>, PKey<openssl::pkey::Private>) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(1).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        (builder.build().to_der().unwrap(), key)
    }

    /// The twin itself.
    fn other(der: &[u8]) -> Vec<u8> {
        let (_, parsed) = X509Certificate::from_der(der).unwrap();
        let signature = EcdsaSig::from_der(&parsed.signature_value.data).unwrap();
        let signature = mirrored(&signature).unwrap().to_der().unwrap();
        let algorithm = parsed.signature_algorithm.algorithm.to_der_vec().unwrap();
        write(parsed.tbs_certificate.as_ref(), &algorithm, &signature).unwrap()
    }

    #[test]
    fn a_twin_is_as_good_as_its_certificate_and_has_that_for_its_twin() {
        // Signatures differ in length, by the leading bits of r and s.
        for _ in 0..32 {
            let (der, key) = certificate();
            let other = other(&der);
            assert_ne!(other, der);
            assert!(X509::from_der(&other).unwrap().verify(&key).unwrap());
            assert_eq!(twin(&der), Some(Fingerprint(sha256(&other))));
            assert_eq!(twin(&other), Some(Fingerprint(sha256(&der))));
        }
    }

    #[test]
    fn a_certificate_that_is_written_another_way_has_no_twin_to_look_for() {
        let (der, _) = certificate();
        // The length of the whole in a byte more than it needs.
        let long = [&[0x30, der[1] + 1, 0], &der[2..]].concat();
        assert!(X509::from_der(&long).is_ok());
        assert_eq!(twin(&long), None);
        assert_eq!(twin(&[&der[..], &[0]].concat()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = twin(&bytes);
        }

        #[test]
        fn any_change_of_a_byte_is_judged(at in 0..200_usize, to in any::<u8>()) {
            let (mut der, _) = certificate();
            let place = at % der.len();
            der[place] = to;
            let _ = twin(&der);
        }
    }
}
