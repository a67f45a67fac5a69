//! A rollout: one release for many boards, group by group, with what stops it.
//!
//! Which board is how far is not in here but in a row each ([`crate::Targets`]).

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::{TenantId, UnixSeconds};

/// Groups of one rollout.
pub const GROUPS_MAX: usize = 100;
/// Maintenance windows of one rollout.
pub const WINDOWS_MAX: usize = 20;

/// A rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Rollout {
    /// Its number: 1 for the hub's first.
    pub number: u64,
    /// What people call it.
    pub name: String,
    /// The release, by number.
    pub release: u64,
    /// Releases that it was resumed with another after.
    pub before: Vec<u64>,
    /// Which boards, as the list of boards is asked for them.
    pub filter: String,
    /// The tenants it goes no further than; `None` is all.
    pub within: Option<Vec<TenantId>>,
    /// Boards that come to fit later belong to it as well.
    pub dynamic: bool,
    /// The groups, in the order in which they are begun; the last takes whoever is in no other.
    pub groups: Vec<RolloutGroup>,
    /// On which terms boards are given the release.
    pub terms: Terms,
    /// Who wants it, as the audit log names them.
    pub by: String,
    /// When it was made.
    pub created: UnixSeconds,
    /// Boards there were when it was made.
    pub total: u64,
    /// How it is; in JSON its fields stand beside the rollout's.
    #[serde(flatten)]
    pub state: RolloutState,
    /// The last group that was begun.
    pub group: u16,
    /// Counts releases and retries: failed boards try the same file only under another number.
    pub attempt: u8,
}

/// A group of a rollout's boards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct RolloutGroup {
    /// What people call it.
    pub name: String,
    /// Which boards.
    pub share: Share,
    /// Percent of its boards that must have succeeded before the next group is begun.
    pub success_percent: u8,
    /// How many of its boards may fail; with one more, the rollout stops itself.
    pub errors: Errors,
}

/// Which boards are in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// So many of a hundred, at random.
    Percent(u8),
    /// So many, at random.
    Count(u32),
    /// All with this label.
    Label {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Whoever is in no other.
    Rest,
}

/// How many boards of a group may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// So many of a hundred, rounded down.
    Percent(u8),
    /// So many.
    Count(u32),
}

/// On which terms boards are given a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// Boards keep it without a trial.
    pub permanent: bool,
    /// Percent of the battery without which it is not put in place.
    pub battery_min_percent: u8,
    /// RSRP in dBm without which it is not fetched.
    pub rsrp_min_dbm: i16,
    /// Boards that fetch it at once; 0 is without bound.
    pub at_once: u32,
    /// Boards of one radio cell that fetch it at once; 0 is without bound.
    pub at_once_per_cell: u32,
    /// Seconds after which a board that has begun and is silent counts as failed.
    pub lost_after_s: u32,
    /// Not before then.
    pub begins: Option<UnixSeconds>,
    /// Boards begin in these windows alone; empty is at any time.
    pub windows: Vec<Hours>,
}

/// Hours of a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Days: bit 0 is Monday.
    pub days: u8,
    /// Minutes after midnight UTC at which it begins.
    pub from_min: u16,
    /// Minutes that it lasts, also past midnight.
    pub length_min: u16,
}

/// How a rollout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum RolloutState {
    /// Its boards are being written down; where the hub's end cut that off, there is no rollout.
    Preparing,
    /// A second person has to allow it.
    AwaitingApproval,
    /// It can be started.
    Ready,
    /// Boards are given the release.
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
    /// It stopped itself: more boards of a group failed than may.
    Stopped {
        /// When.
        at: UnixSeconds,
        /// The group, from 0.
        in_group: u16,
        /// How many had failed.
        failed: u32,
        /// How many may.
        allowed: u32,
    },
    /// Somebody ended it.
    Aborted {
        /// When.
        at: UnixSeconds,
        /// Who.
        ended_by: String,
    },
    /// Every board has come to an end.
    Finished {
        /// When.
        at: UnixSeconds,
    },
}

impl RolloutState {
    /// Whether it is over for good.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Aborted { .. } | Self::Finished { .. })
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            permanent: false,
            battery_min_percent: 30,
            rsrp_min_dbm: -120,
            at_once: 0,
            at_once_per_cell: 0,
            lost_after_s: 7 * 24 * 60 * 60,
            begins: None,
            windows: Vec::new(),
        }
    }
}

impl Errors {
    /// How many of `boards` may fail.
    #[must_use]
    pub fn allowed(self, boards: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let allowed = u64::from(boards) * u64::from(percent) / 100;
                u32::try_from(allowed).unwrap_or(u32::MAX)
            }
        }
    }
}

impl Hours {
    const DAY_MIN: u64 = 24 * 60;

    /// Whether it is open.
    #[must_use]
    pub fn is_open(self, UnixSeconds(now): UnixSeconds) -> bool {
        let minute = now / 60;
        // The first of January 1970 was a Thursday.
        let (today, of_day) = (minute / Self::DAY_MIN, minute % Self::DAY_MIN);
        let begins_on = |day: u64| self.days & 1 << ((day + 3) % 7) != 0;
        let (from, length) = (u64::from(self.from_min), u64::from(self.length_min));
        (0..=length / Self::DAY_MIN + 1).any(|back| {
            let since = (of_day + back * Self::DAY_MIN).checked_sub(from);
            today.checked_sub(back).is_some_and(begins_on) && since.is_some_and(|it| it < length)
        })
    }
}

impl Terms {
    /// Whether boards may begin now.
    #[must_use]
    pub fn may_begin(&self, now: UnixSeconds) -> bool {
        self.begins.is_none_or(|begins| begins <= now)
            && (self.windows.is_empty() || self.windows.iter().any(|window| window.is_open(now)))
    }
}

impl Record for Rollout {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2023-11-13 00:00 UTC.
    const MONDAY: u64 = 1_699_833_600;

    #[test]
    fn a_window_is_open_on_its_days_and_past_midnight() {
        let night = Hours { days: 0b1_0000, from_min: 22 * 60, length_min: 6 * 60 };
        let at =
            |day: u64, hour: u64| night.is_open(UnixSeconds(MONDAY + (day * 24 + hour) * 3600));
        assert!(!at(4, 21) && at(4, 22) && at(4, 23), "Friday evening");
        assert!(at(5, 0) && at(5, 3) && !at(5, 4) && !at(5, 22), "into Saturday");
        assert!(!at(3, 23) && !at(4, 3));
        let always = Hours { days: 0x7f, from_min: 0, length_min: 24 * 60 };
        assert!((0..7 * 24).all(|hour| always.is_open(UnixSeconds(MONDAY + hour * 3600))));
        let never = Hours { days: 0x7f, from_min: 0, length_min: 0 };
        assert!(!never.is_open(UnixSeconds(MONDAY)) && !night.is_open(UnixSeconds(0)));
    }

    #[test]
    fn percents_of_errors_are_rounded_down() {
        assert_eq!(Errors::Percent(3).allowed(1000), 30);
        assert_eq!(Errors::Percent(3).allowed(33), 0);
        assert_eq!(Errors::Percent(100).allowed(u32::MAX), u32::MAX);
        assert_eq!(Errors::Count(7).allowed(3), 7);
    }
}
