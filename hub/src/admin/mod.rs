//! Every change of what is registered: the store's, the audit log's, and the running hub's.
//!
//! The command line uses it, on a stopped hub's store or through the control socket in a running
//! hub. Invariant: nothing else in this crate changes a tenant, authority, board, route, upstream,
//! batch, certificate, person or token, but for the certificates that enrolment gives; changes come
//! one after the other; and the store has a change before anybody acts on it.

mod approvals;
mod authorities;
mod batches;
mod boards;
mod campaigns;
mod certificates;
mod firmware;
mod forecast;
mod jobs;
mod journal;
mod people;
mod rollouts;
mod routes;
mod sbom;
mod sessions;
mod stations;
mod tenants;
mod upstreams;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use actors::campaign::Campaigns;
use actors::hub::{AwakePage, EndSession, FindSessions, Of, Tried, TryUpstream};
use actors::refusal::Refusal;
use actors::rollout::Rollouts;
use actors::upstream::{Status, UpstreamError};
use storage::{Board, BoardId, Store, StoreError, Tenant, TenantId, UpstreamName};

use crate::trust::keys::KeyStore;
use crate::vault::VaultError;

pub use self::approvals::{Decider, Wanted};
pub use self::authorities::{AuthorityEnded, Boards};
pub use self::boards::{Ended, Selection};
pub use self::certificates::{CertificateRevoked, Which};
pub use self::firmware::{SigningKey, Upload};
pub use self::forecast::{AuthorityEnd, Forecast, ServerEnd};
pub use self::journal::Author;

/// Why nothing was changed; or, where it says so, why a change is only in the store.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A name that is not registered.
    #[error("there is no {what} {name}; {way_out}")]
    Unknown {
        /// What was looked for.
        what: String,
        /// Its name.
        name: String,
        /// What shows the names there are.
        way_out: String,
    },
    /// A rule forbids it.
    #[error("{0}")]
    Refused(String),
    /// The store failed, or forbids it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault does not seal or open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It is done, and the audit log does not say so.
    #[error("{what} is done, but cannot be written to the audit log")]
    NotRecorded {
        /// What was done.
        what: &'static str,
        /// Why it cannot be written down.
        #[source]
        source: storage::AuditError,
    },
    /// The store has it, and the running hub does not know.
    #[error("it is stored, but the running hub does not know of it ({0}); restart the hub")]
    NotLive(String),
}

/// A running hub, as far as changes concern it; each call returns when the change counts.
pub trait Live: Send + Sync {
    /// Ends sessions, for this reason; how many were awake.
    ///
    /// # Errors
    /// Why the hub does not know, in words.
    fn end_sessions(&self, of: Of, reason: Refusal) -> Result<usize, String>;

    /// Lets sessions begin again.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn readmit(&self, of: Of) -> Result<(), String>;

    /// Serves a tenant as the store has it now.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn serve(&self, tenant: &TenantId) -> Result<(), String>;

    /// Serves a tenant as the store has it now, with a new connection to this upstream.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn reconnect(&self, tenant: &TenantId, upstream: &UpstreamName) -> Result<(), String>;

    /// How every upstream is that has a connection to lose.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn upstreams(&self) -> Result<Vec<(TenantId, UpstreamName, Status)>, String>;

    /// A page of the sessions that are awake.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn find_sessions(&self, find: FindSessions) -> Result<AwakePage, String>;

    /// Ends the session of a board that may begin another; whether one was awake.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn end_session(&self, end: EndSession) -> Result<bool, String>;

    /// How many boards of each tenant have a session awake.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn awake(&self) -> Result<Vec<(TenantId, usize)>, String>;

    /// Publishes a message of the hub's own and waits for the broker's word.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn try_upstream(&self, attempt: TryUpstream) -> Result<Result<Tried, UpstreamError>, String>;

    /// Knows boards by the addresses that the store has now.
    ///
    /// # Errors
    /// As [`Live::end_sessions`].
    fn resettle(&self) -> Result<(), String>;
}

/// Changes what is registered; clones are the same.
#[derive(Clone)]
pub struct Admin {
    store: Store,
    live: Option<Arc<dyn Live>>,
    author: Author,
    changing: Arc<Mutex<()>>,
    /// With which firmware is signed.
    keys: Option<Arc<dyn KeyStore>>,
    rollouts: Arc<OnceLock<Arc<Rollouts>>>,
    campaigns: Arc<OnceLock<Arc<Campaigns>>>,
}

impl Admin {
    /// Changes the store of a hub that does not run.
    #[must_use]
    pub fn stopped(store: Store, author: Author) -> Self {
        let (changing, rollouts, campaigns) = Default::default();
        Self { store, live: None, author, changing, keys: None, rollouts, campaigns }
    }

    /// The same, which can sign firmware with these keys.
    #[must_use]
    pub fn signing_with(self, keys: &Arc<dyn KeyStore>) -> Self {
        Self { keys: Some(Arc::clone(keys)), ..self }
    }

    /// The same, with the rollouts that the running hub has open.
    #[must_use]
    pub fn rolling_out(self, rollouts: &Arc<Rollouts>) -> Self {
        Self { rollouts: Arc::new(Arc::clone(rollouts).into()), ..self }
    }

    /// The same, with the campaigns that the running hub has open.
    #[must_use]
    pub fn campaigning(self, campaigns: &Arc<Campaigns>) -> Self {
        Self { campaigns: Arc::new(Arc::clone(campaigns).into()), ..self }
    }

    /// Changes a running hub.
    #[must_use]
    pub fn running(store: Store, author: Author, live: Arc<dyn Live>) -> Self {
        Self { live: Some(live), ..Self::stopped(store, author) }
    }

    /// The same, with another who makes the changes.
    #[must_use]
    pub fn by(&self, author: Author) -> Self {
        Self { author, ..self.clone() }
    }

    /// Who makes the changes.
    #[must_use]
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// What is registered.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The tenant.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn tenant(&self, id: &TenantId) -> Result<Tenant, AdminError> {
        let way_out = "`cellular-hub tenant list` shows all";
        self.store.tenants().find(id)?.ok_or_else(|| unknown("tenant", id, way_out))
    }

    /// The board.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn board(&self, id: &BoardId) -> Result<Board, AdminError> {
        let way_out = "`cellular-hub board list` shows all";
        self.store.boards().find(id)?.ok_or_else(|| unknown("board", id, way_out))
    }

    /// Held by whoever looks and then changes.
    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the running hub, if there is one.
    fn tell<T>(
        &self,
        tell: impl FnOnce(&dyn Live) -> Result<T, String>,
    ) -> Result<Option<T>, AdminError> {
        let live = self.live.as_deref();
        live.map(tell).transpose().map_err(AdminError::NotLive)
    }
}

fn unknown(what: &str, name: &dyn std::fmt::Display, way_out: &str) -> AdminError {
    AdminError::Unknown {
        what: what.to_owned(),
        name: name.to_string(),
        way_out: way_out.to_owned(),
    }
}

fn refused(why: impl Into<String>) -> AdminError {
    AdminError::Refused(why.into())
}
