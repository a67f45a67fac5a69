//! The board's two lamps: what a product on it can switch.

use core::ptr;

/// In the block of inputs and outputs (FPGAIO), seen from the secure side: a bit for each lamp.
const LAMPS: *mut u32 = 0x5030_2000 as *mut u32;
const BOTH: u32 = 0b11;

/// Both of them.
#[derive(Debug)]
pub struct Lamps(());

impl Lamps {
    /// Dark ones.
    pub fn new() -> Self {
        let mut lamps = Self(());
        lamps.switch(false);
        lamps
    }

    /// Switches them on or off.
    pub fn switch(&mut self, on: bool) {
        // SAFETY: a register that nothing but this file uses.
        unsafe { ptr::write_volatile(LAMPS, if on { BOTH } else { 0 }) }
    }

    /// Whether they shine, as the hardware has it.
    pub fn are_on(&self) -> bool {
        // SAFETY: as above.
        unsafe { ptr::read_volatile(LAMPS) & BOTH == BOTH }
    }
}

impl Default for Lamps {
    fn default() -> Self {
        Self::new()
    }
}
