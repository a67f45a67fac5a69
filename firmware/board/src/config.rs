//! What can be tuned on a board; the defaults suit NB-IoT.

use crate::Millis;

/// Limits and times of the core. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Readings kept while they cannot be delivered; one more is refused (default 64).
    pub queue_max: usize,
    /// Bytes of one CoAP message at most, so that it fits one datagram (default 1024). An Echo
    /// option that the hub asks for comes on top: 43 bytes at most.
    pub message_max: usize,
    /// First wait for an answer, before the random part (RFC 7252 ACK_TIMEOUT, default 2000).
    pub ack_timeout: Millis,
    /// Retransmissions of one message before the connection counts as lost (default 4).
    pub retransmit_max: u32,
    /// Wait for the separate response after the hub's empty acknowledgement (default 90,000).
    /// Then the reading is sent again, in a new message.
    pub response_wait: Millis,
    /// Wait after a 5.xx or 4.29 without Max-Age (default 60,000, the default of Max-Age).
    pub retry_after: Millis,
    /// First wait before connecting again; doubled with each failure (default 2000).
    pub reconnect_min: Millis,
    /// Longest wait before connecting again (default 600,000).
    pub reconnect_max: Millis,
    /// Ask the hub for the time of day first on every connection; for a board without a clock of
    /// its own, or with one it does not trust (default false). It never connects for that alone.
    pub learns_time: bool,
    /// Give the hub's requests to whoever asks with [`Board::poll_request`](crate::Board::poll_request);
    /// otherwise each is answered 4.04 (default false).
    pub serves_requests: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_max: 64,
            message_max: 1024,
            ack_timeout: 2_000,
            retransmit_max: 4,
            response_wait: 90_000,
            retry_after: 60_000,
            reconnect_min: 2_000,
            reconnect_max: 600_000,
            learns_time: false,
            serves_requests: false,
        }
    }
}
