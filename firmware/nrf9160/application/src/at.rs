//! One AT command and its answer, as text.

use alloc::string::{String, ToString};

use embassy_time::{Duration, with_timeout};

/// A command that the modem does not answer for so long has failed: turning the radio off takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const ERROR: &str = "ERROR\r\n";

/// Sends a command whose answer is of at most 500 characters.
pub(crate) async fn send(command: &str) -> String {
    send_sized::<512>(command).await
}

/// Sends one whose answer may have 4000: a signing request, or a list of what the modem keeps.
pub(crate) async fn send_long(command: &str) -> String {
    send_sized::<4096>(command).await
}

async fn send_sized<const LENGTH: usize>(command: &str) -> String {
    match with_timeout(PATIENCE, nrf_modem::send_at::<LENGTH>(command)).await {
        Ok(Ok(answer)) => answer.as_str().to_string(),
        Ok(Err(_)) | Err(_) => String::from(ERROR),
    }
}
