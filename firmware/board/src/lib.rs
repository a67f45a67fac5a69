//! The portable core of a Connectivity Board: [`Board`] keeps readings until the hub has them; [`Device`] is a
//! whole board around it, with a queue in flash, updates and a [`Product`].
//!
//! The shell around it (a real board, an emulated one or a host process) owns the clock, the
//! socket, DTLS and the randomness, and calls in: `submit` and `handle_*` with the time, then
//! drains `poll_event` and `poll_transmit`, and sleeps until `poll_timeout`.
//! Invariant: no clock, socket, operating system or DTLS is reachable from here.
#![no_std]

extern crate alloc;

mod clock;
mod config;
mod depot;
mod device;
mod event;
mod flash;
mod freshness;
mod identity;
mod link;
mod machine;
mod message;
pub mod modem;
mod notebook;
mod product;
mod random;
mod settings;
mod slot;
mod transfer;
mod update;

pub use config::Config;
pub use depot::DepotError;
pub use device::Device;
pub use event::{Event, ReadingId, Status, SubmitError};
pub use identity::Identity;
pub use machine::Board;
pub use message::Request;
pub use notebook::Notebook;
pub use product::{CommandError, Moment, Product, Sample};
pub use random::Random;
pub use settings::{Awakening, Effect, Outgoing, Power, Settings};
pub use transfer::{Ask, Transfer, TransferError};

/// Milliseconds on the shell's clock; only differences matter, and it never runs backwards.
pub type Millis = u64;
