//! Milliseconds of the monotonic clock, as shards and the front door count them.
//!
//! Invariant: shells only; a machine is told the time.

use std::time::{Duration, Instant};

use crate::link::table::Millis;

/// Counts from when it was started.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that shows nought now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Millis {
        millis(self.0.elapsed())
    }
}

/// A duration in whole milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
