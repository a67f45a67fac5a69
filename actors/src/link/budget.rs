//! How often sources may do something, in fixed memory: token buckets in two rows, places drawn by a
//! hash of the source that is keyed at random.
//!
//! A source is refused only where both its buckets are used up, and each of them counts all that the
//! source was granted: sharing a place can only make a budget smaller, never larger, and two sources
//! share both places once in sixteen million. Invariant: no clock, and no allocation after the start.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use crate::link::table::Millis;
use crate::quota::{Bucket, Micros, Rate};

const PLACES: usize = 4096;
/// How many times a host's budget the network around it has: an IPv4 /24, an IPv6 /48.
const HOSTS_OF_A_NETWORK: u32 = 16;

/// A rate for each source.
struct Sketch {
    rate: Rate,
    rows: [Row; 2],
}

struct Row {
    key: RandomState,
    buckets: Box<[Bucket]>,
}

impl Row {
    fn new() -> Self {
        Self { key: RandomState::new(), buckets: vec![Bucket::default(); PLACES].into() }
    }

    fn bucket(&mut self, prefix: u128) -> Option<&mut Bucket> {
        let places = u64::try_from(self.buckets.len()).ok()?;
        let place = self.key.hash_one(prefix).checked_rem(places)?;
        self.buckets.get_mut(usize::try_from(place).ok()?)
    }
}

impl Sketch {
    fn new(rate: Rate) -> Self {
        Self { rate, rows: [Row::new(), Row::new()] }
    }

    fn has(&mut self, prefix: u128, now: Millis) -> bool {
        let rate = self.rate;
        self.rows.iter_mut().any(|row| {
            row.bucket(prefix).is_some_and(|bucket| bucket.look(Some(rate), micros(now)).is_ok())
        })
    }

    fn charge(&mut self, prefix: u128, now: Millis) {
        for row in &mut self.rows {
            if let Some(bucket) = row.bucket(prefix) {
                bucket.force(Some(self.rate), micros(now));
            }
        }
    }
}

/// What hosts and their networks may do, and all of them together.
pub struct Budget {
    sources: Option<(Sketch, Sketch)>,
    total: Option<(Rate, Bucket)>,
}

impl Budget {
    /// So many a second for each host and for all; nought is without end.
    #[must_use]
    pub fn new(per_host: u32, in_total: u32) -> Self {
        let network = Rate::per_second(per_host.saturating_mul(HOSTS_OF_A_NETWORK));
        let sources = Rate::per_second(per_host).zip(network);
        Self {
            sources: sources.map(|(host, network)| (Sketch::new(host), Sketch::new(network))),
            total: Rate::per_second(in_total).map(|rate| (rate, Bucket::default())),
        }
    }

    /// Takes one for `from`, if it, its network and all together have one left.
    pub fn take(&mut self, from: SocketAddr, now: Millis) -> bool {
        let [host, network] = prefixes(from.ip());
        if let Some((hosts, networks)) = &mut self.sources
            && !(hosts.has(host, now) && networks.has(network, now))
        {
            return false;
        }
        if let Some((rate, bucket)) = &mut self.total
            && bucket.take(Some(*rate), micros(now), 1).is_err()
        {
            return false;
        }
        if let Some((hosts, networks)) = &mut self.sources {
            hosts.charge(host, now);
            networks.charge(network, now);
        }
        true
    }
}

const fn micros(now: Millis) -> Micros {
    now.saturating_mul(1000)
}

/// Who can be told apart, an IPv4 address or an IPv6 /64, and the network around it, a /24 or a /48.
fn prefixes(address: IpAddr) -> [u128; 2] {
    match address.to_canonical() {
        // IPv4 has the numbers below 2^33, where there is no IPv6 prefix.
        IpAddr::V4(address) => {
            let bits = u128::from(address.to_bits());
            [bits | 1 << 32, bits >> 8 | 1 << 32]
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [bits & !0 << 64 | 1, bits & !0 << 80 | 2]
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 5000)
    }

    fn granted(budget: &mut Budget, from: SocketAddr, now: Millis, tries: usize) -> usize {
        (0..tries).filter(|_| budget.take(from, now)).count()
    }

    #[test]
    fn a_source_has_a_burst_of_two_seconds_and_then_its_rate() {
        let mut budget = Budget::new(10, 0);
        let board = from("192.0.2.1");
        assert_eq!(granted(&mut budget, board, 0, 100), 20);
        assert_eq!(granted(&mut budget, board, 1000, 100), 10);
        assert_eq!(granted(&mut budget, board, 60_000, 100), 20);
    }

    #[test]
    fn one_sources_use_is_not_anothers_but_a_network_has_sixteen_times_a_hosts() {
        let mut budget = Budget::new(10, 0);
        assert_eq!(granted(&mut budget, from("192.0.2.1"), 0, 100), 20);
        assert_eq!(granted(&mut budget, from("198.51.100.1"), 0, 100), 20);
        let of_network: usize = (2..=255)
            .map(|host| granted(&mut budget, from(&format!("192.0.2.{host}")), 0, 100))
            .sum();
        assert_eq!(of_network, 300, "320 with those of the first host");
    }

    #[test]
    fn an_ipv6_64_is_one_host() {
        let mut budget = Budget::new(10, 0);
        assert_eq!(granted(&mut budget, from("2001:db8:0:1::1"), 0, 15), 15);
        assert_eq!(granted(&mut budget, from("2001:db8:0:1:ffff::9"), 0, 15), 5);
        assert_eq!(granted(&mut budget, from("2001:db8:0:2::1"), 0, 15), 15);
    }

    #[test]
    fn all_together_have_no_more_than_the_total_and_nought_is_without_end() {
        let mut budget = Budget::new(0, 50);
        let all: usize =
            (1..=200).map(|host| granted(&mut budget, from(&format!("10.0.{host}.1")), 0, 5)).sum();
        assert_eq!(all, 100);
        assert_eq!(granted(&mut Budget::new(0, 0), from("10.0.0.1"), 0, 10_000), 10_000);
    }

    proptest! {
        #[test]
        fn whoever_else_is_there_a_source_never_has_more_than_its_budget(
            others in proptest::collection::vec((any::<u32>(), 0..2_000_u64), 0..300),
            rate in 1..50_u32,
        ) {
            let mut budget = Budget::new(rate, 0);
            let (mut now, mut had) = (0, 0_u64);
            for (other, wait) in others {
                now += wait / 100;
                budget.take(SocketAddr::from((other.to_be_bytes(), 1)), now);
                for _ in 0..3 {
                    had += u64::from(budget.take(from("192.0.2.1"), now));
                }
            }
            let most = u64::from(rate) * (now + 2000) / 1000 + 1;
            prop_assert!(had <= most, "{had} of {most} in {now} ms");
        }
    }
}
