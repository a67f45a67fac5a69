//! Four eyes: what one person asks for and another allows, and what is then done.
//!
//! Invariant: who asks is never who allows; an act is done at most once; and what is done is written
//! down with both names.

use serde_json::json;
use storage::{Act, Approval, ApprovalState, UnixSeconds, UserName};

use super::{Admin, AdminError, refused, unknown};
use crate::trust::keys::KeyLabel;

/// What waits at a time.
const PENDING_MAX: usize = 1000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is to be done.
    pub act: Act,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub requester: UserName,
    /// When.
    pub now: UnixSeconds,
    /// The last second in which it can be allowed.
    pub expires: UnixSeconds,
}

/// Who decides: a person, or whoever is the hub's user on its host, who is nobody of `users`.
#[derive(Clone, Debug)]
pub struct Decider {
    /// The person.
    pub user: Option<UserName>,
    /// As the audit log names them.
    pub who: String,
    /// When.
    pub now: UnixSeconds,
}

impl Admin {
    /// Has an act wait for a second person.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for what could not be done anyway, or waits already.
    pub fn ask_for_approval(&self, wanted: &Wanted) -> Result<Approval, AdminError> {
        let _changing = self.changing();
        self.can_be_done(&wanted.act)?;
        let (mut number, mut pending) = (0, 0);
        for approval in self.store.approvals().list(None) {
            let (_, approval) = approval?;
            number = approval.number;
            if approval.waits(wanted.now) {
                pending += 1;
                if approval.act == wanted.act {
                    let why = format!("approval {number} waits for the same; decide that first");
                    return Err(refused(why));
                }
            }
        }
        if pending >= PENDING_MAX {
            return Err(refused("too much waits for approval; decide some of it first"));
        }
        let approval = Approval {
            number: number + 1,
            act: wanted.act.clone(),
            reason: wanted.reason.clone(),
            requester: wanted.requester.clone(),
            requested: wanted.now,
            expires: wanted.expires,
            state: ApprovalState::Pending,
        };
        self.store.approvals().put(&approval.number.to_be_bytes(), &approval)?;
        self.record_approval("approval.ask", &approval)?;
        Ok(approval)
    }

    /// The approval of this number.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn approval(&self, number: u64) -> Result<Approval, AdminError> {
        let found = self.store.approvals().find(&number.to_be_bytes())?;
        let way_out = "`cellular-hub approval list` shows all";
        found.ok_or_else(|| unknown("approval", &number, way_out))
    }

    /// Allows what was asked for, and does it.
    ///
    /// # Errors
    /// [`AdminError::Refused`] by whoever asked, and for what does not wait any more. That it could
    /// not be done is no error here: it is in the approval.
    pub fn approve(&self, number: u64, decider: &Decider) -> Result<Approval, AdminError> {
        let approval = {
            let _changing = self.changing();
            let mut approval = self.pending(number, decider.now)?;
            if decider.user.as_ref() == Some(&approval.requester) {
                let why = "who asks does not allow: that is for another person, or for \
                           `cellular-hub approval approve` on the hub's host";
                return Err(refused(why));
            }
            // From here on nobody else decides it; should the hub end now, it was not done.
            let why = String::from("the hub ended meanwhile; look whether it was done");
            let (by, at) = (decider.who.clone(), decider.now);
            approval.state = ApprovalState::Failed { by, at, why };
            self.store.approvals().put(&number.to_be_bytes(), &approval)?;
            self.record_approval("approval.approve", &approval)?;
            approval
        };
        let (by, at) = (decider.who.clone(), decider.now);
        let state = match self.carry_out(&approval.act, decider) {
            Ok(()) => ApprovalState::Done { by, at },
            Err(error) => ApprovalState::Failed { by, at, why: crate::cli::in_one_line(&error) },
        };
        let approval = Approval { state, ..approval };
        self.store.approvals().put(&number.to_be_bytes(), &approval)?;
        Ok(approval)
    }

    /// Does not allow what was asked for.
    ///
    /// # Errors
    /// As [`Admin::approve`].
    pub fn reject(
        &self,
        number: u64,
        why: String,
        decider: &Decider,
    ) -> Result<Approval, AdminError> {
        let (by, at) = (decider.who.clone(), decider.now);
        let state = ApprovalState::Rejected { by, at, why };
        self.close(number, state, "approval.reject", decider.now)
    }

    /// Takes back what one has asked for.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for others.
    pub fn withdraw(
        &self,
        number: u64,
        user: &UserName,
        now: UnixSeconds,
    ) -> Result<Approval, AdminError> {
        if self.approval(number)?.requester != *user {
            return Err(refused("what somebody else has asked for is rejected, not withdrawn"));
        }
        self.close(number, ApprovalState::Withdrawn { at: now }, "approval.withdraw", now)
    }

    fn close(
        &self,
        number: u64,
        state: ApprovalState,
        what: &'static str,
        now: UnixSeconds,
    ) -> Result<Approval, AdminError> {
        let _changing = self.changing();
        let approval = Approval { state, ..self.pending(number, now)? };
        self.store.approvals().put(&number.to_be_bytes(), &approval)?;
        self.record_approval(what, &approval)?;
        Ok(approval)
    }

    fn pending(&self, number: u64, now: UnixSeconds) -> Result<Approval, AdminError> {
        let approval = self.approval(number)?;
        match approval.waits(now) {
            true => Ok(approval),
            false if approval.state == ApprovalState::Pending => {
                Err(refused(format!("approval {number} has expired; ask for it again")))
            }
            false => Err(refused(format!("approval {number} is decided already"))),
        }
    }

    fn can_be_done(&self, act: &Act) -> Result<(), AdminError> {
        match act {
            Act::RemoveTenant { tenant } => {
                self.tenant(tenant)?;
                match self.store.boards().count_of_tenant(tenant)? {
                    0 => Ok(()),
                    count => Err(refused(format!(
                        "tenant {tenant} still has {count} boards; remove those first"
                    ))),
                }
            }
            Act::SignFirmware { release, digest, key, .. } => {
                if self.unsigned(*release)?.digest != *digest {
                    return Err(refused(format!("release {release} is another image now")));
                }
                match key.as_deref().map(str::parse::<KeyLabel>) {
                    Some(Err(invalid)) => Err(refused(invalid.to_string())),
                    Some(Ok(_)) | None => Ok(()),
                }
            }
            Act::StartRollout { rollout, release, .. } => self.can_be_started(*rollout, *release),
            Act::ChangeRollout { rollout, release, .. } => {
                Ok(self.rollouts()?.fits_anew(*rollout, *release)?)
            }
        }
    }

    fn carry_out(&self, act: &Act, decider: &Decider) -> Result<(), AdminError> {
        // What was asked for may not be what it is about any more.
        self.can_be_done(act)?;
        match act {
            Act::RemoveTenant { tenant } => self.remove_tenant(tenant),
            Act::SignFirmware { release, key, .. } => {
                match key.as_deref().and_then(|key| key.parse::<KeyLabel>().ok()) {
                    Some(key) => self.sign_release(*release, &key, decider.now).map(drop),
                    None => self.allow_signature(*release, &decider.who, decider.now),
                }
            }
            Act::StartRollout { rollout, .. } => {
                self.start_rollout(*rollout, true, decider.now).map(drop)
            }
            Act::ChangeRollout { rollout, release, .. } => {
                self.resume_rollout(*rollout, Some(*release), decider.now).map(drop)
            }
        }
    }

    fn record_approval(&self, what: &'static str, approval: &Approval) -> Result<(), AdminError> {
        let tenant = approval.act.tenant();
        self.record(what, &approval.number, json!({ "tenant": tenant, "approval": approval }))
    }
}
