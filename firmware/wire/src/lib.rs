//! What a board and the hub say to each other: resource paths, SenML readings, the time of day and
//! firmware in CBOR.
//!
//! Both sides use this one crate, so it runs on the board as well.
//! Invariant: no allocation, no operating system, and bytes from outside never panic here.
#![no_std]

mod cbor;
mod clock;
mod decode;
mod encode;
mod firmware;
mod reading;
pub mod resource;

pub use cbor::{DEPTH_MAX, MalformedCbor, well_formed};
pub use clock::{TIME_LENGTH, read_time, write_time};
pub use decode::{MalformedPack, Readings, readings, validate};
pub use encode::{EncodeError, encode};
pub use firmware::{
    FAULT_MAX, FirmwareOffer, FirmwareReport, FirmwareVersion, NAME_MAX, OFFER_MAX, REPORT_MAX,
    UpdateState,
};
pub use reading::{NamedReading, Reading, Value, is_name};

/// CoAP content-format of a SenML pack in CBOR (RFC 8428, section 12.3).
pub const CONTENT_FORMAT_SENML_CBOR: u16 = 112;
/// CoAP content-format of any CBOR (RFC 8949, section 9.4).
pub const CONTENT_FORMAT_CBOR: u16 = 60;
/// CoAP content-format of certificates alone in PKCS#7 (RFC 9148, section 7.1).
pub const CONTENT_FORMAT_PKCS7_CERTIFICATES: u16 = 281;
/// CoAP content-format of what a signing request should have (RFC 7030, section 4.5.2).
pub const CONTENT_FORMAT_CSR_ATTRIBUTES: u16 = 285;
/// CoAP content-format of a signing request (RFC 2986).
pub const CONTENT_FORMAT_PKCS10: u16 = 286;
/// CoAP content-format of one certificate in DER.
pub const CONTENT_FORMAT_CERTIFICATE: u16 = 287;
/// CoAP option with which the hub says, in an answer to a reading, that the board is to renew its certificate;
/// empty, and worth nothing to a board that does not know it: elective, safe to forward, no part of a cache
/// key (RFC 7252, section 5.4). Of the range that IANA gives to whoever comes first; not registered.
pub const OPTION_RENEW: u16 = 48_668;
/// Records that one pack may hold; a longer one is malformed.
pub const RECORDS_MAX: usize = 1024;
