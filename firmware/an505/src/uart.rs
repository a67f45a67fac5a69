//! The first UART, to which lines are written: what the bench reads.
//!
//! Never reads, and never waits for longer than a byte takes.

use core::fmt::{self, Write};
use core::ptr;

/// CMSDK UART 0, seen from the secure side: data, state, control, and from 16 on the baud rate's divider.
const DATA: *mut u32 = 0x5020_0000 as *mut u32;
const STATE: *const u32 = 0x5020_0004 as *const u32;
const CONTROL: *mut u32 = 0x5020_0008 as *mut u32;
const DIVIDER: *mut u32 = 0x5020_0010 as *mut u32;

const FULL: u32 = 1;
const TRANSMIT: u32 = 1;

/// Its sending side.
#[derive(Debug, Default)]
pub struct Uart(());

impl Uart {
    /// Switches it on.
    pub fn new() -> Self {
        // SAFETY: the registers of the UART, which nothing but this file uses.
        unsafe {
            ptr::write_volatile(DIVIDER, 16);
            ptr::write_volatile(CONTROL, TRANSMIT);
        }
        Self(())
    }

    /// Writes text as it is: without the machinery of formatting, which a bootloader has no room for.
    pub fn say(&mut self, text: &str) {
        for byte in text.bytes() {
            // SAFETY: as above.
            unsafe {
                while ptr::read_volatile(STATE) & FULL != 0 {}
                ptr::write_volatile(DATA, byte.into());
            }
        }
    }
}

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.say(text);
        Ok(())
    }
}
