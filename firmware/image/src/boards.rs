//! The kinds of boards there are: what lies where in their flash. The first 32 kB are the bootloader's own.
//!
//! Invariant: a map never changes, for its bootloader is in the field; another layout is another board.

use crate::map::{Area, Map};

impl Map {
    /// Nordic's nRF9160: a megabyte of flash in pages of 4 kB, which its protection unit (SPU) sees in
    /// regions of 32 kB; behind the second slot there are 64 kB for the application.
    pub const NRF9160: Self = Self {
        sector: 0x1000,
        protected: Area { at: 0x8000, length: 0x8000 },
        first: Area { at: 0x1_0000, length: 0x7_0000 },
        second: Area { at: 0x8_0000, length: 0x7_0000 },
        application: Area { at: 0xf_0000, length: 0x1_0000 },
        address: 0,
        // 81 vectors, to the next power of two.
        vectors_aligned_to: 0x200,
        memory: Area { at: 0x2000_0000, length: Self::MEMORY },
    };

    /// QEMU's mps2-an505, laid out in the same way in static memory that is treated as flash.
    pub const AN505: Self = Self {
        address: 0x1000_0000,
        // 140 vectors, to the next power of two.
        vectors_aligned_to: 0x400,
        memory: Area { at: 0x3800_0000, length: Self::MEMORY },
        ..Self::NRF9160
    };

    /// A quarter of a megabyte, less 256 bytes: there the bootloader leaves its record.
    const MEMORY: u32 = 0x4_0000 - 0x100;

    /// Where the application finds the boot record.
    pub const fn boot_record(&self) -> u32 {
        self.memory.end()
    }
}

const _: () = assert!(Map::NRF9160.is_sound() && Map::AN505.is_sound());
