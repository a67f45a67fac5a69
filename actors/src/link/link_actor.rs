//! The actor of one arbiter's link: reads its socket, starts the sessions of finished handshakes,
//! takes datagrams that landed on a sibling's socket.
//!
//! Invariant: decides nothing about a board; admission is the handshake's, routing the tenant's.

use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, WrapFuture};

use crate::link::association::Association;
use crate::link::established::Established;
use crate::link::handshaker::HandshakeOver;
use crate::link::shard::{HandedOver, Shard, Siblings};
use crate::link::socket::Receiver;
use crate::link::table::Key;
use crate::session::{Close, DeviceSession, SessionParts, Transport};
use crate::tenant::Directory;

const MAILBOX: usize = 4096;
const SWEEP: Duration = Duration::from_secs(1);
const COOKIE_LIFE: Duration = Duration::from_secs(60);

/// Which end of the wire a link has.
pub struct Link {
    shard: Rc<Shard<DeviceSession>>,
    socket: Option<UdpSocket>,
    tenants: Arc<Directory>,
}

/// The links of every arbiter, by index; reading begins with it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Open(pub Vec<Addr<Link>>);

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
        let before = self.shard.table.borrow_mut().insert(key, serial, session);
        if let Some(before) = before {
            // Full: the old session is nameless already, and its supervisor ends it.
            let _ = before.try_send(Close::Replaced);
        }
        for datagram in flight {
            self.shard.sender.send(peer, &datagram);
        }
    }
}

/// Gives every datagram of `socket` to `take`, for as long as it is polled.
pub(super) async fn read(
    socket: UdpSocket,
    shard: Rc<Shard<DeviceSession>>,
    mut take: impl FnMut(SocketAddr, &[u8]),
) {
    let mut receiver = match Receiver::new(socket) {
        Ok(receiver) => receiver,
        Err(error) => {
            tracing::error!(%error, "the socket cannot be read; the hub stops");
            return actix::System::current().stop_with_code(1);
        }
    };
    loop {
        let mut count = 0;
        let received = receiver.receive(|from, datagram| {
            count += 1;
            take(from, datagram);
        });
        if let Err(error) = received.await {
            tracing::warn!(%error, "a receive failed");
            tokio::task::yield_now().await;
        }
        shard.metrics.datagrams_received(count);
        shard.note_depth();
    }
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(SWEEP, |link, _| {
            let now = link.shard.now();
            link.shard.table.borrow_mut().sweep(now);
        });
        ctx.run_interval(COOKIE_LIFE, |link, _| {
            let mut key = [0; 32];
            if getrandom::fill(&mut key).is_ok() {
                link.shard.rotate_cookies(key);
            }
        });
    }
}

impl Handler<Open> for Link {
    type Result = ();

    fn handle(&mut self, Open(siblings): Open, ctx: &mut Self::Context) {
        self.shard.know(Siblings {
            links: siblings.into_iter().map(Addr::recipient).collect(),
            handshakes: Some(ctx.address().recipient()),
        });
        let Some(socket) = self.socket.take() else { return };
        let shard = Rc::clone(&self.shard);
        let take = move |from, datagram: &[u8]| shard.receive(from, datagram, Instant::now());
        let reading = read(socket, Rc::clone(&self.shard), take);
        ctx.spawn(reading.into_actor(self));
    }
}

impl Handler<HandshakeOver> for Link {
    type Result = ();

    fn handle(&mut self, over: HandshakeOver, _: &mut Self::Context) {
        self.shard.table.borrow_mut().end_handshake(&over.peer);
        if let Some(established) = over.established {
            self.begin_session(*established, over.peer);
        }
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
