//! `hardwareModuleName` (RFC 4108, section 5): where a certificate, or a request for one, says which
//! board it is for. Pure: bytes in, bytes out.

use x509_parser::asn1_rs::{Any, Class, FromDer as _, OctetString, Oid, Sequence, Tag};

/// `id-on-hardwareModuleName` (RFC 4108): the `otherName` that holds a board's hardware id.
pub const HARDWARE_MODULE_NAME: &str = "1.3.6.1.5.5.7.8.4";

/// The serial number in the value of such an `otherName`, which is
/// `[0] EXPLICIT SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }` and nothing else.
pub fn serial_number(value: &[u8]) -> Option<&[u8]> {
    let (rest, explicit) = Any::from_der(value).ok()?;
    let is_tag_0 = explicit.class() == Class::ContextSpecific && explicit.tag() == Tag(0);
    if !is_tag_0 || !rest.is_empty() {
        return None;
    }
    let (rest, name) = Sequence::from_der(explicit.data).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let content: &[u8] = match name.content {
        std::borrow::Cow::Borrowed(content) => content,
        std::borrow::Cow::Owned(_) => return None,
    };
    let (rest, _hardware_type) = Oid::from_der(content).ok()?;
    let (rest, serial) = Any::from_der(rest).ok()?;
    if serial.class() != Class::Universal || serial.tag() != Tag::OctetString || !rest.is_empty() {
        return None;
    }
    OctetString::try_from(&serial).ok()?;
    Some(serial.data)
}
