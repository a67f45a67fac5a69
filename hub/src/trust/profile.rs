//! What stands in each kind of certificate (RFC 5280, section 4.2; RFC 4108 for boards).
//!
//! | | subject | basicConstraints | keyUsage | EKU | names |
//! | --- | --- | --- | --- | --- | --- |
//! | root | CN=Cellular Hub root | CA, path 1 | keyCertSign, cRLSign | | |
//! | tenant | CN=tenant's boards, O=tenant | CA, path 0 | keyCertSign, cRLSign | clientAuth | |
//! | server | CN=first name | not a CA | digitalSignature | serverAuth | DNS, IP |
//! | station | CN=name, O=tenant, OU=station | not a CA | digitalSignature | clientAuth | URI a batch |
//! | board | CN=board id | not a CA | digitalSignature | clientAuth | hardwareModuleName |

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::rand::rand_bytes;
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{X509Builder, X509Extension, X509Name};
use storage::{BatchName, BoardId, TenantId, UnixSeconds};

/// Years a board's certificate is valid for when nothing else is asked: a meter's life.
pub const BOARD_YEARS: u16 = 20;

/// Years the server's certificate is valid for.
pub const SERVER_YEARS: u16 = 5;

/// How a station's certificate names a batch, a URI in its subject alternative name.
pub(super) const STATION_BATCH: &str = "urn:x-cellular-hub:batch:";

const SECONDS_A_DAY: u64 = 24 * 60 * 60;
const DAYS_A_YEAR_TIMES_4: u64 = 1461;

/// `id-on-hardwareModuleName` (RFC 4108).
const HARDWARE_MODULE_NAME: &str = actors::identity::HARDWARE_MODULE_NAME;

/// DER of the OID 1.3.6.1.4.1.99999.1, the `hwType` of a Connectivity Board.
const HARDWARE_TYPE: [u8; 11] = [0x06, 0x09, 0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1];

/// When a certificate ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiry {
    /// This many years of 365.25 days after it was made.
    Years(u16),
    /// At 99991231235959Z, which RFC 5280 (4.1.2.5) gives to devices without a known end.
    Never,
}

/// A name the server answers to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServerName {
    /// A host's name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl FromStr for ServerName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if text.len() > 253 || !text.split('.').all(label) {
            return Err("a server name is a host name, as hub.example.com, or an address");
        }
        Ok(Self::Dns(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// What people call a production station: 1 to 64 printable ASCII characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StationName(String);

impl StationName {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StationName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        match (1..=64).contains(&text.len()) && is_printable {
            true => Ok(Self(text.to_owned())),
            false => Err("a station's name is 1 to 64 printable ASCII characters"),
        }
    }
}

/// 128 random bits: nobody can foretell a serial number, and none comes twice.
pub(super) fn serial_number() -> Result<Asn1Integer, ErrorStack> {
    let mut bits = [0; 16];
    rand_bytes(&mut bits)?;
    BigNum::from_slice(&bits)?.to_asn1_integer()
}

/// Starts a day early, so that a clock somewhat behind does not refuse a new certificate.
pub(super) fn set_validity(
    builder: &mut X509Builder,
    now: UnixSeconds,
    expiry: Expiry,
) -> Result<(), ErrorStack> {
    let at = |seconds: u64| Asn1Time::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX));
    let end = match expiry {
        Expiry::Years(years) => {
            let days = u64::from(years) * DAYS_A_YEAR_TIMES_4 / 4;
            at(now.0.saturating_add(days * SECONDS_A_DAY))?
        }
        Expiry::Never => Asn1Time::from_str("99991231235959Z")?,
    };
    let start = at(now.0.saturating_sub(SECONDS_A_DAY))?;
    builder.set_not_before(&start)?;
    builder.set_not_after(&end)
}

/// A subject of a common name and, where given, an organisation.
pub(super) fn subject(
    common_name: &str,
    organisation: Option<&str>,
) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    if let Some(organisation) = organisation {
        name.append_entry_by_nid(Nid::ORGANIZATIONNAME, organisation)?;
    }
    name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(name.build())
}

/// An authority's extensions; `path_length` is how many authorities may stand below it.
pub(super) fn authority(path_length: u32) -> Result<Vec<X509Extension>, ErrorStack> {
    Ok(vec![
        BasicConstraints::new().critical().ca().pathlen(path_length).build()?,
        KeyUsage::new().critical().key_cert_sign().crl_sign().build()?,
    ])
}

/// A tenant's authority signs boards, which are clients: it cannot make a server the boards trust.
pub(super) fn tenant() -> Result<Vec<X509Extension>, ErrorStack> {
    let mut extensions = authority(0)?;
    extensions.push(ExtendedKeyUsage::new().client_auth().build()?);
    Ok(extensions)
}

/// The server's extensions, names apart.
pub(super) fn server() -> Result<Vec<X509Extension>, ErrorStack> {
    leaf(ExtendedKeyUsage::new().server_auth())
}

/// A board's extensions, names apart.
pub(super) fn board() -> Result<Vec<X509Extension>, ErrorStack> {
    leaf(ExtendedKeyUsage::new().client_auth())
}

fn leaf(usage: &ExtendedKeyUsage) -> Result<Vec<X509Extension>, ErrorStack> {
    Ok(vec![
        BasicConstraints::new().critical().build()?,
        KeyUsage::new().critical().digital_signature().build()?,
        usage.build()?,
    ])
}

/// A station's subject.
pub(super) fn station(station: &StationName, tenant: &TenantId) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, tenant.as_str())?;
    name.append_entry_by_nid(Nid::ORGANIZATIONALUNITNAME, "station")?;
    name.append_entry_by_nid(Nid::COMMONNAME, station.as_str())?;
    Ok(name.build())
}

/// A station's subject alternative name: the batches whose boards it may enrol.
pub(super) fn station_batches(
    builder: &X509Builder,
    batches: &[BatchName],
) -> Result<X509Extension, ErrorStack> {
    let mut names = SubjectAlternativeName::new();
    for batch in batches {
        names.uri(&format!("{STATION_BATCH}{batch}"));
    }
    names.build(&builder.x509v3_context(None, None))
}

/// The server's subject alternative name.
pub(super) fn server_names(
    builder: &X509Builder,
    names: &[ServerName],
) -> Result<X509Extension, ErrorStack> {
    let mut alternative = SubjectAlternativeName::new();
    for name in names {
        match name {
            ServerName::Dns(name) => alternative.dns(name),
            ServerName::Ip(address) => alternative.ip(&address.to_string()),
        };
    }
    alternative.build(&builder.x509v3_context(None, None))
}

/// A board's subject alternative name: `hardwareModuleName` with the board id as serial number.
pub(super) fn board_name(
    builder: &X509Builder,
    board: &BoardId,
) -> Result<X509Extension, ErrorStack> {
    let serial = board.as_str().as_bytes();
    let kind = Asn1Object::from_str(HARDWARE_MODULE_NAME)?;
    let mut content = HARDWARE_TYPE.to_vec();
    push_short(&mut content, 0x04, serial);
    let mut module_name = Vec::with_capacity(content.len() + 2);
    push_short(&mut module_name, 0x30, &content);
    SubjectAlternativeName::new()
        .other_name2(kind, &module_name)
        .build(&builder.x509v3_context(None, None))
}

/// DER with a length of one byte. A board id has at most 32 bytes, so it always is.
fn push_short(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    out.push(u8::try_from(content.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(content);
}
