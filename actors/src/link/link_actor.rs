//! The actor of one arbiter's link: reads its socket, starts the sessions of finished handshakes,
//! takes datagrams that landed on another's socket.
//!
//! Invariant: decides nothing about a board; admission is the handshake's, routing the tenant's.

use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, WrapFuture};

use crate::link::association::Association;
use crate::link::established::Established;
use crate::link::front_door::FrontDoor;
use crate::link::reader;
use crate::link::shard::{HandedOver, Shard, Siblings};
use crate::link::table::Key;
use crate::session::{Close, DeviceSession, SessionParts, Transport};
use crate::tenant::Directory;

const MAILBOX: usize = 4096;

/// One arbiter's link.
pub struct Link {
    shard: Rc<Shard<DeviceSession>>,
    socket: Option<UdpSocket>,
    tenants: Arc<Directory>,
}

/// Whom datagrams for others are handed to; reading begins with it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Open {
    /// The links of every arbiter, by index.
    pub links: Vec<Addr<Link>>,
    /// The front door.
    pub door: Addr<FrontDoor>,
}

/// A handshake left a session that this arbiter owns.
#[derive(Message)]
#[rtype(result = "()")]
pub struct BeginSession {
    /// The peer it was with.
    pub peer: SocketAddr,
    /// What it left.
    pub established: Box<Established>,
}

/// No new handshake and no new delivery from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

impl Link {
    /// A link that will read from `socket` once it is opened.
    #[must_use]
    pub fn new(
        shard: Rc<Shard<DeviceSession>>,
        socket: UdpSocket,
        tenants: Arc<Directory>,
    ) -> Self {
        Self { shard, socket: Some(socket), tenants }
    }

    fn begin_session(&mut self, established: Established, peer: SocketAddr) {
        let admitted = established.admitted.clone();
        let Some(tenant) = self.tenants.find(&admitted.tenant) else {
            tracing::warn!(board = %admitted.board, tenant = %admitted.tenant, "tenant is not served");
            return;
        };
        let mut established = established;
        let flight = std::mem::take(&mut established.datagrams);
        let early = std::mem::take(&mut established.early);
        let association = Association::new(established, peer);
        let key = match association.connection_id() {
            Some(id) => Key::ConnectionId(id),
            None => Key::Address(peer),
        };
        let taken = self.shard.table.borrow().session(&key).is_some();
        if taken && association.connection_id().is_some() {
            // Another session drew the same random id: it stays, and this board begins again.
            return;
        }
        let mut random = [0; 2];
        if getrandom::fill(&mut random).is_err() {
            return;
        }
        let serial = self.shard.next_serial();
        let parts = SessionParts {
            board: admitted.board,
            tenant,
            serial,
            transport: Transport::Dtls(Box::new(association)),
            key,
            shard: Rc::clone(&self.shard),
            first_mid: u16::from_be_bytes(random),
        };
        let session = DeviceSession::start(parts);
        let before = self.shard.table.borrow_mut().insert(key, serial, session.clone());
        if let Some(before) = before {
            // Full: the old session is nameless already, and its supervisor ends it.
            let _ = before.try_send(Close::Replaced);
        }
        for datagram in flight {
            self.shard.sender.send(peer, &datagram);
        }
        for datagram in early {
            self.shard.deliver(&session, peer, &datagram, Instant::now());
        }
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Open> for Link {
    type Result = ();

    fn handle(&mut self, open: Open, ctx: &mut Self::Context) {
        self.shard.know(Siblings {
            links: open.links.into_iter().map(Addr::recipient).collect(),
            door: Some(open.door.recipient()),
        });
        let Some(socket) = self.socket.take() else { return };
        let shard = Rc::clone(&self.shard);
        let take = move |from, datagram: &[u8]| shard.receive(from, datagram, Instant::now());
        let shard = Rc::clone(&self.shard);
        let reading = reader::read(socket, take, move |count| shard.batch_over(count));
        ctx.spawn(reading.into_actor(self));
    }
}

impl Handler<BeginSession> for Link {
    type Result = ();

    fn handle(&mut self, begin: BeginSession, _: &mut Self::Context) {
        self.begin_session(*begin.established, begin.peer);
    }
}

impl Handler<HandedOver> for Link {
    type Result = ();

    fn handle(&mut self, over: HandedOver, _: &mut Self::Context) {
        self.shard.receive(over.from, &over.datagram, Instant::now());
    }
}

impl Handler<Drain> for Link {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.shard.draining.set(true);
    }
}
