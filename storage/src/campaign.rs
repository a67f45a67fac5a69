//! A campaign: the boards of one of a tenant's authorities get certificates of another, group by group.
//!
//! Which board has which certificate is not in here: the boards' rows say whose certificate each has, and
//! so how far a campaign is.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::record::Record;
use crate::{AuthorityNumber, Hours, TenantId, UnixSeconds};

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Campaign {
    /// Its number: 1 for the hub's first.
    pub number: u64,
    /// Whose boards.
    pub tenant: TenantId,
    /// The authority that is left.
    pub from: AuthorityNumber,
    /// The one that boards get certificates of.
    pub to: AuthorityNumber,
    /// The groups, in the order in which they are begun; the last takes whoever is in no other.
    pub groups: Vec<CampaignGroup>,
    /// Boards that are told a minute; at least one.
    pub per_minute: u32,
    /// Boards are told in these windows alone; empty is at any time.
    pub windows: Vec<Hours>,
    /// Why.
    pub reason: String,
    /// Who wants it, as the audit log names them.
    pub by: String,
    /// When it was made.
    pub created: UnixSeconds,
    /// How it is; in JSON its fields stand beside the campaign's.
    #[serde(flatten)]
    pub state: CampaignState,
    /// The last group that was begun.
    pub group: u16,
}

/// A group of a campaign's boards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct CampaignGroup {
    /// What people call it.
    pub name: String,
    /// So many of a hundred boards, by chance that is the same each time.
    pub percent: u8,
    /// Percent of its boards that must have renewed before the next group is begun.
    pub success_percent: u8,
}

/// How a campaign is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum CampaignState {
    /// It can be started.
    Draft,
    /// Boards are told to renew.
    Running {
        /// Since when.
        since: UnixSeconds,
    },
    /// Somebody halted it.
    Paused {
        /// When.
        at: UnixSeconds,
        /// Who.
        halted_by: String,
    },
    /// Somebody ended it.
    Ended {
        /// When.
        at: UnixSeconds,
        /// Who.
        ended_by: String,
    },
    /// No board that may connect has a certificate of the authority that is left.
    Completed {
        /// When.
        at: UnixSeconds,
    },
}

impl CampaignState {
    /// Whether it is over for good.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Completed { .. })
    }
}

/// What a board draws in a campaign: the same at each time and place, another in the next campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampaignLot {
    /// Of a hundred.
    pub of_hundred: u8,
    /// What stands for the board.
    pub mark: u64,
}

impl Campaign {
    /// What this board draws.
    #[must_use]
    pub fn lot(&self, board: &[u8]) -> CampaignLot {
        let digest = Sha256::new().chain_update(self.number.to_be_bytes()).chain_update(board);
        let digest: [u8; 32] = digest.finalize().into();
        let (lot, rest) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let mark = rest.first_chunk().map_or(0, |mark| u64::from_be_bytes(*mark));
        let of_hundred = u8::try_from(u64::from_be_bytes(*lot) % 100).unwrap_or(0);
        CampaignLot { of_hundred, mark }
    }

    /// The group of a board that drew this, from 0.
    #[must_use]
    pub fn group_of(&self, lot: CampaignLot) -> usize {
        let mut below = 0_u16;
        for (at, group) in self.groups.iter().enumerate() {
            below = below.saturating_add(group.percent.into());
            if u16::from(lot.of_hundred) < below {
                return at;
            }
        }
        self.groups.len().saturating_sub(1)
    }

    /// Whether boards may be told now.
    #[must_use]
    pub fn may_tell(&self, now: UnixSeconds) -> bool {
        let is_running = matches!(self.state, CampaignState::Running { .. });
        is_running
            && (self.windows.is_empty() || self.windows.iter().any(|window| window.is_open(now)))
    }
}

/// How many boards of a group are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CampaignCounts {
    /// They have certificates of the new authority.
    pub renewed: u64,
    /// They have one of the authority that is left, and may connect.
    pub waiting: u64,
    /// They have one of the authority that is left, and are blocked, held or revoked.
    pub shut_out: u64,
}

impl CampaignCounts {
    /// Whether so many of a hundred have renewed that can.
    #[must_use]
    pub fn has_renewed(self, percent: u8) -> bool {
        let can = self.renewed.saturating_add(self.waiting);
        self.renewed.saturating_mul(100) >= can.saturating_mul(percent.into())
    }
}

impl Record for Campaign {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn campaign(number: u64, percents: &[u8]) -> Campaign {
        let group = |percent: &u8| CampaignGroup {
            name: String::new(),
            percent: *percent,
            success_percent: 90,
        };
        Campaign {
            number,
            tenant: "acme".parse().unwrap(),
            from: AuthorityNumber::FIRST,
            to: AuthorityNumber::new(2).unwrap(),
            groups: percents.iter().map(group).collect(),
            per_minute: 60,
            windows: Vec::new(),
            reason: String::new(),
            by: String::new(),
            created: UnixSeconds(1),
            state: CampaignState::Draft,
            group: 0,
        }
    }

    #[test]
    fn a_boards_lot_is_frozen_for_campaigns_that_run_over_an_upgrade() {
        let drawn = |number| campaign(number, &[100]).lot(b"CB-0001");
        assert_eq!(drawn(1), CampaignLot { of_hundred: 64, mark: 12_588_218_225_321_408_867 });
        assert_ne!(drawn(1), drawn(2), "another campaign, another chance");
    }

    #[test]
    fn groups_have_about_their_share_and_the_last_has_the_rest() {
        let three = campaign(7, &[10, 30, 20]);
        let mut counts = [0_u32; 3];
        for board in 0..10_000 {
            counts[three.group_of(three.lot(format!("CB-{board}").as_bytes()))] += 1;
        }
        assert!(
            (900..1100).contains(&counts[0]) && (2850..3150).contains(&counts[1]),
            "{counts:?}"
        );
        assert_eq!(counts.iter().sum::<u32>(), 10_000);
    }

    #[test]
    fn a_group_has_renewed_when_those_who_can_have() {
        let counts = |renewed, waiting, shut_out| CampaignCounts { renewed, waiting, shut_out };
        assert!(counts(9, 1, 5).has_renewed(90) && !counts(8, 2, 0).has_renewed(90));
        assert!(counts(0, 0, 5).has_renewed(100), "nobody of it can");
        assert!(counts(0, 9, 0).has_renewed(0));
    }

    proptest! {
        #[test]
        fn every_board_is_in_a_group_that_there_is(
            number: u64,
            percents in prop::collection::vec(any::<u8>(), 1..9),
            board in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let campaign = campaign(number, &percents);
            let lot = campaign.lot(&board);
            prop_assert!(lot.of_hundred < 100 && campaign.group_of(lot) < percents.len());
            prop_assert_eq!(lot, campaign.lot(&board));
        }
    }
}
