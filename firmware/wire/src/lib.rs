//! What a board and the hub say to each other: resource paths, SenML readings and the time of
//! day in CBOR.
//!
//! Both sides use this one crate, so it runs on the board as well.
//! Invariant: no allocation, no operating system, and bytes from outside never panic here.
#![no_std]

mod cbor;
mod clock;
mod decode;
mod encode;
mod reading;
pub mod resource;

pub use cbor::{DEPTH_MAX, MalformedCbor, well_formed};
pub use clock::{TIME_LENGTH, read_time, write_time};
pub use decode::{MalformedPack, Readings, readings, validate};
pub use encode::{EncodeError, encode};
pub use reading::{NamedReading, Reading, Value, is_name};

/// CoAP content-format of a SenML pack in CBOR (RFC 8428, section 12.3).
pub const CONTENT_FORMAT_SENML_CBOR: u16 = 112;
/// CoAP content-format of any CBOR (RFC 8949, section 9.4).
pub const CONTENT_FORMAT_CBOR: u16 = 60;
/// Records that one pack may hold; a longer one is malformed.
pub const RECORDS_MAX: usize = 1024;
