//! Who may do what on this chip: the system protection unit (SPU, a chapter of the product specification) gives flash,
//! memory and peripherals to one side or the other.
//!
//! Everything is secure after a reset; what is not named here stays so: the flash and its controller, the protection
//! unit itself, key storage, and the cryptographic processor.

use nrf_pac::SPU_S;
use nrf_pac::spu::regs::{FlashregionPerm, RamregionPerm};
use nrf_pac::spu::vals::{Dmasec, Present};
use nrf9160::layout;

/// Peripherals of the application, by their numbers: regulators, clock and power, serial, GPIOTE, converter, timers,
/// real-time counters, DPPI, watchdog, EGU, PWM, PDM, I2S, IPC, FPU, the second GPIOTE, and the port.
const PERIPHERALS: [usize; 31] = [
    4, 5, 8, 9, 10, 11, 13, 14, 15, 16, 17, 20, 21, 23, 24, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
    38, 40, 42, 44, 49, 66,
];
const PINS: u32 = u32::MAX;
const CHANNELS: u32 = 0xffff;

/// Divides flash, memory, peripherals and interrupts, and closes what was divided until the next reset.
pub(crate) fn divide() {
    flash();
    memory();
    for number in PERIPHERALS {
        let register = SPU_S.periphid(number).perm();
        let mut permissions = register.read();
        if permissions.present() == Present::IsPresent {
            permissions.set_secattr(false);
            permissions.set_dmasec(Dmasec::NonSecure);
            permissions.set_lock(true);
            register.write_value(permissions);
        }
    }
    SPU_S.gpioport(0).perm().write(|pins| pins.0 = !PINS);
    SPU_S.dppi(0).perm().write(|channels| channels.0 = !CHANNELS);
    interrupts();
    attribution();
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

/// Nobody writes to what runs, on either side: until the next reset, after which the bootloader may put another image
/// there. The rest the application reaches through the gate.
fn flash() {
    let image = layout::IMAGE / layout::FLASH_REGION;
    let application = layout::APPLICATION / layout::FLASH_REGION;
    for region in image..layout::APPLICATION_END / layout::FLASH_REGION {
        let mut permissions = FlashregionPerm(0);
        permissions.set_read(true);
        permissions.set_execute(true);
        permissions.set_write(false);
        permissions.set_secattr(region < application);
        permissions.set_lock(true);
        SPU_S.flashregion(region as usize).perm().write_value(permissions);
    }
    let entrance = SPU_S.flashnsc(0);
    // 1 is 32 bytes, and each number after it twice as many.
    let size = layout::ENTRANCE_LENGTH.ilog2() - 4;
    entrance.size().write(|size_of| size_of.0 = size | 1 << 8);
    entrance.region().write(|region| region.0 = layout::SECURE_REGION | 1 << 8);
}

/// Nothing runs from memory, on either side.
fn memory() {
    let to = (layout::SECURE_MEMORY - layout::MEMORY) / layout::MEMORY_REGION;
    for region in 0..32 {
        let mut permissions = RamregionPerm(0);
        permissions.set_read(true);
        permissions.set_write(true);
        permissions.set_secattr(region >= to);
        permissions.set_lock(true);
        SPU_S.ramregion(region as usize).perm().write_value(permissions);
    }
}

/// All of them are the application's: this side polls.
fn interrupts() {
    const ITNS: *mut u32 = 0xe000_e380 as *mut u32;
    for bank in 0..3 {
        // SAFETY: registers of the interrupt controller, one bit an interrupt; 65 there are.
        unsafe { ITNS.add(bank).write_volatile(u32::MAX) };
    }
}

/// The processor's own attribution leaves everything to the protection unit; and the application may calculate with
/// fractions.
fn attribution() {
    const SAU_CTRL: *mut u32 = 0xe000_edd0 as *mut u32;
    const ALL_NON_SECURE: u32 = 1 << 1;
    const NSACR: *mut u32 = 0xe000_ed8c as *mut u32;
    const FLOATING_POINT: u32 = 0b11 << 10;
    // SAFETY: two registers of the processor, which nobody else changes.
    unsafe {
        SAU_CTRL.write_volatile(ALL_NON_SECURE);
        NSACR.write_volatile(NSACR.read_volatile() | FLOATING_POINT);
    }
}
