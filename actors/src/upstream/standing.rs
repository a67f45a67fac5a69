//! How an upstream is, for those who look at it and wait for no outcome.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use storage::UnixSeconds;

use crate::metrics::ConnectionEnd;
use crate::wall_clock;

/// What an adapter tells of itself.
pub(super) struct Standing {
    up: AtomicBool,
    last: Mutex<Last>,
}

struct Last {
    since: UnixSeconds,
    trouble: Option<Trouble>,
}

/// An upstream as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether deliveries are taken.
    pub up: bool,
    /// Since when they are, or are not.
    pub since: UnixSeconds,
    /// What ended the last connection, or attempt at one; none while all is well.
    pub trouble: Option<Trouble>,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Of which kind.
    pub end: ConnectionEnd,
    /// The words of the system, of OpenSSL or of the broker's code; never a payload.
    pub detail: String,
}

impl Standing {
    /// One that has not been connected yet.
    pub(super) fn new() -> Self {
        let last = Last { since: wall_clock::seconds(), trouble: None };
        Self { up: AtomicBool::new(false), last: Mutex::new(last) }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(super) fn connected(&self) {
        self.up.store(true, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Last { since: wall_clock::seconds(), trouble: None };
    }

    /// A connection ended, or could not be had.
    pub(super) fn down(&self, end: ConnectionEnd, detail: &str) {
        let was_up = self.up.swap(false, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if was_up {
            last.since = wall_clock::seconds();
        }
        last.trouble = Some(Trouble { end, detail: detail.to_owned() });
    }

    pub(super) fn status(&self) -> Status {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Status { up: self.is_up(), since: last.since, trouble: last.trouble.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_last_is_told_until_it_goes_well_again() {
        let standing = Standing::new();
        assert!(!standing.status().up && standing.status().trouble.is_none());
        standing.down(ConnectionEnd::Unreachable, "refused");
        standing.down(ConnectionEnd::Tls, "no cipher");
        let trouble = standing.status().trouble.unwrap();
        assert_eq!((trouble.end, trouble.detail.as_str()), (ConnectionEnd::Tls, "no cipher"));
        standing.connected();
        assert!(standing.status().up && standing.status().trouble.is_none());
    }
}
