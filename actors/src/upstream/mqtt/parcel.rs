//! A delivery inside the adapter, and the count of those without an answer.
//! Invariant: the count falls exactly once for each parcel, answered or dropped.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::{Notify, oneshot};

use crate::upstream::{Deliver, Outcome, Uplink};

/// How many parcels have no answer; lives on one arbiter.
#[derive(Default)]
pub(super) struct Outstanding {
    count: Cell<usize>,
    none_left: Notify,
}

impl Outstanding {
    /// Resolves when there is none.
    pub(super) async fn none(&self) {
        while self.count.get() > 0 {
            self.none_left.notified().await;
        }
    }
}

/// An uplink on its way into a connection.
pub(super) struct Parcel {
    pub(super) uplink: Uplink,
    pub(super) awaiting: Awaiting,
}

impl Parcel {
    pub(super) fn new(deliver: Deliver, outstanding: &Rc<Outstanding>) -> Self {
        outstanding.count.set(outstanding.count.get() + 1);
        Self {
            uplink: deliver.uplink,
            awaiting: Awaiting { done: deliver.done, ticket: Ticket(Rc::clone(outstanding)) },
        }
    }
}

/// Who waits for a parcel's outcome.
pub(super) struct Awaiting {
    done: oneshot::Sender<Outcome>,
    ticket: Ticket,
}

impl Awaiting {
    /// The one answer.
    pub(super) fn answer(self, outcome: Outcome) {
        // A receiver that is gone does not want to know.
        let _ = self.done.send(outcome);
        drop(self.ticket);
    }
}

struct Ticket(Rc<Outstanding>);

impl Drop for Ticket {
    fn drop(&mut self) {
        let left = self.0.count.get().saturating_sub(1);
        self.0.count.set(left);
        if left == 0 {
            self.0.none_left.notify_waiters();
        }
    }
}
