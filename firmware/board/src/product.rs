//! What a product's own code plugs into: everything that makes a board this product and no other.
//!
//! Invariant: nothing in here knows of networks, flash or updates.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Millis;

/// A product on a board. Its methods are called between two messages and must not wait.
pub trait Product {
    /// The kind of product, as the hub knows it (1 to 32 characters).
    fn name(&self) -> &str;

    /// The revision of its hardware (1 to 32 characters).
    fn hardware(&self) -> &str;

    /// Time between two measurements, in milliseconds; asked after each one.
    fn interval(&self) -> Millis;

    /// Measures: what is pushed is kept until the hub has it.
    fn measure(&mut self, now: Moment, samples: &mut Vec<Sample>);

    /// Does what the hub asks: `name` is what stands behind `c/` in the request's path.
    fn command(
        &mut self,
        now: Moment,
        name: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, CommandError>;

    /// Whether the board may restart now for an update; asked again after a minute (default: yes).
    fn may_restart(&self, now: Moment) -> bool {
        let _ = now;
        true
    }
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// On the shell's clock, which never goes back.
    pub millis: Millis,
    /// Of the day: milliseconds since 1970, UTC, once the hub has told it.
    pub unix_ms: Option<u64>,
}

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// A SenML name (RFC 8428, section 4.5.1).
    pub name: String,
    /// A SenML unit, `Cel` for instance.
    pub unit: Option<String>,
    /// What it is.
    pub value: f64,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The product has none of this name.
    Unknown,
    /// The argument makes no sense.
    Malformed,
    /// Not in this state, or not now.
    Refused,
}

impl CommandError {
    /// 4.04, 4.00 or 4.09.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Unknown => 0x84,
            Self::Malformed => 0x80,
            Self::Refused => 0x89,
        }
    }
}
