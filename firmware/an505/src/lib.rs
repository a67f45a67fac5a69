//! The emulated board: QEMU's mps2-an505, a Cortex-M33 with TrustZone, laid out like an nRF9160. What
//! bootloader and application have to agree about is here.
//!
//! Invariant: all access to its hardware goes through this crate; whoever uses it needs no `unsafe`.
#![no_std]

mod flash;
mod interrupts;
mod uart;

use bootloader::{Area, Map};

pub use flash::{EmulatedFlash, Misaligned};
pub use uart::Uart;

/// A megabyte of memory that is treated as flash, in sectors of 4 kB.
pub const FLASH: Area = Area { at: 0x1000_0000, length: 0x10_0000 };
/// A quarter of a megabyte, less the last 256 bytes.
pub const MEMORY: Area = Area { at: 0x3800_0000, length: 0x3_ff00 };
/// There the bootloader leaves its record.
pub const BOOT_RECORD: u32 = MEMORY.end();

/// What lies where in the flash; the first 32 kB are the bootloader's.
pub const MAP: Map = Map {
    sector: 0x1000,
    protected: Area { at: 0x8000, length: 0x8000 },
    first: Area { at: 0x1_0000, length: 0x7_0000 },
    second: Area { at: 0x8_0000, length: 0x7_0000 },
    address: FLASH.at,
    // 140 vectors, to the next power of two.
    vectors_aligned_to: 0x400,
    memory: MEMORY,
};
const _: () = assert!(MAP.is_sound() && MAP.second.end() <= FLASH.length);
