//! How much memory a program has used up to now, found by what it left untouched.

use crate::bench::{Bench, Failure, Plan, Stack, Told};

/// What the bootloader has, in bytes: as `scripts/firmware sizes` has it.
const BUDGET: usize = 16384;

/// The deepest the bootloader goes: an image that is verified to its end, and then not started, so that
/// nothing else uses the stack after it.
pub(super) fn needs_little_memory(bench: &Bench) -> Told<String> {
    let elsewhere = bench.workshop.image(Plan { address: 0x1000_0000, ..Plan::of("1.0.0") })?;
    let mut machine = bench.board(&elsewhere)?.power_on()?;
    machine.hears("halted: no image")?;
    let used = machine.stack_used(Stack::Bootloader)?;
    if used > BUDGET {
        return Err(Failure::Board(format!("the bootloader used {used} bytes of stack")));
    }
    Ok(format!(": the bootloader's stack went to {used} of {BUDGET} bytes"))
}
