//! What happened to a board: its last sessions and why it was refused.
//!
//! Refusals stand apart, merged by their reason: who is refused has proved nothing, so anybody can be
//! refused in a board's name, and must not push out what the board itself did.

use std::net::SocketAddr;

use crate::{BoardId, UnixSeconds};

pub(crate) mod file;
pub(crate) mod slot;

/// Events of sessions that are kept of one board.
pub(crate) const SESSIONS_MAX: usize = 16;
/// Reasons of refusals that are kept of one board.
pub(crate) const REFUSALS_MAX: usize = 8;

/// What happened to one board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardHistory {
    /// The board.
    pub board: BoardId,
    /// The last events of its sessions, the newest last; 16 at most.
    pub sessions: Vec<SessionEvent>,
    /// Why it was refused, a reason each; the 8 that came last.
    pub refusals: Vec<RefusedFor>,
}

/// A session of the board began or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionEvent {
    /// When.
    pub at: UnixSeconds,
    /// Where the board was, as the hub saw it.
    pub source: SocketAddr,
    /// Which of them.
    pub what: SessionTurn,
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionTurn {
    /// It began with a full handshake.
    Begun,
    /// It began with an abbreviated one.
    Resumed,
    /// It is over.
    Ended(Reason),
}

/// How often handshakes in the board's name, or its return to a session, were refused for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedFor {
    /// The reason.
    pub reason: Reason,
    /// How often.
    pub count: u32,
    /// The first time.
    pub first: UnixSeconds,
    /// The last time.
    pub last: UnixSeconds,
    /// Where the last came from.
    pub source: SocketAddr,
}

/// Why, by the number that whoever writes histories gave the reason, once and for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason(pub u8);

impl BoardHistory {
    /// Nothing yet.
    #[must_use]
    pub const fn new(board: BoardId) -> Self {
        Self { board, sessions: Vec::new(), refusals: Vec::new() }
    }

    /// Whether nothing happened.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.refusals.is_empty()
    }

    /// Takes in an event, which is the newest; the oldest gives way.
    pub fn add_session(&mut self, event: SessionEvent) {
        self.sessions.push(event);
        let too_many = self.sessions.len().saturating_sub(SESSIONS_MAX);
        self.sessions.drain(..too_many);
    }

    /// Takes in refusals; the reason that was not given for longest gives way.
    pub fn add_refusals(&mut self, refused: RefusedFor) {
        let mut refused = refused;
        if let Some(at) = self.refusals.iter().position(|it| it.reason == refused.reason) {
            let before = self.refusals.remove(at);
            refused.count = refused.count.saturating_add(before.count);
            refused.first = before.first.min(refused.first);
            refused.last = before.last.max(refused.last);
        }
        self.refusals.push(refused);
        let too_many = self.refusals.len().saturating_sub(REFUSALS_MAX);
        self.refusals.drain(..too_many);
    }

    /// Takes in what happened after this.
    pub fn add(&mut self, later: Self) {
        later.sessions.into_iter().for_each(|event| self.add_session(event));
        later.refusals.into_iter().for_each(|refused| self.add_refusals(refused));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: u8, at: u64) -> RefusedFor {
        let (first, last) = (UnixSeconds(at), UnixSeconds(at));
        let source = ([192, 0, 2, 1], 1).into();
        RefusedFor { reason: Reason(reason), count: 1, first, last, source }
    }

    #[test]
    fn refusals_are_merged_by_reason_and_push_out_no_session() {
        let mut history = BoardHistory::new("CB-1".parse().unwrap());
        let source = ([192, 0, 2, 1], 1).into();
        for at in 0..20 {
            let what = SessionTurn::Begun;
            history.add_session(SessionEvent { at: UnixSeconds(at), source, what });
        }
        for at in 20..1020 {
            history.add_refusals(refused(u8::try_from(at % 10).unwrap(), at));
        }
        let begun: Vec<u64> = history.sessions.iter().map(|event| event.at.0).collect();
        assert_eq!(begun, (4..20).collect::<Vec<_>>(), "the last 16");
        assert_eq!(history.refusals.len(), REFUSALS_MAX);

        let mut history = BoardHistory::new("CB-1".parse().unwrap());
        [5, 3, 9].into_iter().for_each(|at| history.add_refusals(refused(1, at)));
        let [merged] = &*history.refusals else { panic!("{history:?}") };
        assert_eq!((merged.count, merged.first.0, merged.last.0), (3, 3, 9));
    }
}
