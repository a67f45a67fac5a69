//! The emulated board: QEMU's mps2-an505, a Cortex-M33 with TrustZone, laid out like an nRF9160: its flash,
//! both its UARTs, its network, its clock, its watchdog and its lamps.
//!
//! Invariant: all access to its hardware goes through this crate; whoever uses it needs no `unsafe`.
#![no_std]

mod clock;
mod flash;
mod interrupts;
mod lamps;
mod lan9118;
mod modem_uart;
mod uart;
mod watchdog;

use image::{Area, Map};

pub use clock::Clock;
pub use flash::{EmulatedFlash, Misaligned};
pub use lamps::Lamps;
pub use lan9118::{FRAME_MAX, Lan9118};
pub use modem_uart::ModemUart;
pub use uart::Uart;
pub use watchdog::Watchdog;

/// A megabyte of memory that is treated as flash, in sectors of 4 kB.
pub const FLASH: Area = Area { at: MAP.address, length: 0x10_0000 };

/// What lies where in it.
pub const MAP: Map = Map::AN505;

/// Where production writes who the board is: a sector behind what the application keeps.
pub const IDENTITY: Area = Area { at: 0xf_c000, length: 0x1000 };

/// Where the application notes what has to outlive a start, and is no reading: behind that.
pub const NOTES: Area = Area { at: 0xf_d000, length: 0x3000 };

/// The map as the application has it, which shares its area with both.
pub const APPLICATION_MAP: Map = Map {
    application: Area { at: MAP.application.at, length: IDENTITY.at - MAP.application.at },
    ..MAP
};
