//! Where things lie in a board's flash.
//!
//! Never changes after a board was made: its bootloader has it compiled in.

use crate::key::Keyring;

#[expect(clippy::cast_possible_truncation, reason = "it is some hundred bytes")]
const KEYRING: u32 = Keyring::LENGTH as u32;

/// A part of the flash, in bytes from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// First byte.
    pub at: u32,
    /// Bytes.
    pub length: u32,
}

impl Area {
    /// The byte behind it.
    pub const fn end(&self) -> u32 {
        self.at + self.length
    }

    const fn is_of(&self, sector: u32) -> bool {
        self.at.is_multiple_of(sector) && self.length.is_multiple_of(sector) && self.length > 0
    }
}

/// The flash of a kind of board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Bytes that are erased together.
    pub sector: u32,
    /// The keyring in as many sectors as it takes, and the journal in the others: at least three.
    pub protected: Area,
    /// Where images run.
    pub first: Area,
    /// Where the next one is put, from its second sector on; as large as the first.
    pub second: Area,
    /// What the application keeps there is its own; nobody else looks at it.
    pub application: Area,
    /// The address of the flash's first byte.
    pub address: u32,
    /// What a vector table is aligned to; with the slot it is where the header has to end.
    pub vectors_aligned_to: u32,
    /// Where a stack may lie.
    pub memory: Area,
}

impl Map {
    /// Whether parts lie where they can: checked when a bootloader is compiled.
    pub const fn is_sound(&self) -> bool {
        let Self { sector, protected, first, second, application, .. } = *self;
        let apart = protected.end() <= first.at
            && (first.end() <= second.at || second.end() <= first.at)
            && protected.end() <= second.at
            && first.end() <= application.at
            && second.end() <= application.at;
        protected.is_of(sector)
            && first.is_of(sector)
            && second.is_of(sector)
            && application.is_of(sector)
            && apart
            && first.length == second.length
            && first.length / sector > 2
            && first.length / sector < 0x8000
            && protected.length / sector >= KEYRING.div_ceil(sector) + 3
    }

    /// Bytes of the largest image: one sector is the trailer's, and the second slot has one more free,
    /// for the swap.
    pub const fn image_max(&self) -> u32 {
        self.first.length.saturating_sub(2 * self.sector)
    }

    /// Where an application puts the next image.
    pub const fn next_at(&self) -> u32 {
        self.second.at + self.sector
    }

    /// Where the keyring lies.
    pub fn keyring(&self) -> Area {
        let length = KEYRING.div_ceil(self.sector.max(1)).saturating_mul(self.sector);
        Area { at: self.protected.at, length }
    }

    /// Where the bootloader's journal lies.
    pub fn journal(&self) -> Area {
        let at = self.keyring().end();
        Area { at, length: self.protected.end().saturating_sub(at) }
    }
}
