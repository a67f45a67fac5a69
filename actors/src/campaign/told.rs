//! Which boards were told to renew and have not yet: when each is told again.
//!
//! Invariant: no clock; memory is bounded, and who finds no room is told later.

use std::collections::HashMap;

use crate::quota::Micros;

/// Boards that are remembered at once, each 24 bytes and its share of the table.
const TOLD_MAX: usize = 1 << 20;
const MINUTE: Micros = 60_000_000;
/// The longest wait before a board is told again.
const WAIT_MAX: Micros = 24 * 60 * MINUTE;
/// Times after which a board that has not renewed is one to look at.
const OFTEN: u8 = 3;

/// Boards that were told, by what stands for them.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<u64, Times>);

#[derive(Debug, Clone, Copy)]
struct Times {
    times: u8,
    again_at: Micros,
}

impl Told {
    /// Whether the board may be told now, as far as it was before.
    pub(super) fn is_due(&self, mark: u64, now: Micros) -> bool {
        match self.0.get(&mark) {
            Some(told) => told.again_at <= now,
            None => self.0.len() < TOLD_MAX,
        }
    }

    /// The board is told: again in a minute, two, four, up to once a day.
    pub(super) fn tell(&mut self, mark: u64, now: Micros) {
        let told = self.0.entry(mark).or_insert(Times { times: 0, again_at: 0 });
        let wait = MINUTE.saturating_mul(1 << told.times.min(11)).min(WAIT_MAX);
        told.times = told.times.saturating_add(1);
        told.again_at = now.saturating_add(wait);
    }

    /// What stands for those who were told.
    pub(super) fn marks(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.keys().copied()
    }

    /// The board has renewed.
    pub(super) fn forget(&mut self, mark: u64) {
        self.0.remove(&mark);
    }

    /// How many were told and have not renewed, and how many of those three times and more.
    pub(super) fn counts(&self) -> (u64, u64) {
        let often = self.0.values().filter(|told| told.times >= OFTEN).count();
        (self.0.len() as u64, often as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_told_again_later_each_time_and_once_a_day_at_last() {
        let (mut told, mut now) = (Told::default(), 5);
        let mut waits = Vec::new();
        for _ in 0..13 {
            assert!(told.is_due(7, now) && !told.counts().eq(&(0, 1)));
            told.tell(7, now);
            let until = (0..).map(|minute| now + minute * MINUTE).find(|at| told.is_due(7, *at));
            waits.push((until.unwrap() - now) / MINUTE);
            now = until.unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440]);
        assert_eq!(told.counts(), (1, 1));
        told.forget(7);
        assert_eq!(told.counts(), (0, 0));
    }
}
