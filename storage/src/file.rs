//! Files that are known by what is in them: the hub keeps each once, under its SHA-256.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};

/// Bytes of the largest file that is kept.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// SHA-256 of a whole file; 64 of 0-9 and a-f as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct FileDigest(pub [u8; 32]);

/// Text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file's digest is 64 of 0-9 and a-f")]
pub struct InvalidFileDigest;

impl FileDigest {
    /// That of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its first eight bytes, which boards ask for the file with.
    #[must_use]
    pub fn short(&self) -> [u8; 8] {
        self.0.first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileDigest({self})")
    }
}

impl FromStr for FileDigest {
    type Err = InvalidFileDigest;

    fn from_str(text: &str) -> Result<Self, InvalidFileDigest> {
        let is_lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 64 || !text.bytes().all(is_lower_hex) {
            return Err(InvalidFileDigest);
        }
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            let pair = text.get(2 * at..2 * at + 2).ok_or(InvalidFileDigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidFileDigest)?;
        }
        Ok(Self(digest))
    }
}

impl serde::Serialize for FileDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back_and_nothing_else_is_one() {
        let digest = FileDigest::of(b"abc");
        assert!(digest.to_string().starts_with("ba7816bf"));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.short(), [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]);
        for text in ["", "ab", &digest.to_string().to_uppercase(), "../../etc/passwd"] {
            assert_eq!(text.parse::<FileDigest>(), Err(InvalidFileDigest));
        }
        assert!("é".repeat(32).parse::<FileDigest>().is_err());
    }
}
