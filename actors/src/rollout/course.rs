//! Whether a rollout goes on: counts of its groups' boards, and what follows from them.
//!
//! Invariant: pure; a group that may begin only when the one before has succeeded is never skipped.

use storage::{RolloutGroup, TargetState};

/// How many boards of a group are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u32; TargetState::ALL.len()]);

/// What is to become of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Nothing changes.
    Same,
    /// This group begins; those before it have.
    Begins(u16),
    /// More boards of this group failed than may.
    Stops { group: u16, failed: u32, allowed: u32 },
    /// Every board has come to an end.
    Finishes,
}

impl Counts {
    /// One more.
    pub(super) fn add(&mut self, state: TargetState) {
        if let Some(count) = self.0.get_mut(state.place()) {
            *count = count.saturating_add(1);
        }
    }

    /// One fewer.
    pub(super) fn remove(&mut self, state: TargetState) {
        if let Some(count) = self.0.get_mut(state.place()) {
            *count = count.saturating_sub(1);
        }
    }

    /// How many are this far.
    #[must_use]
    pub fn of(&self, state: TargetState) -> u32 {
        self.0.get(state.place()).copied().unwrap_or(0)
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// How many the release is for.
    #[must_use]
    pub fn meant(&self) -> u32 {
        self.total().saturating_sub(self.of(TargetState::Skipped))
    }

    fn is_over(&self) -> bool {
        TargetState::ALL.into_iter().all(|state| state.is_end() || self.of(state) == 0)
    }

    fn has_succeeded(&self, percent: u8) -> bool {
        let succeeded = u64::from(self.of(TargetState::Succeeded)) * 100;
        succeeded >= u64::from(percent) * u64::from(self.meant())
    }
}

/// What is to become of a rollout whose last begun group is `current`.
pub(super) fn course(
    groups: &[RolloutGroup],
    counts: &[Counts],
    current: u16,
    dynamic: bool,
) -> Course {
    let both = || groups.iter().zip(counts).zip(0_u16..);
    for ((group, counts), number) in both().take(usize::from(current) + 1) {
        let (failed, allowed) =
            (counts.of(TargetState::Failed), group.errors.allowed(counts.meant()));
        if failed > allowed {
            return Course::Stops { group: number, failed, allowed };
        }
    }
    if !dynamic && counts.iter().all(Counts::is_over) {
        return Course::Finishes;
    }
    let mut reached = current;
    for ((group, counts), number) in both().skip(current.into()) {
        if number > reached || !counts.has_succeeded(group.success_percent) {
            break;
        }
        if usize::from(number) + 1 < groups.len() {
            reached = number + 1;
        }
    }
    if reached == current { Course::Same } else { Course::Begins(reached) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::{Errors, Share};

    use super::*;

    fn group(success_percent: u8, errors: Errors) -> RolloutGroup {
        RolloutGroup { name: String::new(), share: Share::Rest, success_percent, errors }
    }

    fn counts(waiting: u32, succeeded: u32, failed: u32, skipped: u32) -> Counts {
        let mut counts = Counts::default();
        counts.0[TargetState::Waiting.place()] = waiting;
        counts.0[TargetState::Succeeded.place()] = succeeded;
        counts.0[TargetState::Failed.place()] = failed;
        counts.0[TargetState::Skipped.place()] = skipped;
        counts
    }

    #[test]
    fn one_failure_more_than_may_be_stops_it() {
        let groups = [group(90, Errors::Percent(5)), group(90, Errors::Count(2))];
        let at = |first, second, current| course(&groups, &[first, second], current, false);
        let begun = counts(50, 45, 5, 0);
        assert_eq!(at(begun, counts(10, 0, 0, 0), 0), Course::Same);
        let stops = Course::Stops { group: 0, failed: 6, allowed: 5 };
        assert_eq!(at(counts(50, 44, 6, 0), counts(10, 0, 0, 0), 0), stops);
        assert_eq!(at(counts(0, 96, 4, 0), counts(10, 0, 0, 0), 0), Course::Begins(1));
        // The boards that it is not for count on neither side.
        assert_eq!(
            at(counts(0, 9, 1, 90), counts(1, 0, 0, 0), 0),
            Course::Stops { group: 0, failed: 1, allowed: 0 }
        );
        let stops = Course::Stops { group: 1, failed: 3, allowed: 2 };
        assert_eq!(at(counts(0, 96, 4, 0), counts(5, 2, 3, 0), 1), stops);
        assert_eq!(at(counts(0, 96, 4, 0), counts(0, 8, 2, 0), 1), Course::Finishes);
        let open = course(&groups, &[counts(0, 9, 0, 0), counts(0, 8, 0, 0)], 1, true);
        assert_eq!(open, Course::Same, "others may come");
    }

    #[test]
    fn a_group_without_boards_holds_up_nobody() {
        let groups = [
            group(100, Errors::Count(0)),
            group(100, Errors::Count(0)),
            group(100, Errors::Count(0)),
        ];
        let of = |first| [first, Counts::default(), counts(1, 0, 0, 0)];
        assert_eq!(course(&groups, &of(counts(0, 0, 0, 5)), 0, false), Course::Begins(2));
        assert_eq!(course(&groups, &of(counts(1, 1, 0, 0)), 0, false), Course::Same);
    }

    proptest! {
        #[test]
        fn it_never_goes_back_and_never_stops_for_a_group_that_has_not_begun(
            all in proptest::collection::vec((0_u32..9, 0_u32..9, 0_u32..9, 0_u32..9), 1..5),
            current in 0_u16..5,
            success in 0_u8..=100,
            errors in 0_u8..=100,
        ) {
            let groups = vec![group(success, Errors::Percent(errors)); all.len()];
            let counts: Vec<_> = all.iter().map(|&(a, b, c, d)| counts(a, b, c, d)).collect();
            match course(&groups, &counts, current, false) {
                Course::Begins(next) => {
                    prop_assert!(next > current && usize::from(next) < groups.len());
                }
                Course::Stops { group, failed, allowed } => {
                    prop_assert!(group <= current && failed > allowed);
                }
                Course::Same | Course::Finishes => {}
            }
        }
    }
}
