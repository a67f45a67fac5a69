//! How many requests a source, or a caller, may make: a bucket each, in a table of bounded size.
//!
//! Invariant: no clock; what a source costs here is some bytes, and a full table forgets those who
//! have been quiet longest.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Sources that are told apart.
const SOURCES: usize = 4096;
/// Seconds' worth of requests that a source may make at once.
const BURST_S: f64 = 2.0;

/// Counts requests by whoever makes them.
pub(super) struct Rate<K> {
    per_s: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash> Rate<K> {
    /// `per_s` for each; 0 is without bound.
    pub(super) fn new(per_s: u32) -> Self {
        Self { per_s: f64::from(per_s), buckets: Mutex::new(HashMap::new()) }
    }

    /// Whether `source` may make one more request now.
    pub(super) fn take(&self, source: K, now: Instant) -> bool {
        if self.per_s == 0.0 {
            return true;
        }
        let most = self.per_s * BURST_S;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SOURCES {
            self.forget(&mut buckets, now);
        }
        let bucket = buckets.entry(source).or_insert(Bucket { left: most, at: now });
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * self.per_s).min(most);
        bucket.at = now;
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }

    /// Full buckets tell nothing; where none is full, all are forgotten: it costs the flooding
    /// sources nothing they could not have by changing their address.
    fn forget(&self, buckets: &mut HashMap<K, Bucket>, now: Instant) {
        let full_after = BURST_S;
        buckets.retain(|_, bucket| {
            now.saturating_duration_since(bucket.at).as_secs_f64() < full_after
        });
        if buckets.len() >= SOURCES {
            buckets.clear();
        }
    }
}

/// An IPv6 host has its /64.
pub(super) fn whole(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_source_is_held_to_its_rate_and_others_are_not() {
        let (rate, now) = (Rate::new(5), Instant::now());
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let taken = (0..20).filter(|_| rate.take(one, now)).count();
        assert_eq!(taken, 10);
        assert!(rate.take(other, now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..20).filter(|_| rate.take(one, later)).count(), 5);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source_and_the_table_is_bounded() {
        let (rate, now) = (Rate::new(1), Instant::now());
        let address = |a: u16, b: u16| IpAddr::from([0x2001, 0xdb8, 0, a, 0, 0, 0, b]);
        assert_eq!((0..10).filter(|n| rate.take(whole(address(1, *n)), now)).count(), 2);
        for n in 0..u16::try_from(SOURCES * 2).unwrap() {
            assert!(rate.take(whole(address(n.wrapping_add(2), 0)), now));
        }
        assert!(rate.buckets.lock().unwrap().len() <= SOURCES);
    }

    #[test]
    fn no_bound_is_no_bound() {
        let rate = Rate::new(0);
        assert!((0..10_000).all(|_| rate.take(IpAddr::from([1, 2, 3, 4]), Instant::now())));
    }
}
