//! One campaign that is not over: whom it tells, and what follows from its boards' rows.
//!
//! Invariant: no clock and no store; a group is begun once the one before has renewed, never earlier.

use storage::{
    AuthorityNumber, BoardId, Campaign, CampaignCounts, CampaignState, TenantId, UnixSeconds,
};

use super::told::Told;
use crate::quota::{Bucket, Micros, Rate};

/// A campaign that is not over.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) campaign: Campaign,
    pub(super) told: Told,
    /// As of the last count; empty before the first.
    pub(super) counts: Vec<CampaignCounts>,
    /// Whether boards may be told now.
    pub(super) is_open: bool,
    pace: Bucket,
}

/// What became of a campaign by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Same,
    /// This group begins.
    Begins(u16),
    /// Nobody is left who could renew.
    Completes,
}

impl Live {
    pub(super) fn new(campaign: Campaign) -> Self {
        let (told, counts, pace) = (Told::default(), Vec::new(), Bucket::default());
        Self { campaign, told, counts, is_open: false, pace }
    }

    /// Whether a board with a certificate of this authority is told to renew: now, and of the pace.
    pub(super) fn tell(
        &mut self,
        tenant: &TenantId,
        issuer: AuthorityNumber,
        board: &BoardId,
        now: Micros,
    ) -> bool {
        let campaign = &self.campaign;
        if !self.is_open || campaign.from != issuer || campaign.tenant != *tenant {
            return false;
        }
        let lot = campaign.lot(board.as_str().as_bytes());
        if campaign.group_of(lot) > usize::from(campaign.group)
            || !self.told.is_due(lot.mark, now)
            || self.pace.take(Rate::spread(campaign.per_minute), now, 1).is_err()
        {
            return false;
        }
        self.told.tell(lot.mark, now);
        true
    }

    /// These boards have renewed.
    pub(super) fn forget(&mut self, renewed: &[u64]) {
        renewed.iter().for_each(|mark| self.told.forget(*mark));
    }

    /// Takes a count of its boards.
    pub(super) fn counted(&mut self, counts: Vec<CampaignCounts>) -> Course {
        self.counts = counts;
        match self.campaign.state {
            CampaignState::Running { .. } => course(&self.campaign, &self.counts),
            CampaignState::Draft
            | CampaignState::Paused { .. }
            | CampaignState::Ended { .. }
            | CampaignState::Completed { .. } => Course::Same,
        }
    }

    /// Whether boards may be told from now on.
    pub(super) fn look(&mut self, now: UnixSeconds) {
        self.is_open = self.campaign.may_tell(now);
    }
}

fn course(campaign: &Campaign, counts: &[CampaignCounts]) -> Course {
    if counts.iter().all(|counts| counts.waiting == 0) {
        return Course::Completes;
    }
    let mut reached = campaign.group;
    let groups = campaign.groups.iter().zip(counts).zip(0_u16..);
    for ((group, counts), number) in groups.skip(reached.into()) {
        if number > reached || !counts.has_renewed(group.success_percent) {
            break;
        }
        if usize::from(number) + 1 < campaign.groups.len() {
            reached = number + 1;
        }
    }
    if reached == campaign.group { Course::Same } else { Course::Begins(reached) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::CampaignGroup;

    use super::*;

    fn live(percents: &[u8], success_percent: u8) -> Live {
        let group =
            |percent: &u8| CampaignGroup { name: "g".into(), percent: *percent, success_percent };
        let mut live = Live::new(Campaign {
            number: 1,
            tenant: "acme".parse().unwrap(),
            from: AuthorityNumber::FIRST,
            to: AuthorityNumber::new(2).unwrap(),
            groups: percents.iter().map(group).collect(),
            per_minute: 60,
            windows: Vec::new(),
            reason: String::new(),
            by: String::new(),
            created: UnixSeconds(1),
            state: CampaignState::Running { since: UnixSeconds(1) },
            group: 0,
        });
        live.look(UnixSeconds(2));
        live
    }

    fn tell(live: &mut Live, board: usize, now: Micros) -> bool {
        let board = format!("CB-{board}").parse().unwrap();
        live.tell(&"acme".parse().unwrap(), AuthorityNumber::FIRST, &board, now)
    }

    fn counts(renewed: u64, waiting: u64) -> CampaignCounts {
        CampaignCounts { renewed, waiting, shut_out: 0 }
    }

    #[test]
    fn the_pace_bounds_whoever_asks_and_nobody_is_told_twice_at_once() {
        let mut live = live(&[100], 90);
        let told = (0..1000).filter(|board| tell(&mut live, *board, 1)).count();
        assert_eq!(told, 10, "ten seconds' worth");
        let in_a_minute: usize = (0..600)
            .map(|tenth| (0..1000).filter(|it| tell(&mut live, *it, 1 + tenth * 100_000)).count())
            .sum();
        assert!((58..=60).contains(&in_a_minute), "{in_a_minute}");
        assert_eq!(live.told.counts(), (told as u64 + in_a_minute as u64, 0), "each once");
    }

    #[test]
    fn nobody_is_told_who_is_of_a_later_group_of_others_or_while_it_is_halted() {
        let mut live = live(&[10, 90], 90);
        let first: Vec<usize> =
            (0..200).filter(|it| tell(&mut live, *it, *it as u64 * 1_000_000)).collect();
        assert!((5..40).contains(&first.len()), "{first:?}");
        assert_eq!(live.counted(vec![counts(9, 1), counts(0, 90)]), Course::Begins(1));
        live.campaign.group = 1;
        let late = 10_000_000_000;
        assert!(tell(&mut live, 199, late) || tell(&mut live, 198, late));
        live.campaign.state =
            CampaignState::Paused { at: UnixSeconds(3), halted_by: String::new() };
        live.look(UnixSeconds(4));
        assert!((0..200).all(|it| !tell(&mut live, it, 2 * late)));
        live.campaign.state = CampaignState::Running { since: UnixSeconds(3) };
        live.look(UnixSeconds(4));
        let board: BoardId = "CB-1".parse().unwrap();
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        assert!(!live.tell(&other, AuthorityNumber::FIRST, &board, 2 * late));
        assert!(!live.tell(&acme, AuthorityNumber::new(2).unwrap(), &board, 2 * late));
        assert!(live.tell(&acme, AuthorityNumber::FIRST, &board, 2 * late));
    }

    #[test]
    fn it_completes_when_nobody_waits_and_a_group_without_boards_holds_up_nobody() {
        let mut live = live(&[10, 10, 80], 100);
        let none = CampaignCounts::default();
        assert_eq!(live.counted(vec![none, none, counts(0, 5)]), Course::Begins(2));
        assert_eq!(live.counted(vec![counts(1, 1), none, counts(0, 5)]), Course::Same);
        let shut_out = CampaignCounts { renewed: 4, waiting: 0, shut_out: 1 };
        assert_eq!(live.counted(vec![counts(2, 0), none, shut_out]), Course::Completes);
    }

    proptest! {
        #[test]
        fn it_never_goes_back(
            all in prop::collection::vec((0_u64..9, 0_u64..9), 1..6),
            begun in 0_u16..6,
            success in 0_u8..=100,
        ) {
            let mut live = live(&vec![10; all.len()], success);
            live.campaign.group = begun.min(u16::try_from(all.len()).unwrap() - 1);
            let begun = live.campaign.group;
            let counts: Vec<_> = all.iter().map(|&(renewed, waiting)| counts(renewed, waiting)).collect();
            match live.counted(counts) {
                Course::Begins(next) => prop_assert!(next > begun && usize::from(next) < all.len()),
                Course::Completes => prop_assert!(all.iter().all(|(_, waiting)| *waiting == 0)),
                Course::Same => {}
            }
        }
    }
}
