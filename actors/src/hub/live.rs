//! What an admin has changed in the store takes effect in the running hub.
//!
//! Invariant: the store is changed before anybody is told here, so that who begins meanwhile is
//! judged by the change; and no tenant's sessions are ended at another's cost.

use std::sync::Arc;
use std::time::Instant;

use actix::{
    ActorFutureExt as _, Handler, Message, ResponseActFuture, ResponseFuture, WrapFuture as _,
};
use actix_rt::time::timeout;
use storage::{AuthorityName, BoardId, TenantId, UpstreamName};

use crate::barred::Whose;
use crate::hub::{Hub, STOP_WITHIN, StartError, reload, tenants};
use crate::link::plain::Know;
use crate::refusal::Refusal;
use crate::tenant::{self, Tenant};

/// Whose sessions are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// One board's.
    Board {
        /// Its tenant.
        tenant: TenantId,
        /// The board.
        board: BoardId,
    },
    /// Those of boards with certificates of this authority.
    Issuer(AuthorityName),
    /// All of a tenant's boards.
    Tenant(TenantId),
}

impl Of {
    fn tenant(&self) -> &TenantId {
        match self {
            Self::Board { tenant, .. } | Self::Tenant(tenant) => tenant,
            Self::Issuer(AuthorityName { tenant, .. }) => tenant,
        }
    }

    /// The same among the tenant's.
    fn whose(&self) -> Whose {
        match self {
            Self::Board { board, .. } => Whose::Board(board.clone()),
            Self::Issuer(authority) => Whose::Issuer(authority.number),
            Self::Tenant(_) => Whose::Tenant,
        }
    }
}

/// Ends sessions with a fatal alert, `access_denied`; answers how many were awake. What of theirs the
/// broker does not have yet is not given to it when this is answered, unless their boards were told that
/// the hub has it; the sessions end a moment later. Those asleep stay stored, for the alert that answers their next record.
#[derive(Debug, Clone, Message)]
#[rtype(result = "usize")]
pub struct EndSessions {
    /// Whose.
    pub of: Of,
    /// Why, for the log.
    pub reason: Refusal,
}

/// Boards that were shut out may have sessions again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Readmit {
    /// Whose.
    pub of: Of,
}

/// Serves the tenant as the store has it now: its authority, routes, upstreams and quotas; or not at
/// all where the store has none of this name.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), StartError>")]
pub struct Serve(pub TenantId);

/// Serves the tenant as the store and the vault have it now, with a new connection to this upstream.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), StartError>")]
pub struct Reconnect(pub TenantId, pub UpstreamName);

/// Knows boards by the addresses that the store has now.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), StartError>")]
pub struct Resettle;

impl Handler<EndSessions> for Hub {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, end: EndSessions, _: &mut Self::Context) -> Self::Result {
        let EndSessions { of, reason } = end;
        let whose = of.whose();
        if let Some(barred) = self.serving.barred(of.tenant()) {
            barred.bar(&whose, Instant::now());
        }
        let supervisor = self.tenants.find(of.tenant()).map(|tenant| tenant.supervisor());
        if let Err(error) = self.resettle() {
            tracing::error!(%error, "boards known by address are as they were");
        }
        Box::pin(async move {
            let Some(supervisor) = supervisor else { return 0 };
            // A supervisor that is dead has no sessions.
            let ended = supervisor.send(tenant::EndSessions(whose)).await.unwrap_or(0);
            let (board, authority) = match &of {
                Of::Board { board, .. } => (Some(tracing::field::display(board)), None),
                Of::Issuer(authority) => (None, Some(tracing::field::display(authority))),
                Of::Tenant(_) => (None, None),
            };
            tracing::info!(tenant = %of.tenant(), board, authority, %reason, ended, "sessions end");
            ended
        })
    }
}

impl Handler<Readmit> for Hub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, readmit: Readmit, _: &mut Self::Context) -> Self::Result {
        let of = readmit.of;
        let whose = of.whose();
        if whose == Whose::Tenant
            && let Some(barred) = self.serving.barred(of.tenant())
        {
            barred.admit_all();
        }
        let supervisor = self.tenants.find(of.tenant()).map(|tenant| tenant.supervisor());
        if let Err(error) = self.resettle() {
            tracing::error!(%error, "boards known by address are as they were");
        }
        Box::pin(async move {
            if let Some(supervisor) = supervisor {
                // A supervisor that is dead holds nobody back.
                let _ = supervisor.send(tenant::Readmit(whose)).await;
            }
        })
    }
}

impl Handler<Serve> for Hub {
    type Result = ResponseFuture<Result<(), StartError>>;

    fn handle(&mut self, Serve(id): Serve, _: &mut Self::Context) -> Self::Result {
        let served = self.serve(&id);
        let profile = served.and_then(|()| self.reloadable.profile(&self.reloadable.credentials));
        let handshakers = self.handshakers.clone();
        Box::pin(async move {
            reload::give(&handshakers, &profile?).await;
            Ok(())
        })
    }
}

impl Handler<Reconnect> for Hub {
    type Result = ResponseActFuture<Self, Result<(), StartError>>;

    fn handle(
        &mut self,
        Reconnect(id, upstream): Reconnect,
        _: &mut Self::Context,
    ) -> Self::Result {
        let before = self.serving.disconnect(&id, &upstream);
        // One after the other: both have one name at the broker, and one in the metrics.
        let stopped = async move {
            if let Some(before) = before
                && timeout(STOP_WITHIN, before.stop()).await.is_err()
            {
                tracing::warn!(tenant = %id, %upstream, "the upstream did not stop in time");
            }
            id
        };
        Box::pin(stopped.into_actor(self).map(|id, hub, _| hub.serve(&id)))
    }
}

impl Handler<Resettle> for Hub {
    type Result = Result<(), StartError>;

    fn handle(&mut self, _: Resettle, _: &mut Self::Context) -> Self::Result {
        self.resettle()
    }
}

impl Hub {
    fn serve(&mut self, id: &TenantId) -> Result<(), StartError> {
        match self.serving.store.tenants().find(id)? {
            Some(tenant) => {
                let before: Option<Arc<Tenant>> = self.tenants.find(id);
                let tenant = self.serving.one(tenant, before.as_deref())?;
                self.tenants.put(&tenant);
            }
            None => {
                self.tenants.remove(id);
                self.serving.dismiss(id);
            }
        }
        self.resettle()
    }

    fn resettle(&self) -> Result<(), StartError> {
        let Some(plain) = &self.plain else { return Ok(()) };
        let residents = tenants::residents(&self.serving.store, &self.tenants)?;
        // Its mailbox is without bound for who is known: a handful of messages an hour.
        if plain.try_send(Know(residents)).is_err() {
            tracing::error!("the plain link is gone; it needs a restart");
        }
        Ok(())
    }
}
