//! Closes the bootloader, its keys and its journal to whoever comes after it.
//!
//! The board has nothing that a secure program could not open again; what its memory protection stops is
//! an accident, and what the application's own separation stops is everything that is not secure.

use an505::{FLASH, MAP};
use cortex_m::asm::{dsb, isb};
use cortex_m::peripheral::MPU;

/// Read-only, for all privileges, and kept from the instruction fetch no longer than it is needed.
const READ_ONLY: u32 = 0b11 << 1;
const ENABLED: u32 = 1;
/// All else is as without the unit.
const PRIVILEGED_DEFAULT: u32 = 1 << 2;
/// Normal memory, not cached.
const ATTRIBUTES: u32 = 0x44;

/// Everything below the first slot can only be read from now on.
pub(crate) fn close() {
    let end = FLASH.at + MAP.first.at;
    // SAFETY: the unit is not in use yet; these writes leave reading and executing as they are.
    unsafe {
        let unit = &*MPU::PTR;
        unit.mair[0].write(ATTRIBUTES);
        unit.rnr.write(0);
        unit.rbar.write(FLASH.at | READ_ONLY);
        unit.rlar.write((end - 32) | ENABLED);
        dsb();
        unit.ctrl.write(PRIVILEGED_DEFAULT | ENABLED);
    }
    dsb();
    isb();
}
