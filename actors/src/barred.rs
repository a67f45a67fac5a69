//! Whom an admin has just shut out: asked where something of theirs could still be under way.
//!
//! The registry says who may connect; this says it to what no longer asks there, for as long as it
//! can have begun before. Invariant: what was admitted after somebody was shut out is not held back by
//! that, so a board with another certificate is let in at once; and nothing is kept longer than anything
//! can be under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use storage::{AuthorityNumber, BoardId};

/// Longer than a handshake may take, and than a broker may leave a reading unacknowledged.
const KEPT: Duration = Duration::from_secs(300);

/// When somebody was admitted, on the clock of their tenant's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// Whose sessions and readings of one tenant are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// One board's.
    Board(BoardId),
    /// Those of boards with certificates of this authority.
    Issuer(AuthorityNumber),
    /// All boards'.
    Tenant,
}

/// The boards of one tenant that were shut out lately.
#[derive(Debug)]
pub struct Barred {
    began: Instant,
    /// Whether there is anything in the list: all that is looked at normally.
    any: AtomicBool,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    all: Option<Moment>,
    issuers: HashMap<AuthorityNumber, Moment>,
    boards: HashMap<BoardId, Moment>,
}

impl Barred {
    /// Nobody; moments are counted from now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { began: now, any: AtomicBool::new(false), list: Mutex::default() }
    }

    /// How long ago a moment was.
    #[must_use]
    pub fn since(&self, moment: Moment, now: Instant) -> Duration {
        Duration::from_micros(self.moment(now).0.saturating_sub(moment.0))
    }

    /// What the clock shows at an instant.
    #[must_use]
    pub fn moment(&self, at: Instant) -> Moment {
        let since = at.saturating_duration_since(self.began).as_micros();
        Moment(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// Shuts them out, as far as they have been admitted.
    pub fn bar(&self, whose: &Whose, now: Instant) {
        let now = self.moment(now);
        let mut list = self.locked();
        match whose {
            Whose::Board(board) => {
                list.boards.insert(board.clone(), now);
            }
            Whose::Issuer(issuer) => {
                list.issuers.insert(*issuer, now);
            }
            Whose::Tenant => list.all = Some(now),
        }
        self.any.store(true, Ordering::Release);
    }

    /// Lets those go on who were shut out all together. Who was by name has no session any more, and
    /// the next one is admitted after.
    pub fn admit_all(&self) {
        let mut list = self.locked();
        list.all = None;
        self.any.store(list.is_there(), Ordering::Release);
    }

    /// Forgets who was shut out so long ago that nothing of theirs is under way.
    pub fn forget(&self, now: Instant) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let Some(before) = now.checked_sub(KEPT).map(|at| self.moment(at)) else { return };
        let mut list = self.locked();
        list.boards.retain(|_, since| *since > before);
        list.issuers.retain(|_, since| *since > before);
        list.all = list.all.filter(|since| *since > before);
        self.any.store(list.is_there(), Ordering::Release);
    }

    /// Whether the board was shut out after it had been admitted with a certificate of `issuer`.
    #[must_use]
    pub fn holds(
        &self,
        board: &BoardId,
        issuer: Option<AuthorityNumber>,
        admitted: Moment,
    ) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let list = self.locked();
        let of_issuer = issuer.and_then(|issuer| list.issuers.get(&issuer));
        let mut since = list.all.iter().chain(list.boards.get(board)).chain(of_issuer);
        since.any(|since| *since >= admitted)
    }

    fn locked(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn is_there(&self) -> bool {
        self.all.is_some() || !self.issuers.is_empty() || !self.boards.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_admitted_before_is_held_and_who_comes_after_is_not() {
        let began = Instant::now();
        let barred = Barred::new(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        let moment = |seconds| barred.moment(at(seconds));
        let (one, other): (BoardId, BoardId) = ("CB-1".parse().unwrap(), "CB-2".parse().unwrap());
        let holds = |board: &BoardId, admitted| barred.holds(board, None, admitted);
        assert!(!holds(&one, moment(0)));
        barred.bar(&Whose::Board(one.clone()), at(10));
        assert!(holds(&one, moment(9)) && holds(&one, moment(10)));
        assert!(!holds(&one, moment(11)), "admitted anew");
        assert!(!holds(&other, moment(9)));
        barred.bar(&Whose::Tenant, at(20));
        assert!(holds(&other, moment(20)) && !holds(&other, moment(21)));
        barred.admit_all();
        assert!(holds(&one, moment(9)) && !holds(&other, moment(20)));
    }

    #[test]
    fn an_authority_is_shut_out_with_its_boards_and_not_with_those_who_have_another() {
        let began = Instant::now();
        let barred = Barred::new(began);
        let board: BoardId = "CB-1".parse().unwrap();
        let number = |n| AuthorityNumber::new(n);
        let holds = |issuer| barred.holds(&board, issuer, barred.moment(began));
        barred.bar(&Whose::Issuer(AuthorityNumber::FIRST), began);
        assert!(holds(number(1)) && !holds(number(2)) && !holds(None));
        barred.admit_all();
        assert!(holds(number(1)), "a tenant that is resumed has its revoked authorities still");
    }

    #[test]
    fn what_cannot_be_under_way_any_more_is_forgotten() {
        let began = Instant::now();
        let (barred, now) = (Barred::new(began), began + KEPT);
        let board: BoardId = "CB-1".parse().unwrap();
        let holds = || barred.holds(&board, Some(AuthorityNumber::FIRST), barred.moment(began));
        barred.bar(&Whose::Board(board.clone()), now);
        barred.bar(&Whose::Issuer(AuthorityNumber::FIRST), now);
        barred.bar(&Whose::Tenant, now);
        barred.forget(now + KEPT - Duration::from_secs(1));
        assert!(holds());
        barred.forget(now + KEPT);
        assert!(!barred.any.load(Ordering::Acquire));
        assert!(!holds());
    }
}
