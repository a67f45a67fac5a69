//! What is under way for some minutes: sign-ins between their steps, challenges that wait for their
//! answers. Bounded, in memory, each taken once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::Digest;

/// Things that are under way.
const KEPT_MAX: usize = 4096;

/// Things by the digest of what whoever goes on with them shows.
pub(super) struct Briefly<T> {
    lasts: Duration,
    kept: Mutex<HashMap<Digest, (Instant, T)>>,
}

impl<T> Briefly<T> {
    /// Each for so long.
    #[must_use]
    pub(super) fn new(lasts: Duration) -> Self {
        Self { lasts, kept: Mutex::new(HashMap::new()) }
    }

    /// Keeps something; where there is no room, the oldest goes.
    pub(super) fn put(&self, key: Digest, thing: T, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, (since, _)| now.saturating_duration_since(*since) <= self.lasts);
        }
        if kept.len() >= KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| *key);
            oldest.map(|oldest| kept.remove(&oldest));
        }
        kept.insert(key, (now, thing));
    }

    /// Takes it out: nobody else finds it.
    pub(super) fn take(&self, key: &Digest, now: Instant) -> Option<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, thing) = kept.remove(key)?;
        (now.saturating_duration_since(since) <= self.lasts).then_some(thing)
    }

    /// Looks at it, and leaves it.
    pub(super) fn look<R>(
        &self,
        key: &Digest,
        now: Instant,
        look: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, thing) = kept.get_mut(key)?;
        (now.saturating_duration_since(*since) <= self.lasts).then(|| look(thing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_taken_once_within_its_time_and_there_is_a_bound() {
        let (briefly, now) = (Briefly::new(Duration::from_secs(60)), Instant::now());
        briefly.put([1; 32], "one", now);
        assert_eq!(briefly.look(&[1; 32], now, |thing| *thing), Some("one"));
        assert_eq!(briefly.take(&[1; 32], now), Some("one"));
        assert_eq!(briefly.take(&[1; 32], now), None);
        briefly.put([2; 32], "late", now);
        assert_eq!(briefly.take(&[2; 32], now + Duration::from_secs(61)), None);
        for number in 0..KEPT_MAX as u64 + 10 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            briefly.put(key, "many", now + Duration::from_millis(number));
        }
        assert_eq!(briefly.kept.lock().unwrap().len(), KEPT_MAX);
    }
}
