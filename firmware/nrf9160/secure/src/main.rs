//! The secure program of an nRF9160's image: it divides the chip, starts the application on the other side, and is
//! asked by it for the flash from then on.
//!
//! Keys: the public ones that updates are verified with are behind the gate (`guard`); those of DTLS are in the modem,
//! which is a third processor and lets nobody read them.
#![no_std]
#![no_main]
#![feature(cmse_nonsecure_entry)]

mod division;
mod entrance;
mod failure;

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use guard::FaultKind;
use image::{BootRecord, Map};
use nrf9160::layout;
use sha2 as _;

const MAP: Map = Map::NRF9160;

#[entry]
fn main() -> ! {
    let mut record = [0; BootRecord::LENGTH];
    for (at, byte) in (MAP.boot_record()..).zip(&mut record) {
        // SAFETY: memory behind all that the linker gives away, where the bootloader left its record.
        *byte = unsafe { core::ptr::read_volatile(at as *const u8) };
    }
    entrance::open(record);
    division::divide();
    // SAFETY: the application is of the image that this program is of, which the bootloader verified as a whole.
    unsafe { start(layout::APPLICATION) }
}

/// Leaves for the application, with nothing in the registers.
///
/// # Safety
/// A vector table has to be there.
unsafe fn start(vectors: u32) -> ! {
    const VTOR_NS: *mut u32 = 0xe002_ed08 as *mut u32;
    // SAFETY: the first two words of the vector table, and the register that says where it is.
    let (stack, reset) = unsafe {
        VTOR_NS.write_volatile(vectors);
        let table = vectors as *const u32;
        (table.read_volatile(), table.add(1).read_volatile())
    };
    // SAFETY: nothing of this program is needed any more but its stack, which is left as it is. An address without
    // its lowest bit is one of the other side.
    unsafe {
        core::arch::asm!(
            "msr msp_ns, {stack}",
            "movs {stack}, #0",
            "msr psp_ns, {stack}",
            "msr control_ns, {stack}",
            "dsb",
            "isb",
            "mov r0, {reset}",
            "movs r1, #0",
            "mov r2, r1",
            "mov r3, r1",
            "mov r4, r1",
            "mov r5, r1",
            "mov r8, r1",
            "mov r9, r1",
            "mov r10, r1",
            "mov r11, r1",
            "mov r12, r1",
            "mov lr, r1",
            "msr apsr_nzcvq, r1",
            "bxns r0",
            stack = in(reg) stack,
            reset = in(reg) reset & !1,
            options(noreturn)
        )
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => failure::restart(FaultKind::Security, format_args!("secure panic at {at}")),
        None => failure::restart(FaultKind::Security, format_args!("secure panic")),
    }
}
