//! A board that is not set up yet: what comes on its UART (115,200 baud) goes to its modem, line by line, and the answers
//! back. So a production station has the modem make a key, and gives it certificates; `AT#RESTART` ends it.
//!
//! A board that is set up never comes here.

use board::modem::Lines;
use cortex_m::peripheral::SCB;
use embassy_futures::select::{Either, select};
use embassy_nrf::buffered_uarte::BufferedUarte;
use embassy_time::{Duration, Timer};
use embedded_io_async::Write as _;

use crate::at;
use crate::shell::Shell;

const GREETING: &[u8] = b"board not set up: AT commands to its modem, AT#RESTART when done\r\n";

/// Serves a station for good.
pub(crate) async fn serve(mut uart: BufferedUarte<'_>, mut shell: Shell<'_>) -> ! {
    let mut lines = Lines::default();
    let mut buffer = [0; 64];
    // Whoever does not listen is greeted for nothing.
    let _ = uart.write_all(GREETING).await;
    loop {
        shell.feed_watchdog();
        let read = match select(uart.read(&mut buffer), Timer::after(Duration::from_secs(60))).await
        {
            Either::First(read) => read.unwrap_or_default(),
            Either::Second(()) => 0,
        };
        for byte in buffer.iter().take(read) {
            let Some(line) = lines.take(*byte) else { continue };
            if line == "AT#RESTART" {
                SCB::sys_reset();
            }
            let answer = at::send_long(&line).await;
            let _ = uart.write_all(answer.as_bytes()).await;
        }
    }
}
