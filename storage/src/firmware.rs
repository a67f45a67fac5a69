//! What firmware is for, who may sign it, and what boards say of theirs.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::{InvalidName, checked_text, is_made_of};
use crate::record::Record;
use crate::{BoardId, UnixSeconds};

checked_text!(
    /// A kind of product, as its boards call it: `[A-Za-z0-9._:-]{1,32}`.
    ProductName,
    "product",
    "1 to 32 of A-Z, a-z, 0-9, '.', '_', ':' and '-'",
    |text| is_made_of(text, b"._:-")
);

checked_text!(
    /// A revision of a product's hardware, as its boards call it: `[A-Za-z0-9._:-]{1,32}`.
    HardwareName,
    "hardware revision",
    "1 to 32 of A-Z, a-z, 0-9, '.', '_', ':' and '-'",
    |text| is_made_of(text, b"._:-")
);

/// `major.minor.revision+build`; later ones are greater, and the build counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct FirmwareVersion {
    /// Begins at 0, like all four.
    pub major: u8,
    /// Of this major version.
    pub minor: u8,
    /// Of this minor version.
    pub revision: u16,
    /// Of this revision.
    pub build: u32,
}

impl fmt::Display for FirmwareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, revision, build } = self;
        let build = if *build > 0 { format!("+{build}") } else { String::new() };
        f.pad(&format!("{major}.{minor}.{revision}{build}"))
    }
}

impl FromStr for FirmwareVersion {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let rule = "major.minor.revision, or major.minor.revision+build";
        let invalid = || InvalidName::new("firmware version", text, rule);
        let (dotted, build) = text.split_once('+').unwrap_or((text, "0"));
        let [major, minor, revision] = *dotted.split('.').collect::<Vec<_>>() else {
            return Err(invalid());
        };
        let version = Self {
            major: major.parse().map_err(|_| invalid())?,
            minor: minor.parse().map_err(|_| invalid())?,
            revision: revision.parse().map_err(|_| invalid())?,
            build: build.parse().map_err(|_| invalid())?,
        };
        // One text a version: no sign, no leading zero, no `+0`.
        if version.to_string() == text { Ok(version) } else { Err(invalid()) }
    }
}

impl Serialize for FirmwareVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A public key, held elsewhere, whose signatures on images are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct FirmwareKey {
    /// What people call it.
    pub name: String,
    /// SHA-256 of the key, as images name it.
    pub id: crate::FileDigest,
    /// SubjectPublicKeyInfo, DER.
    #[serde(skip)]
    pub spki: Vec<u8>,
    /// When it was taken in.
    pub added: UnixSeconds,
}

impl Record for FirmwareKey {
    const VERSION: u8 = 1;
}

/// What a board said last of its firmware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct BoardFirmware {
    /// The board.
    pub board: BoardId,
    /// The kind of product that it is.
    pub product: String,
    /// The revision of its hardware.
    pub hardware: String,
    /// What runs.
    pub version: FirmwareVersion,
    /// The least security counter that may run.
    pub floor: u32,
    /// What runs has yet to prove itself.
    pub on_trial: bool,
    /// Percent of its battery, where it has one.
    pub battery_percent: Option<u8>,
    /// Its signal, RSRP in dBm, where it told.
    pub rsrp_dbm: Option<i16>,
    /// Why its processor was reset, as its register has it.
    pub reset_cause: u32,
    /// What its application left behind when it last failed.
    pub fault: Option<Vec<u8>>,
    /// When it said so.
    pub reported: UnixSeconds,
}

impl Record for BoardFirmware {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_text_and_later_ones_are_greater() {
        for text in ["0.0.0", "1.2.3", "255.255.65535+4294967295"] {
            assert_eq!(text.parse::<FirmwareVersion>().unwrap().to_string(), text);
        }
        for text in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3+0", "+1.2.3", "256.0.0", "1.2.3+"]
        {
            assert!(text.parse::<FirmwareVersion>().is_err(), "{text}");
        }
        let version = |text: &str| text.parse::<FirmwareVersion>().unwrap();
        assert!(version("1.2.3+1") > version("1.2.3") && version("1.10.0") > version("1.9.9"));
    }
}
