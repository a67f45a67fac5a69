//! What the handlers share: the hub's admin, turns for work that waits, and what is counted.

use std::time::{Duration, Instant};

use actix_web::web;
use storage::UnixSeconds;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::caller::{Caller, Means};
use super::docs;
use super::gate::Gate;
use super::problem::{Code, Problem};
use super::replay::Replays;
use crate::admin::{Admin, Author};
use crate::http::rate::Rate;

/// Requests at a time that wait for the disk, for signatures or for the running hub.
const AT_A_TIME: usize = 32;
/// How long a request waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// The API, as the server has it.
pub struct Api {
    admin: Admin,
    now: fn() -> UnixSeconds,
    turns: Semaphore,
    rate: Rate<Who>,
    pub(super) gate: Gate,
    pub(super) replays: Replays,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Who {
    /// A program's.
    Token(storage::ApiTokenId),
}

impl Caller {
    pub(super) fn counted_as(&self) -> Who {
        match &self.by {
            Means::Token(id) => Who::Token(id.clone()),
        }
    }
}

impl Api {
    /// Over this admin, whose author is put in place for each caller.
    #[must_use]
    pub fn new(admin: Admin, now: fn() -> UnixSeconds, requests_per_caller_s: u32) -> Self {
        Self {
            admin,
            now,
            turns: Semaphore::new(AT_A_TIME),
            rate: Rate::new(requests_per_caller_s),
            gate: Gate::of(docs::document()),
            replays: Replays::default(),
        }
    }

    /// The time of day.
    pub fn now(&self) -> UnixSeconds {
        (self.now)()
    }

    pub(super) const fn admin(&self) -> &Admin {
        &self.admin
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
        let author = Author { who: caller.who(), now: self.now };
        let admin = self.admin.by(author);
        let Ok(Ok(_turn)) = timeout(TURN_WITHIN, self.turns.acquire()).await else {
            let detail = "the hub has more to do than it can; come back in a moment";
            return Err(Problem::later(Code::Unavailable, 1, detail));
        };
        match web::block(move || work(&admin)).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(Problem::later(Code::Unavailable, 5, "the hub is going down")),
        }
    }
}
