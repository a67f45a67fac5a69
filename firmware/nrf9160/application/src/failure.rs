//! When the application fails: what failed is left in memory, and the board restarts.

use core::fmt;
use core::panic::PanicInfo;
use core::ptr;

use cortex_m::peripheral::SCB;
use guard::{Fault, FaultKind, Faults};
use nrf9160::layout;

/// What earlier starts left.
pub(crate) fn faults() -> Faults {
    let mut bytes = [0; Faults::LENGTH];
    for (at, byte) in (layout::FAULTS..).zip(&mut bytes) {
        // SAFETY: memory that neither program's linker gives away.
        *byte = unsafe { ptr::read_volatile(at as *const u8) };
    }
    Faults::parse(&bytes)
}

/// Leaves them for the next start.
pub(crate) fn leave(faults: Faults) {
    for (at, byte) in (layout::FAULTS..).zip(faults.to_bytes()) {
        // SAFETY: the same.
        unsafe { ptr::write_volatile(at as *mut u8, byte) };
    }
}

/// Leaves one more, and restarts.
pub(crate) fn restart(kind: FaultKind, words: fmt::Arguments<'_>) -> ! {
    leave(faults().with(Fault::new(kind, words)));
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
    // The modem library panics where the modem's own program failed.
    let kind = if file.contains("nrf-modem") { FaultKind::Modem } else { FaultKind::Panic };
    let name = file.rsplit('/').next().unwrap_or_default();
    restart(kind, format_args!("{name}:{line}: {}", info.message()))
}
