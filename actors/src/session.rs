//! One board's session: the actor around its association and its CoAP endpoint.
//!
//! Message, machine, effects: records are opened, CoAP decides, readings go to the tenant's upstream,
//! and the board is answered on the upstream's own acknowledgement. It has no task and no buffer of
//! its own while it is idle. Invariant: decides nothing; the machines inside do.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle,
    WrapFuture,
};
use bytes::Bytes;
use storage::{Acknowledge, BoardId};
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::coap::{Answer, Effect, Endpoint, ExchangeId};
use crate::keeper::{Change, Changed, Raise};
use crate::link::association::{Dropped, Received};
use crate::link::connection_id;
use crate::link::forgeries::Origin;
use crate::link::record;
use crate::link::shard::{Datagram, Shard};
use crate::link::table::{Key, Millis, Serial};
use crate::meter::{BoardMeter, Over};
use crate::metrics::{MessageOutcome, RecordDrop, RouteKind, SessionEnd};
use crate::tenant::{SessionEnded, SessionStarted, Tenant};
use crate::upstream::{Deliver, MessageId, Outcome, Uplink, UpstreamHandle};
use crate::wall_clock;

pub mod secured;

use secured::{Proof, Secured};

/// Datagrams and notices that may wait; NSTART is 1 for a board, so a handful is plenty.
const MAILBOX: usize = 32;
/// How often a board that keeps talking is written down as seen.
const NOTE_EVERY_S: u32 = 60;

/// Ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Close {
    /// The board has a newer session.
    Replaced,
    /// The hub stops.
    Shutdown,
}

/// Looks whether it has been idle for long enough to leave memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Doze;

/// How messages travel between the hub and this board.
pub enum Transport {
    /// In DTLS records.
    Dtls(Box<Secured>),
    /// As they are, on a private network where the address is the identity.
    Plain(SocketAddr),
}

/// What a session is built from.
pub struct SessionParts {
    /// The board.
    pub board: BoardId,
    /// Its tenant.
    pub tenant: Arc<Tenant>,
    /// The way to it.
    pub transport: Transport,
    /// Its name in the shard's table.
    pub key: Key,
    /// Tells it from another session of the same name or board.
    pub serial: Serial,
    /// The arbiter's link.
    pub shard: Rc<Shard<DeviceSession>>,
    /// Where the hub's own message ids begin.
    pub first_mid: u16,
}

/// One board's session.
pub struct DeviceSession {
    board: BoardId,
    tenant: Arc<Tenant>,
    transport: Transport,
    key: Key,
    serial: Serial,
    shard: Rc<Shard<DeviceSession>>,
    endpoint: Endpoint,
    meter: BoardMeter,
    /// When the board was last heard.
    heard: Millis,
    /// When the armed timer fires; one at most.
    armed: Option<(Millis, SpawnHandle)>,
    /// What ended it, where it was ended on purpose.
    end: Option<SessionEnd>,
    /// The second of the shard's clock from which the board's next sighting is written down.
    note_from_s: u32,
}

impl DeviceSession {
    /// Starts a session on this arbiter.
    pub fn start(parts: SessionParts) -> actix::Addr<Self> {
        parts.shard.metrics.session_started();
        let heard = parts.shard.now();
        Actor::start(Self {
            board: parts.board,
            tenant: parts.tenant,
            transport: parts.transport,
            key: parts.key,
            serial: parts.serial,
            shard: parts.shard,
            endpoint: Endpoint::new(parts.first_mid),
            meter: BoardMeter::default(),
            heard,
            armed: None,
            end: None,
            note_from_s: 0,
        })
    }

    fn stop(&mut self, end: SessionEnd, ctx: &mut Context<Self>) {
        self.end = Some(end);
        ctx.stop();
    }

    fn receive(&mut self, datagram: &Datagram, ctx: &mut Context<Self>) {
        let now = self.shard.now();
        match &self.transport {
            Transport::Plain(_) => self.handle_message(now, &datagram.bytes),
            Transport::Dtls(_) => {
                let mut plaintext = self.shard.scratch.take();
                let end = self.receive_records(now, datagram, &mut plaintext, ctx);
                plaintext.clear();
                self.shard.scratch.replace(plaintext);
                if let Some(end) = end {
                    return self.over(end, ctx);
                }
            }
        }
        self.perform(datagram.at, ctx);
    }

    /// Opens every record of a datagram; what that leads to waits in the endpoint, and may be
    /// performed unless the session is over.
    fn receive_records(
        &mut self,
        now: Millis,
        datagram: &Datagram,
        plaintext: &mut Vec<u8>,
        ctx: &mut Context<Self>,
    ) -> Option<SessionEnd> {
        let Transport::Dtls(secured) = &self.transport else { return None };
        let before = secured.peer();
        let origin = if before == datagram.from { Origin::ItsAddress } else { Origin::Elsewhere };
        if !self.shard.forgeries.borrow().allow(self.serial, origin, now) {
            self.shard.metrics.record_dropped(RecordDrop::ForgedFlood);
            return None;
        }
        let (mut end, mut authentic, mut repeat_flight) = (None, false, false);
        for record in record::records(&datagram.bytes, connection_id::LENGTH) {
            let Ok(record) = record else {
                self.shard.metrics.record_dropped(RecordDrop::Malformed);
                break;
            };
            let Transport::Dtls(secured) = &mut self.transport else { break };
            let received = secured.open(&record, datagram.from, plaintext);
            authentic |= received.is_ok();
            match received {
                Ok(Received::Data) => self.handle_message(now, plaintext),
                Ok(Received::Unproven) => {
                    self.handle_unproven(now, record.sequence, datagram.from, plaintext);
                }
                Ok(Received::FlightRepeated) => repeat_flight = true,
                Ok(Received::Closed) => end = Some(SessionEnd::CloseNotify),
                Ok(Received::Aborted) => end = Some(SessionEnd::PeerAlert),
                Ok(Received::Nothing) => {}
                // The other records of a repeated handshake flight.
                Err(Dropped::Epoch) if record.epoch == 0 => {}
                Err(dropped) => {
                    if dropped == Dropped::Forged {
                        self.shard.forgeries.borrow_mut().forged(self.serial, origin, now);
                    }
                    self.shard.metrics.record_dropped(reason(dropped));
                }
            }
        }
        if !authentic {
            return None;
        }
        self.heard = now;
        let Transport::Dtls(secured) = &mut self.transport else { return None };
        if let Err(error) = secured.remember() {
            tracing::error!(board = %self.board, %error, "the session's slot cannot be written; what came has no effect");
            return Some(SessionEnd::StoreFailed);
        }
        if repeat_flight && let Some(flight) = secured.final_flight() {
            self.shard.sender.send(secured.peer(), &flight);
        }
        let peer = secured.peer();
        if peer != before {
            tracing::debug!(board = %self.board, from = %before, to = %peer, "board moved");
            self.change(Changed::Moved(peer));
        }
        self.raise_floor(ctx);
        end
    }

    /// A request that may be from before the machine failed: the board is asked to prove that it
    /// is not.
    fn handle_unproven(&mut self, now: Millis, sequence: u64, from: SocketAddr, message: &[u8]) {
        let [.., high, low] = self.shard.next_message().to_be_bytes();
        let Transport::Dtls(secured) = &mut self.transport else { return };
        match secured.prove(message, sequence, from, u16::from_be_bytes([high, low])) {
            Proof::Proven => self.handle_message(now, message),
            Proof::Asked(question) => {
                let mut datagram = Vec::new();
                if secured.seal(&question, &mut datagram).is_ok() {
                    self.shard.sender.send(from, &datagram);
                }
            }
            Proof::Silence => {}
        }
    }

    /// The stored session follows, a little later.
    fn change(&self, to: Changed) {
        let Transport::Dtls(secured) = &self.transport else { return };
        let (slot, generation) = secured.place();
        if let Some(keeping) = &self.shard.keeping {
            // Full: the stored session lags behind; its next change tells the same.
            let _ = keeping.keeper.try_send(Change { slot, generation, to });
        }
    }

    /// The stored session is told when far more was sent than it knows of.
    fn raise_floor(&mut self, ctx: &mut Context<Self>) {
        let Transport::Dtls(secured) = &mut self.transport else { return };
        let Some(keeping) = &self.shard.keeping else { return };
        let Some(floor) = secured.floor_due() else { return };
        let (slot, generation) = secured.place();
        let raising = keeping.keeper.send(Raise { slot, generation, floor }).into_actor(self);
        ctx.spawn(raising.map(move |raised, session, _| {
            if let Transport::Dtls(secured) = &mut session.transport {
                secured.floor_raised(raised.unwrap_or(false).then_some(floor));
            }
        }));
    }

    /// The board has ended the session, or the store has.
    fn over(&mut self, end: SessionEnd, ctx: &mut Context<Self>) {
        match end {
            SessionEnd::CloseNotify => self.change(Changed::Closed),
            SessionEnd::PeerAlert => self.change(Changed::Gone),
            SessionEnd::Replaced
            | SessionEnd::Panicked
            | SessionEnd::Capacity
            | SessionEnd::Asleep
            | SessionEnd::StoreFailed
            | SessionEnd::Shutdown => {}
        }
        self.stop(end, ctx);
    }

    fn handle_message(&mut self, now: Millis, message: &[u8]) {
        let limits = if self.shard.draining.get() {
            &self.tenant.draining_limits
        } else {
            &self.tenant.limits
        };
        let time = wall_clock::now();
        self.endpoint.handle_message(now, time, message, &self.tenant.resources, limits);
        let now_s = u32::try_from(now / 1000).unwrap_or(u32::MAX);
        if now_s >= self.note_from_s {
            self.note_from_s = now_s.saturating_add(NOTE_EVERY_S);
            self.tenant.note(&self.board);
        }
    }

    /// Performs what the endpoint asks for, until it asks for nothing.
    fn perform(&mut self, received: Instant, ctx: &mut Context<Self>) {
        while let Some(effect) = self.endpoint.poll_effect() {
            match effect {
                Effect::Send(message) => self.send(&message),
                Effect::Counted { code } => self.shard.metrics.coap_request(code),
                Effect::Dropped { reason } => self.shard.metrics.coap_dropped(reason),
                Effect::Deliver { exchange, resource, content_format, payload } => {
                    let reading = Reading { exchange, resource, content_format, payload };
                    self.deliver(reading, received, ctx);
                }
            }
        }
        self.arm(ctx);
    }

    fn send(&mut self, message: &[u8]) {
        match &mut self.transport {
            Transport::Plain(peer) => {
                self.shard.sender.send(*peer, message);
            }
            Transport::Dtls(secured) => {
                let mut datagram = self.shard.scratch.take();
                match secured.seal(message, &mut datagram) {
                    Ok(()) => {
                        self.shard.sender.send(secured.peer(), &datagram);
                    }
                    Err(error) => {
                        tracing::error!(board = %self.board, %error, "the session's slot cannot be written; nothing is sent");
                    }
                }
                datagram.clear();
                self.shard.scratch.replace(datagram);
            }
        }
    }

    fn deliver(&mut self, reading: Reading, received: Instant, ctx: &mut Context<Self>) {
        let Reading { exchange, resource, content_format, payload } = reading;
        let tenant = Arc::clone(&self.tenant);
        let Some((route, upstream)) =
            tenant.routes.get(resource).and_then(|route| Some((route, route.upstream.as_ref()?)))
        else {
            self.shard.metrics.message(RouteKind::Nowhere, MessageOutcome::NoUpstream);
            return self.answer(exchange, self.unavailable());
        };
        let kind = upstream.route_kind();
        let (size, in_flight) = (payload.len(), self.endpoint.in_flight());
        let held = match tenant.meter.take(&mut self.meter, received, size, in_flight) {
            Ok(held) => held,
            Err(Over { kind: quota, max_age_s }) => {
                self.shard.metrics.over_quota(quota);
                self.shard.metrics.message(kind, MessageOutcome::OverQuota);
                return self.answer(exchange, Answer::TooMany { max_age_s });
            }
        };
        let uplink = Uplink {
            tenant: tenant.id.clone(),
            board: self.board.clone(),
            message_id: MessageId(self.shard.next_message()),
            topic: route.topic.render(&tenant.id, &self.board, &route.resource),
            content_format,
            payload: Bytes::from(payload),
        };
        // Nobody waits for the outcome there: what is known to be lost is not taken.
        if route.acknowledge == Acknowledge::OnReceive && !upstream.is_up() {
            let retry_after = Duration::from_secs(u64::from(self.tenant.limits.retry_after_s));
            return self.settle(kind, exchange, Some(Outcome::Down { retry_after }), received);
        }
        let (done, mut outcome) = oneshot::channel();
        // A mailbox that is full or gone: the board is told at once, and keeps its reading.
        if upstream.deliver(Deliver { uplink, done }).is_err() {
            let retry_after = UpstreamHandle::BUSY_RETRY_AFTER;
            return self.settle(kind, exchange, Some(Outcome::Full { retry_after }), received);
        }
        let delivery = (self.shard.deliveries.enter(), held);
        match (route.acknowledge, outcome.try_recv()) {
            (_, Ok(at_once)) => self.settle(kind, exchange, Some(at_once), received),
            (_, Err(TryRecvError::Closed)) => self.settle(kind, exchange, None, received),
            (Acknowledge::OnReceive, Err(TryRecvError::Empty)) => {
                self.answer(exchange, Answer::Changed);
                let counting = outcome.into_actor(self).map(move |outcome, session, _| {
                    session.count(kind, outcome.as_ref().ok(), received);
                    drop(delivery);
                });
                ctx.spawn(counting);
            }
            (Acknowledge::OnUpstream, Err(TryRecvError::Empty)) => {
                let waiting = outcome.into_actor(self).map(move |outcome, session, ctx| {
                    session.settle(kind, exchange, outcome.ok(), received);
                    session.perform(received, ctx);
                    drop(delivery);
                });
                ctx.spawn(waiting);
            }
        }
    }

    /// The upstream's word, counted and as the board hears it; `None` where nobody is left to say it.
    fn settle(
        &mut self,
        kind: RouteKind,
        exchange: ExchangeId,
        outcome: Option<Outcome>,
        received: Instant,
    ) {
        let after = |wait: Duration| Answer::Unavailable {
            max_age_s: u32::try_from(wait.as_secs().max(1)).unwrap_or(u32::MAX),
        };
        self.count(kind, outcome.as_ref(), received);
        let answer = match outcome {
            Some(Outcome::Accepted) => Answer::Changed,
            Some(Outcome::Down { retry_after } | Outcome::Full { retry_after }) => {
                after(retry_after)
            }
            Some(Outcome::Refused { .. }) => Answer::BadGateway,
            None => self.unavailable(),
        };
        self.answer(exchange, answer);
    }

    fn count(&self, kind: RouteKind, outcome: Option<&Outcome>, received: Instant) {
        let metrics = &self.shard.metrics;
        let counted = match outcome {
            Some(Outcome::Accepted) => {
                metrics.acknowledged(received.elapsed());
                MessageOutcome::Accepted
            }
            Some(Outcome::Down { .. }) => MessageOutcome::Down,
            Some(Outcome::Full { .. }) => MessageOutcome::Full,
            Some(Outcome::Refused { reason }) => {
                tracing::warn!(board = %self.board, reason, "the upstream refused a reading");
                MessageOutcome::Refused
            }
            None => MessageOutcome::Lost,
        };
        metrics.message(kind, counted);
    }

    fn answer(&mut self, exchange: ExchangeId, answer: Answer) {
        self.endpoint.handle_outcome(self.shard.now(), exchange, answer);
    }

    fn unavailable(&self) -> Answer {
        Answer::Unavailable { max_age_s: self.tenant.limits.retry_after_s }
    }

    /// The shard asks at `at` whether it has been idle for long enough.
    fn doze_at(&self, at: Millis, ctx: &Context<Self>) {
        self.shard.dozing.borrow_mut().enter(at, ctx.address().downgrade());
    }

    /// One timer at a time, for the earliest need.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.endpoint.poll_timeout() else { return };
        match self.armed {
            Some((armed, _)) if armed <= at => return,
            Some((_, later)) => {
                ctx.cancel_future(later);
            }
            None => {}
        }
        let wait = Duration::from_millis(at.saturating_sub(self.shard.now()).max(1));
        let timer = ctx.run_later(wait, |session, ctx| {
            session.armed = None;
            session.endpoint.handle_timeout(session.shard.now());
            session.perform(Instant::now(), ctx);
        });
        self.armed = Some((at, timer));
    }
}

/// A reading that the endpoint has accepted.
struct Reading {
    exchange: ExchangeId,
    resource: usize,
    content_format: Option<u16>,
    payload: Vec<u8>,
}

fn reason(dropped: Dropped) -> RecordDrop {
    match dropped {
        Dropped::Epoch => RecordDrop::WrongEpoch,
        Dropped::ConnectionId => RecordDrop::UnexpectedType,
        Dropped::Replay => RecordDrop::Replayed,
        Dropped::Forged => RecordDrop::Forged,
    }
}

impl Actor for DeviceSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let started = SessionStarted {
            board: self.board.clone(),
            serial: self.serial,
            session: ctx.address(),
        };
        if self.tenant.supervisor().try_send(started).is_err() {
            // Unsupervised it must not live; the board begins again.
            self.stop(SessionEnd::Capacity, ctx);
        }
        self.doze_at(self.heard.saturating_add(self.shard.idle), ctx);
    }
}

impl Drop for DeviceSession {
    /// However it ends, a panic included: out of the table, and its supervisor knows.
    fn drop(&mut self) {
        let end = match self.end {
            Some(end) => end,
            None if std::thread::panicking() => SessionEnd::Panicked,
            None => SessionEnd::Shutdown,
        };
        self.shard.metrics.session_ended(end);
        if end == SessionEnd::Panicked {
            tracing::error!(board = %self.board, "the session panicked; the board may begin another");
        }
        if let Ok(mut table) = self.shard.table.try_borrow_mut() {
            table.remove(&self.key, self.serial);
        }
        let ended = SessionEnded { board: self.board.clone(), serial: self.serial };
        // Full: the supervisor's sweep finds the dead session.
        let _ = self.tenant.supervisor().try_send(ended);
    }
}

impl Handler<Datagram> for DeviceSession {
    type Result = ();

    fn handle(&mut self, datagram: Datagram, ctx: &mut Self::Context) {
        self.receive(&datagram, ctx);
    }
}

impl Handler<Doze> for DeviceSession {
    type Result = ();

    fn handle(&mut self, _: Doze, ctx: &mut Self::Context) {
        let now = self.shard.now();
        self.endpoint.handle_timeout(now);
        self.perform(Instant::now(), ctx);
        let idle_at = self.heard.saturating_add(self.shard.idle);
        let at = self.endpoint.forgotten_at().map_or(idle_at, |at| at.max(idle_at));
        // While something is awaited, look again a moment later.
        match self.endpoint.poll_timeout() {
            None if at <= now => self.stop(SessionEnd::Asleep, ctx),
            None => self.doze_at(at, ctx),
            Some(due) => self.doze_at(at.max(due).max(now.saturating_add(1000)), ctx),
        }
    }
}

impl Handler<Close> for DeviceSession {
    type Result = ();

    fn handle(&mut self, close: Close, ctx: &mut Self::Context) {
        let end = match close {
            Close::Replaced => SessionEnd::Replaced,
            Close::Shutdown => SessionEnd::Shutdown,
        };
        self.stop(end, ctx);
    }
}

#[cfg(test)]
mod tests;
