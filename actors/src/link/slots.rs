//! The cap on handshakes in progress: a slot is held from the verified cookie to the end.
//!
//! Invariant: a slot that is dropped, by whatever way, is free again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics::Metrics;

/// All slots of the hub; clones share them.
#[derive(Clone)]
pub struct Slots {
    shared: Arc<Shared>,
}

struct Shared {
    taken: AtomicUsize,
    most: usize,
    metrics: Arc<Metrics>,
}

/// One handshake's place; free again when dropped.
pub struct Slot(Arc<Shared>);

impl Slots {
    /// At most `most` slots at a time.
    #[must_use]
    pub fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        Self { shared: Arc::new(Shared { taken: AtomicUsize::new(0), most, metrics }) }
    }

    /// A slot, unless all are taken.
    #[must_use]
    pub fn take(&self) -> Option<Slot> {
        let shared = &self.shared;
        shared
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < shared.most).then_some(taken.saturating_add(1))
            })
            .ok()?;
        shared.metrics.handshake_started();
        Some(Slot(Arc::clone(shared)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.handshake_left();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_slot_is_free_again_and_the_cap_holds() {
        let slots = Slots::new(2, Arc::new(Metrics::new()));
        let first = slots.take();
        let second = slots.take();
        assert!(first.is_some() && second.is_some());
        assert!(slots.take().is_none());
        drop(first);
        assert!(slots.take().is_some());
    }
}
