//! The actor that wakes sleeping sessions: their datagrams come here from the links, and go back to
//! them with the session.
//!
//! Invariant: a datagram that does not authenticate leaves nothing but a count.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, Context, Handler, Message, Recipient};
use storage::Slot;

use super::keep::{Keep, Kept, NotWoken};
use crate::happened::Happened;
use crate::link::socket::Sender;
use crate::link::table::Key;
use crate::metrics::{ActorKind, Metrics, RecordDrop};
use crate::recorder::Recorder;
use crate::wall_clock;

const MAILBOX: usize = 4096;

/// Reads sleeping sessions from the store.
pub struct Waker {
    keep: Keep,
    metrics: Arc<Metrics>,
    /// What boards that may not wake are told with.
    sender: Sender,
    recorder: Addr<Recorder>,
}

/// A datagram that may be for a sleeping session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake {
    /// What it names the session by.
    pub key: Key,
    /// The slot that stands for.
    pub slot: Slot,
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub datagram: Box<[u8]>,
    /// When it was received.
    pub at: Instant,
    /// The link that asks.
    pub link: Recipient<Woken>,
}

/// A session is awake, or was already; the datagram is its to have.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Woken {
    /// What names it.
    pub key: Key,
    /// Where the datagram came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub datagram: Box<[u8]>,
    /// When it was received.
    pub at: Instant,
    /// The session; `None` where it was awake already.
    pub kept: Option<Kept>,
}

impl Waker {
    /// A waker of the sessions in `keep`.
    #[must_use]
    pub const fn new(
        keep: Keep,
        metrics: Arc<Metrics>,
        sender: Sender,
        recorder: Addr<Recorder>,
    ) -> Self {
        Self { keep, metrics, sender, recorder }
    }
}

impl Actor for Waker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Wake> for Waker {
    type Result = ();

    fn handle(&mut self, wake: Wake, _: &mut Self::Context) {
        let Wake { key, slot, from, datagram, at, link } = wake;
        let kept = match self.keep.wake(slot, key, &datagram, wall_clock::seconds()) {
            Ok(kept) => Some(kept),
            Err(NotWoken::Awake) => None,
            Err(NotWoken::Unknown) => {
                return self.metrics.record_dropped(RecordDrop::UnknownSession);
            }
            Err(NotWoken::Forged) => return self.metrics.record_dropped(RecordDrop::Forged),
            Err(NotWoken::NotAdmitted { board, refusal, alert }) => {
                Happened::refused(board, from, refusal).tell(&self.recorder);
                if let Some(alert) = alert {
                    self.sender.send(from, &alert);
                }
                tracing::info!(%from, reason = %refusal, "a sleeping session was not woken");
                return self.metrics.record_dropped(RecordDrop::NotAdmitted);
            }
            Err(NotWoken::Slot(error)) => {
                tracing::error!(%error, "a sleeping session cannot be woken");
                return self.metrics.record_dropped(RecordDrop::StoreFailed);
            }
            Err(NotWoken::Store(error)) => {
                tracing::error!(%error, "a sleeping session cannot be read");
                return self.metrics.record_dropped(RecordDrop::StoreFailed);
            }
        };
        // Full: dropped; the board repeats its message.
        if link.try_send(Woken { key, from, datagram, at, kept }).is_err() {
            self.metrics.mailbox_full(ActorKind::Link);
            self.metrics.record_dropped(RecordDrop::MailboxFull);
        }
    }
}
