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
