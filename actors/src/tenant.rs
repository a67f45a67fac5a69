//! A tenant: its routes and upstreams, and the actor that supervises its boards' sessions.
//!
//! Each tenant has upstreams, queues and a supervisor of its own; what happens to one is never seen
//! by another. Invariant: a board has one session; a newer one ends the older.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, WeakAddr};
use storage::{Acknowledge, BoardId, ResourcePath, TenantId, TopicTemplate};

use crate::coap::{Limits, Resources};
use crate::enrolment;
use crate::link::table::Serial;
use crate::meter::TenantMeter;
use crate::recorder::{Recorder, Seen};
use crate::session::{Close, DeviceSession};
use crate::under_way::UnderWay;
use crate::upstream::UpstreamHandle;

const MAILBOX: usize = 4096;
const SWEEP: Duration = Duration::from_secs(10);

/// Every tenant that is served, by id.
#[derive(Default)]
pub struct Directory(HashMap<TenantId, Arc<Tenant>>);

impl Directory {
    /// A directory of `tenants`.
    pub fn new(tenants: impl IntoIterator<Item = Arc<Tenant>>) -> Arc<Self> {
        Arc::new(Self(tenants.into_iter().map(|tenant| (tenant.id.clone(), tenant)).collect()))
    }

    /// The tenant named `id`.
    #[must_use]
    pub fn find(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.0.get(id).cloned()
    }

    /// Every tenant.
    pub fn each(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.0.values()
    }
}

/// What a tenant's sessions share.
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// Where readings go, by resource.
    pub routes: Vec<Route>,
    /// The same resources as boards discover them, in the same order.
    pub resources: Resources,
    /// What its boards find where they are known by address alone: no certificates.
    pub plain_resources: Resources,
    /// What a board finds whose certificate has ended: a new one, and nothing else.
    pub renewal_resources: Resources,
    /// Requests for certificates that wait for an answer.
    pub enrolling: UnderWay,
    /// Bounds for each of its boards.
    pub limits: Limits,
    /// The same while the hub drains: nothing new is taken.
    pub draining_limits: Limits,
    /// Its quota and its boards'.
    pub meter: Arc<TenantMeter>,
    recorder: Addr<Recorder>,
    supervisor: RwLock<Addr<TenantSupervisor>>,
}

/// Where the readings of one resource go.
pub struct Route {
    /// The CoAP path.
    pub resource: ResourcePath,
    /// The topic they are published to.
    pub topic: TopicTemplate,
    /// When the board gets its 2.04.
    pub acknowledge: Acknowledge,
    /// `None` where the upstream is not configured or could not be: readings are answered 5.03.
    pub upstream: Option<UpstreamHandle>,
}

impl Route {
    /// The adapter, if there is one.
    #[must_use]
    pub fn upstream(&self) -> Option<&UpstreamHandle> {
        self.upstream.as_ref()
    }
}

impl Tenant {
    /// A tenant with `routes`, supervised by `supervisor`.
    #[must_use]
    pub fn new(
        id: TenantId,
        routes: Vec<Route>,
        limits: Limits,
        meter: Arc<TenantMeter>,
        recorder: Addr<Recorder>,
        supervisor: Addr<TenantSupervisor>,
    ) -> Arc<Self> {
        let paths = || Resources::new(routes.iter().map(|route| route.resource.as_ref()));
        let with_est = |resources: Resources| {
            resources.with_locals(wire::resource::EST, id.as_str(), enrolment::RESOURCES)
        };
        let (resources, plain_resources) = (with_est(paths()), paths());
        let renewal_resources = with_est(Resources::default());
        let draining_limits = Limits { in_flight_max: 0, ..limits.clone() };
        let supervisor = RwLock::new(supervisor);
        Arc::new(Self {
            id,
            routes,
            resources,
            plain_resources,
            renewal_resources,
            enrolling: UnderWay::default(),
            limits,
            draining_limits,
            meter,
            recorder,
            supervisor,
        })
    }

    /// Notes that a board was heard of.
    pub fn note(&self, board: &BoardId) {
        // Full: the recorder is behind; the board's next sighting is told again.
        let _ = self.recorder.try_send(Seen(board.clone()));
    }

    /// The actor that supervises the tenant's sessions now.
    #[must_use]
    pub fn supervisor(&self) -> Addr<TenantSupervisor> {
        self.supervisor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another supervisor takes over, the last one being dead.
    pub fn supervise_by(&self, supervisor: Addr<TenantSupervisor>) {
        *self.supervisor.write().unwrap_or_else(PoisonError::into_inner) = supervisor;
    }
}

/// Supervises the sessions of one tenant's boards.
pub struct TenantSupervisor {
    id: TenantId,
    /// Weak: an address that keeps its session alive costs two allocations.
    sessions: HashMap<BoardId, (Serial, WeakAddr<DeviceSession>)>,
}

/// A board's session has begun.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SessionStarted {
    /// The board.
    pub board: BoardId,
    /// Which session of its arbiter.
    pub serial: Serial,
    /// The session.
    pub session: WeakAddr<DeviceSession>,
}

/// A board's session has ended, by whatever cause.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SessionEnded {
    /// The board.
    pub board: BoardId,
    /// Which session of its arbiter.
    pub serial: Serial,
}

impl TenantSupervisor {
    /// A supervisor without sessions.
    #[must_use]
    pub fn new(id: TenantId) -> Self {
        Self { id, sessions: HashMap::new() }
    }
}

impl Actor for TenantSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |supervisor, _| {
            supervisor.sessions.retain(|_, (_, session)| session.upgrade().is_some());
        });
        tracing::debug!(tenant = %self.id, "tenant is supervised");
    }
}

impl Handler<SessionStarted> for TenantSupervisor {
    type Result = ();

    fn handle(&mut self, started: SessionStarted, _: &mut Self::Context) {
        let session = (started.serial, started.session);
        let before = self.sessions.insert(started.board, session);
        if let Some(before) = before.and_then(|(_, session)| session.upgrade()) {
            // Full: it is being spoken to; it ends when its name is taken or it falls silent.
            let _ = before.try_send(Close::Replaced);
        }
    }
}

impl Handler<SessionEnded> for TenantSupervisor {
    type Result = ();

    fn handle(&mut self, ended: SessionEnded, _: &mut Self::Context) {
        if self.sessions.get(&ended.board).is_some_and(|(serial, _)| *serial == ended.serial) {
            self.sessions.remove(&ended.board);
        }
    }
}
