//! The actor that carries full handshakes on an arbiter of its own, where their arithmetic may block.
//!
//! Invariant: no session lives on its arbiter, so no established board ever waits for a signature.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};

use crate::link::connection_id;
use crate::link::front_door::{FrontDoor, Late};
use crate::link::handshake::Handshake;
use crate::link::handshakes::{Handshakes, Means, Stand};
use crate::link::hello::ClientHello;
use crate::link::priority;
use crate::link::profile::Profile;
use crate::link::record;
use crate::link::slots::Slot;
use crate::metrics::{ActorKind, Metrics};

const MAILBOX: usize = 4096;
pub(super) const SWEEP: Duration = Duration::from_secs(1);

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

/// The handshake with this peer has ended, with or without a session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HandshakeOver(pub SocketAddr);

/// The handshake with this peer is silent, and another needs its place.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Evict(pub SocketAddr);

/// Handshakes that begin from now on use this profile.
#[derive(Message)]
#[rtype(result = "()")]
pub struct UseProfile(pub Arc<Profile>);

/// Carries the handshakes that the front door gives it.
pub struct Handshaker {
    /// The hub's certificate, authorities and admission.
    profile: Arc<Profile>,
    handshakes: Handshakes,
    metrics: Arc<Metrics>,
    door: Option<Addr<FrontDoor>>,
}

impl Handshaker {
    /// A worker without handshakes.
    #[must_use]
    pub fn new(profile: Arc<Profile>, means: Means) -> Self {
        let metrics = Arc::clone(&means.metrics);
        Self { profile, handshakes: Handshakes::new(means), metrics, door: None }
    }

    /// The handshake this hello belongs to: the one it began, or a new one in its place.
    fn begin(&mut self, message: FromPeer) -> Option<Stand> {
        let FromPeer { peer, datagram, shard, mut slot, .. } = message;
        let record = record::records(&datagram, connection_id::LENGTH).next()?.ok()?;
        let hello = ClientHello::parse(&record).ok()?;
        let known = self.handshakes.repeat(peer, hello.random, &datagram);
        known.or_else(|| {
            let profile = &self.profile;
            let full = |ours| Handshake::full(profile, &hello, ours, &datagram);
            self.handshakes.begin(peer, shard, &mut slot, full)
        })
    }

    fn over(&self, peer: SocketAddr) {
        let Some(door) = &self.door else { return };
        // Full: the front door forgets it in time.
        if door.try_send(HandshakeOver(peer)).is_err() {
            self.metrics.mailbox_full(ActorKind::FrontDoor);
        }
    }

    /// Data behind a Finished.
    fn late(&self, late: Late) {
        // Full: dropped; the board repeats its message.
        if self.door.as_ref().is_some_and(|door| door.try_send(late).is_err()) {
            self.metrics.mailbox_full(ActorKind::FrontDoor);
        }
    }
}

impl Actor for Handshaker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        priority::yield_to_sessions();
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |worker, _| {
            for peer in worker.handshakes.sweep(Instant::now()) {
                worker.over(peer);
            }
        });
    }
}

impl Handler<FromPeer> for Handshaker {
    type Result = ();

    fn handle(&mut self, message: FromPeer, _: &mut Self::Context) {
        let peer = message.peer;
        let stand = if message.begins {
            self.begin(message)
        } else {
            let stand = self.handshakes.handle_datagram(peer, &message.datagram);
            if stand.is_none() {
                self.late(Late { from: peer, datagram: message.datagram });
            }
            stand
        };
        match stand {
            None | Some(Stand::InProgress) => {}
            Some(Stand::Over | Stand::Settling) => self.over(peer),
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
        if self.handshakes.evict(peer) {
            self.over(peer);
        }
    }
}

impl Handler<UseProfile> for Handshaker {
    type Result = ();

    fn handle(&mut self, UseProfile(profile): UseProfile, _: &mut Self::Context) {
        self.profile = profile;
    }
}
