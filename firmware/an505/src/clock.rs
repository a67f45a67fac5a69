//! The time since the start, counted by the processor's own timer.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// The processor's clock.
const HERTZ: u32 = 20_000_000;
const TICK_MS: u32 = 10;

static TICKS: AtomicU32 = AtomicU32::new(0);

/// A clock that runs.
#[derive(Debug)]
pub struct Clock(());

impl Clock {
    /// Starts it, from 0.
    pub fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(HERTZ / 1000 * TICK_MS - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        Self(())
    }

    /// Milliseconds, in steps of ten; after 497 days it begins anew.
    pub fn now(&self) -> u64 {
        u64::from(TICKS.load(Ordering::Relaxed)) * u64::from(TICK_MS)
    }

    /// Counts: to be called by the program's handler of the timer (`SysTick`).
    pub fn tick() {
        TICKS.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until something happens: ten milliseconds at most.
    pub fn rest(&self) {
        cortex_m::asm::wfi();
    }
}
