//! One arbiter's share of the link: its socket and its table of sessions.
//!
//! Every datagram is given to whom it belongs, or dropped and counted; cheapest rejection first. What
//! is another arbiter's, or the front door's, is handed over. Invariant: no key, no record's content,
//! no handshake and no CoAP is seen here.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message, Recipient};
use storage::Slot;

use crate::keeper::{Keeping, Wake, Woken};
use crate::link::addresses::Addresses;
use crate::link::clock::Clock;
use crate::link::connection_id::ConnectionId;
use crate::link::crossing::Crossing;
use crate::link::destination::Destination;
use crate::link::dozing::Dozing;
use crate::link::expected::Expected;
use crate::link::forgeries::Forgeries;
use crate::link::front_door::{AtTheDoor, Begun};
use crate::link::socket::Sender;
use crate::link::table::{Key, Millis, Serial, Table};
use crate::metrics::{ActorKind, Metrics, RecordDrop};
use crate::taps::Taps;
use crate::under_way::{Ticket, UnderWay};

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

/// A datagram for a session of another arbiter than the one whose socket it came in on; or of a
/// handshake, should there be no such session.
#[derive(Message)]
#[rtype(result = "()")]
pub struct HandedOver {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes.
    pub datagram: Box<[u8]>,
    /// Counts it as on its way between arbiters.
    pub crossing: Ticket,
}

/// Whom an arbiter hands datagrams to.
#[derive(Default)]
pub struct Siblings {
    /// Who takes datagrams for each arbiter, by index.
    pub links: Vec<Recipient<HandedOver>>,
    /// Who takes those of handshakes.
    pub door: Option<Recipient<AtTheDoor>>,
    /// Who holds datagrams for sessions that have not begun.
    pub begun: Option<Recipient<Begun>>,
    /// Who takes sessions that wake: this arbiter's link.
    pub woken: Option<Recipient<Woken>>,
}

/// What an arbiter's socket, sessions and link actor share; never leaves its thread.
pub struct Shard<S: Actor> {
    /// This arbiter's place among its siblings, part of every Connection ID.
    pub index: u8,
    /// Where datagrams leave.
    pub sender: Sender,
    /// Sessions.
    pub table: RefCell<Table<S>>,
    /// The hub's counters.
    pub metrics: Arc<Metrics>,
    /// Room for one datagram or plaintext, lent to the session at work.
    pub scratch: RefCell<Vec<u8>>,
    /// Forged records of late.
    pub forgeries: RefCell<Forgeries>,
    /// Readings on their way to an upstream.
    pub deliveries: UnderWay,
    /// Boards whose readings are looked at.
    pub taps: Arc<Taps>,
    /// Datagrams in the mailboxes of this arbiter's sessions.
    waiting: UnderWay,
    /// Set when the hub drains: no new delivery.
    pub draining: Cell<bool>,
    /// After how long without a message a session leaves memory.
    pub idle: Millis,
    /// Which sessions are to be asked when whether they are idle.
    pub dozing: RefCell<Dozing<S>>,
    /// Where sessions are stored; `None` where they have nothing that could be.
    pub keeping: Option<Keeping>,
    /// Stored sessions that are known by their board's address.
    pub addresses: RefCell<Addresses>,
    expected: Expected,
    crossing: Crossing,
    siblings: RefCell<Siblings>,
    next_message: Cell<u64>,
    next_serial: Cell<Serial>,
    clock: Clock,
}

/// What a shard is built from.
pub struct Parts {
    /// This arbiter's place among its siblings.
    pub index: u8,
    /// Where datagrams leave.
    pub sender: Sender,
    /// The hub's counters.
    pub metrics: Arc<Metrics>,
    /// Where protected records of handshakes are expected from.
    pub expected: Expected,
    /// Datagrams on their way between arbiters, and the front door.
    pub crossing: Crossing,
    /// After how long without a message a session leaves memory.
    pub idle: Millis,
    /// Where sessions are stored; `None` for those without DTLS.
    pub keeping: Option<Keeping>,
    /// This arbiter's stored sessions that are known by their board's address.
    pub addresses: Addresses,
    /// Readings on their way, of all arbiters.
    pub deliveries: UnderWay,
    /// Boards whose readings are looked at.
    pub taps: Arc<Taps>,
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
            forgeries: RefCell::default(),
            deliveries: parts.deliveries,
            taps: parts.taps,
            waiting: UnderWay::default(),
            draining: Cell::new(false),
            idle: parts.idle,
            dozing: RefCell::default(),
            keeping: parts.keeping,
            addresses: RefCell::new(parts.addresses),
            expected: parts.expected,
            crossing: parts.crossing,
            siblings: RefCell::new(Siblings::default()),
            next_message: Cell::new(parts.first_message),
            next_serial: Cell::new(Serial::from(parts.index) << SERIAL_BITS),
            clock: Clock::start(),
        })
    }

    /// Milliseconds on this arbiter's monotonic clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
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

    /// Tells the front door that the sessions of handshakes with `peers` have begun.
    pub fn begun(&self, peers: Vec<SocketAddr>) {
        let siblings = self.siblings.borrow();
        // Full: what it holds for the sessions is dropped; the boards repeat their messages.
        if siblings.begun.as_ref().is_some_and(|door| door.try_send(Begun(peers)).is_err()) {
            self.metrics.mailbox_full(ActorKind::FrontDoor);
        }
    }

    /// The other arbiters and the front door.
    pub fn know(&self, siblings: Siblings) {
        *self.siblings.borrow_mut() = siblings;
    }

    /// Gives a datagram from the socket, a sibling or the front door to whom it belongs.
    pub fn receive(self: &Rc<Self>, from: SocketAddr, datagram: &[u8], at: Instant) {
        let destination = match Destination::of(datagram) {
            Ok(destination) => destination,
            Err(reason) => return self.drop_record(reason),
        };
        let owner = destination.owner(from, self.siblings.borrow().links.len());
        match (destination, owner) {
            (Destination::Door, _) | (_, None) => self.to_the_door(from, datagram, false),
            (_, Some(owner)) if owner != usize::from(self.index) => {
                self.hand_over(owner, from, datagram);
            }
            (Destination::ConnectionId(id), _) => self.by_connection_id(id, from, datagram, at),
            (Destination::Address, _) => self.by_address(from, datagram, at),
        }
    }

    fn by_connection_id(
        self: &Rc<Self>,
        id: ConnectionId,
        from: SocketAddr,
        datagram: &[u8],
        at: Instant,
    ) {
        let session = self.table.borrow().session(&Key::ConnectionId(id));
        if let Some(session) = session {
            self.deliver(&session, from, datagram, at);
        } else if let Some(slot) = self.keeping.as_ref().and_then(|kept| kept.keep.named(id)) {
            self.wake(Key::ConnectionId(id), slot, from, datagram, at);
        } else if self.expected.has(from) {
            // The board's Finished: there is no session before it.
            self.to_the_door(from, datagram, false);
        } else {
            self.drop_record(RecordDrop::UnknownSession);
        }
    }

    fn by_address(&self, from: SocketAddr, datagram: &[u8], at: Instant) {
        let session = self.table.borrow().session(&Key::Address(from));
        let asleep = self.addresses.borrow().slot(&from);
        if let Some(session) = &session {
            self.deliver(session, from, datagram, at);
        } else if let Some(slot) = asleep {
            self.wake(Key::Address(from), slot, from, datagram, at);
        }
        let delivered = session.is_some() || asleep.is_some();
        // A board that renews its session from the same address speaks to both until it is done.
        if self.expected.has(from) {
            self.to_the_door(from, datagram, delivered);
        } else if !delivered {
            self.drop_record(RecordDrop::UnknownSession);
        }
    }

    fn wake(&self, key: Key, slot: Slot, from: SocketAddr, datagram: &[u8], at: Instant) {
        let Some(keeping) = &self.keeping else { return };
        let Some(link) = self.siblings.borrow().woken.clone() else { return };
        // Full: dropped; the board repeats its message.
        if keeping
            .waker
            .try_send(Wake { key, slot, from, datagram: datagram.into(), at, link })
            .is_err()
        {
            self.metrics.mailbox_full(ActorKind::Waker);
            self.drop_record(RecordDrop::MailboxFull);
        }
    }

    /// Gives a datagram to the front door; `delivered` says whether a session has it as well.
    pub fn to_the_door(&self, from: SocketAddr, datagram: &[u8], delivered: bool) {
        let siblings = self.siblings.borrow();
        let Some(door) = &siblings.door else { return };
        self.crossing.hand(ActorKind::FrontDoor, |crossing| {
            let datagram = datagram.into();
            door.try_send(AtTheDoor { from, datagram, delivered, crossing }).is_ok()
        });
    }

    fn hand_over(&self, owner: usize, from: SocketAddr, datagram: &[u8]) {
        let siblings = self.siblings.borrow();
        let Some(owner) = siblings.links.get(owner) else {
            return self.drop_record(RecordDrop::UnknownSession);
        };
        self.crossing.hand(ActorKind::Link, |crossing| {
            let datagram = datagram.into();
            owner.try_send(HandedOver { from, datagram, crossing }).is_ok()
        });
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

    /// Notes a batch of datagrams read, and how many wait for this arbiter's sessions.
    pub fn batch_over(&self, count: u64) {
        self.metrics.datagrams_received(count);
        let depth = u64::try_from(self.waiting.count()).unwrap_or(u64::MAX);
        self.metrics.mailbox_depth(ActorKind::Session, depth);
    }

    fn drop_record(&self, reason: RecordDrop) {
        self.metrics.record_dropped(reason);
    }
}
