//! How it went within the last hour: a point each ten seconds, and what goes by the second now.
//!
//! Invariant: no clock, and no more than an hour, whatever happens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::metrics::{Taken, Totals};
use storage::{TenantId, UnixSeconds};

use crate::people::Reach;

/// How often it is looked at what was counted.
pub(super) const EVERY: Duration = Duration::from_secs(2);
/// Looks that make a point.
const LOOKS: usize = 5;
/// Points of an hour.
const POINTS: usize = 360;

/// The last hour.
#[derive(Default)]
pub struct Course {
    looks: VecDeque<(Instant, Totals)>,
    until_point: usize,
    points: VecDeque<(UnixSeconds, Step)>,
    now: Step,
    /// Tenants' names, each once.
    names: BTreeMap<String, Arc<str>>,
}

/// What was counted between two looks; tenants of whom nothing was are left out.
#[derive(Clone, Default)]
struct Step {
    seconds: f64,
    handshakes: u64,
    refused: u64,
    tenants: Vec<(Arc<str>, Taken)>,
}

/// What goes by in a second, as far as somebody may see.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Readings, and requests for certificates, within quota.
    pub messages: f64,
    /// Bytes of those.
    pub bytes: f64,
    /// Handshakes that ended with a session; only for who sees all tenants, for one that fails is
    /// nobody's.
    pub handshakes: Option<f64>,
    /// Handshakes that ended without; the same.
    pub refused: Option<f64>,
}

/// Ten seconds of the past.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When they ended.
    pub at: UnixSeconds,
    /// What went by in each of them.
    pub rates: Rates,
}

impl Course {
    /// Takes in what was counted by now.
    pub fn take(&mut self, at: UnixSeconds, now: Instant, totals: Totals) {
        if let Some((before, first)) = self.looks.front() {
            let seconds = now.saturating_duration_since(*before).as_secs_f64();
            self.now = step(seconds, first, &totals, &mut self.names);
            self.until_point += 1;
        }
        if self.until_point == LOOKS {
            self.until_point = 0;
            if self.points.len() == POINTS {
                self.points.pop_front();
            }
            self.points.push_back((at, self.now.clone()));
        }
        self.looks.push_back((now, totals));
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
    }

    /// What goes by in a second now.
    #[must_use]
    pub fn now(&self, reach: &Reach) -> Rates {
        self.now.rates(reach)
    }

    /// The last hour, the oldest first.
    #[must_use]
    pub fn hour(&self, reach: &Reach) -> Vec<Point> {
        let points = self.points.iter();
        points.map(|(at, step)| Point { at: *at, rates: step.rates(reach) }).collect()
    }
}

fn step(seconds: f64, from: &Totals, to: &Totals, names: &mut BTreeMap<String, Arc<str>>) -> Step {
    let mut tenants = Vec::new();
    for (tenant, now) in &to.tenants {
        let before = from.tenants.get(tenant).copied().unwrap_or_default();
        let messages = now.messages.saturating_sub(before.messages);
        let bytes = now.bytes.saturating_sub(before.bytes);
        if messages > 0 {
            let name = names.entry(tenant.clone()).or_insert_with(|| tenant.as_str().into());
            tenants.push((Arc::clone(name), Taken { messages, bytes }));
        }
    }
    Step {
        seconds,
        handshakes: to.handshakes.saturating_sub(from.handshakes),
        refused: to.refused.saturating_sub(from.refused),
        tenants,
    }
}

impl Step {
    fn rates(&self, reach: &Reach) -> Rates {
        let mut taken = Taken::default();
        for (tenant, of) in &self.tenants {
            let is_seen = match reach {
                Reach::Everywhere => true,
                Reach::Tenants(_) => {
                    tenant.parse::<TenantId>().is_ok_and(|tenant| reach.includes(&tenant))
                }
            };
            if is_seen {
                taken.messages += of.messages;
                taken.bytes += of.bytes;
            }
        }
        let of_all = |count: u64| match reach {
            Reach::Everywhere => Some(self.per_second(count)),
            Reach::Tenants(_) => None,
        };
        Rates {
            messages: self.per_second(taken.messages),
            bytes: self.per_second(taken.bytes),
            handshakes: of_all(self.handshakes),
            refused: of_all(self.refused),
        }
    }

    /// Rounded to thousandths, which is what ten seconds can tell.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn per_second(&self, count: u64) -> f64 {
        match self.seconds > 0.0 {
            true => (count as f64 / self.seconds * 1000.0).round() / 1000.0,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(handshakes: u64, acme: u64, other: u64) -> Totals {
        let taken = |messages| Taken { messages, bytes: 10 * messages };
        let tenants = [("acme", acme), ("other", other)];
        let tenants = tenants.map(|(tenant, count)| (tenant.to_owned(), taken(count)));
        Totals { handshakes, refused: 0, tenants: tenants.into() }
    }

    fn of_acme() -> Reach {
        Reach::Tenants(["acme".parse().unwrap()].into())
    }

    #[test]
    fn a_steady_rate_is_shown_as_it_is_and_to_a_tenant_its_own() {
        let (mut course, began) = (Course::default(), Instant::now());
        for look in 0..=15_u64 {
            let now = began + EVERY * u32::try_from(look).unwrap();
            course.take(UnixSeconds(2 * look), now, totals(4 * look, 20 * look, 2 * look));
        }
        let all = course.now(&Reach::Everywhere);
        assert_eq!((all.messages, all.bytes, all.handshakes), (11.0, 110.0, Some(2.0)));
        let acme = course.now(&of_acme());
        assert_eq!((acme.messages, acme.bytes, acme.handshakes), (10.0, 100.0, None));
        let hour = course.hour(&Reach::Everywhere);
        assert_eq!(hour.iter().map(|point| point.at.0).collect::<Vec<_>>(), [10, 20, 30]);
        assert!(hour.iter().all(|point| point.rates == all));
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let (mut course, began) = (Course::default(), Instant::now());
        for look in 0..3 * 1800_u64 {
            let now = began + EVERY * u32::try_from(look).unwrap();
            course.take(UnixSeconds(2 * look), now, totals(look, look, 0));
        }
        let hour = course.hour(&of_acme());
        assert_eq!(hour.len(), POINTS);
        let (first, last) = (hour.first().unwrap(), hour.last().unwrap());
        assert_eq!(last.at.0 - first.at.0, 3600 - 10);
    }
}
