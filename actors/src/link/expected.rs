//! From which addresses protected records of unfinished handshakes are expected: the front door
//! says so, every arbiter asks before it troubles the front door.
//!
//! Counters by the hash of an address, keyed at random: it may say yes for nothing, never no.
//! Invariant: no lock, no allocation after the start, no address.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const PLACES: usize = 4096;

/// Addresses with a handshake in progress; clones share them.
#[derive(Clone)]
pub struct Expected {
    counts: Arc<[AtomicU32]>,
    key: RandomState,
}

impl Default for Expected {
    fn default() -> Self {
        let counts = (0..PLACES).map(|_| AtomicU32::new(0)).collect();
        Self { counts, key: RandomState::new() }
    }
}

impl Expected {
    /// A handshake with `peer` began.
    pub fn enter(&self, peer: SocketAddr) {
        if let Some(count) = self.count(peer) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A handshake with `peer` that was entered is over.
    pub fn leave(&self, peer: SocketAddr) {
        if let Some(count) = self.count(peer) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether there may be a handshake with `peer`.
    #[must_use]
    pub fn has(&self, peer: SocketAddr) -> bool {
        self.count(peer).is_some_and(|count| count.load(Ordering::Relaxed) > 0)
    }

    fn count(&self, peer: SocketAddr) -> Option<&AtomicU32> {
        let places = u64::try_from(self.counts.len()).ok()?;
        let place = self.key.hash_one(peer).checked_rem(places)?;
        self.counts.get(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_entered_is_expected_until_it_leaves_and_few_others_are() {
        let expected = Expected::default();
        let peer = |port| SocketAddr::from(([192, 0, 2, 1], port));
        for port in 1..=64 {
            expected.enter(peer(port));
        }
        assert!((1..=64).all(|port| expected.clone().has(peer(port))));
        let others = (1000..2000).filter(|port| expected.has(peer(*port))).count();
        assert!(others < 100, "{others} of a thousand");
        for port in 1..=64 {
            expected.leave(peer(port));
        }
        assert!(!(1..2000).any(|port| expected.has(peer(port))));
    }
}
