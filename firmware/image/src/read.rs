//! Reads what an image says of itself, from its first byte to the end of its last TLV area.
//!
//! Never says that any of it is true.

use crate::digest::{DIGEST_LENGTH, Digest};
use crate::few::Few;
use crate::header::{HEADER_LENGTH, Header};
use crate::key::KeyId;
use crate::refusal::{ImageError, Refusal};
use crate::source::Source;
use crate::tlv::{self, Area, Entry, Reader, kind};
use crate::version::Version;

/// Signatures that one image may have: while a key is being replaced, the old one's and the new one's.
pub const SIGNATURES_MAX: usize = 4;
/// A signature over P-256 in DER is 72 bytes at most.
const DER_MAX: usize = 72;
const ENTRIES_MAX: usize = 4;

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Sizes, flags, version.
    pub header: Header,
    /// 0 where the image has none.
    pub security_counter: u32,
    /// What has to be there already.
    pub dependencies: Few<Dependency, ENTRIES_MAX>,
    /// Keys that are withdrawn with this image.
    pub revoked_keys: Few<KeyId, ENTRIES_MAX>,
    /// What header, body and protected area are said to hash to.
    pub digest: Digest,
    /// Who answers for it.
    pub signatures: Few<Signature, SIGNATURES_MAX>,
    /// Bytes that are digested and signed.
    pub signed_length: u32,
    /// Bytes of the whole image.
    pub length: u32,
}

/// The least version of an image that must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Which image of a board of several; a board of ours has image 0 alone.
    pub image: u8,
    /// This one or a later one.
    pub at_least: Version,
}

/// One signature, and whose it is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key.
    pub key: KeyId,
    der: [u8; DER_MAX],
    length: u8,
}

impl Signature {
    /// In DER; `None` where it is too long to be one over P-256.
    pub fn new(key: KeyId, der: &[u8]) -> Option<Self> {
        let mut signature = Self { key, der: [0; DER_MAX], length: u8::try_from(der.len()).ok()? };
        signature.der.get_mut(..der.len())?.copy_from_slice(der);
        Some(signature)
    }

    /// In DER.
    pub fn der(&self) -> &[u8] {
        self.der.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Image {
    /// Reads all that an image says of itself; the body is not looked at.
    pub fn read<S: Source>(source: &mut S) -> Result<Self, ImageError<S::Error>> {
        let mut reader = Reader(source);
        let header = Header::parse(&reader.take::<HEADER_LENGTH>(0)?)?;
        let body_end = header.body_end()?;
        let mut image = Self {
            header,
            security_counter: 0,
            dependencies: Few::new(),
            revoked_keys: Few::new(),
            digest: [0; DIGEST_LENGTH],
            signatures: Few::new(),
            signed_length: body_end,
            length: 0,
        };
        if header.protected_size > 0 {
            image.read_protected(&mut reader, body_end)?;
        }
        image.read_rest(&mut reader)?;
        Ok(image)
    }

    fn read_protected<S: Source>(
        &mut self,
        reader: &mut Reader<'_, S>,
        at: u32,
    ) -> Result<(), ImageError<S::Error>> {
        let mut area = Area::open(reader, at, tlv::PROTECTED_MAGIC)?;
        let size = u32::from(self.header.protected_size);
        if at.checked_add(size) != Some(area.end()) {
            return Err(Refusal::NoTlvArea { at }.into());
        }
        self.signed_length = area.end();
        let mut counter = None;
        while let Some(entry) = area.next(reader)? {
            match entry.kind {
                kind::SECURITY_COUNTER => {
                    let value = u32::from_le_bytes(entry.value(reader)?);
                    if counter.replace(value).is_some() {
                        return Err(entry.repeated().into());
                    }
                }
                kind::DEPENDENCY => {
                    let [image, _, _, _, version @ ..] = entry.value::<_, 12>(reader)?;
                    let at_least = Version::from_bytes(version);
                    let dependency = Dependency { image, at_least };
                    self.dependencies.push(dependency).map_err(|_| entry.repeated())?;
                }
                kind::REVOKED_KEY => {
                    let key = KeyId(entry.value(reader)?);
                    self.revoked_keys.push(key).map_err(|_| entry.repeated())?;
                }
                // Signed by whoever signs the image; what is not known here is meant for others.
                _ => {}
            }
        }
        self.security_counter = counter.unwrap_or_default();
        Ok(())
    }

    fn read_rest<S: Source>(
        &mut self,
        reader: &mut Reader<'_, S>,
    ) -> Result<(), ImageError<S::Error>> {
        let mut area = Area::open(reader, self.signed_length, tlv::MAGIC)?;
        self.length = area.end();
        let (mut digest, mut key) = (None, None);
        while let Some(entry) = area.next(reader)? {
            match entry.kind {
                kind::SHA256 => {
                    let value = entry.value(reader)?;
                    if digest.replace(value).is_some() {
                        return Err(entry.repeated().into());
                    }
                }
                kind::KEY_HASH => {
                    if key.replace(KeyId(entry.value(reader)?)).is_some() {
                        return Err(entry.repeated().into());
                    }
                }
                kind::ECDSA => {
                    let named = key.take().ok_or(Refusal::UnknownKey)?;
                    let signature = entry.signature(named, reader)?;
                    self.signatures.push(signature).map_err(|_| entry.repeated())?;
                }
                kind => return Err(Refusal::TlvMisplaced { kind }.into()),
            }
        }
        self.digest = digest.ok_or(Refusal::NoDigest)?;
        if key.is_some() { Err(Refusal::NotSigned.into()) } else { Ok(()) }
    }
}

impl Entry {
    fn repeated(&self) -> Refusal {
        Refusal::TlvRepeated { kind: self.kind }
    }

    fn value<S: Source, const N: usize>(
        &self,
        reader: &mut Reader<'_, S>,
    ) -> Result<[u8; N], ImageError<S::Error>> {
        if usize::from(self.length) != N {
            let Self { kind, length, .. } = *self;
            return Err(Refusal::TlvLength { kind, length }.into());
        }
        reader.take(self.at)
    }

    fn signature<S: Source>(
        &self,
        key: KeyId,
        reader: &mut Reader<'_, S>,
    ) -> Result<Signature, ImageError<S::Error>> {
        let mut der = [0; DER_MAX];
        let Self { kind, length, at } = *self;
        let wrong = Refusal::TlvLength { kind, length };
        let part = der.get_mut(..usize::from(length)).ok_or(wrong)?;
        reader.fill(at, part)?;
        Ok(Signature::new(key, part).ok_or(wrong)?)
    }
}
