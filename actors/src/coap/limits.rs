//! What an endpoint may hold and how long it waits. Holds no state.

use super::Millis;

/// Bounds and delays of an endpoint; shared by all, handed in with each call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one reading, block-wise or not; beyond it 4.13.
    pub payload_max: usize,
    /// How long the answer may ride on the ACK; keep it below the boards' ACK_TIMEOUT of 2 s.
    pub acknowledge_within_ms: Millis,
    /// How long a message id is remembered (EXCHANGE_LIFETIME, 247 s by default).
    pub exchange_lifetime_ms: Millis,
    /// How long an upload waits for its next block; the whole may take eight times as long.
    pub block_timeout_ms: Millis,
    /// Open exchanges of one board; beyond it 5.03.
    pub in_flight_max: usize,
    /// Max-Age of the endpoint's own 5.03.
    pub retry_after_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_max: 16_384,
            acknowledge_within_ms: 1_000,
            exchange_lifetime_ms: 247_000,
            block_timeout_ms: 120_000,
            in_flight_max: 16,
            retry_after_s: 30,
        }
    }
}
