//! The watchdog: a program that does not feed it is taken for dead, and the board is reset.

use core::ptr;

/// CMSDK watchdog of the secure side: load, value, control, and what clears its alarm.
const LOAD: *mut u32 = 0x5008_1000 as *mut u32;
const CONTROL: *mut u32 = 0x5008_1008 as *mut u32;
const CLEAR: *mut u32 = 0x5008_100c as *mut u32;
const LOCK: *mut u32 = 0x5008_1c00 as *mut u32;

const UNLOCKED: u32 = 0x1acc_e551;
const ALARM_AND_RESET: u32 = 0b11;
/// Fifteen seconds of the processor's clock. After as many again, with the alarm on, it resets.
const PERIOD: u32 = 15 * 20_000_000;

/// One that runs, until the next reset.
#[derive(Debug)]
pub struct Watchdog(());

impl Watchdog {
    /// Starts it.
    pub fn start() -> Self {
        // SAFETY: registers that nothing but this file uses.
        unsafe {
            ptr::write_volatile(LOCK, UNLOCKED);
            ptr::write_volatile(LOAD, PERIOD);
            ptr::write_volatile(CONTROL, ALARM_AND_RESET);
            ptr::write_volatile(LOCK, 0);
        }
        Self(())
    }

    /// Another half a minute.
    pub fn feed(&mut self) {
        // SAFETY: as above.
        unsafe {
            ptr::write_volatile(LOCK, UNLOCKED);
            ptr::write_volatile(CLEAR, 1);
            ptr::write_volatile(LOCK, 0);
        }
    }
}
