//! `cellular-hub rollout`.

use actors::rollout::air::Radio;
use actors::rollout::{NewRollout, Stand, Standing, Total};
use clap::{Args, Subcommand};
use serde_json::json;
use storage::{
    Errors, Hours, Rollout as Record, RolloutGroup, RolloutState, Share, Target, TargetState,
    TenantId, Terms, UnixSeconds,
};

use super::invocation::author;
use super::{Failure, Invocation, now, output};
use crate::admin::AdminError;
use crate::rollouts::{group, hours, moment, target_state};

#[derive(Debug, Subcommand)]
pub(super) enum Rollout {
    /// Make a rollout of a signed release: who is meant, in which groups, on which terms.
    ///
    /// It gives nothing to any board before `rollout start`.
    Add(Box<Add>),
    /// List rollouts, oldest first.
    List,
    /// Show a rollout and how far its groups are.
    Show {
        /// Its number.
        rollout: u64,
    },
    /// List a rollout's boards, how far each is and why it is no further.
    Boards {
        /// The rollout's number.
        rollout: u64,
        /// Those in this state alone; again for more.
        #[arg(long, value_parser = target_state)]
        state: Vec<TargetState>,
    },
    /// Give boards the release from now on, as its terms say.
    Start {
        /// Its number.
        rollout: u64,
    },
    /// Halt it: offers are taken back, what boards have fetched they keep.
    Pause {
        /// Its number.
        rollout: u64,
    },
    /// Go on with one that was halted; or begin anew with another release.
    Resume {
        /// Its number.
        rollout: u64,
        /// Another release of the same product: all boards begin anew with it.
        #[arg(long)]
        release: Option<u64>,
    },
    /// Have the boards that failed try again, and go on.
    Retry {
        /// Its number.
        rollout: u64,
    },
    /// End it for good; boards that have the release keep it.
    Abort {
        /// Its number.
        rollout: u64,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What to call it.
    name: String,
    /// The release, by number.
    #[arg(long)]
    release: u64,
    /// Which boards, as the list of boards is asked for them, as `label=site:north`; without, all.
    #[arg(long, default_value = "")]
    filter: String,
    /// A tenant whose boards are meant; again for more, not at all for every one's.
    #[arg(long)]
    tenant: Vec<TenantId>,
    /// Boards that come to fit later belong to it as well.
    #[arg(long)]
    dynamic: bool,
    /// A group, in the order in which they begin: NAME:WHO[:SUCCESS[:ERRORS]].
    ///
    /// WHO is 5% or 100 (boards at random), label:KEY=VALUE or rest. SUCCESS is the percentage that must
    /// have succeeded before the next group begins (90%). ERRORS is how many may fail, 5% or 20; with one
    /// more it stops itself (10%). Whoever is in no group is in the last. Without, all boards are one.
    #[arg(long, value_parser = group, value_name = "GROUP")]
    group: Vec<RolloutGroup>,
    /// Boards keep it without a trial: what does not work is not taken back.
    #[arg(long)]
    permanent: bool,
    /// Percent of the battery without which a board does not put it in place.
    #[arg(long, default_value_t = 30)]
    battery_min: u8,
    /// Signal (RSRP, dBm) without which a board does not fetch it.
    #[arg(long, default_value_t = -120, allow_negative_numbers = true)]
    rsrp_min: i16,
    /// Boards that fetch it at once; 0 is without bound.
    #[arg(long, default_value_t = 0)]
    at_once: u32,
    /// Boards of one radio cell that fetch it at once; 0 is without bound.
    #[arg(long, default_value_t = 0)]
    at_once_per_cell: u32,
    /// Hours after which a board that has begun and is silent counts as failed.
    #[arg(long, default_value_t = 168)]
    lost_after_h: u32,
    /// Not before then, as 2026-01-31T12:00:00Z.
    #[arg(long, value_parser = moment)]
    begins: Option<UnixSeconds>,
    /// Boards begin in this window alone, UTC, as mon-fri/22:00/6h; again for more.
    #[arg(long, value_parser = hours, value_name = "WINDOW")]
    window: Vec<Hours>,
    /// Make nothing: show how many boards, how long, how many bytes and how much energy it would be.
    #[arg(long)]
    preview: bool,
}

impl Rollout {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(hub),
            Self::List => list(hub),
            Self::Show { rollout } => show(hub, rollout),
            Self::Boards { rollout, state } => boards(hub, rollout, &state),
            Self::Start { rollout } => {
                changed(hub, &hub.admin()?.start_rollout(rollout, true, now())?)
            }
            Self::Pause { rollout } => changed(hub, &hub.admin()?.pause_rollout(rollout, now())?),
            Self::Resume { rollout, release } => {
                changed(hub, &hub.admin()?.resume_rollout(rollout, release, now())?)
            }
            Self::Retry { rollout } => changed(hub, &hub.admin()?.retry_rollout(rollout, now())?),
            Self::Abort { rollout } => changed(hub, &hub.admin()?.abort_rollout(rollout, now())?),
        }
    }
}

impl Add {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let everybody = || RolloutGroup {
            name: String::from("all"),
            share: Share::Rest,
            success_percent: 90,
            errors: Errors::Percent(10),
        };
        let groups = if self.group.is_empty() { vec![everybody()] } else { self.group };
        let terms = Terms {
            permanent: self.permanent,
            battery_min_percent: self.battery_min,
            rsrp_min_dbm: self.rsrp_min,
            at_once: self.at_once,
            at_once_per_cell: self.at_once_per_cell,
            lost_after_s: self.lost_after_h.saturating_mul(3600),
            begins: self.begins,
            windows: self.window,
        };
        let new = NewRollout {
            name: self.name,
            release: self.release,
            filter: self.filter,
            within: (!self.tenant.is_empty()).then_some(self.tenant),
            dynamic: self.dynamic,
            groups,
            terms,
            by: author().who,
            // On the hub's host nobody else is asked.
            approve_above: 0,
        };
        if self.preview {
            return preview(hub, &new);
        }
        let made = hub.admin()?.add_rollout(new, now())?;
        hub.output.answer(&made, || {
            format!(
                "rollout {}: {} boards; `rollout start {}` begins",
                made.number, made.total, made.number
            )
        })
    }
}

fn preview(hub: &Invocation, new: &NewRollout) -> Result<(), Failure> {
    let seen = hub.admin()?.rollouts()?.preview(new).map_err(AdminError::from)?;
    let Stand { older, same, newer, other, unknown } = seen.stand;
    let groups = || new.groups.iter().map(|group| &group.name).zip(&seen.groups);
    let fetching = seen.stand.fetching();
    let radio = |total: &Total| match total.radio {
        Radio::LteM => "LTE-M",
        Radio::NbIot => "NB-IoT",
    };
    let efforts: Vec<_> = seen
        .efforts
        .iter()
        .map(|it| {
            json!({
                "radio": radio(it), "seconds_each": it.seconds_each, "joules_each": it.joules_each,
                "seconds": it.seconds,
            })
        })
        .collect();
    let of_groups: Vec<_> =
        groups().map(|(name, boards)| json!({ "name": name, "boards": boards })).collect();
    let answer = json!({
        "boards": seen.boards, "fetching": fetching, "older": older, "same": same, "newer": newer,
        "other": other, "unknown": unknown, "groups": of_groups, "bytes_each": seen.bytes_each,
        "bytes": seen.bytes(), "efforts": efforts,
    });
    hub.output.answer(&answer, || {
        let mut text = format!(
            "{} boards fit, and {fetching} would fetch the release: {older} run something older, and \
             {unknown} have never said what they run\n{same} run it, {newer} something newer, {other} are \
             another product or hardware\n",
            seen.boards
        );
        for (name, boards) in groups() {
            text += &format!("\n{name:<20} {boards:>9} boards");
        }
        text += &format!(
            "\n\nabout {} bytes on the air each, {} in all\n",
            seen.bytes_each,
            seen.bytes()
        );
        for total in &seen.efforts {
            text += &format!(
                "\nif on {:<6} about {:.0} s of radio and {:.0} J each; {:.1} days in all",
                radio(total),
                total.seconds_each,
                total.joules_each,
                total.seconds / 86_400.0
            );
        }
        text
    })
}

fn changed(hub: &Invocation, rollout: &Record) -> Result<(), Failure> {
    hub.output.answer(rollout, || format!("rollout {} {}", rollout.number, words(rollout)))
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let rollouts = hub.admin()?.rollouts()?.list().map_err(AdminError::from)?;
    let head = format!("{:>7} {:<24} {:>7} {:>9} STATE", "ROLLOUT", "NAME", "RELEASE", "BOARDS");
    hub.output.list(&head, rollouts.into_iter().map(Ok), |rollout| {
        let Record { number, name, release, total, .. } = rollout;
        format!("{number:>7} {name:<24} {release:>7} {total:>9} {}", words(rollout))
    })
}

fn show(hub: &Invocation, number: u64) -> Result<(), Failure> {
    let standing = hub.admin()?.rollouts()?.show(number).map_err(AdminError::from)?;
    let Standing { rollout, counts } = &standing;
    let of = |at: usize, state| counts.get(at).map_or(0, |counts| counts.of(state));
    let groups: Vec<_> = rollout
        .groups
        .iter()
        .enumerate()
        .map(|(at, group)| {
            let states: std::collections::BTreeMap<_, _> =
                TargetState::ALL.into_iter().map(|state| (state, of(at, state))).collect();
            json!({ "name": group.name, "boards": states })
        })
        .collect();
    let answer = json!({ "rollout": rollout, "groups": groups });
    hub.output.answer(&answer, || {
        let Record { name, release, filter, total, .. } = rollout;
        let mut text = format!(
            "rollout {number}, {name}, {}\nrelease   {release}\nboards    {total}\nfilter    {}\n\n",
            words(rollout),
            if filter.is_empty() { "all" } else { filter },
        );
        text += &format!(
            "{:<20} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "GROUP", "BOARDS", "WAITING", "UNDER WAY", "SUCCEEDED", "FAILED", "SKIPPED"
        );
        for ((at, group), counts) in rollout.groups.iter().enumerate().zip(counts) {
            let under_way: u32 = TargetState::ALL
                .into_iter()
                .filter(|state| state.is_under_way())
                .map(|state| counts.of(state))
                .sum();
            let is_begun = at <= usize::from(rollout.group);
            text += &format!(
                "\n{:<20} {:>9} {:>9} {under_way:>9} {:>9} {:>9} {:>9}{}",
                group.name,
                counts.total(),
                counts.of(TargetState::Waiting),
                counts.of(TargetState::Succeeded),
                counts.of(TargetState::Failed),
                counts.of(TargetState::Skipped),
                if is_begun { "" } else { "  not begun" },
            );
        }
        text
    })
}

fn boards(hub: &Invocation, number: u64, states: &[TargetState]) -> Result<(), Failure> {
    const PAGE: usize = 1000;
    let rollouts = hub.admin()?.rollouts()?;
    let page = |from| {
        let page = rollouts.targets(number, states, from, PAGE);
        page.map_err(|error| Failure::from(AdminError::from(error)))
    };
    let (mut page_now, mut next) = page(0)?;
    page_now.reverse();
    let lines = std::iter::from_fn(move || {
        loop {
            if let Some(target) = page_now.pop() {
                return Some(Ok(line(&target)));
            }
            match page(next?) {
                Ok((mut targets, behind)) => {
                    targets.reverse();
                    (page_now, next) = (targets, behind);
                }
                Err(error) => {
                    next = None;
                    return Some(Err(error));
                }
            }
        }
    });
    let head = format!("{:<32} {:>5} {:<11} {:<20} WHY", "BOARD", "GROUP", "STATE", "SINCE");
    hub.output.list(&head, lines, |line| {
        let since = output::moment(line.changed);
        let state = serde_json::to_value(line.state).unwrap_or_default();
        let state = state.as_str().unwrap_or_default();
        format!("{:<32} {:>5} {state:<11} {since:<20} {}", line.board, line.group, line.why)
    })
}

#[derive(serde::Serialize)]
struct Line {
    board: String,
    group: u16,
    state: TargetState,
    why: String,
    changed: UnixSeconds,
    received: u32,
    attempt: u8,
}

fn line(target: &Target) -> Line {
    Line {
        board: target.board.to_string(),
        group: target.group,
        state: target.state,
        why: crate::rollouts::why(target),
        changed: target.changed,
        received: target.received,
        attempt: target.attempt,
    }
}

fn words(rollout: &Record) -> String {
    let named = |group: u16| {
        rollout.groups.get(usize::from(group)).map_or("?", |group| group.name.as_str())
    };
    match &rollout.state {
        RolloutState::Preparing => String::from("is being made"),
        RolloutState::AwaitingApproval => String::from("waits to be allowed by a second person"),
        RolloutState::Ready => String::from("can be started"),
        RolloutState::Running { since } => {
            format!("runs since {}, group {}", output::moment(*since), named(rollout.group))
        }
        RolloutState::Paused { halted_by, .. } => format!("was paused by {halted_by}"),
        RolloutState::Stopped { in_group, failed, allowed, .. } => format!(
            "has stopped itself: {failed} boards of group {} failed, and {allowed} may",
            named(*in_group)
        ),
        RolloutState::Aborted { ended_by, .. } => format!("was ended by {ended_by}"),
        RolloutState::Finished { at } => format!("is finished since {}", output::moment(*at)),
    }
}
