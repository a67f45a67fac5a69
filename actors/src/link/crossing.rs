//! Datagrams on their way from one arbiter to another, or to the front door and back.
//!
//! Invariant: there are never more of them than half of what a mailbox takes, so that no flood of them
//! keeps the end of a handshake out.

use std::sync::Arc;

use crate::metrics::{ActorKind, Metrics, RecordDrop};
use crate::under_way::{Ticket, UnderWay};

const MOST: usize = 2048;

/// Counts them; clones share the count.
#[derive(Clone)]
pub struct Crossing {
    count: UnderWay,
    metrics: Arc<Metrics>,
}

impl Crossing {
    /// Nothing on its way.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { count: UnderWay::default(), metrics }
    }

    /// Has `send` put a datagram into the mailbox of a `recipient`, with the ticket that counts it;
    /// `send` says whether there was room. Full: dropped and counted; who sent it repeats itself.
    pub fn hand(&self, recipient: ActorKind, send: impl FnOnce(Ticket) -> bool) {
        if !self.count.enter_below(MOST).is_some_and(send) {
            self.metrics.mailbox_full(recipient);
            self.metrics.record_dropped(RecordDrop::MailboxFull);
        }
    }
}
