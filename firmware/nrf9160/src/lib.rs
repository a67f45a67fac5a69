//! The nRF9160's flash, as its secure side writes to it.
//!
//! Nothing here could be run on the machine it was written on; it is kept so small that it can be read
//! against the product specification.
#![no_std]

mod flash;

pub use flash::{Flash, Misaligned};
