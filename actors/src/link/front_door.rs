//! The actor at the front door: every handshake's datagrams pass here, on a socket and an arbiter of
//! their own, whatever socket they came in on.
//!
//! A flood of ClientHellos costs this thread, which yields to those with sessions. Invariant: no key
//! and no session is here; what is for a session is handed to the arbiter that owns it.

use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, WrapFuture};

use crate::link::clock::Clock;
use crate::link::crossing::Crossing;
use crate::link::destination::{Destination, begins_unprotected};
use crate::link::door::{Door, Step};
use crate::link::handshaker::{Evict, FromPeer, HandshakeOver, Handshaker, ReportTo};
use crate::link::link_actor::{Drain, Link};
use crate::link::priority;
use crate::link::reader;
use crate::link::shard::HandedOver;
use crate::link::slots::Slot;
use crate::link::socket::Sender;
use crate::metrics::{ActorKind, Metrics, RecordDrop};
use crate::under_way::Ticket;

const MAILBOX: usize = 4096;
const SWEEP: Duration = Duration::from_secs(1);
const COOKIE_LIFE: Duration = Duration::from_secs(60);

/// A datagram for the front door that came in on the socket of an arbiter with sessions.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AtTheDoor {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub datagram: Box<[u8]>,
    /// Whether a session has been given it as well.
    pub delivered: bool,
    /// Counts it as on its way between arbiters.
    pub crossing: Ticket,
}

/// A datagram that came to a worker when its handshake was over.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Late {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub datagram: Box<[u8]>,
}

/// The sessions that handshakes with these peers left have begun.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Begun(pub Vec<SocketAddr>);

/// The links of every arbiter, by index; reading begins with it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenDoor(pub Vec<Addr<Link>>);

/// What the actor is built from.
pub struct FrontDoorParts {
    /// Its mind.
    pub door: Door,
    /// Its socket; `None` where one socket serves all.
    pub socket: Option<UdpSocket>,
    /// Where its answers leave.
    pub sender: Sender,
    /// The workers that carry handshakes.
    pub handshakers: Vec<Addr<Handshaker>>,
    /// The hub's counters.
    pub metrics: Arc<Metrics>,
    /// Datagrams on their way between arbiters.
    pub crossing: Crossing,
}

/// The actor at the front door.
pub struct FrontDoor {
    entrance: Rc<Entrance>,
    socket: Option<UdpSocket>,
}

/// What the actor and the reader of its socket share; never leaves its thread.
struct Entrance {
    door: RefCell<Door>,
    sender: Sender,
    handshakers: Vec<Addr<Handshaker>>,
    metrics: Arc<Metrics>,
    crossing: Crossing,
    links: RefCell<Vec<Addr<Link>>>,
    clock: Clock,
}

/// Where a handshake's datagram stands.
enum Stage {
    /// A ClientHello whose cookie has verified.
    Begins { shard: u8, slot: Option<Slot> },
    /// Everything after.
    GoesOn,
}

impl FrontDoor {
    /// A front door that will read once it is opened.
    #[must_use]
    pub fn new(parts: FrontDoorParts) -> Self {
        let entrance = Rc::new(Entrance {
            door: RefCell::new(parts.door),
            sender: parts.sender,
            handshakers: parts.handshakers,
            metrics: parts.metrics,
            crossing: parts.crossing,
            links: RefCell::default(),
            clock: Clock::start(),
        });
        Self { entrance, socket: parts.socket }
    }
}

impl Entrance {
    /// A datagram of the front door's own socket, or one that was held here.
    fn receive(&self, from: SocketAddr, datagram: &[u8]) {
        match Destination::of(datagram) {
            Ok(Destination::Door) => self.unprotected(from, datagram),
            Ok(protected) => {
                let last_flight = begins_unprotected(datagram);
                let handshake = last_flight.then(|| self.heard(&from)).flatten();
                if let Some(worker) = handshake {
                    self.pass_on(worker, from, datagram, Stage::GoesOn);
                    return;
                }
                // The session it is for, if there is one; else it comes back, for the handshake.
                let owner = protected.owner(from, self.links.borrow().len());
                self.hand_over(owner.unwrap_or(0), from, datagram);
            }
            Err(reason) => self.metrics.record_dropped(reason),
        }
    }

    fn unprotected(&self, from: SocketAddr, datagram: &[u8]) {
        let step = self.door.borrow_mut().handle(self.clock.now(), from, datagram);
        match step {
            Step::Answer { answer, bad_cookie } => {
                if bad_cookie {
                    self.metrics.record_dropped(RecordDrop::BadCookie);
                }
                if !answer.is_empty() {
                    self.sender.send(from, &answer);
                }
            }
            Step::Begin { worker, shard, slot } => {
                let is_new = slot.is_some();
                let taken = self.pass_on(worker, from, datagram, Stage::Begins { shard, slot });
                if !taken && is_new {
                    self.door.borrow_mut().over(&from);
                }
            }
            Step::Continue { worker } => {
                self.pass_on(worker, from, datagram, Stage::GoesOn);
            }
            Step::Drop(reason) => {
                self.metrics.record_dropped(reason);
                self.evict();
            }
        }
    }

    /// The worker that has the handshake with a peer of whom something was heard.
    fn heard(&self, from: &SocketAddr) -> Option<usize> {
        self.door.borrow_mut().heard(self.clock.now(), from)
    }

    fn evict(&self) {
        while let Some((worker, peer)) = self.door.borrow_mut().poll_evicted() {
            // Full: it is found silent again when the next one needs a place.
            if let Some(handshaker) = self.handshakers.get(worker)
                && handshaker.try_send(Evict(peer)).is_err()
            {
                self.metrics.mailbox_full(ActorKind::Handshaker);
            }
        }
    }

    /// To the worker that has the handshake; whether it was taken.
    fn pass_on(&self, worker: usize, peer: SocketAddr, datagram: &[u8], stage: Stage) -> bool {
        let Some(handshaker) = self.handshakers.get(worker) else { return false };
        let (begins, shard, slot) = match stage {
            Stage::Begins { shard, slot } => (true, shard, slot),
            Stage::GoesOn => (false, 0, None),
        };
        let message = FromPeer { peer, datagram: datagram.into(), begins, shard, slot };
        // Full: dropped; the client repeats its flight.
        let taken = handshaker.try_send(message).is_ok();
        if !taken {
            self.metrics.mailbox_full(ActorKind::Handshaker);
            self.metrics.record_dropped(RecordDrop::MailboxFull);
        }
        taken
    }

    fn hand_over(&self, owner: usize, from: SocketAddr, datagram: &[u8]) {
        let links = self.links.borrow();
        let Some(link) = links.get(owner) else { return };
        self.crossing.hand(ActorKind::Link, |crossing| {
            let datagram = datagram.into();
            link.try_send(HandedOver { from, datagram, crossing }).is_ok()
        });
    }
}

impl Actor for FrontDoor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        priority::yield_to_sessions();
        ctx.set_mailbox_capacity(MAILBOX);
        for handshaker in &self.entrance.handshakers {
            // A fresh mailbox has room, and this comes before any datagram.
            let _ = handshaker.try_send(ReportTo(ctx.address()));
        }
        ctx.run_interval(SWEEP, |front, _| {
            let now = front.entrance.clock.now();
            front.entrance.door.borrow_mut().sweep(now);
        });
        ctx.run_interval(COOKIE_LIFE, |front, _| {
            let mut key = [0; 32];
            if getrandom::fill(&mut key).is_ok() {
                front.entrance.door.borrow_mut().rotate_cookies(key);
            }
        });
    }
}

impl Handler<OpenDoor> for FrontDoor {
    type Result = ();

    fn handle(&mut self, OpenDoor(links): OpenDoor, ctx: &mut Self::Context) {
        *self.entrance.links.borrow_mut() = links;
        let Some(socket) = self.socket.take() else { return };
        let entrance = Rc::clone(&self.entrance);
        let take = move |from, datagram: &[u8]| entrance.receive(from, datagram);
        let metrics = Arc::clone(&self.entrance.metrics);
        let reading = reader::read(socket, take, move |count| metrics.datagrams_received(count));
        ctx.spawn(reading.into_actor(self));
    }
}

impl Handler<AtTheDoor> for FrontDoor {
    type Result = ();

    fn handle(&mut self, at: AtTheDoor, _: &mut Self::Context) {
        let entrance = &self.entrance;
        if Destination::of(&at.datagram) == Ok(Destination::Door) {
            return entrance.unprotected(at.from, &at.datagram);
        }
        match entrance.heard(&at.from) {
            Some(worker) => {
                entrance.pass_on(worker, at.from, &at.datagram, Stage::GoesOn);
            }
            // Also where an older session of that address has had it and could not open it.
            None if entrance.door.borrow_mut().hold(&at.from, &at.datagram) => {}
            None if at.delivered => {}
            None => entrance.metrics.record_dropped(RecordDrop::UnknownSession),
        }
    }
}

impl Handler<HandshakeOver> for FrontDoor {
    type Result = ();

    fn handle(&mut self, over: HandshakeOver, _: &mut Self::Context) {
        let mut door = self.entrance.door.borrow_mut();
        if over.is_resumed {
            door.settle(self.entrance.clock.now(), over.peer);
        } else {
            door.over(&over.peer);
        }
    }
}

impl Handler<Late> for FrontDoor {
    type Result = ();

    fn handle(&mut self, late: Late, _: &mut Self::Context) {
        let mut door = self.entrance.door.borrow_mut();
        let held = door.hold(&late.from, &late.datagram);
        // A worker that was not heard would send it back, again and again.
        let unheard = door.worker_of(&late.from).is_some();
        drop(door);
        if !held && !unheard && Destination::of(&late.datagram) != Ok(Destination::Door) {
            self.entrance.receive(late.from, &late.datagram);
        }
    }
}

impl Handler<Begun> for FrontDoor {
    type Result = ();

    fn handle(&mut self, Begun(peers): Begun, _: &mut Self::Context) {
        for peer in peers {
            let held = self.entrance.door.borrow_mut().settled(&peer);
            for datagram in held {
                self.entrance.receive(peer, &datagram);
            }
        }
    }
}

impl Handler<Drain> for FrontDoor {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.entrance.door.borrow_mut().drain();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::door::tests::{door, hello};
    use crate::link::record;

    #[actix_rt::test]
    async fn a_handshake_that_its_worker_has_no_room_for_leaves_nothing_at_the_door() {
        // A worker that is gone has no room for anything.
        let gone = Context::<Handshaker>::new().address();
        let hub = UdpSocket::bind("127.0.0.1:0").unwrap();
        let metrics = Arc::new(Metrics::new());
        let board = UdpSocket::bind("127.0.0.1:0").unwrap();
        let front = FrontDoor::new(FrontDoorParts {
            door: door(1),
            socket: None,
            sender: Sender::new(&hub).unwrap(),
            handshakers: vec![gone.clone(), gone],
            metrics: Arc::clone(&metrics),
            crossing: Crossing::new(Arc::clone(&metrics)),
        });
        let door = &front.entrance;
        let from = board.local_addr().unwrap();
        door.unprotected(from, &hello(&[]));
        let mut answer = [0; 256];
        let length = board.recv(&mut answer).unwrap();
        let record = record::records(&answer[..length], 0).next().unwrap().unwrap();
        for _ in 0..3 {
            // The only place is free again each time, or the second would be dropped for want of one.
            door.unprotected(from, &hello(&record.fragment[15..]));
        }
        assert!(door.door.borrow().worker_of(&from).is_none());
        let counted = metrics.encode();
        let is_counted = |line: &str| assert!(counted.contains(line), "{line} in {counted}");
        is_counted("hub_mailbox_full_total{actor=\"handshaker\"} 3");
        is_counted("hub_records_dropped_total{reason=\"mailbox_full\"} 3");
        is_counted("hub_handshakes_in_progress 0");
    }
}
