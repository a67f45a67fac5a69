//! Firmware images in MCUboot's format: read, verified and made; and what bootloader and application have
//! to agree about: the flash's map, trailers, the boot record. The bootloader, the boards' SDK and the hub
//! judge an image with this one crate, so that what the hub lets pass is what a board runs.
//!
//! One kind of image is taken: not encrypted, not compressed, SHA-256, ECDSA over P-256. All else is
//! refused with the reason ([`Refusal`]).
//! Invariant: no allocation, no operating system; bytes from outside never panic here, and nothing
//! of an image is believed before [`Image::verify`] said so.
#![no_std]

mod boards;
mod boot_record;
mod digest;
mod few;
mod header;
mod key;
mod map;
mod read;
mod refusal;
mod source;
mod tlv;
mod trailer;
mod verify;
mod version;
mod write;

pub use boot_record::{BootRecord, Event, Outcome, Start};
pub use digest::{DIGEST_LENGTH, Digest, digest, digest_of};
pub use few::Few;
pub use header::{Flags, HEADER_LENGTH, Header};
pub use key::{KEYS_MAX, KeyId, KeySet, Keyring, MalformedKeyring, PublicKey};
pub use map::{Area, Map};
pub use read::{Dependency, Image, SIGNATURES_MAX, Signature};
pub use refusal::{ImageError, Refusal};
pub use source::{Beyond, Source};
pub use tlv::kind;
pub use trailer::{Magic, Swap, Trailer};
pub use verify::Authentic;
pub use version::{MalformedVersion, Version};
pub use write::{BuildError, Unsigned, write_tail};
