//! The front door's mind: which ClientHello is answered with a cookie, which begins a handshake, and
//! which handshakes are in progress.
//!
//! Cheapest rejection first. A ClientHello without a valid cookie is answered statelessly and leaves
//! no trace here (RFC 6347 4.2.1). Invariant: no clock, socket or actor is reachable from here.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::link::budget::Budget;
use crate::link::connection_id;
use crate::link::cookie::CookieKeys;
use crate::link::expected::Expected;
use crate::link::hello::{self, ClientHello};
use crate::link::record;
use crate::link::slots::{Slot, Slots};
use crate::link::table::Millis;
use crate::metrics::RecordDrop;

const EVICT_EVERY_MS: Millis = 200;

/// What the front door is built from.
pub struct DoorParts {
    /// The first key of its cookies.
    pub cookie_key: [u8; 32],
    /// How many handshakes may be in progress.
    pub slots: Slots,
    /// Where protected records of handshakes are expected from.
    pub expected: Expected,
    /// How many workers carry handshakes.
    pub workers: usize,
    /// How many arbiters own sessions.
    pub shards: usize,
    /// How long an entry lives at most; longer than its handshake is known to its worker.
    pub forget_after: Millis,
    /// How long a handshake may be silent and keep its place when all are taken.
    pub silence: Millis,
    /// How many first ClientHellos are answered.
    pub hellos: Budget,
    /// How many handshakes begin.
    pub begins: Budget,
}

/// What becomes of a datagram.
pub enum Step {
    /// It is answered with these bytes, and forgotten.
    Answer {
        /// A HelloVerifyRequest, no longer than what it answers; empty where it would be.
        answer: Vec<u8>,
        /// Whether a cookie came that is not ours.
        bad_cookie: bool,
    },
    /// A ClientHello whose cookie has verified: of a handshake that begins, or of one in progress.
    Begin {
        /// Who has the handshake with this peer, if there is one.
        carrier: Option<Carrier>,
        /// The arbiter that is to own the session, if it is one with a Connection ID.
        shard: u8,
        /// Its place, unless the handshake is one already in progress.
        slot: Option<Slot>,
    },
    /// It goes to whoever has the handshake.
    Continue {
        /// Who that is.
        carrier: Carrier,
    },
    /// It is dropped.
    Drop(RecordDrop),
}

/// Who has a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The front door itself.
    Door,
    /// The worker of this number.
    Worker(usize),
}

/// The front door.
pub struct Door {
    cookies: CookieKeys,
    slots: Slots,
    handshakes: HashMap<SocketAddr, Pending>,
    settling: HashMap<SocketAddr, Settling>,
    expected: Expected,
    workers: usize,
    next_worker: usize,
    shards: u8,
    next_shard: u8,
    forget_after: Millis,
    silence: Millis,
    hellos: Budget,
    begins: Budget,
    evicted: Vec<(Carrier, SocketAddr)>,
    next_eviction: Millis,
    draining: bool,
}

struct Pending {
    carrier: Carrier,
    until: Millis,
    heard: Millis,
}

/// A resumed session that is not stored yet, and what its board has sent behind its Finished.
struct Settling {
    until: Millis,
    held: Vec<Box<[u8]>>,
}

/// Datagrams held for one session, and how long its storing may take.
const HELD_MAX: usize = 4;
const SETTLE: Millis = 5_000;

impl Door {
    /// A front door without handshakes.
    #[must_use]
    pub fn new(parts: DoorParts) -> Self {
        Self {
            cookies: CookieKeys::new(parts.cookie_key),
            slots: parts.slots,
            handshakes: HashMap::new(),
            settling: HashMap::new(),
            expected: parts.expected,
            workers: parts.workers.max(1),
            next_worker: 0,
            shards: u8::try_from(parts.shards).unwrap_or(u8::MAX).max(1),
            next_shard: 0,
            forget_after: parts.forget_after,
            silence: parts.silence,
            hellos: parts.hellos,
            begins: parts.begins,
            evicted: Vec::new(),
            next_eviction: 0,
            draining: false,
        }
    }

    /// Takes an unprotected datagram.
    pub fn handle(&mut self, now: Millis, from: SocketAddr, datagram: &[u8]) -> Step {
        let first = match record::records(datagram, connection_id::LENGTH).next() {
            Some(Ok(record)) => record,
            Some(Err(_)) | None => return Step::Drop(RecordDrop::Malformed),
        };
        match ClientHello::parse(&first) {
            Ok(hello) => self.hello(now, &hello, from, datagram),
            Err(_) => match self.heard(now, &from) {
                Some(carrier) => Step::Continue { carrier },
                None => Step::Drop(RecordDrop::WrongEpoch),
            },
        }
    }

    fn hello(
        &mut self,
        now: Millis,
        hello: &ClientHello<'_>,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Step {
        if self.draining {
            return Step::Drop(RecordDrop::HandshakesFull);
        }
        if !self.cookies.verify(from, hello) {
            if !self.hellos.take(from, now) {
                return Step::Drop(RecordDrop::HelloRate);
            }
            let bad_cookie = !hello.cookie.is_empty();
            let mut answer = Vec::with_capacity(64);
            let cookie = self.cookies.mint(from, hello);
            let written = hello::hello_verify_request(hello, &cookie, &mut answer);
            if written.is_err() || answer.len() > datagram.len() {
                answer.clear();
            }
            return Step::Answer { answer, bad_cookie };
        }
        // Whoever repeats its hello has the flight that answers it sent again: it counts as well.
        if !self.begins.take(from, now) {
            return Step::Drop(RecordDrop::HandshakeRate);
        }
        let carrier = self.carrier_of(&from);
        let slot = match carrier {
            Some(_) => None,
            None => {
                let Some(slot) = self.slots.take(from.ip()) else {
                    self.evict(now);
                    return Step::Drop(RecordDrop::HandshakesFull);
                };
                Some(slot)
            }
        };
        let shard = self.next_shard;
        self.next_shard = shard.wrapping_add(1).checked_rem(self.shards).unwrap_or(0);
        let until = now.saturating_add(self.forget_after);
        let pending = Pending { carrier: carrier.unwrap_or(Carrier::Door), until, heard: now };
        if self.handshakes.insert(from, pending).is_none() {
            self.expected.enter(from);
        }
        Step::Begin { carrier, shard, slot }
    }

    /// Looks for handshakes that are silent, because all places are taken. The board that had none is
    /// not kept waiting: it comes again, and finds one.
    fn evict(&mut self, now: Millis) {
        if now < self.next_eviction {
            return;
        }
        // Looking through all is dear: not for each hello of a flood.
        self.next_eviction = now.saturating_add(EVICT_EVERY_MS);
        let silent = self
            .handshakes
            .iter()
            .filter(|(_, pending)| now.saturating_sub(pending.heard) >= self.silence);
        self.evicted.extend(silent.map(|(peer, pending)| (pending.carrier, *peer)));
    }

    /// A handshake that who has it is to give up, if any.
    pub fn poll_evicted(&mut self) -> Option<(Carrier, SocketAddr)> {
        self.evicted.pop()
    }

    /// Who has the handshake with `peer`, of whom something was heard.
    pub fn heard(&mut self, now: Millis, peer: &SocketAddr) -> Option<Carrier> {
        let pending = self.handshakes.get_mut(peer)?;
        pending.heard = now;
        Some(pending.carrier)
    }

    /// Who has the handshake with `peer`.
    #[must_use]
    pub fn carrier_of(&self, peer: &SocketAddr) -> Option<Carrier> {
        self.handshakes.get(peer).map(|pending| pending.carrier)
    }

    /// Gives the handshake with `peer`, which the front door had, to the worker whose turn it is.
    pub fn hand_on(&mut self, peer: &SocketAddr) -> usize {
        self.next_worker = (self.next_worker + 1) % self.workers;
        if let Some(pending) = self.handshakes.get_mut(peer) {
            pending.carrier = Carrier::Worker(self.next_worker);
        }
        self.next_worker
    }

    /// The handshake with `peer` is over, or has never begun.
    pub fn over(&mut self, peer: &SocketAddr) {
        if self.handshakes.remove(peer).is_some() {
            self.expected.leave(*peer);
        }
    }

    /// The handshake with `peer` is over, and left a session whose board speaks at once: what it says
    /// comes here and is held until the session begins.
    pub fn settle(&mut self, now: Millis, peer: SocketAddr) {
        if self.handshakes.remove(&peer).is_none() {
            return;
        }
        let settling = Settling { until: now.saturating_add(SETTLE), held: Vec::new() };
        if self.settling.insert(peer, settling).is_some() {
            self.expected.leave(peer);
        }
    }

    /// Holds a datagram for the session that `peer` is about to have; whether there is one.
    pub fn hold(&mut self, peer: &SocketAddr, datagram: &[u8]) -> bool {
        let Some(settling) = self.settling.get_mut(peer) else { return false };
        if settling.held.len() < HELD_MAX {
            settling.held.push(datagram.into());
        }
        true
    }

    /// The session of `peer` has begun; what was held for it.
    pub fn settled(&mut self, peer: &SocketAddr) -> Vec<Box<[u8]>> {
        let Some(settling) = self.settling.remove(peer) else { return Vec::new() };
        self.expected.leave(*peer);
        settling.held
    }

    /// New cookies are made with `key`; those of the key before the last are refused from now on.
    pub fn rotate_cookies(&mut self, key: [u8; 32]) {
        self.cookies.rotate(key);
    }

    /// No handshake begins from now on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Forgets handshakes whose time is over, should who had them not have said so.
    pub fn sweep(&mut self, now: Millis) {
        let expected = &self.expected;
        self.handshakes.retain(|peer, pending| {
            let lives = pending.until > now;
            if !lives {
                expected.leave(*peer);
            }
            lives
        });
        self.settling.retain(|peer, settling| {
            let lives = settling.until > now;
            if !lives {
                expected.leave(*peer);
            }
            lives
        });
        if self.handshakes.capacity() > 1024 && self.handshakes.len() < 256 {
            self.handshakes.shrink_to_fit();
        }
    }
}

#[cfg(test)]
pub(in crate::link) mod tests;
