//! The entries behind an image's body: kind, length, value, in two areas.
//!
//! Never reads past the end of an area, and never believes a length before it fits.

use crate::refusal::{ImageError, Refusal};
use crate::source::Source;

/// What an entry is.
pub mod kind {
    /// SHA-256 of the public key (SubjectPublicKeyInfo) that the next signature is of.
    pub const KEY_HASH: u16 = 0x01;
    /// SHA-256 of header, body and protected area.
    pub const SHA256: u16 = 0x10;
    /// ECDSA over that digest, in DER.
    pub const ECDSA: u16 = 0x22;
    /// What must be there already.
    pub const DEPENDENCY: u16 = 0x40;
    /// A number that never goes down.
    pub const SECURITY_COUNTER: u16 = 0x50;
    /// Ours, of the kinds left to vendors: SHA-256 of a public key that signs nothing any more once
    /// this image is confirmed.
    pub const REVOKED_KEY: u16 = 0xa0;
}

/// What the protected area begins with, and the other.
pub(crate) const PROTECTED_MAGIC: u16 = 0x6908;
pub(crate) const MAGIC: u16 = 0x6907;
/// Magic and length before an area, kind and length before an entry.
pub(crate) const HEAD: u32 = 4;

/// A source that is asked for nothing it does not have.
pub(crate) struct Reader<'s, S>(pub(crate) &'s mut S);

impl<S: Source> Reader<'_, S> {
    pub(crate) fn need(&self, needed: u32) -> Result<(), Refusal> {
        let present = self.0.length();
        if needed <= present { Ok(()) } else { Err(Refusal::Truncated { needed, present }) }
    }

    pub(crate) fn take<const N: usize>(
        &mut self,
        at: u32,
    ) -> Result<[u8; N], ImageError<S::Error>> {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn fill(&mut self, at: u32, into: &mut [u8]) -> Result<(), ImageError<S::Error>> {
        let length = u32::try_from(into.len()).map_err(|_| Refusal::Sizes)?;
        self.need(at.checked_add(length).ok_or(Refusal::Sizes)?)?;
        self.0.read(at, into).map_err(ImageError::Source)
    }

    /// Two little-endian halves.
    fn head(&mut self, at: u32) -> Result<(u16, u16), ImageError<S::Error>> {
        let [a, b, c, d] = self.take(at)?;
        Ok((u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
    }
}

/// An area that is being gone through.
pub(crate) struct Area {
    at: u32,
    end: u32,
}

/// One entry; its value lies at `at`.
pub(crate) struct Entry {
    pub(crate) kind: u16,
    pub(crate) length: u16,
    pub(crate) at: u32,
}

impl Area {
    /// Opens the area at `at`; all of it is there.
    pub(crate) fn open<S: Source>(
        reader: &mut Reader<'_, S>,
        at: u32,
        magic: u16,
    ) -> Result<Self, ImageError<S::Error>> {
        let (found, total) = reader.head(at)?;
        if found != magic {
            return Err(Refusal::NoTlvArea { at }.into());
        }
        let first = at.checked_add(HEAD).ok_or(Refusal::Sizes)?;
        let end = at.checked_add(u32::from(total)).ok_or(Refusal::Sizes)?;
        if end < first {
            return Err(Refusal::TlvOverrun { at }.into());
        }
        reader.need(end)?;
        Ok(Self { at: first, end })
    }

    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    pub(crate) fn next<S: Source>(
        &mut self,
        reader: &mut Reader<'_, S>,
    ) -> Result<Option<Entry>, ImageError<S::Error>> {
        let begin = self.at;
        let left = self.end.saturating_sub(begin);
        if left == 0 {
            return Ok(None);
        }
        if left < HEAD {
            return Err(Refusal::TlvOverrun { at: begin }.into());
        }
        let (kind, length) = reader.head(begin)?;
        if left - HEAD < u32::from(length) {
            return Err(Refusal::TlvOverrun { at: begin }.into());
        }
        let at = begin.saturating_add(HEAD);
        self.at = at.saturating_add(u32::from(length));
        Ok(Some(Entry { kind, length, at }))
    }
}
