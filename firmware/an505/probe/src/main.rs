//! An application for the bench: it says what the bootloader told it, and then does what is written in
//! its own image, so that one build is every kind of application, good and bad.
#![no_std]
#![no_main]

use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr;

use an505::{EmulatedFlash, FLASH, MAP, Uart};
use cortex_m::peripheral::SCB;
use cortex_m_rt::{entry, exception};
use embedded_storage::nor_flash::NorFlash;
use image::{BootRecord, Trailer};
use sha2 as _;

/// The bench finds this in the image and changes its last byte before it signs it.
#[used]
static BEHAVIOUR: [u8; 8] = *b"behave:c";

#[entry]
fn main() -> ! {
    let mut uart = Uart::new();
    match record() {
        Some(BootRecord { start, version, security_counter, floor, key, outcome, reset_cause }) => {
            let _ = writeln!(
                uart,
                "started {version} {start:?} counter={security_counter} floor={floor} key={key} \
                 outcome={}:{:?}:{}:{} reset={reset_cause}",
                outcome.number, outcome.event, outcome.version, outcome.refusal,
            );
        }
        None => uart.say("started without a record\n"),
    }
    // SAFETY: a static of one's own; read so that the compiler does not know it beforehand.
    match unsafe { ptr::read_volatile(&raw const BEHAVIOUR[7]) } {
        b'c' => confirm(&mut uart),
        b'r' => {
            uart.say("restarting unconfirmed\n");
            SCB::sys_reset()
        }
        b'w' => overwrite_the_bootloader(&mut uart),
        _ => uart.say("waiting unconfirmed\n"),
    }
    loop {
        cortex_m::asm::wfi();
    }
}

fn record() -> Option<BootRecord> {
    let mut bytes = [0; BootRecord::LENGTH];
    for (at, byte) in (MAP.boot_record()..).zip(&mut bytes) {
        // SAFETY: memory behind all that the linker gives away.
        *byte = unsafe { ptr::read_volatile(at as *const u8) };
    }
    BootRecord::parse(&bytes)
}

fn confirm(uart: &mut Uart) {
    let flag = [Trailer::SET, 0xff, 0xff, 0xff];
    let at = MAP.first.end() - Trailer::IMAGE_OK_FROM_END;
    uart.say(match EmulatedFlash::new().write(at, &flag) {
        Ok(()) => "confirmed\n",
        Err(_) => "not confirmed\n",
    });
}

fn overwrite_the_bootloader(uart: &mut Uart) {
    uart.say("overwriting the bootloader\n");
    // SAFETY: this is what must not work.
    unsafe { ptr::write_volatile((FLASH.at + 0x100) as *mut u32, 0) };
    uart.say("the bootloader is overwritten\n");
}

#[exception]
unsafe fn HardFault(_frame: &cortex_m_rt::ExceptionFrame) -> ! {
    Uart::new().say("fault\n");
    SCB::sys_reset()
}

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    Uart::new().say("panic\n");
    SCB::sys_reset()
}
