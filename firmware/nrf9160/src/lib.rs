//! What the programs of an nRF9160 have in common: its flash, as the secure side writes to it; what lies where; and
//! what the application asks of the secure side.
//!
//! Nothing here could be run on the machine it was written on; it is kept so small that it can be read
//! against the product specification.
#![no_std]

mod flash;
pub mod layout;
pub mod service;

pub use flash::{Flash, Misaligned};
