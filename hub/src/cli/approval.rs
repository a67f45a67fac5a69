//! `cellular-hub approval`.

use clap::Subcommand;
use storage::{Act, ApprovalState, UnixSeconds};

use super::invocation::author;
use super::{Failure, Invocation, now, output};
use crate::admin::Decider;

#[derive(Debug, Subcommand)]
pub(super) enum Approval {
    /// List what was asked for over the API and takes two people, oldest first.
    List,
    /// Allow what somebody asked for, and do it.
    ///
    /// Whoever is the hub's user on its host is another than whoever asked over the API: with one
    /// admin alone, this is the way.
    Approve {
        /// Its number.
        number: u64,
    },
    /// Do not allow it.
    Reject {
        /// Its number.
        number: u64,
        /// Why, for whoever has asked.
        #[arg(long)]
        reason: String,
    },
}

impl Approval {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::List => list(hub),
            Self::Approve { number } => {
                let done = hub.admin()?.approve(number, &decider())?;
                hub.output
                    .answer(&done, || format!("approval {number}: {}", words(&done, now())))?;
                match &done.state {
                    ApprovalState::Failed { why, .. } => Err(Failure::Refused(why.clone())),
                    _ => Ok(()),
                }
            }
            Self::Reject { number, reason } => {
                let closed = hub.admin()?.reject(number, reason, &decider())?;
                hub.output
                    .answer(&closed, || format!("approval {number}: {}", words(&closed, now())))
            }
        }
    }
}

/// Nobody of the users.
fn decider() -> Decider {
    Decider { user: None, who: author().who, now: now() }
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let store = hub.store()?;
    let approvals = store.approvals().list(None).map(|approval| Ok(approval?.1));
    let head = format!("{:>8} {:<20} {:<24} {:<28} STATE", "NUMBER", "ASKED", "BY", "FOR");
    hub.output.list(&head, approvals, |approval| {
        let asked = output::moment(approval.requested);
        let act = match &approval.act {
            Act::RemoveTenant { tenant } => format!("remove tenant {tenant}"),
            Act::SignFirmware { release, key: Some(key), .. } => {
                format!("sign release {release} with {key}")
            }
            Act::SignFirmware { release, key: None, .. } => {
                format!("have release {release} signed")
            }
            Act::StartRollout { rollout, .. } => format!("start rollout {rollout}"),
            Act::ChangeRollout { rollout, release, .. } => {
                format!("begin rollout {rollout} anew with release {release}")
            }
        };
        let (number, by, state) = (approval.number, &approval.requester, words(approval, now()));
        format!("{number:>8} {asked:<20} {by:<24} {act:<28} {state}")
    })
}

fn words(approval: &storage::Approval, now: UnixSeconds) -> String {
    match &approval.state {
        ApprovalState::Pending if approval.waits(now) => {
            format!("waits until {}", output::moment(approval.expires))
        }
        ApprovalState::Pending => String::from("expired"),
        ApprovalState::Done { by, .. } => format!("allowed by {by}, and done"),
        ApprovalState::Failed { by, why, .. } => format!("allowed by {by}, but: {why}"),
        ApprovalState::Rejected { by, why, .. } => format!("rejected by {by}: {why}"),
        ApprovalState::Withdrawn { .. } => String::from("withdrawn"),
    }
}
