//! Makes images: everything but the signature, which is made elsewhere over the digest.
//!
//! Never holds a private key. What is made here is byte for byte what imgtool makes.

use thiserror::Error;

use crate::digest::Digest;
use crate::header::{Flags, HEADER_LENGTH, Header};
use crate::key::KeyId;
use crate::read::{Dependency, Signature};
use crate::tlv::{self, kind};
use crate::version::Version;

/// What is to become an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsigned<'a> {
    /// The program, from its vector table on.
    pub body: &'a [u8],
    /// Bytes before it: at least 32, and what the processor's vector table has to be aligned to.
    pub header_size: u16,
    /// What version it will be.
    pub version: Version,
    /// The only address it may run at, where there is one.
    pub address: Option<u32>,
    /// Its security counter.
    pub security_counter: Option<u32>,
    /// What has to be there already.
    pub dependencies: &'a [Dependency],
    /// Keys to withdraw.
    pub revoked_keys: &'a [KeyId],
}

/// Why there is no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The header's size, the body or the TLVs are out of what the format holds.
    #[error("header, body or tlvs are too large or too small for an mcuboot image")]
    Sizes,
    /// The buffer is too short.
    #[error("the image does not fit {0} bytes")]
    DoesNotFit(usize),
}

impl Unsigned<'_> {
    /// Writes header, body and protected area into `out`, and says how many bytes: those whose digest
    /// is signed, and which [`write_tail`] completes.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, BuildError> {
        let header = self.header()?;
        let mut writer = Writer { out, at: 0 };
        writer.put(&header.to_bytes())?;
        let padding = usize::from(self.header_size).checked_sub(HEADER_LENGTH);
        for _ in 0..padding.ok_or(BuildError::Sizes)? {
            writer.put(&[0xff])?;
        }
        writer.put(self.body)?;
        if header.protected_size > 0 {
            writer.pair(tlv::PROTECTED_MAGIC, header.protected_size)?;
        }
        if let Some(counter) = self.security_counter {
            writer.entry(kind::SECURITY_COUNTER, &counter.to_le_bytes())?;
        }
        for Dependency { image, at_least } in self.dependencies {
            let [a, b, c, d, e, f, g, h] = at_least.to_bytes();
            writer.entry(kind::DEPENDENCY, &[*image, 0, 0, 0, a, b, c, d, e, f, g, h])?;
        }
        for key in self.revoked_keys {
            writer.entry(kind::REVOKED_KEY, &key.0)?;
        }
        Ok(writer.at)
    }

    fn header(&self) -> Result<Header, BuildError> {
        if usize::from(self.header_size) < HEADER_LENGTH || self.body.is_empty() {
            return Err(BuildError::Sizes);
        }
        Ok(Header {
            load_address: self.address.unwrap_or_default(),
            header_size: self.header_size,
            protected_size: self.protected_size().ok_or(BuildError::Sizes)?,
            body_size: u32::try_from(self.body.len()).map_err(|_| BuildError::Sizes)?,
            flags: Flags(if self.address.is_some() { Flags::ROM_FIXED } else { 0 }),
            version: self.version,
        })
    }

    fn protected_size(&self) -> Option<u16> {
        let counter = if self.security_counter.is_some() { 8 } else { 0 };
        let dependencies = self.dependencies.len().checked_mul(16)?;
        let keys = self.revoked_keys.len().checked_mul(36)?;
        match dependencies.checked_add(keys)?.checked_add(counter)? {
            0 => Some(0),
            entries => u16::try_from(entries.checked_add(4)?).ok(),
        }
    }
}

/// Writes what follows the signed bytes: their digest, and the signatures over it. Says how many bytes.
pub fn write_tail(
    digest: &Digest,
    signatures: &[Signature],
    out: &mut [u8],
) -> Result<usize, BuildError> {
    let entries = signatures.iter().map(|signature| 40 + signature.der().len());
    let total = u16::try_from(4 + 36 + entries.sum::<usize>()).map_err(|_| BuildError::Sizes)?;
    let mut writer = Writer { out, at: 0 };
    writer.pair(tlv::MAGIC, total)?;
    writer.entry(kind::SHA256, digest)?;
    for signature in signatures {
        writer.entry(kind::KEY_HASH, &signature.key.0)?;
        writer.entry(kind::ECDSA, signature.der())?;
    }
    Ok(writer.at)
}

struct Writer<'o> {
    out: &'o mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        let does_not_fit = BuildError::DoesNotFit(self.out.len());
        let end = self.at.checked_add(bytes.len()).ok_or(does_not_fit)?;
        self.out.get_mut(self.at..end).ok_or(does_not_fit)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    fn pair(&mut self, first: u16, second: u16) -> Result<(), BuildError> {
        self.put(&first.to_le_bytes())?;
        self.put(&second.to_le_bytes())
    }

    fn entry(&mut self, kind: u16, value: &[u8]) -> Result<(), BuildError> {
        self.pair(kind, u16::try_from(value.len()).map_err(|_| BuildError::Sizes)?)?;
        self.put(value)
    }
}
