//! Whether there is a connection, and when to ask for the next one.
//!
//! Never knows why there is none.

use crate::random::Random;
use crate::{Config, Millis};

/// The board's view of its connection.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    /// None, and none wanted before `not_before`.
    Offline { not_before: Millis },
    /// The shell was asked for one.
    Connecting,
    /// There is one.
    Online,
}

/// Doubles with each failure in a row; half of each wait is random so that a fleet spreads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(crate) fn wait(&mut self, config: &Config, random: &mut Random) -> Millis {
        let factor = 1_u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let wait = config.reconnect_min.saturating_mul(factor).min(config.reconnect_max);
        self.failures = self.failures.saturating_add(1);
        let half = wait / 2;
        half.saturating_add(random.up_to(half))
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
