//! The emulated board: QEMU's mps2-an505, a Cortex-M33 with TrustZone, laid out like an nRF9160: its flash
//! and its first UART.
//!
//! Invariant: all access to its hardware goes through this crate; whoever uses it needs no `unsafe`.
#![no_std]

mod flash;
mod interrupts;
mod uart;

use image::{Area, Map};

pub use flash::{EmulatedFlash, Misaligned};
pub use uart::Uart;

/// A megabyte of memory that is treated as flash, in sectors of 4 kB.
pub const FLASH: Area = Area { at: MAP.address, length: 0x10_0000 };

/// What lies where in it.
pub const MAP: Map = Map::AN505;
