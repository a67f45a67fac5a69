//! `[plain]`: CoAP without DTLS, off unless asked for.

use std::net::{Ipv4Addr, SocketAddr};

use super::key::section;

section! {
    /// CoAP without DTLS, for a private APN where the network itself vouches for the address.
    pub struct Plain in "plain" {
        /// Whether to listen at all. Danger: nothing is encrypted, and a board is whoever sends
        /// from its address.
        pub enabled: bool = false;
        /// Address and UDP port. Anything but loopback or the private APN's own interface lets
        /// anybody speak as any board.
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 5683));
    }
}
