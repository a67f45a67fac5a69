//! Whom an admin has just shut out: asked where something of theirs could still be under way.
//!
//! The registry says who may connect; this says it to what no longer asks there, for as long as it
//! can have begun before. Invariant: who was let in again is not held back, and nothing is kept longer
//! than anything can be under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use storage::BoardId;

/// Longer than a handshake may take, and than a broker may leave a reading unacknowledged.
const KEPT: Duration = Duration::from_secs(300);

/// The boards of one tenant that were shut out lately.
#[derive(Debug, Default)]
pub struct Barred {
    /// Whether there is anything in the list: all that is looked at normally.
    any: AtomicBool,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    all: Option<Instant>,
    boards: HashMap<BoardId, Instant>,
}

impl Barred {
    /// Shuts out `board`, or all of them.
    pub fn bar(&self, board: Option<&BoardId>, now: Instant) {
        let mut list = self.locked();
        list.boards.retain(|_, since| now.saturating_duration_since(*since) < KEPT);
        match board {
            Some(board) => {
                list.boards.insert(board.clone(), now);
            }
            None => list.all = Some(now),
        }
        self.any.store(true, Ordering::Release);
    }

    /// Lets `board` in again, or all of them that are not shut out by name.
    pub fn admit(&self, board: Option<&BoardId>) {
        let mut list = self.locked();
        match board {
            Some(board) => {
                list.boards.remove(board);
            }
            None => list.all = None,
        }
        self.any.store(list.all.is_some() || !list.boards.is_empty(), Ordering::Release);
    }

    /// Whether the board is shut out.
    #[must_use]
    pub fn holds(&self, board: &BoardId, now: impl FnOnce() -> Instant) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let (list, now) = (self.locked(), now());
        let lately = |since: &Instant| now.saturating_duration_since(*since) < KEPT;
        list.all.as_ref().is_some_and(lately) || list.boards.get(board).is_some_and(lately)
    }

    fn locked(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_shut_out_stays_so_until_let_in_again_or_until_nothing_can_be_under_way() {
        let (barred, now) = (Barred::default(), Instant::now());
        let (one, other): (BoardId, BoardId) = ("CB-1".parse().unwrap(), "CB-2".parse().unwrap());
        assert!(!barred.holds(&one, || now));
        barred.bar(Some(&one), now);
        assert!(barred.holds(&one, || now) && !barred.holds(&other, || now));
        assert!(!barred.holds(&one, || now + KEPT));
        barred.bar(None, now);
        assert!(barred.holds(&other, || now));
        barred.admit(None);
        assert!(barred.holds(&one, || now) && !barred.holds(&other, || now));
        barred.admit(Some(&one));
        assert!(!barred.holds(&one, || now));
    }
}
