//! The actor of one arbiter's link: reads its socket, starts the sessions of finished handshakes,
//! takes datagrams that landed on another's socket.
//!
//! Invariant: decides nothing about a board; admission is the handshake's, routing the tenant's.

use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use storage::Slot;

use crate::keeper::{Begin, Kept, Stored, Woken};
use crate::link::addresses::Place;
use crate::link::front_door::FrontDoor;
use crate::link::reader;
use crate::link::shard::{HandedOver, Shard, Siblings};
use crate::link::table::Key;
use crate::session::secured::Secured;
use crate::session::{Close, DeviceSession, Doze, SessionParts, Transport};
use crate::tenant::Directory;
use crate::wall_clock;

const MAILBOX: usize = 4096;
const SWEEP: Duration = Duration::from_secs(1);

/// One arbiter's link.
pub struct Link {
    shard: Rc<Shard<DeviceSession>>,
    socket: Option<UdpSocket>,
    reading: Option<SpawnHandle>,
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

/// Nothing is read any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Halt;

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
        Self { shard, socket: Some(socket), reading: None, tenants }
    }

    /// The session of a board begins, or goes on.
    fn begin(&self, kept: Kept) -> Option<Key> {
        let admitted = kept.admitted.clone();
        let Some(tenant) = self.tenants.find(&admitted.tenant) else {
            tracing::warn!(board = %admitted.board, tenant = %admitted.tenant, "tenant is not served");
            return None;
        };
        let secured = Secured::new(kept);
        let key = secured.key();
        if let Key::Address(address) = key {
            self.know(address, secured.place());
        }
        let mut random = [0; 2];
        getrandom::fill(&mut random).ok()?;
        let serial = self.shard.next_serial();
        let renews_only = admitted.not_after.0 < wall_clock::now().0 / 1000;
        let parts = SessionParts {
            board: admitted.board,
            tenant,
            serial,
            transport: Transport::Dtls(secured),
            shard: Rc::clone(&self.shard),
            first_mid: u16::from_be_bytes(random),
            issuer: Some(admitted.issuer),
            renews_only,
            admitted: admitted.at,
        };
        let session = DeviceSession::start(parts);
        let before = self.shard.table.borrow_mut().insert(key, serial, &session);
        if let Some(before) = before {
            // Full: the old session is nameless already, and ends with what waits for it.
            let _ = before.try_send(Close::Replaced);
        }
        Some(key)
    }

    /// A session that a handshake has left: only now may its board know of it.
    fn begin_stored(&self, stored: Stored) {
        let Stored { peer, kept, flight, early } = stored;
        let Some(key) = self.begin(kept) else { return };
        for datagram in flight {
            self.shard.sender.send(peer, &datagram);
        }
        for datagram in early {
            self.deliver(&key, peer, &datagram, Instant::now());
        }
    }

    fn deliver(&self, key: &Key, from: SocketAddr, datagram: &[u8], at: Instant) -> bool {
        let session = self.shard.table.borrow().session(key);
        let Some(session) = session else { return false };
        self.shard.deliver(&session, from, datagram, at);
        true
    }

    /// Where the session of `peer` is stored, for when it sleeps.
    fn know(&self, peer: SocketAddr, (slot, generation): (Slot, u32)) {
        let Some(keeping) = &self.shard.keeping else { return };
        // A look at a slot goes no further than memory.
        let is_kept = |place: Place| {
            let window = keeping.keep.sessions().window(place.slot);
            window.is_ok_and(|window| window.generation == place.generation)
        };
        self.shard.addresses.borrow_mut().enter(peer, Place { slot, generation }, is_kept);
    }
}

/// Asks sessions every second whether they are idle, as they have asked to be.
pub(super) fn doze<A>(shard: &Rc<Shard<DeviceSession>>, ctx: &mut Context<A>)
where
    A: Actor<Context = Context<A>>,
{
    let shard = Rc::clone(shard);
    ctx.run_interval(SWEEP, move |_, _| {
        let now = shard.now();
        let due = shard.dozing.borrow_mut().due(now);
        for session in due {
            let Some(awake) = session.upgrade() else { continue };
            // Full: it is being spoken to.
            if awake.try_send(Doze).is_err() {
                shard.dozing.borrow_mut().enter(now.saturating_add(shard.idle), session);
            }
        }
    });
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        doze(&self.shard, ctx);
    }
}

impl Handler<Open> for Link {
    type Result = ();

    fn handle(&mut self, open: Open, ctx: &mut Self::Context) {
        self.shard.know(Siblings {
            links: open.links.into_iter().map(Addr::recipient).collect(),
            door: Some(open.door.clone().recipient()),
            begun: Some(open.door.recipient()),
            woken: Some(ctx.address().recipient()),
        });
        let Some(socket) = self.socket.take() else { return };
        let shard = Rc::clone(&self.shard);
        let take = move |from, datagram: &[u8]| shard.receive(from, datagram, Instant::now());
        let shard = Rc::clone(&self.shard);
        let reading = reader::read(socket, take, move |count| shard.batch_over(count));
        self.reading = Some(ctx.spawn(reading.into_actor(self)));
    }
}

impl Handler<Begin> for Link {
    type Result = ();

    fn handle(&mut self, Begin(sessions): Begin, _: &mut Self::Context) {
        let peers = sessions.iter().map(|stored| stored.peer).collect();
        for stored in sessions {
            self.begin_stored(stored);
        }
        self.shard.begun(peers);
    }
}

impl Handler<Woken> for Link {
    type Result = ();

    fn handle(&mut self, woken: Woken, _: &mut Self::Context) {
        let Woken { key, from, datagram, at, kept } = woken;
        if let Some(kept) = kept {
            self.shard.metrics.woken(at.elapsed());
            let _ = self.begin(kept);
        }
        if !self.deliver(&key, from, &datagram, at) {
            // Its handshake is over, and its session not stored yet: the front door holds it until this
            // arbiter says that the session has begun, which is after this.
            self.shard.to_the_door(from, &datagram, false);
        }
    }
}

impl Handler<Halt> for Link {
    type Result = ();

    fn handle(&mut self, _: Halt, ctx: &mut Self::Context) {
        if let Some(reading) = self.reading.take() {
            ctx.cancel_future(reading);
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
