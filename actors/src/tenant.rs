//! A tenant: its routes and upstreams, and the actor that supervises its boards' sessions.
//!
//! Each tenant has upstreams, queues and a supervisor of its own; what happens to one is never seen
//! by another. Invariant: a board has one session; a newer one ends the older.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use actix::dev::SendError;
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, WeakAddr};
use storage::{Acknowledge, AuthorityNumber, BoardId, ResourcePath, TenantId, TopicTemplate};

use crate::barred::{Barred, Moment, Whose};
use crate::coap::{Limits, Resources};
use crate::enrolment;
use crate::firmware;
use crate::happened::Happened;
use crate::link::table::Serial;
use crate::meter::TenantMeter;
use crate::metrics::SessionEnd;
use crate::recorder::{Passed, Recorder, Seen};
use crate::session::{Close, DeviceSession};
use crate::under_way::UnderWay;
use crate::upstream::UpstreamHandle;

const MAILBOX: usize = 4096;
/// Sessions there are at least before any is looked for that has ended unheard.
const SWEEP_AT: usize = 64;
const SWEEP: Duration = Duration::from_secs(10);
/// Sessions that are told to end and have not yet: more would stand before what the arbiters do for
/// other tenants. Some milliseconds of work.
const ENDING_AT_ONCE: usize = 500;
/// How often those are looked at, to tell the next.
const LOOK: Duration = Duration::from_millis(1);

/// Every tenant that is served, by id.
#[derive(Default)]
pub struct Directory(RwLock<HashMap<TenantId, Arc<Tenant>>>);

impl Directory {
    /// A directory of `tenants`.
    pub fn new(tenants: impl IntoIterator<Item = Arc<Tenant>>) -> Arc<Self> {
        let tenants = tenants.into_iter().map(|tenant| (tenant.id.clone(), tenant)).collect();
        Arc::new(Self(RwLock::new(tenants)))
    }

    /// The tenant named `id`.
    #[must_use]
    pub fn find(&self, id: &TenantId) -> Option<Arc<Tenant>> {
        self.read().get(id).cloned()
    }

    /// Every tenant.
    #[must_use]
    pub fn each(&self) -> Vec<Arc<Tenant>> {
        self.read().values().cloned().collect()
    }

    /// Serves `tenant` from now on; sessions of the one before follow when nothing of theirs waits.
    pub fn put(&self, tenant: &Arc<Tenant>) {
        let mut tenants = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = tenants.insert(tenant.id.clone(), Arc::clone(tenant)) {
            // Set once: nobody else is the one before.
            let _ = before.successor.set(Arc::clone(tenant));
        }
    }

    /// Serves no tenant of this name any more.
    pub fn remove(&self, id: &TenantId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<TenantId, Arc<Tenant>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
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
    /// Reports on firmware and requests for blocks of images that wait for an answer.
    pub updating: UnderWay,
    /// Bounds for each of its boards.
    pub limits: Limits,
    /// The same while the hub drains: nothing new is taken.
    pub draining_limits: Limits,
    /// Its quota and its boards'.
    pub meter: Arc<TenantMeter>,
    /// Whom of its boards an admin has just shut out.
    pub barred: Arc<Barred>,
    recorder: Addr<Recorder>,
    supervisor: RwLock<Addr<TenantSupervisor>>,
    /// The same tenant after a change of its routes, upstreams or quotas.
    successor: OnceLock<Arc<Tenant>>,
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
        (meter, barred): (Arc<TenantMeter>, Arc<Barred>),
        recorder: Addr<Recorder>,
        supervisor: Addr<TenantSupervisor>,
    ) -> Arc<Self> {
        let paths = || Resources::new(routes.iter().map(|route| route.resource.as_ref()));
        let with_est = |resources: Resources| {
            resources.with_locals(wire::resource::EST, id.as_str(), enrolment::RESOURCES)
        };
        let with_firmware = |resources: Resources| {
            resources.with_locals("", "", firmware::RESOURCES).with_files(wire::resource::FIRMWARE)
        };
        let (resources, plain_resources) = (with_firmware(with_est(paths())), paths());
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
            updating: UnderWay::default(),
            limits,
            draining_limits,
            meter,
            barred,
            recorder,
            supervisor,
            successor: OnceLock::new(),
        })
    }

    /// Notes that a board was heard of, and how many bytes have passed since that was noted last.
    pub fn note(&self, board: &BoardId, passed: u32) {
        // Full: the recorder is behind; the board's next sighting is told again.
        let _ = self.recorder.try_send(Seen(board.clone()));
        self.passed(board, passed);
    }

    /// Notes that so many bytes have passed.
    pub fn passed(&self, board: &BoardId, bytes: u32) {
        if bytes > 0 {
            // Full: they are not counted.
            let _ = self.recorder.try_send(Passed(board.clone(), bytes));
        }
    }

    /// Notes that a board's session is over, where that is worth knowing later.
    pub fn note_end(&self, board: &BoardId, peer: SocketAddr, end: SessionEnd) {
        if let Some(ended) = Happened::ended(board, peer, end) {
            ended.tell(&self.recorder);
        }
    }

    /// The tenant as it is now, where that is not this.
    #[must_use]
    pub fn successor(&self) -> Option<Arc<Self>> {
        let mut newest = self.successor.get()?;
        while let Some(newer) = newest.successor.get() {
            newest = newer;
        }
        Some(Arc::clone(newest))
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
    sessions: BTreeMap<BoardId, Supervised>,
    /// How many there may be before those are looked for whose end was not heard.
    sweep_at: usize,
    /// Whose sessions are ended, the ones that are just beginning as well.
    barred: Arc<Barred>,
    /// Sessions that are to be ended.
    to_end: VecDeque<WeakAddr<DeviceSession>>,
    /// Sessions that were told to end; nobody looks at them while none is to be told.
    ending: Vec<WeakAddr<DeviceSession>>,
    is_looking: bool,
}

/// A session that is supervised.
struct Supervised {
    serial: Serial,
    /// Weak: an address that keeps its session alive costs two allocations.
    session: WeakAddr<DeviceSession>,
    issuer: Option<AuthorityNumber>,
}

/// Ends sessions, of those who are shut out; answers how many there were.
#[derive(Debug, Clone, Message)]
#[rtype(result = "usize")]
pub struct EndSessions(pub Whose);

/// They may have sessions again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Readmit(pub Whose);

/// Asks how many of the tenant's boards have a session awake.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "usize")]
pub struct CountAwake;

/// Asks for sessions that are awake, by board.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Found")]
pub struct FindAwake {
    /// From the first behind this board on.
    pub after: Option<BoardId>,
    /// With this in the board's id, in lower case.
    pub contains: String,
    /// At most so many.
    pub limit: usize,
    /// Of so many that are looked at.
    pub looks: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The sessions.
    pub sessions: Vec<(BoardId, WeakAddr<DeviceSession>)>,
    /// The board that was looked at last, where there are more.
    pub until: Option<BoardId>,
    /// How many were looked at.
    pub looked: usize,
}

/// Asks for the session of one board.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<WeakAddr<DeviceSession>>")]
pub struct FindOne(pub BoardId);

/// A board's session has begun.
#[derive(Message)]
#[rtype(result = "()")]
pub struct SessionStarted {
    /// The board.
    pub board: BoardId,
    /// Which of the tenant's authorities issued its certificate.
    pub issuer: Option<AuthorityNumber>,
    /// Which session of its arbiter.
    pub serial: Serial,
    /// The session.
    pub session: WeakAddr<DeviceSession>,
    /// When it was admitted.
    pub admitted: Moment,
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
    /// A supervisor without sessions; those of whom `barred` holds it ends.
    #[must_use]
    pub fn new(id: TenantId, barred: Arc<Barred>) -> Self {
        Self {
            id,
            sessions: BTreeMap::new(),
            sweep_at: SWEEP_AT,
            barred,
            to_end: VecDeque::new(),
            ending: Vec::new(),
            is_looking: false,
        }
    }

    fn end_some(&mut self, ctx: &mut Context<Self>) {
        let is_there = |session: &WeakAddr<DeviceSession>| {
            session.upgrade().is_some_and(|session| session.connected())
        };
        self.ending.retain(is_there);
        let room = ENDING_AT_ONCE.saturating_sub(self.ending.len());
        for _ in 0..room.min(self.to_end.len()) {
            let Some(session) = self.to_end.pop_front() else { break };
            match session.upgrade().map(|session| session.try_send(Close::Denied)) {
                Some(Ok(())) => self.ending.push(session),
                // It works off what came before, and is told then.
                Some(Err(SendError::Full(_))) => self.to_end.push_back(session),
                // It has ended.
                Some(Err(SendError::Closed(_))) | None => {}
            }
        }
        if self.to_end.is_empty() {
            self.ending.clear();
        } else if !self.is_looking {
            self.is_looking = true;
            ctx.run_later(LOOK, |supervisor, ctx| {
                supervisor.is_looking = false;
                supervisor.end_some(ctx);
            });
        }
    }
}

impl Actor for TenantSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |supervisor, _| supervisor.barred.forget(Instant::now()));
        tracing::debug!(tenant = %self.id, "tenant is supervised");
    }
}

impl Handler<SessionStarted> for TenantSupervisor {
    type Result = ();

    fn handle(&mut self, started: SessionStarted, ctx: &mut Self::Context) {
        if self.barred.holds(&started.board, started.issuer, started.admitted) {
            // It was admitted before, and stored after.
            self.to_end.push_back(started.session.clone());
            ctx.run_later(Duration::ZERO, Self::end_some);
        }
        if self.sessions.len() >= self.sweep_at {
            // Those whose end was not heard.
            self.sessions.retain(|_, it| it.session.upgrade().is_some());
            self.sweep_at = self.sessions.len().saturating_mul(2).max(SWEEP_AT);
        }
        let SessionStarted { board, issuer, serial, session, .. } = started;
        let before = self.sessions.insert(board, Supervised { serial, session, issuer });
        if let Some(before) = before.and_then(|before| before.session.upgrade()) {
            // Full: it is being spoken to; it ends when its name is taken or it falls silent.
            let _ = before.try_send(Close::Replaced);
        }
    }
}

impl Handler<EndSessions> for TenantSupervisor {
    type Result = usize;

    fn handle(&mut self, EndSessions(whose): EndSessions, ctx: &mut Self::Context) -> usize {
        let before = self.to_end.len();
        let all = self.sessions.values();
        match whose {
            Whose::Board(board) => {
                if let Some(known) = self.sessions.get(&board) {
                    self.to_end.push_front(known.session.clone());
                }
            }
            Whose::Issuer(issuer) => {
                let theirs = all.filter(|known| known.issuer == Some(issuer));
                self.to_end.extend(theirs.map(|known| known.session.clone()));
            }
            Whose::Tenant => self.to_end.extend(all.map(|known| known.session.clone())),
        }
        let count = self.to_end.len().saturating_sub(before);
        self.end_some(ctx);
        count
    }
}

impl Handler<FindAwake> for TenantSupervisor {
    type Result = actix::MessageResult<FindAwake>;

    fn handle(&mut self, find: FindAwake, _: &mut Self::Context) -> Self::Result {
        let from = find.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Found::default();
        for (board, known) in self.sessions.range::<BoardId, _>((from, Bound::Unbounded)) {
            if found.looked == find.looks || found.sessions.len() == find.limit {
                return actix::MessageResult(found);
            }
            found.looked += 1;
            found.until = Some(board.clone());
            if board.as_str().to_ascii_lowercase().contains(&find.contains) {
                found.sessions.push((board.clone(), known.session.clone()));
            }
        }
        found.until = None;
        actix::MessageResult(found)
    }
}

impl Handler<FindOne> for TenantSupervisor {
    type Result = Option<WeakAddr<DeviceSession>>;

    fn handle(&mut self, FindOne(board): FindOne, _: &mut Self::Context) -> Self::Result {
        self.sessions.get(&board).map(|known| known.session.clone())
    }
}

impl Handler<CountAwake> for TenantSupervisor {
    type Result = usize;

    fn handle(&mut self, _: CountAwake, _: &mut Self::Context) -> usize {
        self.sessions.len()
    }
}

impl Handler<Readmit> for TenantSupervisor {
    type Result = ();

    fn handle(&mut self, Readmit(whose): Readmit, _: &mut Self::Context) {
        if whose == Whose::Tenant {
            self.to_end.clear();
        }
    }
}

impl Handler<SessionEnded> for TenantSupervisor {
    type Result = ();

    fn handle(&mut self, ended: SessionEnded, _: &mut Self::Context) {
        if self.sessions.get(&ended.board).is_some_and(|known| known.serial == ended.serial) {
            self.sessions.remove(&ended.board);
        }
    }
}
