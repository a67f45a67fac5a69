//! How much may be taken in how much time: token buckets as one number each.
//!
//! A bucket is the moment at which all that was taken is paid off (GCRA, as in ITU-T I.371): taking
//! moves it forward, time catches up with it, and whoever would move it more than a period ahead of
//! now is refused. So a rate of N a minute lets N through at once, then one every 60/N s.
//! Invariant: no clock; `now` comes from one monotonic clock for each bucket, so no jump of the
//! time of day frees or blocks anybody.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

/// Microseconds on the caller's monotonic clock.
pub type Micros = u64;

const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
const HOUR: Micros = 60 * MINUTE;

/// So many units in a period, all of them at once where they were saved up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    units: NonZeroU32,
    period: Micros,
}

impl Rate {
    /// With two seconds' worth at once; `None`, which is no bound, for 0.
    pub fn per_second(units: u32) -> Option<Self> {
        let units = units.saturating_mul(2);
        Some(Self { units: NonZeroU32::new(units)?, period: 2 * SECOND })
    }

    /// `None`, which is no bound, for 0.
    pub fn per_minute(units: u32) -> Option<Self> {
        Some(Self { units: NonZeroU32::new(units)?, period: MINUTE })
    }

    /// So many a minute and never more than ten seconds' worth at once; `None`, which is no bound, for 0.
    pub fn spread(per_minute: u32) -> Option<Self> {
        let per_minute = NonZeroU32::new(per_minute)?.get();
        let units = NonZeroU32::new((per_minute / 6).max(1))?;
        let period = (MINUTE * u64::from(units.get())).div_ceil(per_minute.into());
        Some(Self { units, period })
    }

    /// `None`, which is no bound, for 0.
    pub fn per_hour(units: u32) -> Option<Self> {
        Some(Self { units: NonZeroU32::new(units)?, period: HOUR })
    }

    /// The time that units are worth, rounded up: never more than the rate in the long run.
    fn cost(self, units: u32) -> Micros {
        u64::from(units).saturating_mul(self.period).div_ceil(u64::from(self.units.get()))
    }

    /// Where the bucket is after taking; what costs more than a period needs a full bucket.
    fn next(self, level: Micros, now: Micros, units: u32) -> Result<Micros, Wait> {
        let next = level.max(now).saturating_add(self.cost(units));
        let free_at = level.min(next.saturating_sub(self.period));
        match free_at.saturating_sub(now) {
            0 => Ok(next),
            wait => Err(Wait(wait)),
        }
    }
}

/// How long until it would be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Micros);

impl Wait {
    /// In whole seconds, at least one: what Max-Age says (RFC 8516).
    pub fn max_age_s(self) -> u32 {
        u32::try_from(self.0.div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1)
    }
}

/// What one board has taken; full at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket(Micros);

impl Bucket {
    /// Takes `units`, or nothing at all. Without a rate there is no bound.
    pub fn take(&mut self, rate: Option<Rate>, now: Micros, units: u32) -> Result<(), Wait> {
        if let Some(rate) = rate {
            self.0 = rate.next(self.0, now, units)?;
        }
        Ok(())
    }

    /// Whether one unit could be taken.
    pub fn look(self, rate: Option<Rate>, now: Micros) -> Result<(), Wait> {
        rate.map_or(Ok(()), |rate| rate.next(self.0, now, 1).map(drop))
    }

    /// Takes one unit though there may be none, up to a period's debt.
    pub fn force(&mut self, rate: Option<Rate>, now: Micros) {
        if let Some(rate) = rate {
            let most = now.saturating_add(rate.period);
            self.0 = self.0.max(now).saturating_add(rate.cost(1)).min(most);
        }
    }

    /// The moment from which it is as if it had never been used.
    pub fn full_at(self) -> Micros {
        self.0
    }
}

/// What a tenant's boards have taken together, on any arbiter; full at first.
#[derive(Debug, Default)]
pub struct SharedBucket(AtomicU64);

impl SharedBucket {
    /// Takes `units`, or nothing at all. Without a rate there is no bound.
    pub fn take(&self, rate: Option<Rate>, now: Micros, units: u32) -> Result<(), Wait> {
        let Some(rate) = rate else { return Ok(()) };
        let mut level = self.0.load(Ordering::Relaxed);
        loop {
            let next = rate.next(level, now, units)?;
            let swapped =
                self.0.compare_exchange_weak(level, next, Ordering::Relaxed, Ordering::Relaxed);
            match swapped {
                Ok(_) => return Ok(()),
                Err(found) => level = found,
            }
        }
    }

    /// Gives back what was taken a moment ago and not used.
    pub fn give_back(&self, rate: Option<Rate>, units: u32) {
        if let Some(rate) = rate {
            let cost = rate.cost(units);
            let back = |level: Micros| Some(level.saturating_sub(cost));
            // It never refuses.
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
        }
    }

    /// Whether one unit could be taken.
    pub fn look(&self, rate: Option<Rate>, now: Micros) -> Result<(), Wait> {
        Bucket(self.0.load(Ordering::Relaxed)).look(rate, now)
    }

    /// How much of the rate is used up now, in hundredths; more than 100 after what cost more than
    /// a period.
    pub fn used_percent(&self, rate: Rate, now: Micros) -> u64 {
        let ahead = self.0.load(Ordering::Relaxed).saturating_sub(now);
        ahead.saturating_mul(100).div_ceil(rate.period)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_takes_no_more_than_sixteen_bytes() {
        assert!(size_of::<Bucket>() <= 16 && size_of::<SharedBucket>() <= 16);
    }

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_one_by_one() {
        let rate = Rate::per_minute(60);
        let mut bucket = Bucket::default();
        let now = 5 * SECOND;
        for _ in 0..60 {
            bucket.take(rate, now, 1).unwrap();
        }
        assert_eq!(bucket.take(rate, now, 1), Err(Wait(SECOND)));
        assert_eq!(bucket.take(rate, now + SECOND - 1, 1), Err(Wait(1)));
        bucket.take(rate, now + SECOND, 1).unwrap();
        assert_eq!(bucket.take(rate, now + SECOND, 10), Err(Wait(10 * SECOND)));
        assert_eq!(bucket.look(rate, now + SECOND), Err(Wait(SECOND)));
    }

    #[test]
    fn what_costs_more_than_a_period_waits_for_a_full_bucket_and_is_paid_in_full() {
        let rate = Rate::per_minute(1_000);
        let mut bucket = Bucket::default();
        bucket.take(rate, SECOND, 10).unwrap();
        assert_eq!(bucket.take(rate, SECOND, 3_000), Err(Wait(600_000)));
        bucket.take(rate, SECOND + 600_000, 3_000).unwrap();
        assert_eq!(bucket.take(rate, SECOND + 600_000, 1), Err(Wait(2 * MINUTE + 60_000)));
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_as_none() {
        assert_eq!([1, SECOND, SECOND + 1].map(|wait| Wait(wait).max_age_s()), [1, 1, 2]);
        assert_eq!(Wait(u64::MAX).max_age_s(), u32::MAX);
    }

    #[test]
    fn nought_is_no_bound() {
        assert_eq!((Rate::per_minute(0), Rate::per_hour(0)), (None, None));
        let mut bucket = Bucket::default();
        (0..10_000).for_each(|_| bucket.take(None, 0, u32::MAX).unwrap());
        assert_eq!(bucket, Bucket::default());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (rate, shared) = (Rate::per_hour(10), SharedBucket::default());
        shared.take(rate, SECOND, 10).unwrap();
        assert_eq!(shared.used_percent(rate.unwrap(), SECOND), 100);
        assert_eq!(shared.take(rate, SECOND, 1), Err(Wait(360 * SECOND)));
        shared.give_back(rate, 4);
        assert_eq!(shared.used_percent(rate.unwrap(), SECOND), 60);
        shared.take(rate, SECOND, 4).unwrap();
    }

    #[test]
    fn arbiters_together_take_what_one_alone_could() {
        let (rate, shared) = (Rate::per_minute(5_000), SharedBucket::default());
        let taken = || (0..5_000).filter(|_| shared.take(rate, SECOND, 1).is_ok()).count();
        let all: usize = std::thread::scope(|scope| {
            let threads = [scope.spawn(taken), scope.spawn(taken), scope.spawn(taken)];
            threads.map(|thread| thread.join().unwrap()).into_iter().sum()
        });
        assert_eq!(all, 5_000);
    }

    proptest! {
        /// Of a span of time, at most its share and one saved-up period pass; who waits as long as
        /// he was told is taken.
        #[test]
        fn no_more_than_the_rate_passes_and_a_wait_is_true(
            units in 1_u32..2_000, steps in proptest::collection::vec((0_u64..3_000_000, 1_u32..50), 1..300),
        ) {
            let rate = Rate::per_minute(units);
            let (mut bucket, mut now, mut passed) = (Bucket::default(), 0, 0_u64);
            let mut largest = 0;
            for (gap, count) in steps {
                now += gap;
                match bucket.take(rate, now, count) {
                    Ok(()) => {
                        passed += u64::from(count);
                        largest = largest.max(u64::from(count));
                    }
                    Err(Wait(wait)) => {
                        let mut later = bucket;
                        prop_assert!(later.take(rate, now + wait, count).is_ok());
                        let mut sooner = bucket;
                        prop_assert!(sooner.take(rate, now + wait - 1, count).is_err());
                    }
                }
                let share = u64::from(units) * now / MINUTE + u64::from(units);
                prop_assert!(passed <= share.max(u64::from(units)) + largest);
            }
        }

        #[test]
        fn moments_at_the_end_of_time_do_no_harm(level: u64, now: u64, units: u32, rate: u32) {
            let mut bucket = Bucket(level);
            let _ = bucket.take(Rate::per_hour(rate), now, units);
            bucket.force(Rate::per_minute(rate), now);
        }
    }
}
