//! The application of a Connectivity Board with Nordic's nRF9160. It is the non-secure half of an image: the modem's
//! library runs here, as Nordic wants it; the flash is behind the secure side's entrance.
//!
//! Everything that is decided is decided in `board`, which is tested on any machine; what is here connects it with this
//! chip. Nothing of it could be run where it was written.
#![no_std]
#![no_main]

extern crate alloc;

mod at;
mod failure;
mod flash;
mod product;
mod session;
mod shell;
mod site;
mod station;

use core::cell::RefCell;

use board::modem::kept_credentials;
use embassy_executor::Spawner;
use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::interrupt::{InterruptExt as _, typelevel};
use embassy_nrf::wdt::{self, Watchdog};
use embassy_nrf::{bind_interrupts, interrupt, peripherals, uarte};
use embassy_time::{Duration, Timer};
use embedded_alloc::LlffHeap;
use guard::FaultKind;
use nrf_modem::{ConnectionPreference, MemoryLayout, SystemMode};
use nrf9160::layout;
use sha2 as _;
use tinyrlibc as _;

const HEAP: usize = 0x1_0000;
#[global_allocator]
static ALLOCATOR: LlffHeap = LlffHeap::empty();

/// The modem's interrupts, for its library.
struct Modem;

impl typelevel::Handler<typelevel::IPC> for Modem {
    unsafe fn on_interrupt() {
        nrf_modem::ipc_irq_handler();
    }
}

bind_interrupts!(struct Interrupts {
    IPC => Modem;
    SERIAL0 => buffered_uarte::InterruptHandler<peripherals::SERIAL0>;
});

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let _interrupts = Interrupts;
    // SAFETY: once, before anything is allocated.
    unsafe {
        static mut MEMORY: [u8; HEAP] = [0; HEAP];
        ALLOCATOR.init((&raw mut MEMORY) as usize, HEAP);
    }
    let chip = embassy_nrf::init(embassy_nrf::config::Config::default());
    let faults = failure::faults();
    // A board that fails again and again would empty its battery; its watchdog is not running yet.
    Timer::after(Duration::from_secs(faults.pause_s().into())).await;
    let mut config = wdt::Config::default();
    config.timeout_ticks = shell::WATCHDOG_S * 32_768;
    let Ok((_, [watchdog])) = Watchdog::try_new(chip.WDT, config) else {
        failure::restart(FaultKind::Stuck, format_args!("the watchdog runs with another period"));
    };
    let lamp = Output::new(chip.P0_02, Level::High, OutputDrive::Standard);
    let switch = Output::new(chip.P0_03, Level::Low, OutputDrive::Standard);
    start_modem().await;
    let serial = at::send("AT+CGSN=1").await;
    let kept = kept_credentials(&at::send_long("AT%CMNG=1").await);
    let flash = RefCell::new(flash::GatedFlash);
    let Some(mut shell) = shell::Shell::new(&flash, faults, &kept, &serial, switch, lamp, watchdog)
    else {
        failure::restart(FaultKind::Panic, format_args!("the flash has no room for this program"));
    };
    if shell.is_set_up() {
        shell.run().await
    }
    let mut config = uarte::Config::default();
    config.baudrate = uarte::Baudrate::Baud115200;
    let (mut received, mut sent) = ([0; 256], [0; 256]);
    let uart = BufferedUarte::new(
        chip.SERIAL0,
        chip.TIMER0,
        chip.PPI_CH0,
        chip.PPI_CH1,
        chip.PPI_GROUP0,
        chip.P0_28,
        chip.P0_29,
        Interrupts,
        config,
        &mut received,
        &mut sent,
    );
    station::serve(uart, shell).await
}

/// Starts the modem's library, with the radio still off.
async fn start_modem() {
    interrupt::IPC.set_priority(interrupt::Priority::P0);
    // SAFETY: its handler is bound, and nothing of it is masked by a critical section that is under way.
    unsafe { interrupt::IPC.enable() };
    let memory = MemoryLayout {
        base_address: layout::MEMORY,
        tx_area_size: 0x2000,
        rx_area_size: 0x2000,
        trace_area_size: 0,
    };
    let mode = SystemMode {
        lte_support: true,
        lte_psm_support: true,
        nbiot_support: true,
        gnss_support: false,
        preference: ConnectionPreference::None,
    };
    if let Err(error) = nrf_modem::init_with_custom_layout(mode, memory).await {
        failure::restart(FaultKind::Stuck, format_args!("the modem does not start: {error}"));
    }
}
