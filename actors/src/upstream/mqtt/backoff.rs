//! How long to wait before the next attempt to connect: exponential, with full jitter.
//! Invariant: no clock and no source of randomness is reachable from here; both are arguments.

use std::time::Duration;

/// The ceiling of the first wait.
const FIRST: Duration = Duration::from_millis(500);
/// The ceiling that no wait exceeds.
const CEILING_MAX: Duration = Duration::from_secs(60);
/// No wait is shorter.
const FLOOR: Duration = Duration::from_millis(100);
/// A connection that lasted this long was a good one; the next wait is a first one again. Shorter
/// ones are not: a broker that throws us out at once is not to be hammered.
const STABLE: Duration = Duration::from_secs(30);

/// Counts the attempts that led nowhere.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after an attempt that failed, or a connection that ended, having lasted `lasted`:
    /// uniform between the floor and a ceiling that doubles, so that waits spread and never gather
    /// at the ceiling. `random` is uniform over all of `u64`.
    pub(super) fn after(&mut self, lasted: Duration, random: u64) -> Duration {
        if lasted >= STABLE {
            self.failures = 0;
        }
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let span = doubled.min(CEILING_MAX).saturating_sub(FLOOR).as_millis();
        let offset = (u128::from(random) * (span + 1)) >> 64;
        FLOOR + Duration::from_millis(u64::try_from(offset).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> =
            (0..9).map(|_| backoff.after(Duration::ZERO, u64::MAX).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        for _ in 0..100 {
            assert!(backoff.after(Duration::ZERO, u64::MAX) <= CEILING_MAX);
        }
    }

    #[test]
    fn waits_spread_over_the_whole_span() {
        let mut backoff = Backoff { failures: 20 };
        assert_eq!(backoff.after(Duration::ZERO, 0), FLOOR);
        let half = backoff.after(Duration::ZERO, u64::MAX / 2);
        assert!(half > Duration::from_secs(29) && half < Duration::from_secs(31), "{half:?}");
    }

    #[test]
    fn only_a_connection_that_lasted_starts_anew() {
        let mut backoff = Backoff { failures: 20 };
        assert_eq!(backoff.after(Duration::from_secs(29), u64::MAX), CEILING_MAX);
        assert_eq!(backoff.after(Duration::from_secs(30), u64::MAX), FIRST);
    }
}
