//! When either side fails in a way that the processor notices: what failed is left in memory, and the board restarts.
//! All faults come here, for the application's own handler would run on the stack that may have failed.

use core::fmt;
use core::ptr;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use guard::{Fault, FaultKind, Faults};
use nrf9160::layout;

/// Leaves a fault for the next start, which is now.
pub(crate) fn restart(kind: FaultKind, words: fmt::Arguments<'_>) -> ! {
    let mut bytes = [0; Faults::LENGTH];
    for (at, byte) in (layout::FAULTS..).zip(&mut bytes) {
        // SAFETY: memory that neither program's linker gives away.
        *byte = unsafe { ptr::read_volatile(at as *const u8) };
    }
    let faults = Faults::parse(&bytes).with(Fault::new(kind, words));
    for (at, byte) in (layout::FAULTS..).zip(faults.to_bytes()) {
        // SAFETY: the same.
        unsafe { ptr::write_volatile(at as *mut u8, byte) };
    }
    SCB::sys_reset()
}

#[exception]
unsafe fn HardFault(_frame: &ExceptionFrame) -> ! {
    /// Secure faults, and which address they were about.
    const SFSR: *const u32 = 0xe000_ede4 as *const u32;
    const SFAR: *const u32 = 0xe000_ede8 as *const u32;
    /// The application's faults.
    const CFSR_NS: *const u32 = 0xe002_ed28 as *const u32;
    const PC_IN_FRAME: u32 = 24;
    let stack: u32;
    // SAFETY: registers that are only read.
    let (security, at, processor) = unsafe {
        core::arch::asm!("mrs {}, msp_ns", out(reg) stack);
        (SFSR.read_volatile(), SFAR.read_volatile(), CFSR_NS.read_volatile())
    };
    let memory = layout::MEMORY..layout::SECURE_MEMORY - PC_IN_FRAME - 4;
    let counter = if memory.contains(&stack) && stack.is_multiple_of(4) {
        // SAFETY: within the application's memory.
        unsafe { ((stack + PC_IN_FRAME) as *const u32).read_volatile() }
    } else {
        0
    };
    if security == 0 {
        restart(FaultKind::Processor, format_args!("pc {counter:08x} cfsr {processor:08x}"));
    }
    restart(FaultKind::Security, format_args!("pc {counter:08x} sfsr {security:02x} at {at:08x}"));
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    restart(FaultKind::Processor, format_args!("interrupt {number} on the secure side"));
}
