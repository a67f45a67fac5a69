//! How many of something are under way: readings to an upstream, messages in a kind of mailbox.
//!
//! Invariant: whatever ends, in whatever way, is no longer counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A count; clones share it.
#[derive(Clone, Default)]
pub struct UnderWay(Arc<AtomicUsize>);

/// One of the counted; counted until dropped.
pub struct Ticket(UnderWay);

impl UnderWay {
    /// Counts one more.
    #[must_use]
    pub fn enter(&self) -> Ticket {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ticket(self.clone())
    }

    /// Counts one more unless there are `most` already.
    #[must_use]
    pub fn enter_below(&self, most: usize) -> Option<Ticket> {
        let ticket = self.enter();
        // One too many is taken back with its ticket.
        (self.count() <= most).then_some(ticket)
    }

    /// How many there are now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_the_most_and_who_leaves_makes_room() {
        let count = UnderWay::default();
        let held: Vec<_> = (0..3).map_while(|_| count.enter_below(2)).collect();
        assert_eq!((held.len(), count.count()), (2, 2));
        drop(held);
        assert!(count.enter_below(2).is_some());
    }
}
