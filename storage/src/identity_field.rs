//! Where a certificate says which board it is for. Reads no certificate.

use bincode::{Decode, Encode};
use serde::Serialize;

/// The field of a certificate that has the board's hardware id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub enum IdentityField {
    /// The hardwareModuleName of the subject alternative name (RFC 4108).
    #[default]
    #[serde(rename = "hardwareModuleName")]
    HardwareModuleName,
    /// The subject's serialNumber.
    #[serde(rename = "serialNumber")]
    SerialNumber,
    /// The subject's common name.
    #[serde(rename = "CN")]
    CommonName,
    /// The subject's user id.
    #[serde(rename = "UID")]
    UserId,
    /// The one dNSName of the subject alternative name.
    #[serde(rename = "dNSName")]
    DnsName,
}
