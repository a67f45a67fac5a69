//! `[session]`: how long a board's session stays in memory, and how long it can be resumed.

use super::key::section;

section! {
    /// Boards' sessions: in memory while they talk, in the store for as long as their certificates.
    pub struct Session in "session" {
        /// Seconds without a message after which a session leaves memory. It comes back with its
        /// board's next datagram; message ids are remembered for coap.exchange_lifetime_s all the same.
        pub idle_s: u64 = 300, from 1 to 86400;
        /// Hours after its full handshake for which a board may resume a session by an abbreviated
        /// one, without its certificate being sent again; 0 is never.
        pub resumption_h: u64 = 168, from 0 to 8760;
    }
}
