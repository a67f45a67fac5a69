//! The emulated board's bootloader: what `bootloader` decides, on this flash, and the jump.
//!
//! Where nothing can be started it says why, and waits.
#![no_std]
#![no_main]

mod guard;

use core::panic::PanicInfo;
use core::ptr;

use an505::{EmulatedFlash, MAP, Uart};
use bootloader::{Halt, Launch, boot};
use cortex_m::peripheral::SCB;
use cortex_m_rt::{entry, exception};
use sha2 as _;

/// The reset's cause, in the system's control block; 1 is power.
const RESET_SYNDROME: *const u32 = 0x5002_1100 as *const u32;

#[entry]
fn main() -> ! {
    match boot(&mut EmulatedFlash::new(), &MAP) {
        Ok(launch) => start(&launch),
        Err(halt) => wait(&halt),
    }
}

/// Leaves the record, locks the door, and jumps.
fn start(launch: &Launch) -> ! {
    let mut record = launch.record;
    // SAFETY: a register that reading does not change.
    record.reset_cause = unsafe { ptr::read_volatile(RESET_SYNDROME) };
    for (at, byte) in (MAP.boot_record()..).zip(record.to_bytes()) {
        // SAFETY: memory behind all that the linker gives away.
        unsafe { ptr::write_volatile(at as *mut u8, byte) };
    }
    guard::close();
    // Once more: whoever made the processor jump to here has proved nothing.
    if !launch.proof.is_complete() || !launch.proof.is_complete() {
        SCB::sys_reset();
    }
    // SAFETY: the image that begins there was judged: it has a stack in memory and begins within itself.
    unsafe {
        (*SCB::PTR).vtor.write(launch.vectors);
        cortex_m::asm::bootload(launch.vectors as *const u32)
    }
}

fn wait<E>(halt: &Halt<E>) -> ! {
    let mut uart = Uart::new();
    uart.say(match halt {
        Halt::NoKeys => "halted: no keys\n",
        Halt::NoImage(_) => "halted: no image\n",
        Halt::Worn => "halted: the flash is worn\n",
        Halt::Disturbed => SCB::sys_reset(),
        Halt::Flash(_) => "halted: the flash fails\n",
    });
    loop {
        cortex_m::asm::wfi();
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
