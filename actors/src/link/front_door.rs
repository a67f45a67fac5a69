//! The actor at the front door: every handshake's datagrams pass here, on a socket and an arbiter of
//! their own, whatever socket they came in on.
//!
//! A flood of ClientHellos costs this thread, which yields to those with sessions. Invariant: no
//! session is here; what is for one is handed to the arbiter that owns it.

use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, WrapFuture};

use crate::link::crossing::Crossing;
use crate::link::door::Door;
use crate::link::entrance::Entrance;
use crate::link::handshaker::{HandshakeOver, Handshaker, ReportTo, SWEEP};
use crate::link::handshakes::Means;
use crate::link::link_actor::{Drain, Link};
use crate::link::priority;
use crate::link::reader;
use crate::link::resumptions::Resumptions;
use crate::under_way::Ticket;

const MAILBOX: usize = 4096;
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
    /// What its handshakes need.
    pub means: Means,
    /// The sessions that boards may resume.
    pub resumptions: Arc<dyn Resumptions>,
    /// The largest datagram of a handshake, in bytes of UDP payload.
    pub mtu: u16,
    /// The workers that carry full handshakes.
    pub handshakers: Vec<Addr<Handshaker>>,
    /// Datagrams on their way between arbiters.
    pub crossing: Crossing,
}

/// The actor at the front door.
pub struct FrontDoor {
    entrance: Rc<Entrance>,
    socket: Option<UdpSocket>,
}

impl FrontDoor {
    /// A front door that will read once it is opened.
    #[must_use]
    pub fn new(mut parts: FrontDoorParts) -> Self {
        let socket = parts.socket.take();
        Self { entrance: Rc::new(Entrance::new(parts)), socket }
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
        ctx.run_interval(SWEEP, |front, _| front.entrance.sweep());
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
        self.entrance.receive_from_arbiter(&at);
    }
}

impl Handler<HandshakeOver> for FrontDoor {
    type Result = ();

    fn handle(&mut self, over: HandshakeOver, _: &mut Self::Context) {
        self.entrance.over(&over);
    }
}

impl Handler<Late> for FrontDoor {
    type Result = ();

    fn handle(&mut self, late: Late, _: &mut Self::Context) {
        self.entrance.receive_late(&late);
    }
}

impl Handler<Begun> for FrontDoor {
    type Result = ();

    fn handle(&mut self, begun: Begun, _: &mut Self::Context) {
        self.entrance.begun(&begun);
    }
}

impl Handler<Drain> for FrontDoor {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.entrance.door.borrow_mut().drain();
    }
}
