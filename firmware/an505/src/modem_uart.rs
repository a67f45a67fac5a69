//! The second UART, on which the modem is: bytes of AT commands there, of answers back.
//!
//! Polled. Never waits for a byte to come, and for one to go no longer than a byte takes.

use core::ptr;

/// CMSDK UART 1, seen from the secure side: data, state, control, and from 16 on the baud rate's divider.
const DATA: *mut u32 = 0x5020_1000 as *mut u32;
const STATE: *const u32 = 0x5020_1004 as *const u32;
const CONTROL: *mut u32 = 0x5020_1008 as *mut u32;
const DIVIDER: *mut u32 = 0x5020_1010 as *mut u32;

const TRANSMIT_FULL: u32 = 1;
const RECEIVE_FULL: u32 = 2;
const BOTH_WAYS: u32 = 3;

/// Both sides of it.
#[derive(Debug)]
pub struct ModemUart(());

impl ModemUart {
    /// Switches it on.
    pub fn new() -> Self {
        // SAFETY: the registers of the UART, which nothing but this file uses.
        unsafe {
            ptr::write_volatile(DIVIDER, 16);
            ptr::write_volatile(CONTROL, BOTH_WAYS);
        }
        Self(())
    }

    /// The next byte that came.
    pub fn receive(&mut self) -> Option<u8> {
        // SAFETY: as above.
        let byte = unsafe {
            if ptr::read_volatile(STATE) & RECEIVE_FULL == 0 {
                return None;
            }
            ptr::read_volatile(DATA)
        };
        u8::try_from(byte & 0xff).ok()
    }

    /// Writes a text as it is.
    pub fn send(&mut self, text: &str) {
        for byte in text.bytes() {
            // SAFETY: as above.
            unsafe {
                while ptr::read_volatile(STATE) & TRANSMIT_FULL != 0 {}
                ptr::write_volatile(DATA, byte.into());
            }
        }
    }
}

impl Default for ModemUart {
    fn default() -> Self {
        Self::new()
    }
}
