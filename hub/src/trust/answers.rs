//! Answers about single certificates that were signed and are given again while they are in force.
//!
//! Invariant: none is given after a change of what is revoked, of whatever tenant, and no more are kept
//! than there is room for.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use storage::UnixSeconds;

use super::ocsp::Answered;

/// Answers that are kept: some 350 bytes each.
const ROOM: usize = 8192;

/// What names an answer: a digest over tenant and question.
pub(super) type Name = [u8; 32];

/// The answers that are kept.
#[derive(Default)]
pub(super) struct Answers(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    /// The store's count of changes that all of them are up to date with.
    changes: u64,
    answers: HashMap<Name, Answered>,
}

impl Answers {
    pub(super) fn find(&self, name: &Name, changes: u64, now: UnixSeconds) -> Option<Answered> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let answer = kept.answers.get(name).filter(|answer| answer.is_in_force(now))?;
        (kept.changes == changes).then(|| answer.clone())
    }

    /// Keeps an answer that was made when the store had counted `changes`.
    pub(super) fn keep(&self, name: Name, answer: Answered, changes: u64, now: UnixSeconds) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.changes > changes {
            return;
        }
        if kept.changes < changes {
            kept.answers.clear();
            kept.changes = changes;
        }
        if kept.answers.len() >= ROOM {
            kept.answers.retain(|_, answer| answer.is_in_force(now));
        }
        // Whoever asks after more certificates than there is room for has them signed.
        if kept.answers.len() < ROOM {
            kept.answers.insert(name, answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(until: u64) -> Answered {
        Answered { der: vec![1].into(), until: Some(UnixSeconds(until)) }
    }

    fn name(number: usize) -> Name {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        name
    }

    #[test]
    fn an_answer_is_given_again_until_it_ends_or_something_changes() {
        let answers = Answers::default();
        answers.keep(name(1), answer(100), 7, UnixSeconds(0));
        let is_kept = |changes, now| answers.find(&name(1), changes, UnixSeconds(now)).is_some();
        assert!(is_kept(7, 99) && !is_kept(7, 100) && !is_kept(8, 0));
        // One that was made before the change and came after is none.
        answers.keep(name(2), answer(100), 8, UnixSeconds(0));
        answers.keep(name(1), answer(100), 7, UnixSeconds(0));
        assert!(!is_kept(7, 0) && !is_kept(8, 0));
    }

    #[test]
    fn no_more_answers_are_kept_than_there_is_room_for() {
        let answers = Answers::default();
        for number in 0..2 * ROOM {
            let ends = if number < 10 { 1 } else { 100 };
            answers.keep(name(number), answer(ends), 0, UnixSeconds(2));
        }
        let kept = answers.0.read().unwrap().answers.len();
        assert!((ROOM - 10..=ROOM).contains(&kept), "{kept}");
        assert!(answers.find(&name(20), 0, UnixSeconds(2)).is_some());
    }
}
