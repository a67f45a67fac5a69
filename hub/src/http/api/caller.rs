//! Who calls: a person who has signed in, or a program with one of their tokens.
//!
//! Invariant: a caller is made by [`super::gate`] alone, for each request anew: a role that was
//! taken away, a person or a token that is no more, counts from the next request on.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use storage::{ApiTokenId, TenantId, UserName};

use super::problem::{Code, Problem};
use crate::people::{Permission, Powers, Reach};

/// Somebody who may use the API, and for what.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person.
    pub user: UserName,
    /// By which means they call.
    pub by: Means,
    /// Where the request comes from.
    pub source: Option<IpAddr>,
    /// What they may.
    pub powers: Powers,
}

/// By which means somebody calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Means {
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

    /// How the audit log names them.
    #[must_use]
    pub fn who(&self) -> String {
        match &self.by {
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
