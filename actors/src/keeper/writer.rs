//! The actor that stores sessions: many in one flush, and their links told only after.
//!
//! A session that comes alone is flushed at once; where one comes after the other, a flush waits until
//! [`GATHERING`] after the last, and takes all that came meanwhile.
//!
//! Invariant: no board learns of a session that the disk does not have.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient};
use storage::{BoardId, Slot, TenantId};

use super::keep::{Keep, Kept, NotKept, Place};
use crate::admission::Admitted;
use crate::barred::Whose;
use crate::happened::{Happened, Note};
use crate::link::established::Established;
use crate::link::priority;
use crate::metrics::{ActorKind, HandshakeEnd, Metrics};
use crate::recorder::Recorder;
use crate::refusal::Refusal;
use crate::tenant::{Directory, EndSessions};
use crate::wall_clock;

const MAILBOX: usize = 16_384;
/// Sessions of one flush; more wait for the next.
const TOGETHER: usize = 1024;
/// Sessions that begin in one go, so that those of that arbiter which are established do not wait long.
const AT_ONCE: usize = 64;
/// From the end of a flush to the next: about as long as a flush, which costs the same for one session
/// as for hundreds.
const GATHERING: Duration = Duration::from_millis(5);

/// Writes sessions to the store.
pub struct Keeper {
    keep: Keep,
    tenants: Arc<Directory>,
    metrics: Arc<Metrics>,
    recorder: Addr<Recorder>,
    /// The links of every arbiter, by index.
    links: Vec<Recipient<Begin>>,
    /// Stored, and not yet flushed.
    waiting: Vec<Waiting>,
    /// Whether a flush has been asked for.
    due: bool,
    /// When the last one was over.
    flushed: Option<Instant>,
}

/// A session that the disk may not have yet.
struct Waiting {
    /// The arbiter that owns it.
    owner: usize,
    stored: Stored,
    /// What its handshake is counted as once the disk has it.
    end: HandshakeEnd,
}

/// A handshake has left a session to be stored.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Store {
    /// The peer it was with.
    pub peer: SocketAddr,
    /// What it left.
    pub established: Box<Established>,
    /// Where the session will be.
    pub place: Place,
    /// The arbiter that owns it.
    pub owner: usize,
}

/// These sessions are stored, and may begin.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Begin(pub Vec<Stored>);

/// With whom they do: the links of every arbiter, by index; comes before the first.
#[derive(Message)]
#[rtype(result = "()")]
pub struct BeginWith(pub Vec<Recipient<Begin>>);

/// A session that the disk has.
pub struct Stored {
    /// The peer of its handshake.
    pub peer: SocketAddr,
    /// The session.
    pub kept: Kept,
    /// The last flight of its handshake, to be sent now.
    pub flight: Vec<Vec<u8>>,
    /// Records of data that came before the handshake was over: the session's first.
    pub early: Vec<Vec<u8>>,
}

/// Something about a stored session is different now.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Change {
    /// Its slot.
    pub slot: Slot,
    /// Its generation.
    pub generation: u32,
    /// What is different.
    pub to: Changed,
}

/// What can be different about a stored session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The board is at another address.
    Moved(SocketAddr),
    /// The board said goodbye: only an abbreviated handshake leads back.
    Closed,
    /// It is over for good.
    Gone,
}

/// The stored session is to have this write floor; durable when answered. `false` where there is no
/// such session any more, or the store failed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Raise {
    /// Its slot.
    pub slot: Slot,
    /// Its generation.
    pub generation: u32,
    /// The floor.
    pub floor: u64,
}

/// Flush what was stored.
#[derive(Message)]
#[rtype(result = "()")]
struct Flush;

/// No session writes its slot any more: note that all can be believed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Close;

impl Keeper {
    /// A keeper that writes to `keep`.
    #[must_use]
    pub fn new(
        keep: Keep,
        tenants: Arc<Directory>,
        metrics: Arc<Metrics>,
        recorder: Addr<Recorder>,
    ) -> Self {
        let (links, waiting) = (Vec::new(), Vec::new());
        Self { keep, tenants, metrics, recorder, links, waiting, due: false, flushed: None }
    }

    /// Flushes behind what is in the mailbox already, so that all of it is one, and not sooner after
    /// the last flush than [`GATHERING`].
    fn flush_soon(&mut self, ctx: &mut Context<Self>) {
        if self.due {
            return;
        }
        self.due = true;
        let since = self.flushed.map_or(GATHERING, |flushed| flushed.elapsed());
        match GATHERING.checked_sub(since).filter(|rest| !rest.is_zero()) {
            None => ctx.notify(Flush),
            Some(rest) => {
                ctx.notify_later(Flush, rest);
            }
        }
    }

    fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let flushed = self.keep.sessions().flush();
        self.flushed = Some(Instant::now());
        if let Err(error) = flushed {
            return self.failed(&error.into(), waiting.len());
        }
        let mut of_links: Vec<Vec<Stored>> = self.links.iter().map(|_| Vec::new()).collect();
        let mut begun = Vec::with_capacity(waiting.len());
        for Waiting { owner, stored, end } in waiting {
            self.metrics.handshake_ended(end);
            let board = stored.kept.admitted.board.clone();
            let is_resumed = end == HandshakeEnd::Resumed;
            begun.push(Happened::begun(board, stored.peer, is_resumed));
            let Some(sessions) = of_links.get_mut(owner) else { continue };
            sessions.push(stored);
            if sessions.len() >= AT_ONCE {
                self.begin(owner, std::mem::take(sessions));
            }
        }
        for (owner, sessions) in of_links.into_iter().enumerate() {
            self.begin(owner, sessions);
        }
        if !begun.is_empty() {
            Note(begun).tell(&self.recorder);
        }
    }

    fn begin(&self, owner: usize, sessions: Vec<Stored>) {
        let Some(link) = self.links.get(owner).filter(|_| !sessions.is_empty()) else { return };
        // Full: the boards' handshakes were for nothing; their sessions sleep until they speak.
        if link.try_send(Begin(sessions)).is_err() {
            self.metrics.mailbox_full(ActorKind::Link);
        }
    }

    fn failed(&self, error: &NotKept, sessions: usize) {
        if sessions == 0 {
            return;
        }
        for _ in 0..sessions {
            self.metrics.handshake_ended(HandshakeEnd::Internal);
        }
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, sessions, "sessions could not be stored; their boards begin again");
    }
}

impl Keeper {
    /// Ends what a board has that was just held: whichever of the two it is.
    fn shut_out(&self, board: &BoardId, tenant: &TenantId) {
        self.metrics.board_held();
        let Some(tenant) = self.tenants.find(tenant) else { return };
        let whose = Whose::Board(board.clone());
        tenant.barred.bar(&whose, Instant::now());
        if let Err(error) = tenant.supervisor().try_send(EndSessions(whose)) {
            // It is held, so its next session is refused, and a sleeping one is not woken.
            tracing::error!(%board, %error, "the session of a board that is held goes on");
        }
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        priority::yield_to_sessions();
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Store> for Keeper {
    type Result = ();

    fn handle(&mut self, store: Store, ctx: &mut Self::Context) {
        let Store { peer, mut established, place, owner } = store;
        let flight = std::mem::take(&mut established.datagrams);
        let early = std::mem::take(&mut established.early);
        let end = established.end();
        let Admitted { board, tenant, .. } = established.admitted.clone();
        match self.keep.establish(*established, place, peer, wall_clock::seconds()) {
            Ok(kept) => {
                let stored = Stored { peer, kept, flight, early };
                self.waiting.push(Waiting { owner, stored, end });
            }
            Err(NotKept::NotAdmitted(refusal)) => {
                if refusal == Refusal::Held {
                    self.shut_out(&board, &tenant);
                }
                self.metrics.handshake_ended(refusal.end());
                Happened::refused(board, peer, refusal).tell(&self.recorder);
                return tracing::info!(%peer, reason = %refusal, "handshake refused");
            }
            Err(error) => return self.failed(&error, 1),
        }
        if self.waiting.len() >= TOGETHER {
            self.flush();
        } else {
            self.flush_soon(ctx);
        }
    }
}

impl Handler<BeginWith> for Keeper {
    type Result = ();

    fn handle(&mut self, BeginWith(links): BeginWith, _: &mut Self::Context) {
        self.links = links;
    }
}

impl Handler<Change> for Keeper {
    type Result = ();

    fn handle(&mut self, change: Change, _: &mut Self::Context) {
        let Change { slot, generation, to } = change;
        let sessions = self.keep.sessions();
        let changed = match to {
            Changed::Moved(peer) => sessions.change(slot, generation, |it| it.peer = peer),
            Changed::Closed => sessions.change(slot, generation, |it| it.open = false),
            Changed::Gone => sessions.remove(slot, generation),
        };
        if let Err(error) = changed {
            tracing::error!(%error, "a change of a session could not be stored");
        }
    }
}

impl Handler<Raise> for Keeper {
    type Result = bool;

    fn handle(&mut self, raise: Raise, _: &mut Self::Context) -> bool {
        let Raise { slot, generation, floor } = raise;
        let sessions = self.keep.sessions();
        let raised = sessions
            .change(slot, generation, |it| it.write_floor = floor.max(it.write_floor))
            .and_then(|raised| sessions.flush().map(|()| raised));
        raised.unwrap_or_else(|error| {
            tracing::error!(%error, "a session's write floor could not be stored");
            false
        })
    }
}

impl Handler<Flush> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.due = false;
        if !self.waiting.is_empty() {
            self.flush();
        }
    }
}

impl Handler<Close> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Close, _: &mut Self::Context) {
        self.flush();
        if let Err(error) = self.keep.sessions().close() {
            tracing::error!(%error, "sessions could not be closed; after a power failure their boards are asked to prove themselves");
        }
    }
}
