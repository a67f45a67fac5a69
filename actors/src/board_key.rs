//! The one kind of public key that boards have: a point on P-256. Pure: bytes in, a verdict out.

use x509_parser::asn1_rs::{Any, Class, Tag, oid};
use x509_parser::x509::SubjectPublicKeyInfo;

/// `0x04`, x and y: a point that is not compressed (SEC 1, 2.3.3).
const POINT_LEN: usize = 65;

/// Whether the key is one on the curve P-256 by its name (RFC 5480, 2.1.1), its point not compressed.
/// Whether the point lies on the curve, arithmetic has to say.
#[must_use]
pub fn is_on_p256(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let algorithm = &key.algorithm;
    let point = &key.subject_public_key;
    algorithm.algorithm == oid!(1.2.840.10045.2.1)
        && algorithm.parameters.as_ref().is_some_and(is_p256)
        && point.unused_bits == 0
        && point.data.len() == POINT_LEN
        && point.data.first() == Some(&4)
}

/// Reading a value as an object identifier does not look at its tag, nor whether it is primitive (X.690, 8.19.1).
fn is_p256(curve: &Any<'_>) -> bool {
    curve.class() == Class::Universal
        && curve.tag() == Tag::Oid
        && curve.header.is_primitive()
        && curve.as_oid().is_ok_and(|curve| curve == oid!(1.2.840.10045.3.1.7))
}
