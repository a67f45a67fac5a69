//! Images as they are uploaded: read, judged and signed with the crate that boards judge them with.
//!
//! Invariant: knows no store and no key store; what is refused here says why in words.

use image::{Beyond, Image, ImageError, KeyId, Keyring, PublicKey, Refusal, Signature, write_tail};
use storage::{FirmwareVersion, Release};

/// Bytes of the longest tail: the digest and signatures.
const TAIL_MAX: usize = 1024;

/// An image that is well formed, and what its digest says.
#[derive(Clone, Debug)]
pub struct Read {
    /// What it says of itself.
    pub image: Image,
    /// Its bytes, without what was behind it.
    pub bytes: Vec<u8>,
}

/// Why an image is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It is no image of ours, or was changed.
    #[error("the image is refused: {0}")]
    Refused(Refusal),
    /// No more signatures fit.
    #[error("the image is refused: it has as many signatures as it may")]
    TooManySignatures,
    /// The signature is no ECDSA signature over P-256 in DER.
    #[error("the signature is refused: it is none of ECDSA over P-256 in DER")]
    NoSignature,
    /// It is not the key's signature over this image.
    #[error("the signature is refused: it is not that of the key over this image's digest")]
    AnotherSignature,
}

impl From<ImageError<Beyond>> for Unfit {
    fn from(error: ImageError<Beyond>) -> Self {
        match error {
            ImageError::Refused(refusal) => Self::Refused(refusal),
            // Nothing is read behind the length that memory has.
            ImageError::Source(Beyond) => Self::Refused(Refusal::Sizes),
        }
    }
}

impl Read {
    /// Reads an image, signed or not, and computes its digest.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn of(mut bytes: Vec<u8>) -> Result<Self, Unfit> {
        let image = Image::read(&mut bytes.as_slice())?;
        image.digest_of(&mut bytes.as_slice())?;
        // A slot's padding and trailer are its bootloader's to write.
        bytes.truncate(usize::try_from(image.length).unwrap_or(usize::MAX));
        Ok(Self { image, bytes })
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> FirmwareVersion {
        version(self.image.header.version)
    }

    /// The version that must run before it is put in place.
    #[must_use]
    pub fn needs(&self) -> Option<FirmwareVersion> {
        self.image.dependencies.iter().map(|it| version(it.at_least)).max()
    }

    /// Whether somebody has signed it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.image.signatures.iter().next().is_some()
    }

    /// Whose signature it has, of these.
    ///
    /// # Errors
    /// [`Unfit`]: none of them is good.
    pub fn signer(&self, keys: &[PublicKey]) -> Result<KeyId, Unfit> {
        let mut refusal = Refusal::UnknownKey;
        // A ring holds a few; more keys than that are known here after some years.
        for keys in keys.chunks(image::KEYS_MAX) {
            let Some(ring) = Keyring::new(keys) else { continue };
            match self.image.signer(&self.image.digest, &ring, image::KeySet::default()) {
                Ok(place) => {
                    let signer = ring.iter().find(|(at, _)| *at == place);
                    return signer.map(|(_, key)| key.id()).ok_or(Unfit::Refused(refusal));
                }
                Err(Refusal::UnknownKey) => {}
                Err(other) => refusal = other,
            }
        }
        Err(Unfit::Refused(refusal))
    }

    /// What is signed.
    #[must_use]
    pub fn signed_part(&self) -> &[u8] {
        let length = usize::try_from(self.image.signed_length).unwrap_or(usize::MAX);
        self.bytes.get(..length).unwrap_or_default()
    }

    /// The image with one signature more.
    ///
    /// # Errors
    /// [`Unfit`]: the signature is not the key's, or no more fit.
    pub fn with_signature(&self, key: &PublicKey, der: &[u8]) -> Result<Self, Unfit> {
        let signature = Signature::new(key.id(), der).ok_or(Unfit::NoSignature)?;
        if !signature.is_of(key, &self.image.digest) {
            return Err(Unfit::AnotherSignature);
        }
        let others = self.image.signatures.iter().filter(|other| other.key != key.id());
        let mut signatures: Vec<_> = others.copied().collect();
        signatures.push(signature);
        if signatures.len() > image::SIGNATURES_MAX {
            return Err(Unfit::TooManySignatures);
        }
        let mut tail = [0; TAIL_MAX];
        let length = write_tail(&self.image.digest, &signatures, &mut tail);
        let length = length.map_err(|_| Unfit::TooManySignatures)?;
        let tail = tail.get(..length).unwrap_or_default();
        Self::of([self.signed_part(), tail].concat())
    }
}

/// Why a release may not follow those that boards may run already; `None` where it may.
#[must_use]
pub fn downgrade(release: &Release, others: &[Release]) -> Option<String> {
    let shares_boards = |other: &&Release| {
        let both = |own: &[storage::HardwareName], its: &[storage::HardwareName]| {
            own.is_empty() || its.is_empty() || own.iter().any(|revision| its.contains(revision))
        };
        other.number != release.number
            && other.product == release.product
            && (other.tenant.is_none()
                || release.tenant.is_none()
                || other.tenant == release.tenant)
            && both(&release.hardware, &other.hardware)
    };
    for other in others.iter().filter(|other| other.is_signed()).filter(shares_boards) {
        let (number, version) = (other.number, other.version);
        if release.version <= version {
            return Some(format!(
                "release {number} of {} is {version}, and {} is no later: raise the version, or \
                 withdraw release {number}",
                release.product, release.version
            ));
        }
        if release.security_counter < other.security_counter {
            return Some(format!(
                "release {number} has security counter {}, and this one {}: boards that run that one \
                 would refuse it; sign it with at least the same counter",
                other.security_counter, release.security_counter
            ));
        }
    }
    None
}

fn version(of: image::Version) -> FirmwareVersion {
    let image::Version { major, minor, revision, build } = of;
    FirmwareVersion { major, minor, revision, build }
}

#[cfg(test)]
mod tests;
