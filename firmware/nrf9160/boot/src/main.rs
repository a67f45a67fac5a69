//! The nRF9160's bootloader: what `bootloader` decides, on this flash, and the jump.
//!
//! It runs on the internal oscillator, with all peripherals as a reset leaves them, and says nothing: where
//! nothing can be started it sleeps. A watchdog that still runs interrupts nothing but time: each start
//! goes on where the last one was cut off.
#![no_std]
#![no_main]

mod guard;

use core::panic::PanicInfo;
use core::ptr;

use bootloader::{Halt, Launch, boot};
use cortex_m::peripheral::SCB;
use cortex_m_rt::{entry, exception};
use image::Map;
use nrf_pac::POWER_S;
use nrf9160::Flash;
use sha2 as _;

const MAP: Map = Map::NRF9160;

#[entry]
fn main() -> ! {
    match boot(&mut Flash::new(), &MAP) {
        Ok(launch) => start(&launch),
        Err(Halt::Disturbed) => SCB::sys_reset(),
        Err(Halt::NoKeys | Halt::NoImage(_) | Halt::Worn | Halt::Flash(_)) => loop {
            cortex_m::asm::wfi();
        },
    }
}

/// Leaves the record, locks the door, and jumps.
fn start(launch: &Launch) -> ! {
    let mut record = launch.record;
    let causes = POWER_S.resetreas().read();
    record.reset_cause = causes.0;
    // What is written as one is cleared: the next start has its own cause.
    POWER_S.resetreas().write_value(causes);
    for (at, byte) in (MAP.boot_record()..).zip(record.to_bytes()) {
        // SAFETY: memory behind all that the linker gives away.
        unsafe { ptr::write_volatile(at as *mut u8, byte) };
    }
    guard::close();
    // Once more: whoever made the processor jump to here has proved nothing.
    if !launch.proof.is_complete() || !guard::is_closed() || !launch.proof.is_complete() {
        SCB::sys_reset();
    }
    // SAFETY: the image that begins there was judged: it has a stack in memory and begins within itself.
    unsafe {
        (*SCB::PTR).vtor.write(launch.vectors);
        cortex_m::asm::bootload(launch.vectors as *const u32)
    }
}

#[exception]
unsafe fn HardFault(_frame: &cortex_m_rt::ExceptionFrame) -> ! {
    SCB::sys_reset()
}

#[exception]
unsafe fn DefaultHandler(_number: i16) {
    SCB::sys_reset()
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
