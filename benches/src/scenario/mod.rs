//! Scenarios: what must be true of a hub as a whole, shown on the real program, one figure each.
//! Invariant: nothing is taken from inside the hub but its metrics page and its process.

pub mod broker;
pub mod crash;
pub mod enrol;
pub mod error;
pub mod flood;
pub mod hub;
pub mod lists;
pub mod restart;
pub mod rollout;
pub mod scale;
pub mod site;
pub mod sleep;
pub mod sleepers;
pub mod suspend;
pub mod traffic;

use crate::load::report::Report;

/// What a scenario came to.
#[derive(Debug)]
pub struct Verdict {
    /// The table.
    pub report: Report,
    /// The figure it is about, with its unit.
    pub figure: String,
    /// Whether every target is met.
    pub met: bool,
}

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As continuous integration runs it.
    Quick,
    /// As the targets are stated.
    Full,
}

impl Size {
    /// One of the two.
    #[must_use]
    pub fn choose<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// A count as a figure.
fn figure(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::INFINITY, f64::from)
}
