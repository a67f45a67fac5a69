//! What the secure side of a board lets its application do to the flash. The application has no other way to it:
//! it puts the next image into the second slot, asks for it, confirms itself, and keeps its readings.
//!
//! What runs cannot be changed, nor the bootloader, its keys and its journal; what is asked for was verified with
//! the board's keys; what is on trial cannot overwrite the image that would come back.
//! Invariant: no allocation and no processor's registers in here; nothing is written that is not allowed by name.
#![no_std]

mod fault;
mod gate;

pub use fault::{Fault, FaultKind, Faults, TEXT_MAX};
pub use gate::{Denied, Gate};
