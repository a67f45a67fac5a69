//! `[coap]`: CoAP over the boards' sessions.

use super::key::section;

section! {
    /// CoAP over the boards' sessions.
    pub struct Coap in "coap" {
        /// Milliseconds the upstream has before a request is acknowledged empty and answered
        /// separately. Keep it under the boards' ACK_TIMEOUT (2000) less the radio's delay.
        pub acknowledge_within_ms: u64 = 1000, from 0 to 60000;
        /// Seconds a message id is remembered, so that a repeated request is answered and not
        /// processed twice (EXCHANGE_LIFETIME of RFC 7252). Less risks a reading sent on twice.
        pub exchange_lifetime_s: u64 = 247, from 10 to 3600;
        /// Bytes of a whole upload, over all its blocks; more is refused with 4.13.
        pub payload_max: usize = 16384, from 16 to 1048576;
        /// Seconds an unfinished block-wise upload is kept.
        pub block_timeout_s: u64 = 120, from 1 to 3600;
        /// Seconds a board is told to wait (Max-Age of 5.03) when its upstream cannot take more.
        pub retry_after_s: u32 = 30, from 1 to 86400;
    }
}
