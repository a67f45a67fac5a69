//! Rollouts: made, started, halted, gone on with, ended; each written down.
//!
//! Invariant: decides nothing but who is named; [`actors::rollout`] does.

use std::sync::Arc;

use actors::rollout::{NewRollout, RolloutError, Rollouts};
use serde_json::json;
use storage::{Rollout, RolloutState, UnixSeconds};

use super::{Admin, AdminError, refused, unknown};

impl Admin {
    /// The rollouts of the store; a running hub's are its own, others are opened when first asked for.
    ///
    /// # Errors
    /// Those of the store.
    pub fn rollouts(&self) -> Result<Arc<Rollouts>, AdminError> {
        if let Some(rollouts) = self.rollouts.get() {
            return Ok(Arc::clone(rollouts));
        }
        let opened = Rollouts::open(&self.store, crate::rollouts::parse)?;
        Ok(Arc::clone(self.rollouts.get_or_init(|| opened)))
    }

    /// Makes a rollout, which is started by itself.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn add_rollout(&self, new: NewRollout, now: UnixSeconds) -> Result<Rollout, AdminError> {
        let _changing = self.changing();
        let rollout = self.rollouts()?.add(new, now)?;
        self.record_rollout("rollout.add", rollout)
    }

    /// Starts a rollout; `is_approved` where a second person has allowed it, or none is needed.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn start_rollout(
        &self,
        number: u64,
        is_approved: bool,
        now: UnixSeconds,
    ) -> Result<Rollout, AdminError> {
        let rollout = self.rollouts()?.start(number, is_approved, now)?;
        self.record_rollout("rollout.start", rollout)
    }

    /// Halts a rollout.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn pause_rollout(&self, number: u64, now: UnixSeconds) -> Result<Rollout, AdminError> {
        let by = self.author.who.clone();
        let rollout = self.rollouts()?.pause(number, by, now)?;
        self.record_rollout("rollout.pause", rollout)
    }

    /// Goes on with a rollout, with another release where one is named.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn resume_rollout(
        &self,
        number: u64,
        release: Option<u64>,
        now: UnixSeconds,
    ) -> Result<Rollout, AdminError> {
        let rollout = self.rollouts()?.resume(number, release, now)?;
        self.record_rollout("rollout.resume", rollout)
    }

    /// Has the boards that failed try again.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn retry_rollout(&self, number: u64, now: UnixSeconds) -> Result<Rollout, AdminError> {
        let rollout = self.rollouts()?.retry(number, now)?;
        self.record_rollout("rollout.retry", rollout)
    }

    /// Ends a rollout.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn abort_rollout(&self, number: u64, now: UnixSeconds) -> Result<Rollout, AdminError> {
        let by = self.author.who.clone();
        let rollout = self.rollouts()?.abort(number, by, now)?;
        self.record_rollout("rollout.abort", rollout)
    }

    /// Whether the rollout can be started with this release, once it is allowed.
    pub(super) fn can_be_started(&self, number: u64, release: u64) -> Result<(), AdminError> {
        let rollout = self.rollouts()?.show(number)?.rollout;
        match rollout.state {
            RolloutState::AwaitingApproval | RolloutState::Ready if rollout.release == release => {
                Ok(())
            }
            _ => Err(refused(format!("rollout {number} was started or changed meanwhile"))),
        }
    }

    fn record_rollout(&self, what: &'static str, rollout: Rollout) -> Result<Rollout, AdminError> {
        let Rollout { number, name, release, filter, within, total, .. } = &rollout;
        let tenant = match within.as_deref() {
            Some([tenant]) => Some(tenant),
            _ => None,
        };
        let detail = json!({
            "tenant": tenant, "name": name, "release": release, "filter": filter, "boards": total,
        });
        self.record(what, number, detail)?;
        Ok(rollout)
    }
}

impl From<RolloutError> for AdminError {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Unknown(number) => {
                unknown("rollout", &number, "`cellular-hub rollout list` shows all")
            }
            RolloutError::Refused(why) => refused(why),
            RolloutError::Store(error) => error.into(),
            RolloutError::File { file, source } => {
                storage::StoreError::Unusable { dir: file, source }.into()
            }
        }
    }
}
