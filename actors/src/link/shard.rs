//! One arbiter's share of the link: its socket, its front door, its table of sessions.
//!
//! Every datagram is given to whom it belongs, or dropped and counted; cheapest rejection first.
//! A ClientHello without a valid cookie is answered statelessly and leaves no trace here
//! (RFC 6347 4.2.1). Invariant: no key, no record's content and no CoAP is seen here.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message, Recipient};

use crate::link::connection_id::{self, ConnectionId};
use crate::link::cookie::CookieKeys;
use crate::link::handshaker::{FromPeer, HandshakeOver, Handshaker};
use crate::link::hello::{self, ClientHello};
use crate::link::record::{self, ContentType, Record};
use crate::link::slots::{Slot, Slots};
use crate::link::socket::{DATAGRAM_MAX, Sender};
use crate::link::table::{Key, Millis, Serial, Table};
use crate::metrics::{ActorKind, Metrics, RecordDrop};
use crate::under_way::{Ticket, UnderWay};

/// How much longer a handshake is known here than to its worker, which looks once a second.
const WORKER_FIRST: Duration = Duration::from_secs(3);

/// A serial is an arbiter's index and this many bits of a counter: unlike every other arbiter's.
const SERIAL_BITS: u32 = 56;

/// A datagram for a session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Datagram {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub bytes: Box<[u8]>,
    /// When it was received.
    pub at: Instant,
    /// Counts it as waiting.
    pub waiting: Ticket,
}

/// A datagram for a session of another arbiter than the one whose socket it came in on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HandedOver {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub datagram: Box<[u8]>,
}

/// The links of every arbiter, by index, and where this one's handshakes report to.
#[derive(Default)]
pub struct Siblings {
    /// Who takes datagrams for each arbiter.
    pub links: Vec<Recipient<HandedOver>>,
    /// Who takes this arbiter's finished handshakes.
    pub handshakes: Option<Recipient<HandshakeOver>>,
}

/// What an arbiter's socket, sessions and link actor share; never leaves its thread.
pub struct Shard<S: Actor> {
    /// This arbiter's place among its siblings, part of every Connection ID.
    pub index: u8,
    /// Where datagrams leave.
    pub sender: Sender,
    /// Sessions and handshakes.
    pub table: RefCell<Table<S>>,
    /// The hub's counters.
    pub metrics: Arc<Metrics>,
    /// Room for one datagram or plaintext, lent to the session at work.
    pub scratch: RefCell<Vec<u8>>,
    /// Readings on their way to an upstream.
    pub deliveries: UnderWay,
    /// Datagrams in the mailboxes of this arbiter's sessions.
    waiting: UnderWay,
    /// Set when the hub drains: no new handshake, no new delivery.
    pub draining: Cell<bool>,
    cookies: RefCell<CookieKeys>,
    handshakers: Vec<Addr<Handshaker>>,
    next_handshaker: Cell<usize>,
    siblings: RefCell<Siblings>,
    slots: Slots,
    handshake_timeout: Duration,
    next_message: Cell<u64>,
    next_serial: Cell<Serial>,
    epoch: Instant,
}

/// What a shard is built from.
pub struct Parts {
    /// This arbiter's place among its siblings.
    pub index: u8,
    /// Where datagrams leave.
    pub sender: Sender,
    /// The hub's counters.
    pub metrics: Arc<Metrics>,
    /// The workers that carry handshakes.
    pub handshakers: Vec<Addr<Handshaker>>,
    /// How many handshakes may be in progress.
    pub slots: Slots,
    /// How long one may take.
    pub handshake_timeout: Duration,
    /// The first key of the front door's cookies.
    pub cookie_key: [u8; 32],
    /// Readings on their way, of all arbiters.
    pub deliveries: UnderWay,
    /// Where message ids begin; random.
    pub first_message: u64,
}

impl<S> Shard<S>
where
    S: Actor + Handler<Datagram>,
    S::Context: ToEnvelope<S, Datagram>,
{
    /// A shard without sessions.
    #[must_use]
    pub fn new(parts: Parts) -> Rc<Self> {
        Rc::new(Self {
            index: parts.index,
            sender: parts.sender,
            table: RefCell::default(),
            metrics: parts.metrics,
            scratch: RefCell::default(),
            deliveries: parts.deliveries,
            waiting: UnderWay::default(),
            draining: Cell::new(false),
            cookies: RefCell::new(CookieKeys::new(parts.cookie_key)),
            handshakers: parts.handshakers,
            next_handshaker: Cell::new(usize::from(parts.index)),
            siblings: RefCell::new(Siblings::default()),
            slots: parts.slots,
            handshake_timeout: parts.handshake_timeout,
            next_message: Cell::new(parts.first_message),
            next_serial: Cell::new(Serial::from(parts.index) << SERIAL_BITS),
            epoch: Instant::now(),
        })
    }

    /// Milliseconds on this arbiter's monotonic clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        millis(self.epoch.elapsed())
    }

    /// The next number of a message for upstream; from a random beginning.
    #[must_use]
    pub fn next_message(&self) -> u64 {
        let number = self.next_message.get();
        self.next_message.set(number.wrapping_add(1));
        number
    }

    /// A serial that no session of any arbiter has had.
    #[must_use]
    pub fn next_serial(&self) -> Serial {
        let serial = self.next_serial.get();
        self.next_serial.set(serial.wrapping_add(1));
        serial
    }

    /// New cookies are made with `key`; those of the key before the last are refused from now on.
    pub fn rotate_cookies(&self, key: [u8; 32]) {
        self.cookies.borrow_mut().rotate(key);
    }

    /// The other arbiters' links, by index.
    pub fn know(&self, siblings: Siblings) {
        *self.siblings.borrow_mut() = siblings;
    }

    /// Gives a datagram from the socket or from a sibling to whom it belongs.
    pub fn receive(self: &Rc<Self>, from: SocketAddr, datagram: &[u8], at: Instant) {
        if datagram.len() > DATAGRAM_MAX {
            return self.drop_record(RecordDrop::Oversize);
        }
        let first = match record::records(datagram, connection_id::LENGTH).next() {
            Some(Ok(record)) => record,
            Some(Err(_)) | None => return self.drop_record(RecordDrop::Malformed),
        };
        match (first.epoch, first.content_type) {
            (_, ContentType::ConnectionId) => self.by_connection_id(&first, from, datagram, at),
            (0, ContentType::Handshake) => match ClientHello::parse(&first) {
                Ok(hello) => self.front_door(&hello, from, datagram),
                Err(_) => self.unprotected(from, datagram, at),
            },
            (0, _) => self.unprotected(from, datagram, at),
            (_, _) => self.by_address(from, datagram, at),
        }
    }

    fn by_connection_id(
        self: &Rc<Self>,
        record: &Record<'_>,
        from: SocketAddr,
        datagram: &[u8],
        at: Instant,
    ) {
        let Some(id) = ConnectionId::from_wire(record.cid) else {
            return self.drop_record(RecordDrop::Malformed);
        };
        if id.shard() != self.index {
            return self.hand_over(id, from, datagram);
        }
        let table = self.table.borrow();
        if let Some(session) = table.session(&Key::ConnectionId(id)) {
            self.deliver(session, from, datagram, at);
        } else if let Some(worker) = table.handshake(&from) {
            self.pass_on(worker, from, datagram, None);
        } else {
            self.drop_record(RecordDrop::UnknownSession);
        }
    }

    fn by_address(&self, from: SocketAddr, datagram: &[u8], at: Instant) {
        let table = self.table.borrow();
        let session = table.session(&Key::Address(from));
        let handshake = table.handshake(&from);
        // A board that renews its session from the same address speaks to both until it is done.
        if let Some(session) = session {
            self.deliver(session, from, datagram, at);
        }
        if let Some(worker) = handshake {
            self.pass_on(worker, from, datagram, None);
        }
        if session.is_none() && handshake.is_none() {
            self.drop_record(RecordDrop::UnknownSession);
        }
    }

    /// A handshake's message, or the repetition of one that is over: then only a protected record
    /// behind it says whose.
    fn unprotected(self: &Rc<Self>, from: SocketAddr, datagram: &[u8], at: Instant) {
        let protected = record::records(datagram, connection_id::LENGTH)
            .flatten()
            .find(|record| record.epoch != 0);
        match protected {
            // Its session, if the id names one: a repeated flight is no new handshake's.
            Some(record) if record.content_type == ContentType::ConnectionId => {
                self.by_connection_id(&record, from, datagram, at);
            }
            Some(_) => self.by_address(from, datagram, at),
            None => match self.table.borrow().handshake(&from) {
                Some(worker) => {
                    self.pass_on(worker, from, datagram, None);
                }
                None => self.drop_record(RecordDrop::WrongEpoch),
            },
        }
    }

    fn front_door(&self, hello: &ClientHello<'_>, from: SocketAddr, datagram: &[u8]) {
        if self.draining.get() {
            return self.drop_record(RecordDrop::HandshakesFull);
        }
        let cookies = self.cookies.borrow();
        if !cookies.verify(from, hello) {
            if !hello.cookie.is_empty() {
                self.drop_record(RecordDrop::BadCookie);
            }
            let mut answer = Vec::with_capacity(64);
            if hello::hello_verify_request(hello, &cookies.mint(from, hello), &mut answer).is_ok()
                && answer.len() <= datagram.len()
            {
                self.sender.send(from, &answer);
            }
            return;
        }
        let known = self.table.borrow().handshake(&from);
        let (worker, slot) = match known {
            Some(worker) => (worker, None),
            None => {
                let Some(slot) = self.slots.take(from.ip()) else {
                    return self.drop_record(RecordDrop::HandshakesFull);
                };
                let worker = self.next_handshaker.get() % self.handshakers.len().max(1);
                self.next_handshaker.set(worker.wrapping_add(1));
                (worker, Some(slot))
            }
        };
        // The worker gives up first: an entry here never ends before its handshake.
        let until = self.now() + millis(self.handshake_timeout + WORKER_FIRST);
        self.table.borrow_mut().begin_handshake(from, worker, until);
        if !self.pass_on(worker, from, datagram, Some(slot)) && known.is_none() {
            self.table.borrow_mut().end_handshake(&from);
        }
    }

    /// To the worker that has the handshake; `begins` where a ClientHello's cookie has verified,
    /// with a slot for a new one. Says whether it was taken.
    fn pass_on(
        &self,
        worker: usize,
        peer: SocketAddr,
        datagram: &[u8],
        begins: Option<Option<Slot>>,
    ) -> bool {
        let Some(handshaker) = self.handshakers.get(worker) else { return false };
        let Some(link) = self.siblings.borrow().handshakes.clone() else { return false };
        let (begins, slot) = (begins.is_some(), begins.flatten());
        let shard = self.index;
        let message = FromPeer { peer, datagram: datagram.into(), begins, shard, link, slot };
        // Full: dropped; the client repeats its flight.
        let taken = handshaker.try_send(message).is_ok();
        if !taken {
            self.metrics.mailbox_full(ActorKind::Handshaker);
            self.drop_record(RecordDrop::MailboxFull);
        }
        taken
    }

    fn hand_over(&self, id: ConnectionId, from: SocketAddr, datagram: &[u8]) {
        match self.siblings.borrow().links.get(usize::from(id.shard())) {
            // Full: dropped; the board repeats its message.
            Some(owner) => {
                let message = HandedOver { from, datagram: datagram.into() };
                if owner.try_send(message).is_err() {
                    self.metrics.mailbox_full(ActorKind::Link);
                    self.drop_record(RecordDrop::MailboxFull);
                }
            }
            None => self.drop_record(RecordDrop::UnknownSession),
        }
    }

    /// Gives a datagram to its session, or drops it when the session has too many.
    pub fn deliver(&self, session: &Addr<S>, from: SocketAddr, datagram: &[u8], at: Instant) {
        // Full: dropped; the board repeats its message.
        let message = Datagram { from, bytes: datagram.into(), at, waiting: self.waiting.enter() };
        if session.try_send(message).is_err() {
            self.metrics.mailbox_full(ActorKind::Session);
            self.drop_record(RecordDrop::MailboxFull);
        }
    }

    /// Notes how many datagrams wait for this arbiter's sessions; once a batch is enough.
    pub fn note_depth(&self) {
        let depth = u64::try_from(self.waiting.count()).unwrap_or(u64::MAX);
        self.metrics.mailbox_depth(ActorKind::Session, depth);
    }

    fn drop_record(&self, reason: RecordDrop) {
        self.metrics.record_dropped(reason);
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
