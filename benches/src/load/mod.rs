//! The load generator: boards by the thousand, each with its own certificate, socket and session.
//!
//! One thread and one core: OpenSSL shakes hands in memory, then the hub's own record layer works
//! in the client's role. Invariant: generating is cheaper than serving, so nothing here parses or
//! stores more than a measurement needs.

pub mod abbreviated;
pub mod board;
pub mod chance;
pub mod client;
pub mod coap;
pub mod echo;
pub mod error;
pub mod fixture;
pub mod fleet;
pub mod handshakes;
pub mod idle;
pub mod nonces;
pub mod post;
pub mod progress;
pub mod report;
pub mod resume;
pub mod server;
pub mod session;
pub mod swarm;
pub mod witness;
