//! What the handlers share: the hub's admin, turns for work that waits, and what is counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web;
use actors::taps::Taps;
use storage::{Quota, Role, SignedInBy, UnixSeconds, UserName, UserState};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::caller::{Caller, Means};
use super::docs;
use super::gate::Gate;
use super::problem::{Code, Problem};
use super::replay::Replays;
use super::stream::Listeners;
use crate::admin::{Admin, Author};
use crate::config::SecondFactorFor;
use crate::http::rate::Rate;
use crate::jobs::Bell;
use crate::people::{Powers, SignIn};
use crate::trust::{Checkpoints, Pki};
use crate::watch::Watch;

/// Requests at a time that wait for the disk, for signatures or for the running hub.
const AT_A_TIME: usize = 32;
/// How long a request waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Passwords that are hashed at a time: each takes a core, and 19 MiB.
const HASHED_AT_A_TIME: usize = 2;

/// The API, as the server has it.
pub struct Api {
    admin: Admin,
    sign_in: Arc<SignIn>,
    checkpoints: Checkpoints,
    settings: ApiSettings,
    turns: Semaphore,
    hashing: Semaphore,
    rate: Rate<Who>,
    pub(super) gate: Gate,
    pub(super) replays: Replays,
    pub(super) listeners: Listeners,
}

/// What is set of it.
pub struct ApiSettings {
    /// The time of day.
    pub now: fn() -> UnixSeconds,
    /// Where browsers find the hub: `https://hub.example.com:8443`.
    pub origin: String,
    /// Requests of one caller.
    pub requests_per_caller_s: u32,
    /// Who needs a second factor.
    pub second_factor: SecondFactorFor,
    /// Seconds within which what takes two people has to be allowed.
    pub approvals_expire_s: u64,
    /// Boards above which another person has to allow a rollout; 0 is for none.
    pub approve_rollouts_above: u64,
    /// What tenants and boards may take that have no bounds of their own.
    pub default_quota: Quota,
    /// What tells of a job.
    pub bell: Bell,
    /// How the hub and its fleet are.
    pub watch: Arc<Watch>,
    /// Boards whose readings are looked at.
    pub taps: Arc<Taps>,
    /// The root and the keys, with which new tenants get an authority.
    pub pki: Pki,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Who {
    /// A person's.
    User(UserName),
    /// A program's.
    Token(storage::ApiTokenId),
}

impl Caller {
    pub(super) fn counted_as(&self) -> Who {
        match &self.by {
            Means::Session(own) => Who::User(own.user.clone()),
            Means::Token(id) => Who::Token(id.clone()),
        }
    }
}

impl Api {
    /// Over this admin, whose author is put in place for each caller.
    #[must_use]
    pub fn new(
        admin: Admin,
        sign_in: SignIn,
        checkpoints: Checkpoints,
        settings: ApiSettings,
    ) -> Self {
        Self {
            admin,
            sign_in: Arc::new(sign_in),
            checkpoints,
            turns: Semaphore::new(AT_A_TIME),
            hashing: Semaphore::new(HASHED_AT_A_TIME),
            rate: Rate::new(settings.requests_per_caller_s),
            settings,
            gate: Gate::of(docs::document()),
            replays: Replays::default(),
            listeners: Listeners::default(),
        }
    }

    /// The time of day.
    pub fn now(&self) -> UnixSeconds {
        (self.settings.now)()
    }

    /// What the configuration lets tenants and boards take that have no bounds of their own.
    pub(super) const fn default_quota(&self) -> Quota {
        self.settings.default_quota
    }

    /// What tells of a job.
    pub(super) const fn bell(&self) -> &Bell {
        &self.settings.bell
    }

    /// The root and the keys.
    pub(super) const fn pki(&self) -> &Pki {
        &self.settings.pki
    }

    /// How the hub and its fleet are.
    pub(super) fn watch(&self) -> &Watch {
        &self.settings.watch
    }

    /// Boards whose readings are looked at.
    pub(super) const fn taps(&self) -> &Arc<Taps> {
        &self.settings.taps
    }

    /// What a caller may by now; nothing of who is not signed in any more, or whose token is over. That
    /// this was asked is no use of their session.
    pub(super) fn powers_now(&self, caller: &Caller) -> Option<Powers> {
        let (store, now) = (self.admin.store(), self.now());
        let scopes = match &caller.by {
            Means::Session(own) => {
                self.sign_in.sessions().still_counts(&own.session, now).ok()?.then_some(None)?
            }
            Means::Token(id) => {
                let (_, token) = self.admin.find_api_token(id).ok()??;
                if token.expires < now {
                    return None;
                }
                Some((token.scopes, token.tenant))
            }
        };
        let user = store.users().find(caller.user.as_str()).ok()??;
        if user.state != UserState::Active {
            return None;
        }
        let powers = Powers::of(&user.grants);
        Some(match scopes {
            None => powers,
            Some((scopes, tenant)) => {
                let scopes = scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
                powers.within(scopes, tenant.as_ref())
            }
        })
    }

    pub(super) const fn admin(&self) -> &Admin {
        &self.admin
    }

    pub(super) fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// The same, for work off the arbiters.
    pub(super) fn sign_in_shared(&self) -> Arc<SignIn> {
        Arc::clone(&self.sign_in)
    }

    pub(super) const fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    pub(super) const fn approvals_expire_s(&self) -> u64 {
        self.settings.approvals_expire_s
    }

    pub(super) const fn approve_rollouts_above(&self) -> u64 {
        self.settings.approve_rollouts_above
    }

    pub(super) fn origin(&self) -> &str {
        &self.settings.origin
    }

    /// Whether somebody has to have a second factor, and has signed in without.
    pub(super) fn lacks_second_factor(&self, caller: &Caller) -> bool {
        let Means::Session(own) = &caller.by else { return false };
        let has_one = match own.by {
            SignedInBy::SetupLink | SignedInBy::Password => false,
            SignedInBy::PasswordAndTotp
            | SignedInBy::PasswordAndRecoveryCode
            | SignedInBy::PasswordAndPasskey
            | SignedInBy::Passkey
            | SignedInBy::Provider => true,
        };
        let needs_one = match self.settings.second_factor {
            SecondFactorFor::Nobody => false,
            SecondFactorFor::Admins => {
                let is_admin = |role: Role| matches!(role, Role::PlatformAdmin | Role::TenantAdmin);
                caller.roles.iter().copied().any(is_admin)
            }
            SecondFactorFor::Everybody => true,
        };
        needs_one && !has_one
    }

    pub(super) fn within_rate(&self, caller: &Caller, now: Instant) -> bool {
        self.rate.take(caller.counted_as(), now)
    }

    /// Does work that may wait, in the caller's name and off the arbiters, when it is its turn.
    ///
    /// # Errors
    /// Those of the work; [`Code::Unavailable`] when there is too much of it.
    pub async fn run<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Admin) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        let (who, source) = (caller.who(), caller.source);
        let admin = self.admin.by(Author { who, source, now: self.settings.now });
        self.blocking(move || work(&admin)).await
    }

    /// Does work that may wait off the arbiters, when it is its turn.
    ///
    /// # Errors
    /// As [`Api::run`].
    pub(super) async fn blocking<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        in_turn(&self.turns, work).await
    }

    /// The same, for work that hashes a password.
    pub(super) async fn hashing<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        in_turn(&self.hashing, work).await
    }
}

async fn in_turn<T: Send + 'static, E: Into<Problem> + Send + 'static>(
    turns: &Semaphore,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Problem> {
    let Ok(Ok(_turn)) = timeout(TURN_WITHIN, turns.acquire()).await else {
        let detail = "the hub has more to do than it can; come back in a moment";
        return Err(Problem::later(Code::Unavailable, 1, detail));
    };
    match web::block(work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Problem::later(Code::Unavailable, 5, "the hub is going down")),
    }
}
