//! The board's part of the vector table: no interrupt is handled yet.

unsafe extern "C" {
    fn DefaultHandler();
}

/// 32 of the processor's subsystem and 92 of the board.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
#[used]
static __INTERRUPTS: [unsafe extern "C" fn(); 124] = [DefaultHandler; 124];
