//! The 32 bytes that an image begins with; everything is little-endian.
//!
//! Never looks at what follows them.

use crate::refusal::Refusal;
use crate::version::Version;

/// Bytes of the header itself; [`Header::header_size`] with its padding.
pub const HEADER_LENGTH: usize = 32;

const MAGIC: u32 = 0x96f3_b83d;
/// The format before 2017, which has no place for a signature's key.
const MAGIC_OF_OLD: u32 = 0x96f3_b83c;

/// What an image says of itself first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The address it is made for; means something only with [`Flags::ROM_FIXED`].
    pub load_address: u32,
    /// Bytes before the body, padding included.
    pub header_size: u16,
    /// Bytes of the protected TLV area; 0 where there is none.
    pub protected_size: u16,
    /// Bytes of the body.
    pub body_size: u32,
    /// What kind of image it is.
    pub flags: Flags,
    /// Its version.
    pub version: Version,
}

/// The header's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// It runs at [`Header::load_address`] and nowhere else.
    pub const ROM_FIXED: u32 = 0x100;
    /// It is no program.
    pub const NON_BOOTABLE: u32 = 0x10;

    /// Whether all of `bits` are set.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }
}

impl Header {
    /// Reads it; what it says of sizes is only made sense of with the rest of the image.
    pub fn parse(bytes: &[u8; HEADER_LENGTH]) -> Result<Self, Refusal> {
        let mut fields = Fields(bytes);
        match u32::from_le_bytes(fields.take()) {
            MAGIC => {}
            MAGIC_OF_OLD => return Err(Refusal::OldFormat),
            _ => return Err(Refusal::NotAnImage),
        }
        let header = Self {
            load_address: u32::from_le_bytes(fields.take()),
            header_size: u16::from_le_bytes(fields.take()),
            protected_size: u16::from_le_bytes(fields.take()),
            body_size: u32::from_le_bytes(fields.take()),
            flags: Flags(u32::from_le_bytes(fields.take())),
            version: Version::from_bytes(fields.take()),
        };
        let taken = Flags::ROM_FIXED | Flags::NON_BOOTABLE;
        let others = header.flags.0 & !taken;
        if usize::from(header.header_size) < HEADER_LENGTH || header.body_size == 0 {
            return Err(Refusal::Sizes);
        }
        if others != 0 { Err(Refusal::Flags(others)) } else { Ok(header) }
    }

    /// Writes it.
    pub fn to_bytes(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        let fields: [&[u8]; 7] = [
            &MAGIC.to_le_bytes(),
            &self.load_address.to_le_bytes(),
            &self.header_size.to_le_bytes(),
            &self.protected_size.to_le_bytes(),
            &self.body_size.to_le_bytes(),
            &self.flags.0.to_le_bytes(),
            &self.version.to_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Header and body: where the first TLV area begins.
    pub(crate) fn body_end(&self) -> Result<u32, Refusal> {
        self.body_size.checked_add(u32::from(self.header_size)).ok_or(Refusal::Sizes)
    }
}

/// Takes fields of known lengths off the front; past the end there is nothing but zeros.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        *field
    }
}
