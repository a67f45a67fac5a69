//! What a row says of its board's firmware.

use super::row::key_hash;
use crate::{BoardFirmware, FirmwareVersion};

/// Bytes of it in a row.
pub(super) const RUNS_LEN: usize = 17;

/// What a board runs, as it said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Runs {
    pub(crate) version: FirmwareVersion,
    /// Hashed, as a label's key is.
    pub(crate) product: u32,
    /// The same.
    pub(crate) hardware: u32,
}

impl Runs {
    pub(crate) fn of(said: &BoardFirmware) -> Self {
        let (product, hardware) = (key_hash(&said.product), key_hash(&said.hardware));
        Self { version: said.version, product, hardware }
    }

    pub(super) fn encode(self) -> [u8; RUNS_LEN] {
        let FirmwareVersion { major, minor, revision, build } = self.version;
        let [r0, r1] = revision.to_le_bytes();
        let [b0, b1, b2, b3] = build.to_le_bytes();
        let [p0, p1, p2, p3] = self.product.to_le_bytes();
        let [h0, h1, h2, h3] = self.hardware.to_le_bytes();
        [major, minor, r0, r1, b0, b1, b2, b3, p0, p1, p2, p3, h0, h1, h2, h3, 1]
    }

    /// None of a board that has said nothing.
    pub(super) fn decode(bytes: [u8; RUNS_LEN]) -> Option<Self> {
        let [major, minor, r0, r1, b0, b1, b2, b3, p0, p1, p2, p3, h0, h1, h2, h3, known] = bytes;
        let version = FirmwareVersion {
            major,
            minor,
            revision: u16::from_le_bytes([r0, r1]),
            build: u32::from_le_bytes([b0, b1, b2, b3]),
        };
        let product = u32::from_le_bytes([p0, p1, p2, p3]);
        let hardware = u32::from_le_bytes([h0, h1, h2, h3]);
        (known == 1).then_some(Self { version, product, hardware })
    }
}
