//! What stands in each kind of certificate (RFC 5280, section 4.2; RFC 4108 for boards).
//!
//! | | subject | basicConstraints | keyUsage | EKU | names |
//! | --- | --- | --- | --- | --- | --- |
//! | root | CN=Cellular Hub root, or Cellular Hub root 2 and so on | CA, path 1 | keyCertSign, cRLSign | | |
//! | cross | as the root that it is for | CA, path 0 | keyCertSign, cRLSign | | |
//! | tenant | CN=tenant's boards, or tenant's boards 2 and so on, O=tenant | CA, path 0 | keyCertSign, cRLSign | clientAuth | |
//! | server | CN=first name | not a CA | digitalSignature | serverAuth | DNS, IP |
//! | board | CN=board id | not a CA | digitalSignature | clientAuth | hardwareModuleName |
//! | station | CN=name, OU=station, O=tenant | not a CA | digitalSignature | clientAuth | batches |
//!
//! All have a subject key identifier; all but the root name their issuer's. Serial numbers are 128
//! random bits; what begins, began a day early, for a clock somewhat behind.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use openssl::x509::X509;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, SanType,
};
use storage::{BoardId, CertificateLife, TenantId, UnixSeconds};
use time::{Duration, OffsetDateTime};
use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::{ParsedExtension, X509Certificate};

use super::{Station, TrustError};

/// Years a board's certificate is valid for when nothing else is asked: a meter's life.
pub const BOARD_YEARS: u16 = 20;

/// Years the server's certificate is valid for.
pub const SERVER_YEARS: u16 = 5;

/// Years a production station's certificate is valid for.
pub const STATION_YEARS: u16 = 1;

/// How a station's certificate names a batch, a URI in its subject alternative name.
pub(super) const STATION_BATCH: &str = "urn:x-cellular-hub:batch:";

/// 99991231235959Z.
const NEVER: UnixSeconds = UnixSeconds(253_402_300_799);

const DAYS_A_YEAR_TIMES_4: u64 = 1461;
const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// `id-ce-subjectAltName` (RFC 5280).
const ALTERNATIVE_NAME: [u64; 4] = [2, 5, 29, 17];

/// DER of `id-on-hardwareModuleName`, 1.3.6.1.5.5.7.8.4 (RFC 4108).
const HARDWARE_MODULE_NAME: [u8; 10] = [0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 8, 4];

/// DER of the OID 1.3.6.1.4.1.99999.1, the `hwType` of a Connectivity Board.
const HARDWARE_TYPE: [u8; 11] = [0x06, 0x09, 0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1];

/// When a certificate ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiry {
    /// This many years of 365.25 days after it was made.
    Years(u16),
    /// At this moment.
    At(UnixSeconds),
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

impl From<CertificateLife> for Expiry {
    fn from(life: CertificateLife) -> Self {
        match life {
            CertificateLife::Years(years) => Self::Years(years),
            CertificateLife::Never => Self::Never,
        }
    }
}

impl Expiry {
    /// The moment it is, for what is made `now`.
    pub fn moment(self, now: UnixSeconds) -> UnixSeconds {
        let end = match self {
            Self::Years(years) => {
                let days = u64::from(years) * DAYS_A_YEAR_TIMES_4 / 4;
                now.0.saturating_add(days * SECONDS_A_DAY)
            }
            Self::At(moment) => moment.0,
            Self::Never => NEVER.0,
        };
        UnixSeconds(end.min(NEVER.0))
    }
}

/// A moment as certificates have it; they end with the year 9999.
pub(super) fn moment(at: UnixSeconds) -> OffsetDateTime {
    let seconds = i64::try_from(at.0.min(NEVER.0)).unwrap_or(0);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The hub's root, its so-manieth; one level of authorities may stand below it.
pub(super) fn root(generation: u16, now: UnixSeconds) -> CertificateParams {
    // Names of their own, so that nobody has to tell two apart by their keys.
    let name = match generation {
        1 => String::from("Cellular Hub root"),
        later => format!("Cellular Hub root {later}"),
    };
    authority(subject(&name, None, None), 1, now, moment(NEVER))
}

/// What another root signs for this one: that the servers which it signed are to be believed.
pub(super) fn cross(
    root: &X509Certificate<'_>,
    now: UnixSeconds,
    not_after: OffsetDateTime,
) -> Result<CertificateParams, String> {
    let name = issuer(root)?.distinguished_name;
    Ok(authority(name, 0, now, not_after.min(root.validity().not_after.to_datetime())))
}

/// A tenant's authority signs boards, which are clients: it cannot make a server the boards trust.
pub(super) fn tenant(
    tenant: &TenantId,
    generation: u16,
    now: UnixSeconds,
    not_after: OffsetDateTime,
) -> CertificateParams {
    // Names of their own, so that nobody has to tell two apart by their keys.
    let name = match generation {
        1 => format!("{tenant}'s boards"),
        later => format!("{tenant}'s boards {later}"),
    };
    let subject = subject(&name, Some(tenant.as_str()), None);
    let mut params = authority(subject, 0, now, not_after);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A server that answers to `names`.
pub(super) fn server(
    names: &[ServerName],
    now: UnixSeconds,
) -> Result<CertificateParams, TrustError> {
    let first = names.first().map(ToString::to_string).unwrap_or_default();
    // A common name takes 64 bytes (X.520); what counts are the alternative names.
    let first: String = first.chars().take(64).collect();
    let end = Expiry::Years(SERVER_YEARS);
    let usage = ExtendedKeyUsagePurpose::ServerAuth;
    let mut params = leaf(subject(&first, None, None), usage, end, now);
    for name in names {
        params.subject_alt_names.push(match name {
            ServerName::Dns(name) => SanType::DnsName(ia5(name)?),
            ServerName::Ip(address) => SanType::IpAddress(*address),
        });
    }
    Ok(params)
}

/// The names that a server's certificate has.
pub(super) fn server_names(certificate: &X509) -> Vec<ServerName> {
    let names = certificate.subject_alt_names();
    let named = names.iter().flatten().filter_map(|name| {
        let address = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
            Ok(bytes) => Some(IpAddr::from(bytes)),
            Err(_) => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        };
        match name.dnsname() {
            Some(host) => Some(ServerName::Dns(host.to_owned())),
            None => name.ipaddress().and_then(address).map(ServerName::Ip),
        }
    });
    named.collect()
}

/// A board: `hardwareModuleName` with its id as serial number is its one alternative name.
pub(super) fn board(board: &BoardId, expiry: Expiry, now: UnixSeconds) -> CertificateParams {
    let subject = subject(board.as_str(), None, None);
    let mut params = leaf(subject, ExtendedKeyUsagePurpose::ClientAuth, expiry, now);
    let name = CustomExtension::from_oid_content(&ALTERNATIVE_NAME, board_name(board));
    params.custom_extensions.push(name);
    params
}

/// A production station of a tenant.
pub(super) fn station(
    station: Station<'_>,
    expiry: Expiry,
    now: UnixSeconds,
) -> Result<CertificateParams, TrustError> {
    let name: String = station.name.chars().take(64).collect();
    let subject = subject(&name, Some(station.tenant.as_str()), Some("station"));
    let mut params = leaf(subject, ExtendedKeyUsagePurpose::ClientAuth, expiry, now);
    for batch in station.batches {
        let name = ia5(&format!("{STATION_BATCH}{batch}"))?;
        params.subject_alt_names.push(SanType::URI(name));
    }
    Ok(params)
}

/// What of an authority's own certificate stands in those it issues: name and key identifier.
pub(super) fn issuer(certificate: &X509Certificate<'_>) -> Result<CertificateParams, String> {
    let mut name = DistinguishedName::new();
    for attribute in certificate.subject().iter_attributes() {
        let kind = attribute.attr_type().iter().map(Iterator::collect::<Vec<u64>>);
        let kind = kind.ok_or("its subject has a name of unknown kind")?;
        let text = attribute.as_str().map_err(|_| "its subject has a name that is no text")?;
        let value = match attribute.attr_value().tag() {
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            Tag::PrintableString => {
                DnValue::PrintableString(text.try_into().map_err(|_| "its subject is malformed")?)
            }
            other => return Err(format!("its subject has a name of kind {other}")),
        };
        name.push(DnType::from_oid(&kind), value);
    }
    let identifier =
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
            _ => None,
        });
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.key_identifier_method =
        KeyIdMethod::PreSpecified(identifier.ok_or("it has no subject key identifier")?);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn ia5(text: &str) -> Result<Ia5String, TrustError> {
    Ia5String::try_from(text).map_err(|_| TrustError::Unissuable {
        doing: "name a certificate",
        problem: format!("{text:?} is not ASCII"),
    })
}

fn authority(
    subject: DistinguishedName,
    path_length: u8,
    now: UnixSeconds,
    not_after: OffsetDateTime,
) -> CertificateParams {
    let mut params = begin(subject, now, not_after);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf(
    subject: DistinguishedName,
    usage: ExtendedKeyUsagePurpose,
    expiry: Expiry,
    now: UnixSeconds,
) -> CertificateParams {
    let mut params = begin(subject, now, moment(expiry.moment(now)));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

fn begin(
    subject: DistinguishedName,
    now: UnixSeconds,
    not_after: OffsetDateTime,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before =
        moment(now).saturating_sub(Duration::days(1)).max(OffsetDateTime::UNIX_EPOCH);
    params.not_after = not_after;
    params
}

fn subject(common_name: &str, organisation: Option<&str>, unit: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organisation) = organisation {
        name.push(DnType::OrganizationName, organisation);
    }
    if let Some(unit) = unit {
        name.push(DnType::OrganizationalUnitName, unit);
    }
    name.push(DnType::CommonName, common_name);
    name
}

/// DER of a board's alternative names: one otherName (RFC 5280, 4.2.1.6).
fn board_name(board: &BoardId) -> Vec<u8> {
    let serial = short(0x04, &[board.as_str().as_bytes()]);
    let module_name = short(0x30, &[&HARDWARE_TYPE, &serial]);
    let value = short(0xa0, &[&module_name]);
    let name = short(0xa0, &[&HARDWARE_MODULE_NAME, &value]);
    short(0x30, &[&name])
}

/// DER with a length of one byte. A board id has at most 32 bytes, so all of it has at most 63.
fn short(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut der = vec![tag, u8::try_from(content.len()).unwrap_or(u8::MAX)];
    der.extend_from_slice(&content);
    der
}
