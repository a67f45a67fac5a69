//! CoAP without DTLS, for a private network whose operator vouches for source addresses: off unless
//! configured. A board is known by its SIM's address.
//!
//! Invariant: an address that belongs to no board leaves nothing behind but a count.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, AsyncContext, Context, Handler, Message, WrapFuture};
use storage::BoardId;

use crate::link::link_actor::{self, Drain};
use crate::link::reader;
use crate::link::shard::Shard;
use crate::link::table::Key;
use crate::metrics::RecordDrop;
use crate::session::{DeviceSession, SessionParts, Transport};
use crate::tenant::Tenant;

/// The boards that are known by address.
pub type Residents = HashMap<IpAddr, (BoardId, Arc<Tenant>)>;

/// Other boards are known by their addresses from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Know(pub Residents);

/// The actor that reads a plain CoAP socket.
pub struct PlainLink {
    shard: Rc<Shard<DeviceSession>>,
    socket: Option<UdpSocket>,
    residents: Rc<RefCell<Residents>>,
}

impl PlainLink {
    /// A link that reads from `socket` and knows `residents`.
    #[must_use]
    pub fn new(shard: Rc<Shard<DeviceSession>>, socket: UdpSocket, residents: Residents) -> Self {
        Self { shard, socket: Some(socket), residents: Rc::new(RefCell::new(residents)) }
    }
}

fn receive(
    shard: &Rc<Shard<DeviceSession>>,
    residents: &RefCell<Residents>,
    from: SocketAddr,
    bytes: &[u8],
) {
    let key = Key::Address(from);
    let known = shard.table.borrow().session(&key);
    let session = if let Some(session) = known {
        session
    } else {
        let residents = residents.borrow();
        let Some((board, tenant)) = residents.get(&from.ip()) else {
            return shard.metrics.record_dropped(RecordDrop::UnknownAddress);
        };
        let serial = shard.next_serial();
        let session = DeviceSession::start(SessionParts {
            board: board.clone(),
            tenant: Arc::clone(tenant),
            transport: Transport::Plain(Box::new(from)),
            serial,
            shard: Rc::clone(shard),
            first_mid: from.port(),
            issuer: None,
            renews_only: false,
            admitted: Instant::now(),
        });
        shard.table.borrow_mut().insert(key, serial, &session);
        session
    };
    shard.deliver(&session, from, bytes, Instant::now());
}

impl Actor for PlainLink {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        link_actor::doze(&self.shard, ctx);
        let Some(socket) = self.socket.take() else { return };
        let (shard, residents) = (Rc::clone(&self.shard), Rc::clone(&self.residents));
        let take = move |from, bytes: &[u8]| receive(&shard, &residents, from, bytes);
        let shard = Rc::clone(&self.shard);
        let reading = reader::read(socket, take, move |count| shard.batch_over(count));
        ctx.spawn(reading.into_actor(self));
    }
}

impl Handler<Know> for PlainLink {
    type Result = ();

    fn handle(&mut self, Know(residents): Know, _: &mut Self::Context) {
        self.residents.replace(residents);
    }
}

impl Handler<Drain> for PlainLink {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Self::Context) {
        self.shard.draining.set(true);
    }
}
