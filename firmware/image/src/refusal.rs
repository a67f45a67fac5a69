//! Why an image is not taken.
//!
//! Never a guess: each reason names what was found.

use thiserror::Error;

/// What is wrong with an image. Boards report it by [`Refusal::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Its first four bytes are not an image's.
    #[error("it does not begin like an mcuboot image")]
    NotAnImage,
    /// Made by an imgtool of 2016.
    #[error("it is of mcuboot's first format: sign it with a current imgtool")]
    OldFormat,
    /// The header contradicts itself.
    #[error("its header has impossible sizes")]
    Sizes,
    /// Encrypted, compressed, to be loaded into memory, or of a kind not known here.
    #[error("it has flags {0:#x}: encrypted, compressed and ram-loaded images are not taken")]
    Flags(u32),
    /// It ends before it is complete, or is larger than its slot.
    #[error("it needs {needed} bytes and there are {present}")]
    Truncated {
        /// Bytes up to which it must go on.
        needed: u32,
        /// Bytes there are.
        present: u32,
    },
    /// An area of TLVs does not begin where it should, or not as the header says.
    #[error("no tlv area begins at byte {at} as the header says")]
    NoTlvArea {
        /// Where it should begin.
        at: u32,
    },
    /// An entry goes beyond the end of its area, or the area is too short for itself.
    #[error("the tlv area is cut off at byte {at}")]
    TlvOverrun {
        /// Where the entry begins.
        at: u32,
    },
    /// Known, but not of its length.
    #[error("tlv {kind:#06x} has {length} bytes")]
    TlvLength {
        /// Which.
        kind: u16,
        /// Its length.
        length: u16,
    },
    /// There once already, or too often.
    #[error("there are too many tlvs {kind:#06x}")]
    TlvRepeated {
        /// Which.
        kind: u16,
    },
    /// It has no place where it is: outside what the signature protects there are a digest, key
    /// identifiers and signatures alone.
    #[error(
        "tlv {kind:#06x} is not taken outside the protected area: another digest, another signature algorithm, or something unknown"
    )]
    TlvMisplaced {
        /// Which.
        kind: u16,
    },
    /// Nothing says what it should hash to.
    #[error("it has no sha-256 digest")]
    NoDigest,
    /// It is not what was signed.
    #[error("its digest is another one: it was changed after signing, or on the way")]
    WrongDigest,
    /// Nobody answers for it.
    #[error("it is not signed")]
    NotSigned,
    /// Signed by somebody not known here.
    #[error("it is signed with a key that is not known here")]
    UnknownKey,
    /// Signed with a key that was withdrawn, before or by this image itself.
    #[error("it is signed with a key that was revoked, or that it revokes itself")]
    RevokedKey,
    /// Not made with the key that it names, over this image.
    #[error("its signature is not that of its key")]
    WrongSignature,
    /// Older than what must not run any more.
    #[error("its security counter is {counter}, and {floor} was reached: it is a rollback")]
    Rollback {
        /// The image's.
        counter: u32,
        /// The least that may run.
        floor: u32,
    },
    /// It wants something to be there first that is not.
    #[error("it depends on something that is not installed")]
    Dependency,
    /// It is no program, or one that cannot run where it would.
    #[error("it is no program for this place: linked for another address, header or processor")]
    NotForThisPlace,
}

impl Refusal {
    /// One byte for a record; never 0, and never used for anything else again.
    pub fn code(self) -> u8 {
        match self {
            Self::NotAnImage => 1,
            Self::OldFormat => 2,
            Self::Sizes => 3,
            Self::Flags(_) => 4,
            Self::Truncated { .. } => 5,
            Self::NoTlvArea { .. } => 6,
            Self::TlvOverrun { .. } => 7,
            Self::TlvLength { .. } => 8,
            Self::TlvRepeated { .. } => 9,
            Self::TlvMisplaced { .. } => 10,
            Self::NoDigest => 11,
            Self::WrongDigest => 12,
            Self::NotSigned => 13,
            Self::UnknownKey => 14,
            Self::RevokedKey => 15,
            Self::WrongSignature => 16,
            Self::Rollback { .. } => 17,
            Self::Dependency => 18,
            Self::NotForThisPlace => 19,
        }
    }
}

/// Why there is no image: it is refused, or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ImageError<E> {
    /// The image's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The flash's or the file's.
    #[error("the image cannot be read")]
    Source(E),
}
