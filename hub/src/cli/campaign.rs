//! `cellular-hub campaign`.

use std::fmt::Write as _;

use actors::campaign::{CampaignStanding, NewCampaign};
use clap::{Args, Subcommand};
use serde_json::json;
use storage::{AuthorityName, Campaign as Record, CampaignCounts, CampaignState, Hours};

use super::invocation::author;
use super::{Failure, Invocation, now, output};
use crate::admin::AdminError;
use crate::campaigns::{GroupAsked, group, groups, why};
use crate::rollouts::hours;

/// Cells of a progress bar.
const BAR: u64 = 40;

#[derive(Debug, Subcommand)]
pub(super) enum Campaign {
    /// Make a campaign: boards of one authority are to get certificates of another of its tenant.
    ///
    /// It tells nothing to any board before `campaign start`.
    New(Box<New>),
    /// List campaigns, oldest first.
    List,
    /// Show a campaign and how far its groups are.
    Show {
        /// Its number.
        campaign: u64,
    },
    /// Tell boards to renew from now on, group by group.
    Start {
        /// Its number.
        campaign: u64,
    },
    /// Tell no more boards; who renews just now does so.
    Pause {
        /// Its number.
        campaign: u64,
    },
    /// Go on with one that was paused.
    Resume {
        /// Its number.
        campaign: u64,
    },
    /// End it for good; boards that have renewed keep what they have.
    End {
        /// Its number.
        campaign: u64,
    },
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// The authority that is to be left, as acme/1.
    #[arg(long)]
    from: AuthorityName,
    /// The one that boards get certificates of, as acme/2.
    #[arg(long)]
    to: AuthorityName,
    /// A group, in the order in which they begin: NAME:WHO[:SUCCESS].
    ///
    /// WHO is 5% (boards at random) or rest. SUCCESS is the percentage that must have renewed before the
    /// next group begins (90%). Whoever is in no group is in the last. Without, all boards are one.
    #[arg(long, value_parser = group, value_name = "GROUP")]
    group: Vec<GroupAsked>,
    /// Boards that are told a minute.
    #[arg(long, default_value_t = 60)]
    per_minute: u32,
    /// Boards are told in this window alone, UTC, as mon-fri/22:00/6h; again for more.
    #[arg(long, value_parser = hours, value_name = "WINDOW")]
    window: Vec<Hours>,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
}

impl Campaign {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(hub),
            Self::List => list(hub),
            Self::Show { campaign } => show(hub, campaign),
            Self::Start { campaign } => {
                changed(hub, &hub.admin()?.start_campaign(campaign, now())?)
            }
            Self::Pause { campaign } => {
                changed(hub, &hub.admin()?.pause_campaign(campaign, now())?)
            }
            Self::Resume { campaign } => {
                changed(hub, &hub.admin()?.resume_campaign(campaign, now())?)
            }
            Self::End { campaign } => changed(hub, &hub.admin()?.end_campaign(campaign, now())?),
        }
    }
}

impl New {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        if self.from.tenant != self.to.tenant {
            let why = format!("{} and {} are of different tenants", self.from, self.to);
            return Err(AdminError::Refused(why).into());
        }
        let new = NewCampaign {
            tenant: self.from.tenant,
            from: self.from.number,
            to: self.to.number,
            groups: groups(self.group).map_err(AdminError::Refused)?,
            per_minute: self.per_minute,
            windows: self.window,
            reason: self.reason,
            by: author().who,
        };
        let made = hub.admin()?.add_campaign(new, now())?;
        let Record { number, tenant, from, to, .. } = &made;
        hub.output.answer(&made, || {
            format!(
                "campaign {number}: from {tenant}/{from} to {tenant}/{to}; `campaign start \
                 {number}` begins"
            )
        })
    }
}

fn changed(hub: &Invocation, campaign: &Record) -> Result<(), Failure> {
    hub.output.answer(campaign, || format!("campaign {} {}", campaign.number, words(campaign)))
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let campaigns = hub.admin()?.campaigns()?.list().map_err(AdminError::from)?;
    let head = format!("{:>8} {:<36} {:<36} STATE", "CAMPAIGN", "FROM", "TO");
    hub.output.list(&head, campaigns.into_iter().map(Ok), |campaign| {
        let Record { number, tenant, from, to, .. } = campaign;
        let (from, to) = (format!("{tenant}/{from}"), format!("{tenant}/{to}"));
        format!("{number:>8} {from:<36} {to:<36} {}", words(campaign))
    })
}

fn show(hub: &Invocation, number: u64) -> Result<(), Failure> {
    let standing = hub.admin()?.campaigns()?.show(number).map_err(AdminError::from)?;
    let CampaignStanding { campaign, counts, told, told_often } = &standing;
    let groups: Vec<_> = campaign.groups.iter().zip(counts).collect();
    let of_groups: Vec<_> = groups
        .iter()
        .map(|(group, counts)| json!({ "name": group.name, "boards": counts }))
        .collect();
    let answer = json!({
        "campaign": campaign, "groups": of_groups, "told": told, "told_often": told_often,
    });
    hub.output.answer(&answer, || {
        let Record { tenant, from, to, per_minute, reason, .. } = campaign;
        let sum = |of: fn(&CampaignCounts) -> u64| counts.iter().map(of).sum::<u64>();
        let (renewed, waiting) = (sum(|it| it.renewed), sum(|it| it.waiting));
        let mut text = format!(
            "campaign {number}, {tenant}/{from} to {tenant}/{to}, {}\nreason    {reason}\n\
             pace      {per_minute} boards a minute\n\
             told      {told} that have not renewed, {told_often} of them three times and more\n\n\
             {}\n\n{:<20} {:>8} {:>9} {:>9} {:>9}",
            words(campaign),
            bar(renewed, renewed + waiting),
            "GROUP",
            "PERCENT",
            "RENEWED",
            "WAITING",
            "SHUT OUT",
        );
        for (at, (group, counts)) in groups.iter().enumerate() {
            let begun = if at <= usize::from(campaign.group) { "" } else { "  not begun" };
            let CampaignCounts { renewed, waiting, shut_out } = counts;
            let _ = write!(
                text,
                "\n{:<20} {:>8} {renewed:>9} {waiting:>9} {shut_out:>9}{begun}",
                group.name, group.percent
            );
        }
        text
    })
}

/// How much of it is done, for people.
fn bar(done: u64, of: u64) -> String {
    let parts = |whole: u64| done.saturating_mul(whole).checked_div(of).unwrap_or(whole).min(whole);
    let filled = usize::try_from(parts(BAR)).unwrap_or(0);
    let empty = usize::try_from(BAR).unwrap_or(0).saturating_sub(filled);
    format!("[{}{}] {} %, {done} of {of}", "#".repeat(filled), ".".repeat(empty), parts(100))
}

fn words(campaign: &Record) -> String {
    match &campaign.state {
        CampaignState::Draft => String::from("can be started"),
        CampaignState::Running { since } => {
            let group = campaign.groups.get(usize::from(campaign.group));
            let group = group.map_or("?", |group| group.name.as_str());
            format!("runs since {}, group {group}", output::moment(*since))
        }
        CampaignState::Completed { at } => format!("is complete since {}", output::moment(*at)),
        state @ (CampaignState::Paused { .. } | CampaignState::Ended { .. }) => {
            format!("was {}", why(state).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_when_all_is_done_and_never_before() {
        assert_eq!(bar(0, 4), format!("[{}] 0 %, 0 of 4", ".".repeat(40)));
        assert_eq!(bar(1, 2), format!("[{}{}] 50 %, 1 of 2", "#".repeat(20), ".".repeat(20)));
        assert!(bar(999, 1000).contains("#.] 99 %"));
        assert_eq!(bar(0, 0), format!("[{}] 100 %, 0 of 0", "#".repeat(40)));
    }
}
