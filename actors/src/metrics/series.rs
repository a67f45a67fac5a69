//! Counters resolved once, so that the hot path does no look-up by label.
//! Invariant: a series is only made here, from a closed set; nothing here knows what is counted.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::labels::{ActorKind, Label};

/// One counter for each value of `L`.
pub(super) struct Series<L> {
    counters: Vec<IntCounter>,
    /// What an index outside of the set would count, which there is not.
    spare: IntCounter,
    of: PhantomData<L>,
}

impl<L: Label> Series<L> {
    pub(super) fn new(
        vec: &IntCounterVec,
        labels: impl Fn(L) -> Vec<&'static str>,
    ) -> Result<Self, prometheus::Error> {
        let counters = L::ALL
            .iter()
            .map(|value| vec.get_metric_with_label_values(&labels(*value)))
            .collect::<Result<_, _>>()?;
        Ok(Self { counters, spare: IntCounter::new("spare", "not registered")?, of: PhantomData })
    }

    pub(super) fn of(&self, value: L) -> &IntCounter {
        self.counters.get(value.index()).unwrap_or(&self.spare)
    }
}

/// CoAP codes that are counted by name (RFC 7252 section 12.1, RFC 7959, RFC 8132, RFC 8516).
const KNOWN_CODES: [(u8, u8); 30] = [
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (2, 1),
    (2, 2),
    (2, 3),
    (2, 4),
    (2, 5),
    (2, 31),
    (4, 0),
    (4, 1),
    (4, 2),
    (4, 3),
    (4, 4),
    (4, 5),
    (4, 6),
    (4, 8),
    (4, 12),
    (4, 13),
    (4, 15),
    (4, 29),
    (5, 0),
    (5, 1),
    (5, 2),
    (5, 3),
    (5, 4),
];

/// One counter for each CoAP code; those nobody uses share the one called `other`.
pub(super) struct CodeSeries {
    counters: Vec<IntCounter>,
    other: IntCounter,
}

impl CodeSeries {
    pub(super) fn new(vec: &IntCounterVec) -> Result<Self, prometheus::Error> {
        let other = vec.get_metric_with_label_values(&["other"])?;
        let counters = (0..=u8::MAX)
            .map(|code| match (code >> 5, code & 0x1f) {
                (class, detail) if KNOWN_CODES.contains(&(class, detail)) => {
                    vec.get_metric_with_label_values(&[format!("{class}.{detail:02}").as_str()])
                }
                _ => Ok(other.clone()),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { counters, other })
    }

    pub(super) fn of(&self, code: u8) -> &IntCounter {
        self.counters.get(usize::from(code)).unwrap_or(&self.other)
    }
}

/// The deepest mailbox of each kind of actor since the last scrape.
pub(super) struct DepthSeries {
    kinds: Vec<(AtomicU64, IntGauge)>,
}

impl DepthSeries {
    pub(super) fn new(vec: &IntGaugeVec) -> Result<Self, prometheus::Error> {
        let kinds = ActorKind::ALL
            .iter()
            .map(|kind| Ok((AtomicU64::new(0), vec.get_metric_with_label_values(&[kind.label()])?)))
            .collect::<Result<_, prometheus::Error>>()?;
        Ok(Self { kinds })
    }

    pub(super) fn saw(&self, actor: ActorKind, depth: u64) {
        if let Some((deepest, _)) = self.kinds.get(actor.index()) {
            deepest.fetch_max(depth, Ordering::Relaxed);
        }
    }

    /// Shows what was seen and begins anew.
    pub(super) fn publish(&self) {
        for (deepest, gauge) in &self.kinds {
            gauge.set(i64::try_from(deepest.swap(0, Ordering::Relaxed)).unwrap_or(i64::MAX));
        }
    }
}
