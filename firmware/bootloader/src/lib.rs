//! What runs before a board's application, and lets nothing run that is not signed: two slots, swapped
//! so that a power cut at any moment is finished at the next start; trial, confirmation and return;
//! a security counter that only rises; keys that can be withdrawn.
//!
//! The binary around it (`firmware/an505/boot`, `firmware/nrf9160/boot`) brings the flash, calls
//! [`boot`], protects what lies below the slots and jumps.
//! Invariant: no hardware, no allocation, no randomness in here, and nothing is written to the flash that
//! a later start could not finish or undo.
#![no_std]

#[cfg(test)]
extern crate std;

mod journal;
mod judge;
mod proof;
mod region;
mod start;
mod state;
mod swap;
mod trailers;

#[cfg(test)]
#[path = "../tests/rig/flash.rs"]
mod flash;

pub use proof::Proof;
pub use start::{Halt, Launch, boot};
