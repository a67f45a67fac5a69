//! Handshakes in progress on one arbiter, each with its place and its deadline, and what becomes of
//! them: a session that is stored, or a refusal that is counted and logged.
//!
//! The front door has those that are abbreviated, each [`Handshaker`] its full ones.
//! Invariant: nothing here reads a socket, and nothing tells another handshake of this one.
//!
//! [`Handshaker`]: crate::link::handshaker::Handshaker

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Addr;

use crate::handshake_quota::HandshakeQuota;
use crate::happened::Happened;
use crate::keeper::{Keep, Keeper, Place, Store};
use crate::link::connection_id::ConnectionId;
use crate::link::destination::Destination;
use crate::link::engine::Progress;
use crate::link::established::Established;
use crate::link::handshake::Handshake;
use crate::link::slots::Slot;
use crate::link::socket::Sender;
use crate::metrics::{ActorKind, HandshakeEnd, Metrics};
use crate::recorder::Recorder;
use crate::refusal::Refusal;

/// What handshakes need of the hub.
#[derive(Clone)]
pub struct Means {
    /// Where their datagrams leave.
    pub sender: Sender,
    /// The hub's counters.
    pub metrics: Arc<Metrics>,
    /// How often boards shake hands.
    pub quota: Arc<HandshakeQuota>,
    /// Where sessions are stored.
    pub keep: Keep,
    /// Who stores them.
    pub keeper: Addr<Keeper>,
    /// Who writes down what happens to boards.
    pub recorder: Addr<Recorder>,
    /// How many arbiters own sessions.
    pub shards: usize,
    /// How long one handshake may take.
    pub timeout: Duration,
}

/// The handshakes.
pub struct Handshakes {
    means: Means,
    in_progress: HashMap<SocketAddr, InProgress>,
}

struct InProgress {
    handshake: Handshake,
    until: Instant,
    slot: Slot,
    place: Place,
}

/// Where a handshake stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It goes on.
    InProgress,
    /// It is over; its session, if it left one, begins with the hub's word.
    Over,
    /// It is over, and left a session whose board speaks at once.
    Settling,
}

impl Handshakes {
    /// None yet.
    #[must_use]
    pub fn new(means: Means) -> Self {
        Self { means, in_progress: HashMap::new() }
    }

    /// The hello of the handshake with `peer` once more; `None` where this `random` began none.
    pub fn repeat(
        &mut self,
        peer: SocketAddr,
        random: &[u8; 32],
        datagram: &[u8],
    ) -> Option<Stand> {
        let known = self.in_progress.get_mut(&peer)?;
        if !known.handshake.began_with(random) {
            return None;
        }
        let progress = known.handshake.handle_hello(datagram);
        Some(self.after(peer, progress))
    }

    /// Has `begin` begin a handshake with `peer`, in the place of the one before or in this `slot`, for
    /// a session that the arbiter `shard` would own; `None` where that cannot be.
    pub fn begin(
        &mut self,
        peer: SocketAddr,
        shard: u8,
        slot: &mut Option<Slot>,
        begin: impl FnOnce(ConnectionId) -> Option<(Handshake, Progress)>,
    ) -> Option<Stand> {
        let place = self.means.keep.place(shard);
        let place =
            place.inspect_err(|error| tracing::error!(%error, "no handshake can begin")).ok()?;
        let (handshake, progress) = begin(place.id)?;
        let slot = self.give_up(&peer).or_else(|| slot.take())?;
        let until = Instant::now() + self.means.timeout;
        self.in_progress.insert(peer, InProgress { handshake, until, slot, place });
        Some(self.after(peer, progress))
    }

    /// Another datagram of `peer`; `None` where there is no handshake with it.
    pub fn handle_datagram(&mut self, peer: SocketAddr, datagram: &[u8]) -> Option<Stand> {
        let progress = self.in_progress.get_mut(&peer)?.handshake.handle_datagram(datagram);
        Some(self.after(peer, progress))
    }

    /// Forgets the handshake with `peer`, if there is one, for another to have its slot.
    pub fn give_up(&mut self, peer: &SocketAddr) -> Option<Slot> {
        self.in_progress.remove(peer).map(|known| known.slot)
    }

    /// Ends the handshake with a `peer` that is silent; whether there was one.
    pub fn evict(&mut self, peer: SocketAddr) -> bool {
        let Some(known) = self.in_progress.remove(&peer) else { return false };
        self.refused(peer, &known.handshake, Refusal::Evicted);
        true
    }

    /// A second has passed; with whom handshakes are over by that.
    pub fn sweep(&mut self, now: Instant) -> Vec<SocketAddr> {
        for (peer, known) in &mut self.in_progress {
            known.handshake.handle_tick();
            send(&self.means.sender, *peer, &mut known.handshake);
        }
        let expired = self.in_progress.iter().filter(|(_, known)| known.until <= now);
        let expired: Vec<SocketAddr> = expired.map(|(peer, _)| *peer).collect();
        for peer in &expired {
            if let Some(known) = self.in_progress.remove(peer) {
                self.refused(*peer, &known.handshake, known.handshake.expired());
            }
        }
        expired
    }

    fn after(&mut self, peer: SocketAddr, progress: Progress) -> Stand {
        let Some(known) = self.in_progress.get_mut(&peer) else { return Stand::Over };
        send(&self.means.sender, peer, &mut known.handshake);
        if let Progress::Pending = progress {
            return Stand::InProgress;
        }
        let Some(known) = self.in_progress.remove(&peer) else { return Stand::Over };
        match progress {
            Progress::Pending => Stand::InProgress,
            Progress::Refused(refusal) => {
                self.refused(peer, &known.handshake, refusal);
                Stand::Over
            }
            Progress::Established(established) => {
                let is_resumed = established.is_resumed();
                self.store(peer, established, known.place);
                if is_resumed { Stand::Settling } else { Stand::Over }
            }
        }
    }

    /// A handshake has succeeded: its session is stored, then begins with the arbiter that owns it.
    fn store(&self, peer: SocketAddr, established: Box<Established>, place: Place) {
        let Means { quota, keeper, metrics, shards, .. } = &self.means;
        quota.spend(&established.admitted, Instant::now());
        let named = established.read_cid.map_or(Destination::Address, Destination::ConnectionId);
        let Some(owner) = named.owner(peer, *shards) else { return };
        // Full: the board's handshake was for nothing; it begins again when its data finds no session.
        if keeper.try_send(Store { peer, established, place, owner }).is_err() {
            metrics.mailbox_full(ActorKind::Keeper);
            metrics.handshake_ended(HandshakeEnd::Internal);
        }
    }

    fn refused(&self, peer: SocketAddr, handshake: &Handshake, refusal: Refusal) {
        self.means.metrics.handshake_ended(refusal.end());
        let board = handshake.claimed();
        tracing::info!(%peer, board = board.as_ref().map(tracing::field::display), reason = %refusal, "handshake refused");
        if let Some(board) = board {
            Happened::refused(board, peer, refusal).tell(&self.means.recorder);
        }
    }
}

fn send(sender: &Sender, peer: SocketAddr, handshake: &mut Handshake) {
    while let Some(datagram) = handshake.poll_datagram() {
        sender.send(peer, &datagram);
    }
}
