//! The actor that carries handshakes on an arbiter of its own, where their arithmetic may block.
//!
//! Invariant: no session lives on its arbiter, so no established board ever waits for a signature.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};

use crate::handshake_quota::HandshakeQuota;
use crate::keeper::{Keep, Keeper, Place, Store};
use crate::link::connection_id;
use crate::link::destination::Destination;
use crate::link::engine::Progress;
use crate::link::established::Established;
use crate::link::front_door::{FrontDoor, Late};
use crate::link::handshake::{Fresh, Handshake};
use crate::link::hello::ClientHello;
use crate::link::priority;
use crate::link::profile::Profile;
use crate::link::record;
use crate::link::resumptions::Resumptions;
use crate::link::slots::Slot;
use crate::link::socket::Sender;
use crate::metrics::{ActorKind, HandshakeEnd, Metrics};
use crate::refusal::Refusal;

const MAILBOX: usize = 4096;
const SWEEP: Duration = Duration::from_secs(1);

/// A datagram of a handshake, from the front door.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FromPeer {
    /// Where it came from.
    pub peer: SocketAddr,
    /// Its bytes.
    pub datagram: Box<[u8]>,
    /// Whether it begins with a ClientHello whose cookie has verified.
    pub begins: bool,
    /// The arbiter that would own the session, were it one with a Connection ID.
    pub shard: u8,
    /// The place of a handshake that begins.
    pub slot: Option<Slot>,
}

/// Who gives this worker handshakes, and is told of their end; comes before the first.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReportTo(pub Addr<FrontDoor>);

/// A handshake has ended, with or without a session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HandshakeOver {
    /// The peer it was with.
    pub peer: SocketAddr,
    /// Whether it left a session whose board speaks at once, before the session begins.
    pub is_resumed: bool,
}

/// The handshake with this peer is silent, and another needs its place.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Evict(pub SocketAddr);

/// Handshakes that begin from now on use this profile.
#[derive(Message)]
#[rtype(result = "()")]
pub struct UseProfile(pub Arc<Profile>);

/// What a worker needs beside its mailbox.
#[derive(Clone)]
pub struct Worker {
    /// The hub's certificate, authorities and admission.
    pub profile: Arc<Profile>,
    /// The sessions that boards may resume.
    pub resumptions: Arc<dyn Resumptions>,
    /// Where its datagrams leave.
    pub sender: Sender,
    /// The hub's counters.
    pub metrics: Arc<Metrics>,
    /// How often boards shake hands.
    pub quota: Arc<HandshakeQuota>,
    /// Where sessions are stored.
    pub keep: Keep,
    /// Who stores them.
    pub keeper: Addr<Keeper>,
    /// How many arbiters own sessions.
    pub shards: usize,
    /// How long one handshake may take.
    pub timeout: Duration,
}

/// Carries the handshakes that the front door gives it.
pub struct Handshaker {
    worker: Worker,
    door: Option<Addr<FrontDoor>>,
    handshakes: HashMap<SocketAddr, InProgress>,
}

struct InProgress {
    handshake: Handshake,
    until: Instant,
    slot: Slot,
    place: Place,
}

impl Handshaker {
    /// A worker without handshakes.
    #[must_use]
    pub fn new(worker: Worker) -> Self {
        Self { worker, door: None, handshakes: HashMap::new() }
    }

    /// The handshake this hello belongs to: the one it began, or a new one in its place.
    fn begin(&mut self, message: FromPeer) -> Option<Progress> {
        let record = record::records(&message.datagram, connection_id::LENGTH).next()?.ok()?;
        let hello = ClientHello::parse(&record).ok()?;
        let before = self.handshakes.get_mut(&message.peer);
        if let Some(known) = before.filter(|known| known.handshake.began_with(hello.random)) {
            return Some(known.handshake.handle_hello(&message.datagram));
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).ok()?;
        let place = self.place(message.shard)?;
        let fresh = Fresh { ours: place.id, random };
        let Worker { profile, resumptions, .. } = &self.worker;
        let mut handshake = Handshake::begin(profile, resumptions, &hello, fresh)?;
        let before = self.handshakes.remove(&message.peer);
        let slot = before.map(|known| known.slot).or(message.slot)?;
        let progress = handshake.handle_hello(&message.datagram);
        let until = Instant::now() + self.worker.timeout;
        self.handshakes.insert(message.peer, InProgress { handshake, until, slot, place });
        Some(progress)
    }

    fn place(&self, shard: u8) -> Option<Place> {
        let place = self.worker.keep.place(shard);
        place.inspect_err(|error| tracing::error!(%error, "no handshake can begin")).ok()
    }

    fn after(&mut self, peer: SocketAddr, progress: Progress) {
        let Some(known) = self.handshakes.get_mut(&peer) else { return };
        while let Some(datagram) = known.handshake.poll_datagram() {
            self.worker.sender.send(peer, &datagram);
        }
        let established = match progress {
            Progress::Pending => return,
            Progress::Established(established) => {
                self.worker.quota.spend(&established.admitted, Instant::now());
                Some(established)
            }
            Progress::Refused(refusal) => {
                self.refused(peer, refusal);
                None
            }
        };
        self.over(peer, established);
    }

    fn over(&mut self, peer: SocketAddr, established: Option<Box<Established>>) {
        let Some(known) = self.handshakes.remove(&peer) else { return };
        let Some(door) = &self.door else { return };
        let is_resumed = established.as_ref().is_some_and(|it| it.is_resumed());
        // The front door first: it hears of the session's beginning later.
        let over = door.try_send(HandshakeOver { peer, is_resumed });
        let mut full = over.is_err().then_some(ActorKind::FrontDoor);
        if let Some(established) = established {
            if full.is_none() {
                full = self.store(peer, established, known.place);
            }
            if full.is_some() {
                // The board's handshake was for nothing; it begins again when its data finds no session.
                self.worker.metrics.handshake_ended(HandshakeEnd::Internal);
            }
        }
        if let Some(full) = full {
            self.worker.metrics.mailbox_full(full);
        }
    }

    /// A handshake has succeeded: its session is stored, then begins with the arbiter that owns it.
    /// Whose mailbox had no room for it, if any.
    fn store(
        &self,
        peer: SocketAddr,
        established: Box<Established>,
        place: Place,
    ) -> Option<ActorKind> {
        let named = established.read_cid.map_or(Destination::Address, Destination::ConnectionId);
        let owner = named.owner(peer, self.worker.shards)?;
        let stored = self.worker.keeper.try_send(Store { peer, established, place, owner });
        stored.is_err().then_some(ActorKind::Keeper)
    }

    /// Data behind a Finished.
    fn late(&self, late: Late) {
        // Full: dropped; the board repeats its message.
        if self.door.as_ref().is_some_and(|door| door.try_send(late).is_err()) {
            self.worker.metrics.mailbox_full(ActorKind::FrontDoor);
        }
    }

    fn refused(&self, peer: SocketAddr, refusal: Refusal) {
        self.worker.metrics.handshake_ended(refusal.end());
        let known = self.handshakes.get(&peer);
        let board = known.and_then(|known| known.handshake.claimed());
        let board = board.as_ref().map(tracing::field::display);
        tracing::info!(%peer, board, reason = %refusal, "handshake refused");
    }

    fn sweep(&mut self, now: Instant) {
        for (peer, known) in &mut self.handshakes {
            known.handshake.handle_tick();
            while let Some(datagram) = known.handshake.poll_datagram() {
                self.worker.sender.send(*peer, &datagram);
            }
        }
        let expired: Vec<(SocketAddr, Refusal)> = self
            .handshakes
            .iter()
            .filter(|(_, known)| known.until <= now)
            .map(|(peer, known)| (*peer, known.handshake.expired()))
            .collect();
        for (peer, refusal) in expired {
            self.refused(peer, refusal);
            self.over(peer, None);
        }
    }
}

impl Actor for Handshaker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        priority::yield_to_sessions();
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |worker, _| worker.sweep(Instant::now()));
    }
}

impl Handler<FromPeer> for Handshaker {
    type Result = ();

    fn handle(&mut self, message: FromPeer, _: &mut Self::Context) {
        let peer = message.peer;
        let progress = if message.begins {
            self.begin(message)
        } else if let Some(known) = self.handshakes.get_mut(&peer) {
            Some(known.handshake.handle_datagram(&message.datagram))
        } else {
            self.late(Late { from: peer, datagram: message.datagram });
            None
        };
        if let Some(progress) = progress {
            self.after(peer, progress);
        }
    }
}

impl Handler<ReportTo> for Handshaker {
    type Result = ();

    fn handle(&mut self, ReportTo(door): ReportTo, _: &mut Self::Context) {
        self.door = Some(door);
    }
}

impl Handler<Evict> for Handshaker {
    type Result = ();

    fn handle(&mut self, Evict(peer): Evict, _: &mut Self::Context) {
        if self.handshakes.contains_key(&peer) {
            self.refused(peer, Refusal::Evicted);
            self.over(peer, None);
        }
    }
}

impl Handler<UseProfile> for Handshaker {
    type Result = ();

    fn handle(&mut self, UseProfile(profile): UseProfile, _: &mut Self::Context) {
        self.worker.profile = profile;
    }
}
