//! How many boards each tenant has, and how many of them are worth a look: counted of all at once.

use crate::UnixSeconds;

/// From when on, and until when, what is counted is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CensusMoments {
    /// Heard since then is active.
    pub active_since: UnixSeconds,
    /// Heard before, and not since then, is silent.
    pub silent_since: UnixSeconds,
    /// Certificates that end before this have ended.
    pub ended_before: UnixSeconds,
    /// Those that end later, but before this, end soon.
    pub ending_before: UnixSeconds,
}

/// How many boards of each kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BoardCounts {
    /// All.
    pub total: u64,
    /// Refused until somebody lifts the block.
    pub blocked: u64,
    /// Refused until somebody releases it.
    pub held: u64,
    /// Refused for good.
    pub revoked: u64,
    /// Heard lately.
    pub active: u64,
    /// Heard once, not lately, and not refused.
    pub silent: u64,
    /// Never heard.
    pub unheard: u64,
    /// With a certificate that has ended, as far as the hub has seen it.
    pub ended: u64,
    /// With one that ends soon.
    pub ending: u64,
}

impl std::ops::AddAssign for BoardCounts {
    fn add_assign(&mut self, other: Self) {
        let Self { total, blocked, held, revoked, active, silent, unheard, ended, ending } = other;
        self.total += total;
        self.blocked += blocked;
        self.held += held;
        self.revoked += revoked;
        self.active += active;
        self.silent += silent;
        self.unheard += unheard;
        self.ended += ended;
        self.ending += ending;
    }
}
