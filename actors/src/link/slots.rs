//! The cap on handshakes in progress: a slot is held from the verified cookie to the end.
//!
//! One source, an IPv4 address or an IPv6 /64, has at most a quarter of them. Invariant: a slot that
//! is dropped, by whatever way, is free again.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metrics::Metrics;

/// All slots of the hub; clones share them.
#[derive(Clone)]
pub struct Slots {
    shared: Arc<Shared>,
}

struct Shared {
    taken: Mutex<Taken>,
    most: usize,
    most_of_a_source: usize,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// One handshake's place; free again when dropped.
pub struct Slot {
    shared: Arc<Shared>,
    source: IpAddr,
}

impl Slots {
    /// At most `most` slots at a time.
    #[must_use]
    pub fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        let most_of_a_source = most.div_ceil(4);
        let taken = Mutex::default();
        Self { shared: Arc::new(Shared { taken, most, most_of_a_source, metrics }) }
    }

    /// A slot for a peer at `address`, unless all are taken, or all that its source may have.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> Option<Slot> {
        let source = source(address);
        let shared = &self.shared;
        let mut taken = shared.taken();
        let of_source = taken.by_source.get(&source).copied().unwrap_or(0);
        if taken.all >= shared.most || of_source >= shared.most_of_a_source {
            return None;
        }
        taken.all += 1;
        taken.by_source.insert(source, of_source + 1);
        drop(taken);
        shared.metrics.handshake_started();
        Some(Slot { shared: Arc::clone(shared), source })
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who can be told apart: a host has its IPv4 address, or all of an IPv6 /64.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_source) = taken.by_source.get_mut(&self.source) {
            *of_source = of_source.saturating_sub(1);
            if *of_source == 0 {
                taken.by_source.remove(&self.source);
            }
        }
        drop(taken);
        self.shared.metrics.handshake_left();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_dropped_slot_is_free_again_and_the_cap_holds() {
        let slots = Slots::new(2, Arc::new(Metrics::new()));
        let first = slots.take(ip("192.0.2.1"));
        let second = slots.take(ip("192.0.2.2"));
        assert!(first.is_some() && second.is_some());
        assert!(slots.take(ip("192.0.2.3")).is_none());
        drop(first);
        assert!(slots.take(ip("192.0.2.3")).is_some());
    }

    #[test]
    fn one_source_has_at_most_a_quarter_whatever_its_addresses() {
        let slots = Slots::new(8, Arc::new(Metrics::new()));
        let held: Vec<_> = ["2001:db8::1", "2001:db8::2"].map(|text| slots.take(ip(text))).into();
        assert!(held.iter().all(Option::is_some));
        assert!(slots.take(ip("2001:db8::ffff")).is_none());
        assert!(slots.take(ip("2001:db8:0:1::1")).is_some());
        drop(held);
        assert!(slots.take(ip("2001:db8::ffff")).is_some());
    }
}
