//! Who calls: a person who has signed in, or a program with one of their tokens.
//!
//! Invariant: a caller is made by [`super::gate`] alone, for each request anew: a role that was
//! taken away, a person or a token that is no more, counts from the next request on.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use storage::{ApiTokenId, Role, TenantId, UnixSeconds, UserName};

use super::cookies;
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::http::rate::whole;
use crate::people::{FRESH, Own, Permission, Powers, Reach, Visitor};

/// Somebody who may use the API, and for what.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person.
    pub user: UserName,
    /// By which means they call.
    pub by: Means,
    /// Where the request comes from.
    pub source: Option<IpAddr>,
    /// Their roles.
    pub roles: Vec<Role>,
    /// What they may.
    pub powers: Powers,
}

/// By which means somebody calls.
#[derive(Clone, Debug)]
pub enum Means {
    /// A session at a browser.
    Session(Own),
    /// A token of theirs.
    Token(ApiTokenId),
}

/// To what something is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// To what is no tenant's: the hub itself.
    Hub,
    /// To what is this tenant's.
    Tenant(TenantId),
}

impl Caller {
    /// Refuses who may not do this there.
    ///
    /// # Errors
    /// [`Code::NotFound`] for a tenant that the caller has nothing to do with, else
    /// [`Code::Forbidden`].
    pub fn require(&self, permission: Permission, scope: &Scope) -> Result<(), Problem> {
        let may = match scope {
            Scope::Hub => self.powers.has_everywhere(permission),
            Scope::Tenant(tenant) if !self.powers.knows(tenant) => {
                return Err(Problem::unknown("tenant", tenant));
            }
            Scope::Tenant(tenant) => self.powers.has_in(permission, tenant),
        };
        match may {
            true => Ok(()),
            false => Err(Self::forbidden(permission)),
        }
    }

    /// Where the caller may do this, for lists.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for nowhere.
    pub fn reach(&self, permission: Permission) -> Result<Reach, Problem> {
        match self.powers.has(permission) {
            true => Ok(self.powers.reach(permission)),
            false => Err(Self::forbidden(permission)),
        }
    }

    pub(super) fn forbidden(permission: Permission) -> Problem {
        let detail = format_args!("you may not: that takes the permission {permission}");
        Problem::new(Code::Forbidden, detail)
    }

    /// Their session, of whoever is a person at a browser.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for programs.
    pub(super) fn at_a_browser(&self) -> Result<&Own, Problem> {
        match &self.by {
            Means::Session(own) => Ok(own),
            Means::Token(_) => {
                Err(Problem::new(Code::Forbidden, "that is for people who have signed in"))
            }
        }
    }

    /// The same, of whoever has signed in within the last minutes: who finds a browser open changes
    /// nothing for good.
    ///
    /// # Errors
    /// [`Code::SignInAgain`] for others.
    pub(super) fn freshly_signed_in(&self, now: UnixSeconds) -> Result<&Own, Problem> {
        let own = self.at_a_browser()?;
        match now.0.saturating_sub(own.begun.0) <= FRESH.as_secs() {
            true => Ok(own),
            false => {
                let minutes = FRESH.as_secs() / 60;
                let detail = format_args!(
                    "sign in again: that takes a sign-in of the last {minutes} minutes"
                );
                Err(Problem::new(Code::SignInAgain, detail))
            }
        }
    }

    /// How the audit log names them.
    #[must_use]
    pub fn who(&self) -> String {
        match &self.by {
            Means::Session(own) => format!("user:{}", own.user),
            Means::Token(id) => format!("token:{id} of user:{}", self.user),
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or_else(unauthenticated))
    }
}

pub(super) fn unauthenticated() -> Problem {
    let detail = "sign in, or show a token: `Authorization: Bearer chub_...`";
    Problem::new(Code::Unauthenticated, detail)
}

/// Whoever is at the door, before it is known who that is.
pub(super) fn visitor(request: &HttpRequest, api: &Api) -> Visitor {
    let source = request.peer_addr().map(|address| address.ip().to_canonical());
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    Visitor {
        source,
        network: source.map(whole),
        agent: agent.unwrap_or_default().to_owned(),
        browser: cookies::shown(request, cookies::BROWSER),
        now: api.now(),
        instant: std::time::Instant::now(),
    }
}
