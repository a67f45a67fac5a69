//! What a fleet has done so far: counters that every board adds to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Counters shared by the boards of a fleet.
#[derive(Debug, Default)]
pub struct Tally {
    pub(crate) boards: AtomicU64,
    pub(crate) online: AtomicU64,
    pub(crate) handshakes: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) submitted: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) deferred: AtomicU64,
    pub(crate) refused_by_queue: AtomicU64,
    pub(crate) times_learned: AtomicU64,
    pub(crate) renewed: AtomicU64,
    pub(crate) renewals_failed: AtomicU64,
    acknowledge_us: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// A fleet's counters at one moment; the order of the fields is that of the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Boards simulated.
    pub boards: u64,
    /// Boards connected now.
    pub online: u64,
    /// Handshakes that succeeded.
    pub handshakes: u64,
    /// Handshakes that failed.
    pub handshakes_failed: u64,
    /// Readings taken by the boards' queues.
    pub submitted: u64,
    /// Readings the hub has for good.
    pub acknowledged: u64,
    /// Readings the hub refused for good.
    pub rejected: u64,
    /// Times that a reading was put off (5.03 and the like).
    pub deferred: u64,
    /// Times that a board's queue was full; the reading was taken later.
    pub refused_by_queue: u64,
    /// Times that a board without a right clock learned the time from the hub.
    pub times_learned: u64,
    /// Times that a board used a new certificate for the first time, because the hub wanted it to.
    pub renewed: u64,
    /// Times that it was told to and got none.
    pub renewals_failed: u64,
    /// Mean time from taking a reading to its acknowledgement, in milliseconds.
    pub acknowledge_ms_mean: f64,
    /// The newest trouble in words.
    pub trouble: Option<String>,
}

impl Tally {
    /// The counters now; each is right, together they may be a moment apart.
    pub fn snapshot(&self) -> Snapshot {
        let acknowledged = load(&self.acknowledged);
        #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
        let mean = load(&self.acknowledge_us) as f64 / acknowledged.max(1) as f64 / 1000.0;
        Snapshot {
            boards: load(&self.boards),
            online: load(&self.online),
            handshakes: load(&self.handshakes),
            handshakes_failed: load(&self.handshakes_failed),
            submitted: load(&self.submitted),
            acknowledged,
            rejected: load(&self.rejected),
            deferred: load(&self.deferred),
            refused_by_queue: load(&self.refused_by_queue),
            times_learned: load(&self.times_learned),
            renewed: load(&self.renewed),
            renewals_failed: load(&self.renewals_failed),
            acknowledge_ms_mean: (mean * 10.0).round() / 10.0,
            trouble: self.trouble.lock().ok().and_then(|trouble| trouble.clone()),
        }
    }

    pub(crate) fn acknowledged(&self, after: Duration) {
        add(&self.acknowledged);
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.acknowledge_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(crate) fn note(&self, board: &str, trouble: &dyn std::fmt::Display) {
        if let Ok(mut newest) = self.trouble.lock() {
            *newest = Some(format!("{board}: {trouble}"));
        }
    }
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn take(counter: &AtomicU64) {
    counter.fetch_sub(1, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
