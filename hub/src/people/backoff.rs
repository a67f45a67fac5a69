//! How long somebody waits after wrong guesses: each further one doubles it.
//!
//! Three tables: by account, by source, and by browsers that an account has signed in with before.
//! Such a browser is judged by its own guesses alone, so that nobody locks others out by guessing;
//! and no wait is longer than [`WAIT_MAX`]. Invariant: no clock, bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// After so long without a guess all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// Keys that are told apart.
const KEYS_MAX: usize = 8192;

/// Wrong guesses by key.
pub(super) struct Backoff<K> {
    /// Guesses that cost nothing.
    free: u32,
    guesses: Mutex<HashMap<K, Guesses>>,
}

#[derive(Clone, Copy)]
struct Guesses {
    wrong: u32,
    last: Instant,
}

impl Guesses {
    fn until(self, free: u32) -> Instant {
        let over = self.wrong.saturating_sub(free);
        let wait = match over {
            0 => Duration::ZERO,
            over => Duration::from_secs(1_u64.checked_shl(over.min(32)).unwrap_or(u64::MAX)),
        };
        self.last + wait.min(WAIT_MAX)
    }
}

impl<K: Clone + Eq + Hash> Backoff<K> {
    /// With so many guesses that cost nothing.
    #[must_use]
    pub(super) fn new(free: u32) -> Self {
        Self { free, guesses: Mutex::new(HashMap::new()) }
    }

    /// How long to wait before the next guess.
    #[must_use]
    pub(super) fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let until = guesses.get(key)?.until(self.free);
        Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Counts a guess before it is known to be wrong, so that many at a time are many guesses.
    pub(super) fn guess(&self, key: &K, now: Instant) {
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        if guesses.len() >= KEYS_MAX {
            Self::make_room(&mut guesses, now);
        }
        let fresh = Guesses { wrong: 0, last: now };
        let known = guesses.entry(key.clone()).or_insert(fresh);
        if now.saturating_duration_since(known.last) > FORGOTTEN {
            *known = fresh;
        }
        known.wrong = known.wrong.saturating_add(1);
        known.last = now;
    }

    /// It was right.
    pub(super) fn right(&self, key: &K) {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Who is old goes; where nobody is, who has guessed least.
    fn make_room(guesses: &mut HashMap<K, Guesses>, now: Instant) {
        guesses.retain(|_, it| now.saturating_duration_since(it.last) <= FORGOTTEN);
        if guesses.len() >= KEYS_MAX {
            let mut counts: Vec<_> = guesses.values().map(|it| it.wrong).collect();
            counts.sort_unstable();
            let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
            guesses.retain(|_, it| it.wrong > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_over_some_time() {
        let (backoff, mut now) = (Backoff::new(3), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..16 {
            backoff.guess(&"anna", now);
            let wait = backoff.wait(&"anna", now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(backoff.wait(&"anna", now), None, "nobody is locked out for good");
        }
        assert_eq!(waits[..7], [0, 0, 0, 2, 4, 8, 16]);
        assert_eq!(waits[15], WAIT_MAX.as_secs());
        assert_eq!(backoff.wait(&"otto", now), None);
        backoff.right(&"anna");
        backoff.guess(&"anna", now);
        assert_eq!(backoff.wait(&"anna", now), None);
    }

    #[test]
    fn guesses_at_the_same_time_are_counted_one_by_one() {
        let (backoff, now) = (Backoff::new(3), Instant::now());
        (0..10).for_each(|_| backoff.guess(&"anna", now));
        assert_eq!(backoff.wait(&"anna", now), Some(Duration::from_secs(128)));
    }

    #[test]
    fn what_is_told_apart_is_bounded_and_who_guesses_most_is_remembered() {
        let (backoff, now) = (Backoff::new(0), Instant::now());
        (0..5).for_each(|_| backoff.guess(&0, now));
        for key in 1..KEYS_MAX * 3 {
            backoff.guess(&key, now);
        }
        assert!(backoff.guesses.lock().unwrap().len() <= KEYS_MAX);
        assert!(backoff.wait(&0, now).is_some());
    }
}
