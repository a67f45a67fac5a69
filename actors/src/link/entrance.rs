//! What becomes of a datagram at the front door: a cookie, a handshake here or with a worker, or the
//! arbiter whose session it is for.
//!
//! What is cheap is done here: cookies, and abbreviated handshakes, which are some microseconds of
//! arithmetic and a look into the store. Invariant: nothing here does what only public keys can.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use actix::Addr;

use crate::link::abbreviated::Terms;
use crate::link::clock::Clock;
use crate::link::connection_id;
use crate::link::crossing::Crossing;
use crate::link::destination::{Destination, begins_unprotected};
use crate::link::door::{Carrier, Door, Step};
use crate::link::front_door::{AtTheDoor, Begun, FrontDoorParts, Late};
use crate::link::handshake::Handshake;
use crate::link::handshaker::{Evict, FromPeer, HandshakeOver, Handshaker};
use crate::link::handshakes::{Handshakes, Stand};
use crate::link::link_actor::Link;
use crate::link::offer::Offer;
use crate::link::record;
use crate::link::resumptions::{Resumptions, Wish};
use crate::link::shard::HandedOver;
use crate::link::slots::Slot;
use crate::link::socket::Sender;
use crate::metrics::{ActorKind, Metrics, RecordDrop};

/// What the front door's actor and the reader of its socket share; never leaves its thread.
pub(super) struct Entrance {
    pub(super) door: RefCell<Door>,
    sender: Sender,
    /// The abbreviated ones.
    handshakes: RefCell<Handshakes>,
    resumptions: Arc<dyn Resumptions>,
    mtu: u16,
    pub(super) handshakers: Vec<Addr<Handshaker>>,
    pub(super) metrics: Arc<Metrics>,
    crossing: Crossing,
    pub(super) links: RefCell<Vec<Addr<Link>>>,
    clock: Clock,
}

/// What a worker is given of a handshake.
enum Stage {
    /// A ClientHello whose cookie has verified.
    Begins { shard: u8, slot: Option<Slot> },
    /// Everything after.
    GoesOn,
}

impl Entrance {
    pub(super) fn new(parts: FrontDoorParts) -> Self {
        Self {
            door: RefCell::new(parts.door),
            sender: parts.means.sender.clone(),
            metrics: Arc::clone(&parts.means.metrics),
            handshakes: RefCell::new(Handshakes::new(parts.means)),
            resumptions: parts.resumptions,
            mtu: parts.mtu,
            handshakers: parts.handshakers,
            crossing: parts.crossing,
            links: RefCell::default(),
            clock: Clock::start(),
        }
    }

    /// A datagram of the front door's own socket, or one that was held here.
    pub(super) fn receive(&self, from: SocketAddr, datagram: &[u8]) {
        match Destination::of(datagram) {
            Ok(Destination::Door) => self.unprotected(from, datagram),
            Ok(protected) => {
                let last_flight = begins_unprotected(datagram);
                if let Some(carrier) = last_flight.then(|| self.heard(&from)).flatten() {
                    return self.go_on(carrier, from, datagram);
                }
                // The session it is for, if there is one; else it comes back, for the handshake.
                let owner = protected.owner(from, self.links.borrow().len());
                self.hand_over(owner.unwrap_or(0), from, datagram);
            }
            Err(reason) => self.metrics.record_dropped(reason),
        }
    }

    /// A datagram that an arbiter with sessions has for the front door.
    pub(super) fn receive_from_arbiter(&self, at: &AtTheDoor) {
        if Destination::of(&at.datagram) == Ok(Destination::Door) {
            return self.unprotected(at.from, &at.datagram);
        }
        match self.heard(&at.from) {
            Some(carrier) => self.go_on(carrier, at.from, &at.datagram),
            // Also where an older session of that address has had it and could not open it.
            None if self.door.borrow_mut().hold(&at.from, &at.datagram) => {}
            None if at.delivered => {}
            None => self.metrics.record_dropped(RecordDrop::UnknownSession),
        }
    }

    /// A datagram that came to a worker when its handshake was over.
    pub(super) fn receive_late(&self, late: &Late) {
        let mut door = self.door.borrow_mut();
        let held = door.hold(&late.from, &late.datagram);
        // A worker that was not heard would send it back, again and again.
        let unheard = matches!(door.carrier_of(&late.from), Some(Carrier::Worker(_)));
        drop(door);
        if !held && !unheard && Destination::of(&late.datagram) != Ok(Destination::Door) {
            self.receive(late.from, &late.datagram);
        }
    }

    /// Sessions have begun: what was held for them is theirs.
    pub(super) fn begun(&self, Begun(peers): &Begun) {
        for peer in peers {
            let held = self.door.borrow_mut().settled(peer);
            for datagram in held {
                self.receive(*peer, &datagram);
            }
        }
    }

    /// A worker's handshake has ended.
    pub(super) fn over(&self, HandshakeOver(peer): &HandshakeOver) {
        self.door.borrow_mut().over(peer);
    }

    pub(super) fn sweep(&self) {
        let over = self.handshakes.borrow_mut().sweep(Instant::now());
        let mut door = self.door.borrow_mut();
        for peer in over {
            door.over(&peer);
        }
        door.sweep(self.clock.now());
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
            Step::Begin { carrier: Some(Carrier::Worker(worker)), shard, slot } => {
                self.pass_on(worker, from, datagram, Stage::Begins { shard, slot });
            }
            Step::Begin { carrier: None | Some(Carrier::Door), shard, mut slot } => {
                match self.resume(from, datagram, shard, &mut slot) {
                    Some(stand) => self.note(from, stand),
                    None => self.begin_in_full(from, datagram, shard, slot),
                }
            }
            Step::Continue { carrier } => self.go_on(carrier, from, datagram),
            Step::Drop(reason) => {
                self.metrics.record_dropped(reason);
                self.evict();
            }
        }
    }

    /// An abbreviated handshake, if the hello is whole and wants and may have one.
    fn resume(
        &self,
        from: SocketAddr,
        datagram: &[u8],
        shard: u8,
        slot: &mut Option<Slot>,
    ) -> Option<Stand> {
        let hello = record::records(datagram, connection_id::LENGTH).next()?.ok()?;
        let offer = Offer::parse(hello.fragment)?;
        let mut handshakes = self.handshakes.borrow_mut();
        if let Some(stand) = handshakes.repeat(from, offer.random, datagram) {
            return Some(stand);
        }
        let wish = Wish::of(offer, &*self.resumptions)?;
        let mut random = [0; 32];
        getrandom::fill(&mut random).ok()?;
        let (next_plain_sequence, mtu) = (hello.sequence, self.mtu);
        handshakes.begin(from, shard, slot, |ours| {
            let terms = Terms { ours, random, next_plain_sequence, mtu };
            Some(Handshake::abbreviated(wish, terms))
        })
    }

    fn begin_in_full(&self, from: SocketAddr, datagram: &[u8], shard: u8, slot: Option<Slot>) {
        let slot = slot.or_else(|| self.handshakes.borrow_mut().give_up(&from));
        let worker = self.door.borrow_mut().hand_on(&from);
        if !self.pass_on(worker, from, datagram, Stage::Begins { shard, slot }) {
            self.door.borrow_mut().over(&from);
        }
    }

    fn go_on(&self, carrier: Carrier, from: SocketAddr, datagram: &[u8]) {
        match carrier {
            Carrier::Door => {
                let stand = self.handshakes.borrow_mut().handle_datagram(from, datagram);
                self.note(from, stand.unwrap_or(Stand::Over));
            }
            Carrier::Worker(worker) => {
                self.pass_on(worker, from, datagram, Stage::GoesOn);
            }
        }
    }

    fn note(&self, peer: SocketAddr, stand: Stand) {
        match stand {
            Stand::InProgress => {}
            Stand::Over => self.door.borrow_mut().over(&peer),
            Stand::Settling => self.door.borrow_mut().settle(self.clock.now(), peer),
        }
    }

    /// Who has the handshake with a peer of whom something was heard.
    fn heard(&self, from: &SocketAddr) -> Option<Carrier> {
        self.door.borrow_mut().heard(self.clock.now(), from)
    }

    fn evict(&self) {
        loop {
            let evicted = self.door.borrow_mut().poll_evicted();
            let Some((carrier, peer)) = evicted else { return };
            match carrier {
                Carrier::Door => {
                    self.handshakes.borrow_mut().evict(peer);
                    self.door.borrow_mut().over(&peer);
                }
                // Full: it is found silent again when the next one needs a place.
                Carrier::Worker(worker) => {
                    if let Some(handshaker) = self.handshakers.get(worker)
                        && handshaker.try_send(Evict(peer)).is_err()
                    {
                        self.metrics.mailbox_full(ActorKind::Handshaker);
                    }
                }
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

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use actix::{AsyncContext, Context};
    use storage::{BootId, KeyId, Keyring, SealingKey, Store};

    use super::*;
    use crate::admission::Registry;
    use crate::handshake_quota::HandshakeQuota;
    use crate::keeper::{Keep, Keeper};
    use crate::link::connection_id::ConnectionIds;
    use crate::link::door::tests::{door, hello};
    use crate::link::handshakes::Means;
    use crate::link::resumptions::Never;
    use crate::recorder::Recorder;
    use crate::tenant::Directory;

    #[actix_rt::test]
    async fn a_handshake_that_its_worker_has_no_room_for_leaves_nothing_at_the_door() {
        // A worker that is gone has no room for anything.
        let gone = Context::<Handshaker>::new().address();
        let hub = UdpSocket::bind("127.0.0.1:0").unwrap();
        let metrics = Arc::new(Metrics::new());
        let board = UdpSocket::bind("127.0.0.1:0").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let boot = BootId::of_this_boot().unwrap();
        let key = || SealingKey::new([1; 32]);
        let sessions = store.sessions(&Keyring::new((KeyId::FIRST, key()), key()), boot).unwrap();
        let registry = Registry::new(store, Duration::ZERO);
        let means = Means {
            sender: Sender::new(&hub).unwrap(),
            metrics: Arc::clone(&metrics),
            quota: HandshakeQuota::new(Directory::new([]), Arc::clone(&metrics)),
            keep: Keep::new(sessions, registry, ConnectionIds::new(0, &[2; 16])),
            keeper: Context::<Keeper>::new().address(),
            recorder: Context::<Recorder>::new().address(),
            shards: 1,
            timeout: Duration::from_secs(60),
        };
        let entrance = Entrance::new(FrontDoorParts {
            door: door(1),
            socket: None,
            means,
            resumptions: Arc::new(Never),
            mtu: 1200,
            handshakers: vec![gone.clone(), gone],
            crossing: Crossing::new(Arc::clone(&metrics)),
        });
        let from = board.local_addr().unwrap();
        entrance.unprotected(from, &hello(&[]));
        let mut answer = [0; 256];
        let length = board.recv(&mut answer).unwrap();
        let record = record::records(&answer[..length], 0).next().unwrap().unwrap();
        for _ in 0..3 {
            // The only place is free again each time, or the second would be dropped for want of one.
            entrance.unprotected(from, &hello(&record.fragment[15..]));
        }
        assert!(entrance.door.borrow().carrier_of(&from).is_none());
        let counted = metrics.encode();
        let is_counted = |line: &str| assert!(counted.contains(line), "{line} in {counted}");
        is_counted("hub_mailbox_full_total{actor=\"handshaker\"} 3");
        is_counted("hub_records_dropped_total{reason=\"mailbox_full\"} 3");
        is_counted("hub_handshakes_in_progress 0");
    }
}
