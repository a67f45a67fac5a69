//! Which boards are called for a rollout: told at once that there is something for them.
//!
//! Invariant: a board is called once for each attempt, and no more of them than may begin. Whom a call does
//! not reach learns with the next report, as whoever sleeps does.

use storage::{BoardId, TargetState, TenantId, UnixSeconds};

use super::error::RolloutError;
use super::live::Live;
use super::rollouts::Rollouts;

/// Boards that are called at once of one rollout without a bound of its own.
const CALLS_MAX: usize = 100;

impl Rollouts {
    /// Whether there may be boards to be called.
    #[must_use]
    pub fn calls_boards(&self, now: UnixSeconds) -> bool {
        self.lock().values().any(|live| live.calls(now) > 0)
    }

    /// Which of these boards are to be called now. May wait for the disk.
    ///
    /// # Errors
    /// Those of the store.
    pub fn to_call(
        &self,
        awake: Vec<(TenantId, BoardId)>,
        now: UnixSeconds,
    ) -> Result<Vec<(TenantId, BoardId)>, RolloutError> {
        let mut chosen = Vec::new();
        let mut lives = self.lock();
        let calling = lives.values_mut().rev().map(|live| (live.calls(now), live));
        let mut calling: Vec<_> = calling.filter(|(free, _)| *free > 0).collect();
        for (tenant, board) in awake {
            for (free, live) in &mut calling {
                if *free > 0 && live.reaches(&tenant) && live.call(&board)? {
                    *free -= 1;
                    chosen.push((tenant, board));
                    break;
                }
            }
        }
        Ok(chosen)
    }
}

impl Live {
    /// How many boards may be called now.
    fn calls(&self, now: UnixSeconds) -> usize {
        if !self.is_giving() || !self.rollout.terms.may_begin(now) {
            return 0;
        }
        let begun = usize::from(self.rollout.group).saturating_add(1);
        let waiting = self.counts.iter().take(begun);
        if waiting.map(|counts| counts.of(TargetState::Waiting)).sum::<u32>() == 0 {
            return 0;
        }
        match self.rollout.terms.at_once {
            0 => CALLS_MAX,
            at_once => {
                let free = at_once.saturating_sub(self.fetching());
                usize::try_from(free).unwrap_or(CALLS_MAX).min(CALLS_MAX)
            }
        }
    }

    /// Whether the board waits and was not called yet; then it counts as called.
    fn call(&mut self, board: &BoardId) -> Result<bool, RolloutError> {
        let Some((number, target)) = self.find_row(board)? else { return Ok(false) };
        let waits = target.state == TargetState::Waiting && target.group <= self.rollout.group;
        Ok(waits && self.called.insert(number))
    }
}
