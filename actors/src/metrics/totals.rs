//! What was counted so far, as numbers, for whoever shows how it goes.
//! Invariant: reads what Prometheus is shown; counts nothing of its own.

use std::collections::BTreeMap;

use prometheus::IntCounterVec;
use prometheus::core::Collector as _;

use super::Metrics;
use super::labels::{HandshakeEnd, Label as _};

/// Counts since the hub's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Handshakes that ended with a session, resumed ones among them.
    pub handshakes: u64,
    /// Handshakes that ended without.
    pub refused: u64,
    /// By tenant: what was taken of its boards.
    pub tenants: BTreeMap<String, Taken>,
}

/// What was taken of a tenant's boards, within its quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Readings, and requests for certificates.
    pub messages: u64,
    /// Bytes of those.
    pub bytes: u64,
}

impl Metrics {
    /// What was counted so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for end in HandshakeEnd::ALL {
            let count = self.handshakes.of(*end).get();
            match end {
                HandshakeEnd::Completed | HandshakeEnd::Resumed => totals.handshakes += count,
                _ => totals.refused += count,
            }
        }
        let (messages, bytes) = self.tenants.taken();
        each(messages, |tenant, count| {
            totals.tenants.entry(tenant).or_default().messages = count;
        });
        each(bytes, |tenant, count| totals.tenants.entry(tenant).or_default().bytes = count);
        totals
    }
}

/// Every series of a counter that has one label.
fn each(counters: &IntCounterVec, mut take: impl FnMut(String, u64)) {
    for family in counters.collect() {
        for metric in family.get_metric() {
            let Some(label) = metric.get_label().first() else { continue };
            // A counter is a whole number, which prometheus hands over as a float.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "what was counted is never negative, and saturates"
            )]
            let count = metric.get_counter().get_value() as u64;
            take(label.value().to_owned(), count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_what_was_counted() {
        let metrics = Metrics::new();
        metrics.handshake_ended(HandshakeEnd::Completed);
        metrics.handshake_ended(HandshakeEnd::Resumed);
        metrics.handshake_ended(HandshakeEnd::Blocked);
        metrics.tenant("acme").took(20);
        metrics.tenant("acme").took(22);
        let totals = metrics.totals();
        assert_eq!((totals.handshakes, totals.refused), (2, 1));
        let acme = Taken { messages: 2, bytes: 42 };
        assert_eq!(totals.tenants, [(String::from("acme"), acme)].into());
    }
}
