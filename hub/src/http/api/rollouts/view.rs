//! Rollouts as they are shown, and their terms as they are asked for.

use actors::rollout::{Counts, Standing};
use serde::{Deserialize, Serialize};
use storage::{RolloutGroup, RolloutState, Target, TargetState, Terms, WINDOWS_MAX};
use utoipa::ToSchema;

use crate::http::api::moment::Moment;
use crate::http::api::problem::{Code, Problem};
use crate::rollouts::{hours, hours_text, why};

/// A rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rollout)]
pub(in crate::http::api) struct View {
    /// Its number.
    id: u64,
    /// What people call it.
    name: String,
    /// The release, by number.
    release: u64,
    /// Releases that it was begun with before.
    before: Vec<u64>,
    /// Which boards, as the list of boards is asked for them.
    filter: String,
    /// The tenants it goes no further than; none is all.
    within: Option<Vec<String>>,
    /// Whether boards that come to fit later belong to it as well.
    dynamic: bool,
    /// Who wants it.
    by: String,
    /// When it was made.
    created: Moment,
    /// Boards there were when it was made.
    total: u64,
    /// How it is.
    state: State,
    /// Since when, where it runs, was halted or is over.
    since: Option<Moment>,
    /// Why it is no further, in words.
    why: Option<String>,
    /// The group that began last, from 0.
    group: u16,
    /// The groups, in the order in which they begin.
    groups: Vec<GroupView>,
    /// On which terms boards are given the release.
    terms: TermsView,
}

/// How a rollout is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RolloutState)]
pub(in crate::http::api) enum State {
    /// A second person has to allow it.
    AwaitingApproval,
    /// It can be started.
    Ready,
    /// Boards are given the release.
    Running,
    /// Somebody halted it.
    Paused,
    /// It stopped itself: more boards of a group failed than may.
    Stopped,
    /// Somebody ended it.
    Aborted,
    /// Every board has come to an end.
    Finished,
}

/// A group, and how far its boards are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutGroup)]
pub(in crate::http::api) struct GroupView {
    /// What people call it.
    name: String,
    /// Percent that must have succeeded before the next group begins.
    success_percent: u8,
    /// How many may fail; with one more, the rollout stops itself.
    may_fail: u32,
    /// How many there are.
    boards: u32,
    /// Not offered anything yet.
    waiting: u32,
    /// Offered the release.
    offered: u32,
    /// Fetching it.
    fetching: u32,
    /// Waiting for battery, signal or product.
    held: u32,
    /// Restarting.
    restarting: u32,
    /// Running it, yet to prove itself.
    on_trial: u32,
    /// Running it.
    succeeded: u32,
    /// Not running it.
    failed: u32,
    /// The release is not for them.
    skipped: u32,
}

/// On which terms boards are given a release.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RolloutTerms)]
pub(in crate::http::api) struct TermsView {
    /// Boards keep it without a trial.
    permanent: bool,
    /// Percent of the battery without which it is not put in place.
    #[schema(maximum = 100)]
    battery_min_percent: u8,
    /// RSRP in dBm without which it is not fetched.
    rsrp_min_dbm: i16,
    /// Boards that fetch it at once; 0 is without bound.
    at_once: u32,
    /// Boards of one radio cell that fetch it at once; 0 is without bound.
    at_once_per_cell: u32,
    /// Seconds after which a board that has begun and is silent counts as failed.
    #[schema(minimum = 60)]
    lost_after_s: u32,
    /// Not before then.
    begins: Option<Moment>,
    /// Boards begin in these windows alone, UTC; empty is at any time.
    #[schema(example = json!(["mon-fri/22:00/6h"]))]
    windows: Vec<String>,
}

impl Default for TermsView {
    fn default() -> Self {
        Terms::default().into()
    }
}

impl From<Terms> for TermsView {
    fn from(terms: Terms) -> Self {
        Self {
            permanent: terms.permanent,
            battery_min_percent: terms.battery_min_percent,
            rsrp_min_dbm: terms.rsrp_min_dbm,
            at_once: terms.at_once,
            at_once_per_cell: terms.at_once_per_cell,
            lost_after_s: terms.lost_after_s,
            begins: terms.begins.map(Moment::from),
            windows: terms.windows.iter().map(hours_text).collect(),
        }
    }
}

impl TermsView {
    /// The terms, where they are ones.
    pub(super) fn checked(self) -> Result<Terms, Problem> {
        let invalid = |why: String| Problem::new(Code::Invalid, why);
        if self.windows.len() > WINDOWS_MAX {
            return Err(invalid(format!("at most {WINDOWS_MAX} windows")));
        }
        if self.battery_min_percent > 100 || self.lost_after_s < 60 {
            let why = "a battery has at most 100 percent, and a board 60 seconds at least";
            return Err(invalid(String::from(why)));
        }
        let windows = self.windows.iter().map(|text| hours(text)).collect::<Result<_, _>>();
        Ok(Terms {
            permanent: self.permanent,
            battery_min_percent: self.battery_min_percent,
            rsrp_min_dbm: self.rsrp_min_dbm,
            at_once: self.at_once,
            at_once_per_cell: self.at_once_per_cell,
            lost_after_s: self.lost_after_s,
            begins: self.begins.map(|begins| begins.0),
            windows: windows.map_err(invalid)?,
        })
    }
}

impl GroupView {
    fn of(group: &RolloutGroup, counts: Counts) -> Self {
        Self {
            name: group.name.clone(),
            success_percent: group.success_percent,
            may_fail: group.errors.allowed(counts.meant()),
            boards: counts.total(),
            waiting: counts.of(TargetState::Waiting),
            offered: counts.of(TargetState::Offered),
            fetching: counts.of(TargetState::Fetching),
            held: counts.of(TargetState::Held),
            restarting: counts.of(TargetState::Restarting),
            on_trial: counts.of(TargetState::OnTrial),
            succeeded: counts.of(TargetState::Succeeded),
            failed: counts.of(TargetState::Failed),
            skipped: counts.of(TargetState::Skipped),
        }
    }
}

impl From<Standing> for View {
    fn from(Standing { rollout, counts }: Standing) -> Self {
        let group = |number: u16| rollout.groups.get(usize::from(number)).map(|it| it.name.clone());
        let (state, since, why) = match &rollout.state {
            RolloutState::Preparing | RolloutState::AwaitingApproval => {
                (State::AwaitingApproval, None, None)
            }
            RolloutState::Ready => (State::Ready, None, None),
            RolloutState::Running { since } => (State::Running, Some(*since), None),
            RolloutState::Paused { at, halted_by } => {
                (State::Paused, Some(*at), Some(format!("paused by {halted_by}")))
            }
            RolloutState::Stopped { at, in_group, failed, allowed } => {
                let name = group(*in_group).unwrap_or_default();
                let why = format!("{failed} boards of group {name} failed, and {allowed} may");
                (State::Stopped, Some(*at), Some(why))
            }
            RolloutState::Aborted { at, ended_by } => {
                (State::Aborted, Some(*at), Some(format!("ended by {ended_by}")))
            }
            RolloutState::Finished { at } => (State::Finished, Some(*at), None),
        };
        let groups = rollout.groups.iter().enumerate();
        let groups = groups
            .map(|(at, group)| GroupView::of(group, counts.get(at).copied().unwrap_or_default()));
        Self {
            id: rollout.number,
            name: rollout.name.clone(),
            release: rollout.release,
            before: rollout.before.clone(),
            filter: rollout.filter.clone(),
            within: rollout
                .within
                .as_ref()
                .map(|all| all.iter().map(ToString::to_string).collect()),
            dynamic: rollout.dynamic,
            by: rollout.by.clone(),
            created: rollout.created.into(),
            total: rollout.total,
            state,
            since: since.map(Moment::from),
            why,
            group: rollout.group,
            groups: groups.collect(),
            terms: rollout.terms.clone().into(),
        }
    }
}

/// A board of a rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutBoard)]
pub(in crate::http::api) struct BoardView {
    /// The board.
    board: String,
    /// Its group, from 0.
    group: u16,
    /// How far it is.
    #[schema(value_type = String, example = "fetching")]
    state: TargetState,
    /// Why it is no further, in words; empty for nothing.
    #[schema(example = "its battery is too low")]
    why: String,
    /// When it was heard of last there.
    changed: Moment,
    /// Bytes of the image that it has.
    received: u32,
}

impl From<Target> for BoardView {
    fn from(target: Target) -> Self {
        Self {
            board: target.board.to_string(),
            group: target.group,
            state: target.state,
            why: why(&target),
            changed: target.changed.into(),
            received: target.received,
        }
    }
}
