//! A tenant's quota and those of its boards: what is taken of each, before anything goes upstream.
//!
//! A board's own counts live in its session, 16 bytes, and end with it: a board that shakes hands
//! anew begins with full buckets, which is what the quota of handshakes bounds.
//! Invariant: a reading that is refused by one quota costs none of the others anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use storage::{Bounds, Quota};

use crate::metrics::{QuotaKind, TenantMetrics};
use crate::quota::{Bucket, Micros, Rate, SharedBucket, Wait};

/// What a board is told to wait when too much of it or its tenant is on its way upstream: about
/// what a broker takes to acknowledge.
const IN_FLIGHT_WAIT: Wait = Wait(2_000_000);

/// The bounds of one board, or of all a tenant's boards together; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    messages: Option<Rate>,
    bytes: Option<Rate>,
    handshakes: Option<Rate>,
    in_flight_max: Option<u32>,
}

impl From<Bounds> for Allowance {
    /// What is not given, or 0, is no bound.
    fn from(bounds: Bounds) -> Self {
        Self {
            messages: bounds.messages_per_minute.and_then(Rate::per_minute),
            bytes: bounds.bytes_per_minute.and_then(Rate::per_minute),
            handshakes: bounds.handshakes_per_hour.and_then(Rate::per_hour),
            in_flight_max: bounds.in_flight_max.filter(|max| *max > 0),
        }
    }
}

/// What one board has taken in this session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardMeter {
    messages: Bucket,
    bytes: Bucket,
}

/// Which quota is used up, and when it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Whose and of what.
    pub kind: QuotaKind,
    /// Max-Age of the 4.29, in seconds.
    pub max_age_s: u32,
}

impl Over {
    fn new(kind: QuotaKind) -> impl Fn(Wait) -> Self {
        move |wait| Self { kind, max_age_s: wait.max_age_s() }
    }
}

/// What a tenant's boards have taken together, and what each of them may take.
pub struct TenantMeter {
    began: Instant,
    each: Allowance,
    all: Allowance,
    messages: SharedBucket,
    bytes: SharedBucket,
    handshakes: SharedBucket,
    in_flight: AtomicU32,
    metrics: TenantMetrics,
}

/// A reading on its way upstream; its end gives its place back.
pub struct Held(Arc<TenantMeter>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TenantMeter {
    /// Full buckets within `quota`, of which every bound that counts is given.
    #[must_use]
    pub fn new(quota: Quota, began: Instant, metrics: TenantMetrics) -> Arc<Self> {
        Arc::new(Self {
            began,
            each: quota.board.into(),
            all: quota.tenant.into(),
            messages: SharedBucket::default(),
            bytes: SharedBucket::default(),
            handshakes: SharedBucket::default(),
            in_flight: AtomicU32::new(0),
            metrics,
        })
    }

    /// Takes one reading of `bytes` from a board that then has `in_flight` on their way, this one
    /// included. What is held must live until the upstream's word.
    ///
    /// # Errors
    /// The quota that is used up; nothing was taken of any.
    pub fn take(
        self: &Arc<Self>,
        board: &mut BoardMeter,
        at: Instant,
        bytes: usize,
        in_flight: usize,
    ) -> Result<Held, Over> {
        let now = self.micros(at);
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        if self.each.in_flight_max.is_some_and(|max| in_flight > max) {
            return Err(Over::new(QuotaKind::BoardInFlight)(IN_FLIGHT_WAIT));
        }
        let mut after = *board;
        let over = Over::new(QuotaKind::BoardMessages);
        after.messages.take(self.each.messages, now, 1).map_err(over)?;
        let over = Over::new(QuotaKind::BoardBytes);
        after.bytes.take(self.each.bytes, now, size).map_err(over)?;

        let held = self.hold();
        let held_by_all = self.in_flight.load(Ordering::Relaxed);
        if self.all.in_flight_max.is_some_and(|max| held_by_all > max) {
            return Err(Over::new(QuotaKind::TenantInFlight)(IN_FLIGHT_WAIT));
        }
        let over = Over::new(QuotaKind::TenantMessages);
        self.messages.take(self.all.messages, now, 1).map_err(over)?;
        if let Err(wait) = self.bytes.take(self.all.bytes, now, size) {
            self.messages.give_back(self.all.messages, 1);
            return Err(Over::new(QuotaKind::TenantBytes)(wait));
        }
        *board = after;
        self.metrics.took(u64::from(size));
        Ok(held)
    }

    /// Whether one more handshake of the tenant, and of a board with this bucket, is within quota.
    ///
    /// # Errors
    /// Whose quota is used up.
    pub fn may_shake_hands(&self, board: Bucket, at: Instant) -> Result<(), Over> {
        let now = self.micros(at);
        let over = Over::new(QuotaKind::BoardHandshakes);
        board.look(self.each.handshakes, now).map_err(over)?;
        let over = Over::new(QuotaKind::TenantHandshakes);
        self.handshakes.look(self.all.handshakes, now).map_err(over)
    }

    /// Takes a handshake that has succeeded.
    pub fn shook_hands(&self, board: &mut Bucket, at: Instant) {
        let now = self.micros(at);
        board.force(self.each.handshakes, now);
        // Used up by handshakes that were let in at the same moment: the next one waits.
        let _ = self.handshakes.take(self.all.handshakes, now, 1);
    }

    /// Shows what is used of the tenant's own quota.
    pub fn publish(&self, at: Instant) {
        let now = self.micros(at);
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        self.metrics.in_flight(in_flight);
        let of_rates = [
            (QuotaKind::TenantMessages, self.all.messages, &self.messages),
            (QuotaKind::TenantBytes, self.all.bytes, &self.bytes),
            (QuotaKind::TenantHandshakes, self.all.handshakes, &self.handshakes),
        ];
        for (kind, rate, bucket) in of_rates {
            if let Some(rate) = rate {
                self.metrics.used(kind, bucket.used_percent(rate, now));
            }
        }
        if let Some(max) = self.all.in_flight_max {
            let percent = u64::from(in_flight).saturating_mul(100) / u64::from(max);
            self.metrics.used(QuotaKind::TenantInFlight, percent);
        }
    }

    fn hold(self: &Arc<Self>) -> Held {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(self))
    }

    /// Since the meter began, on the monotonic clock: the same on every arbiter.
    pub(crate) fn micros(&self, at: Instant) -> Micros {
        let since = at.saturating_duration_since(self.began).as_micros();
        Micros::try_from(since).unwrap_or(Micros::MAX)
    }
}

#[cfg(test)]
mod tests;
