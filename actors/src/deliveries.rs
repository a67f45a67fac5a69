//! How many readings are on their way to an upstream: what a draining hub waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A count shared by all arbiters.
#[derive(Clone, Default)]
pub struct Deliveries(Arc<AtomicUsize>);

/// One reading on its way; counted until dropped.
pub struct Delivery(Deliveries);

impl Deliveries {
    /// Counts one more.
    #[must_use]
    pub fn enter(&self) -> Delivery {
        self.0.fetch_add(1, Ordering::Relaxed);
        Delivery(self.clone())
    }

    /// How many are on their way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
