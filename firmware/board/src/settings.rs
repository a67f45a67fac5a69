//! What can be tuned on a whole board, and what its shell and it tell each other.
//!
//! Values only; nothing here acts.

use alloc::string::String;
use alloc::vec::Vec;

use image::BootRecord;
use wire::resource;

use crate::{Config, Millis};

/// What can be tuned on a device. Times are milliseconds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The core's limits and times. Requests of the hub are always served.
    pub core: Config,
    /// Where readings go (default [`resource::TELEMETRY`]).
    pub resource: String,
    /// Between two reports about firmware, while nothing happens (default a day).
    pub report_every: Millis,
    /// How long a new image may take to prove itself: a reading or a report that the hub took
    /// (default ten minutes). Then the board restarts, and the bootloader puts its predecessor back.
    pub trial_max: Millis,
    /// Blocks of an update are of `16 << exponent` bytes, at most 6 (default 6: 1024 bytes).
    pub block_exponent: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            core: Config::default(),
            resource: String::from(resource::TELEMETRY),
            report_every: 86_400_000,
            trial_max: 600_000,
            block_exponent: 6,
        }
    }
}

/// What there is to know when a board starts.
#[derive(Clone, Debug)]
pub struct Awakening {
    /// What the bootloader left.
    pub record: Option<BootRecord>,
    /// What the application left when it failed, at most [`FAULT_MAX`] bytes of it.
    pub fault: Option<Vec<u8>>,
    /// From the hardware; different boards need different ones.
    pub seed: u64,
}

/// What the shell measures of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Power {
    /// Percent of the battery; none where there is none.
    pub battery_percent: Option<u8>,
    /// The signal, RSRP in dBm.
    pub rsrp_dbm: Option<i16>,
    /// The radio cell, as the modem numbers it: the hub lets a few boards of one fetch at once.
    pub cell: Option<u32>,
}

/// What the shell has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Connect anew, then call `handle_connected` or `handle_disconnected`.
    Connect,
    /// Restart, at once.
    Restart,
    /// What runs has proved itself: nothing to do but to say so.
    Confirmed,
    /// The time of day is known, in milliseconds since 1970: certificates can be judged.
    TimeLearned(u64),
    /// A reading is lost: the flash was full, or did not take it.
    ReadingLost,
    /// The hub will never take a reading, and answered with this code; it is gone.
    ReadingRefused(u8),
    /// Take the hub's newest root (`crts`, RFC 9148), make a new key and get a certificate for it (`sren`): the
    /// hub wants the board to have another.
    RenewCertificate,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The CoAP message.
    pub bytes: Vec<u8>,
    /// After its answer there is nothing more to say: the radio can be released (RAI).
    pub is_last: bool,
}
