//! Certificates that are not what they say, each shown in a handshake: what a client sends is taken by the
//! hub's own engine, OpenSSL verifies the chain, and the registry in a store judges who is left.
//!
//! `attacks` has each attack by itself, with the reason it is refused for; `crowd` has a hundred thousand
//! mutated certificates, of which none is taken for what it is not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test's failure is its report"
)]

mod attacks;
mod crowd;
mod der;
mod faults;
mod form;
mod hub;
mod mutations;
#[path = "../world/mod.rs"]
mod world;
