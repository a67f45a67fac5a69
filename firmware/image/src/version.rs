//! The version in an image's header.
//!
//! Never compares security counters; a version says what is newer, a counter what may run.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// `major.minor.revision+build`; later ones are greater, and the build counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Begins at 0, like all four.
    pub major: u8,
    /// Of this major version.
    pub minor: u8,
    /// Of this minor version.
    pub revision: u16,
    /// Of this revision.
    pub build: u32,
}

/// Not `1`, `1.2`, `1.2.3` or `1.2.3+4`, or a number is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a version is `major.minor.revision+build`, at most 255.255.65535+4294967295")]
pub struct MalformedVersion;

impl Version {
    pub(crate) const LENGTH: usize = 8;

    pub(crate) fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        let [major, minor, r0, r1, b0, b1, b2, b3] = bytes;
        let (revision, build) =
            (u16::from_le_bytes([r0, r1]), u32::from_le_bytes([b0, b1, b2, b3]));
        Self { major, minor, revision, build }
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let [r0, r1] = self.revision.to_le_bytes();
        let [b0, b1, b2, b3] = self.build.to_le_bytes();
        [self.major, self.minor, r0, r1, b0, b1, b2, b3]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, revision, build } = self;
        write!(f, "{major}.{minor}.{revision}")?;
        if *build > 0 { write!(f, "+{build}") } else { Ok(()) }
    }
}

impl FromStr for Version {
    type Err = MalformedVersion;

    fn from_str(text: &str) -> Result<Self, MalformedVersion> {
        let (dotted, build) = match text.split_once('+') {
            Some((dotted, build)) => (dotted, number(build)?),
            None => (text, 0),
        };
        let mut parts = dotted.split('.');
        let major = number(parts.next().unwrap_or_default())?;
        let minor = parts.next().map_or(Ok(0), number)?;
        let revision = match (parts.next(), parts.next(), build) {
            (Some(revision), None, _) => number(revision)?,
            (None, None, 0) if !text.contains('+') => 0,
            _ => return Err(MalformedVersion),
        };
        Ok(Self { major, minor, revision, build })
    }
}

/// Digits without a sign or a leading zero, as imgtool wants them.
fn number<T: FromStr>(digits: &str) -> Result<T, MalformedVersion> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = digits == "0" || !digits.starts_with('0');
    let number = digits.parse().map_err(|_| MalformedVersion)?;
    if is_plain && is_short { Ok(number) } else { Err(MalformedVersion) }
}
