//! The actor that stores sessions: many in one flush, each told to its link only after.
//!
//! Invariant: no board learns of a session that the disk does not have.

use std::net::SocketAddr;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};
use storage::{Slot, StoreError};

use super::keep::{Keep, Kept, NotKept, Place};
use crate::link::established::Established;
use crate::metrics::{ActorKind, HandshakeEnd, Metrics};
use crate::wall_clock;

const MAILBOX: usize = 16_384;
/// Sessions of one flush; more wait for the next.
const TOGETHER: usize = 1024;

/// Writes sessions to the store.
pub struct Keeper {
    keep: Keep,
    metrics: Arc<Metrics>,
    /// Stored, and not yet flushed.
    waiting: Vec<(Recipient<Stored>, Stored)>,
    /// Whether a flush has been asked for.
    due: bool,
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
    /// The link of the arbiter that owns it.
    pub link: Recipient<Stored>,
}

/// A session is stored, and may begin.
#[derive(Message)]
#[rtype(result = "()")]
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
    pub const fn new(keep: Keep, metrics: Arc<Metrics>) -> Self {
        Self { keep, metrics, waiting: Vec::new(), due: false }
    }

    /// Flushes behind what is in the mailbox already, so that all of it is one.
    fn flush_soon(&mut self, ctx: &Context<Self>) {
        if !self.due {
            // Full: the next message asks again.
            self.due = ctx.address().try_send(Flush).is_ok();
        }
    }

    fn flush(&mut self) {
        self.due = false;
        let waiting = std::mem::take(&mut self.waiting);
        if let Err(error) = self.keep.sessions().flush() {
            self.failed(&error, waiting.len());
            return;
        }
        for (link, stored) in waiting {
            // Full: the board's handshake was for nothing; its session sleeps until it speaks.
            if link.try_send(stored).is_err() {
                self.metrics.mailbox_full(ActorKind::Link);
            }
        }
    }

    fn failed(&self, error: &StoreError, sessions: usize) {
        for _ in 0..sessions {
            self.metrics.handshake_ended(HandshakeEnd::Internal);
        }
        tracing::error!(%error, sessions, "sessions could not be stored; their boards begin again");
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Store> for Keeper {
    type Result = ();

    fn handle(&mut self, store: Store, ctx: &mut Self::Context) {
        let Store { peer, mut established, place, link } = store;
        let flight = std::mem::take(&mut established.datagrams);
        let early = std::mem::take(&mut established.early);
        match self.keep.establish(*established, place, peer, wall_clock::seconds()) {
            Ok(kept) => self.waiting.push((link, Stored { peer, kept, flight, early })),
            Err(NotKept::Store(error)) => self.failed(&error, 1),
            Err(error @ (NotKept::Random | NotKept::Slot(_))) => {
                tracing::error!(%error, "a session could not be stored; its board begins again");
            }
        }
        if self.waiting.len() >= TOGETHER {
            self.flush();
        }
        self.flush_soon(ctx);
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
        self.flush();
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
