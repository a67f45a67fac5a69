//! The emulated board's application: the SDK with a product, over DTLS to a hub.
//!
//! It lives at a bench's pace: seconds where a board in the field has minutes. What the bench listens for it
//! says on the first UART, a line each.
#![no_std]
#![no_main]

extern crate alloc;

mod air;
mod behaviour;
mod fault;
mod identity;
mod lamp;
mod modem;
mod network;
mod shell;

use core::cell::RefCell;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr;

use an505::{APPLICATION_MAP, Clock, EmulatedFlash, MAP, Uart, Watchdog};
use an505_dtls::Heap;
use board::Awakening;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use image::BootRecord;
use sha2 as _;

use crate::behaviour::Behaviour;
use crate::lamp::Lamp;
use crate::modem::Modem;
use crate::network::Network;
use crate::shell::Shell;

#[global_allocator]
static HEAP: Heap = Heap;

#[entry]
fn main() -> ! {
    let mut uart = Uart::new();
    let record = record();
    match record {
        Some(BootRecord { start, version, outcome, .. }) => {
            let _ = writeln!(
                uart,
                "started {version} {start:?} outcome={}:{:?}:{}:{}",
                outcome.number, outcome.event, outcome.version, outcome.refusal,
            );
        }
        None => uart.say("started without a record\n"),
    }
    let watchdog = Watchdog::start();
    let fault = fault::take();
    match Behaviour::of_this_image() {
        Behaviour::Panic => panic!("this image is broken"),
        Behaviour::Hang => loop {
            cortex_m::asm::nop();
        },
        Behaviour::Proper | Behaviour::Mute => {}
    }
    let why = match begin(record, fault, watchdog) {
        Ok(mut shell) => shell.run(),
        Err(why) => why,
    };
    // After half a minute the watchdog tries again.
    let _ = writeln!(uart, "halted: {why}");
    loop {
        cortex_m::asm::wfi();
    }
}

/// What has to be there before a board can do anything.
fn begin(
    record: Option<BootRecord>,
    fault: Option<alloc::vec::Vec<u8>>,
    watchdog: Watchdog,
) -> Result<Shell<'static>, &'static str> {
    let peripherals = cortex_m::Peripherals::take().ok_or("the processor is taken")?;
    let clock = Clock::start(peripherals.SYST);
    // The flash is used until the next reset.
    let flash: &'static RefCell<EmulatedFlash> =
        alloc::boxed::Box::leak(alloc::boxed::Box::new(RefCell::new(EmulatedFlash::new())));
    let (mut owned, peer) = identity::begin(flash)?;
    let seed = owned.client.random().map_err(|_| "there is no randomness")?;
    let awakening = Awakening { record, fault, seed };
    let settings = Behaviour::of_this_image().settings();
    let device =
        board::Device::new(clock.now(), settings, awakening, flash, APPLICATION_MAP, Lamp::new())
            .ok_or("the map leaves no room for readings")?;
    let network = Network::new(peer, seed).ok_or("there is no network")?;
    Ok(Shell::new(clock, watchdog, device, Modem::new(seed), network, owned))
}

fn record() -> Option<BootRecord> {
    let mut bytes = [0; BootRecord::LENGTH];
    for (at, byte) in (MAP.boot_record()..).zip(&mut bytes) {
        // SAFETY: memory behind all that the linker gives away.
        *byte = unsafe { ptr::read_volatile(at as *const u8) };
    }
    BootRecord::parse(&bytes)
}

#[exception]
fn SysTick() {
    Clock::tick();
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    fault::leave(format_args!("hard fault at {:#x}", frame.pc()));
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => {
            fault::leave(format_args!("{}: {}:{}", info.message(), at.file(), at.line()));
        }
        None => fault::leave(format_args!("{}", info.message())),
    }
    Uart::new().say("panic\n");
    SCB::sys_reset()
}
