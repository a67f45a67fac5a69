//! When boards' certificates end, as numbers of boards. Holds no clock: the moment is an argument.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{TenantId, UnixSeconds};

const DAY_S: u64 = 24 * 60 * 60;

/// How many certificates end when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CertificateEnds {
    /// They have ended.
    pub ended: u64,
    /// Within 30 days from now on.
    pub within_30_days: u64,
    /// Within 90 days, those of 30 among them.
    pub within_90_days: u64,
    /// Within 365 days, those of 90 among them.
    pub within_365_days: u64,
    /// After that, or never.
    pub later: u64,
    /// Boards without a certificate, and those whose certificate the hub has not seen yet.
    pub unknown: u64,
    /// The first end that is to come, to the second.
    pub next: Option<UnixSeconds>,
}

impl CertificateEnds {
    /// Counts one.
    pub fn count(&mut self, end: Option<UnixSeconds>, now: UnixSeconds) {
        let Some(end) = end else {
            self.unknown += 1;
            return;
        };
        let Some(left_s) = end.0.checked_sub(now.0) else {
            self.ended += 1;
            return;
        };
        self.next = Some(self.next.map_or(end, |next| next.min(end)));
        let within = |days: u64| u64::from(left_s <= days * DAY_S);
        self.within_30_days += within(30);
        self.within_90_days += within(90);
        self.within_365_days += within(365);
        self.later += 1 - within(365);
    }

    /// Counts those, too.
    pub fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.within_30_days += other.within_30_days;
        self.within_90_days += other.within_90_days;
        self.within_365_days += other.within_365_days;
        self.later += other.later;
        self.unknown += other.unknown;
        self.next = self.next.into_iter().chain(other.next).min();
    }
}

/// When boards' certificates end, by tenant. Boards that are revoked are not counted: nobody renews
/// those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoardForecast {
    /// When it was counted.
    pub at: UnixSeconds,
    /// Every tenant that has boards.
    pub tenants: BTreeMap<TenantId, CertificateEnds>,
    /// The moments that were asked for, in their order.
    pub moments: Vec<UnixSeconds>,
    /// How many end before the first of them, between each and the next, and behind the last, by tenant.
    pub between: BTreeMap<TenantId, Vec<u64>>,
}

impl BoardForecast {
    /// Seconds for which it is given out again before boards are counted anew.
    pub const FRESH_S: u64 = 60;

    /// Of all tenants.
    #[must_use]
    pub fn all(&self) -> CertificateEnds {
        let mut all = CertificateEnds::default();
        self.tenants.values().for_each(|ends| all.add(ends));
        all
    }

    /// Whether it may be given out at this moment to whoever asks for these moments, or for none.
    pub(crate) fn answers(&self, moments: &[UnixSeconds], now: UnixSeconds) -> bool {
        let is_fresh = now.0.checked_sub(self.at.0).is_some_and(|age_s| age_s < Self::FRESH_S);
        is_fresh && (moments.is_empty() || moments == self.moments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_counted_in_every_span_that_it_is_in() {
        let now = UnixSeconds(1_000 * DAY_S);
        let mut ends = CertificateEnds::default();
        let mut at = |second: u64| ends.count(Some(UnixSeconds(second)), now);
        at(now.0 - 1);
        at(now.0);
        at(now.0 + 30 * DAY_S);
        at(now.0 + 30 * DAY_S + 1);
        at(now.0 + 365 * DAY_S);
        at(now.0 + 365 * DAY_S + 1);
        at(u64::MAX);
        ends.count(None, now);
        let wanted = CertificateEnds {
            ended: 1,
            within_30_days: 2,
            within_90_days: 3,
            within_365_days: 4,
            later: 2,
            unknown: 1,
            next: Some(now),
        };
        assert_eq!(ends, wanted);
        let mut twice = ends;
        twice.add(&ends);
        assert_eq!((twice.within_365_days, twice.next), (8, Some(now)));
    }
}
