//! One board's session: the actor around its association and its CoAP endpoint.
//!
//! Message, machine, effects: records are opened, CoAP decides, readings go to the tenant's upstream,
//! and the board is answered on the upstream's own acknowledgement. It has no task and no buffer of
//! its own while it is idle. Invariant: decides nothing; the machines inside do.

use std::net::SocketAddr;
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult, Running,
    SpawnHandle,
};
use storage::{AuthorityNumber, BoardId};

use crate::barred::Moment;
use crate::coap::{Effect, Endpoint};
use crate::firmware;
use crate::hub::SessionSeen;
use crate::link::addresses::Place;
use crate::link::shard::{Datagram, Shard};
use crate::link::table::{Key, Millis, Serial};
use crate::meter::BoardMeter;
use crate::metrics::SessionEnd;
use crate::refusal::{ACCESS_DENIED, CLOSE_NOTIFY};
use crate::tenant::{SessionEnded, SessionStarted, Tenant};
use crate::wall_clock;

mod delivery;
mod enrolling;
mod records;
pub mod secured;
mod updating;

use delivery::Reading;
use secured::Secured;

/// Datagrams and notices that may wait; NSTART is 1 for a board, so a handful is plenty.
const MAILBOX: usize = 32;
/// How often a board that keeps talking is written down as seen.
const NOTE_EVERY_S: u32 = 60;

/// Ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Close {
    /// The board is shut out: it is told so with a fatal alert. The stored session stays, for the
    /// board's next record to be answered with another, should this one be lost.
    Denied,
    /// The board has a newer session.
    Replaced,
    /// Somebody wants it ended. The board is told, nothing of the session stays stored, and the board
    /// may begin another.
    Ended,
    /// The hub stops.
    Shutdown,
}

/// Tells the board that the hub has something to say about its firmware: it is to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Call;

/// Asks how the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "SessionSeen")]
pub struct DescribeSession;

/// Looks whether it has been idle for long enough to leave memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Doze;

/// How messages travel between the hub and this board.
pub enum Transport {
    /// In DTLS records.
    Dtls(Box<Secured>),
    /// As they are, on a private network where the address is the identity.
    Plain(Box<SocketAddr>),
}

impl Transport {
    /// The session's name in the shard's table; always the same.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Dtls(secured) => secured.key(),
            Self::Plain(peer) => Key::Address(**peer),
        }
    }

    /// Where the board is, as the hub sees it.
    fn peer(&self) -> SocketAddr {
        match self {
            Self::Dtls(secured) => secured.peer(),
            Self::Plain(peer) => **peer,
        }
    }
}

/// What a session is built from.
pub struct SessionParts {
    /// The board.
    pub board: BoardId,
    /// Its tenant.
    pub tenant: Arc<Tenant>,
    /// The way to it.
    pub transport: Transport,
    /// Tells it from another session of the same name or board.
    pub serial: Serial,
    /// The arbiter's link.
    pub shard: Rc<Shard<DeviceSession>>,
    /// Where the hub's own message ids begin.
    pub first_mid: u16,
    /// Which of the tenant's authorities issued its certificate; `None` where it has shown none.
    pub issuer: Option<AuthorityNumber>,
    /// Whether the board's certificate has ended, so that all it may do is renew it.
    pub renews_only: bool,
    /// When it was admitted.
    pub admitted: Instant,
}

/// One board's session.
pub struct DeviceSession {
    board: BoardId,
    tenant: Arc<Tenant>,
    transport: Transport,
    serial: Serial,
    shard: Rc<Shard<DeviceSession>>,
    endpoint: Endpoint,
    meter: BoardMeter,
    /// When the board was last heard.
    heard: Millis,
    /// When the armed timer fires; one at most.
    armed: Option<(NonZero<Millis>, SpawnHandle)>,
    /// What ended it, where it was ended on purpose.
    end: Option<SessionEnd>,
    /// The second of the shard's clock from which the board's next sighting is written down.
    note_from_s: u32,
    issuer: Option<AuthorityNumber>,
    renews_only: bool,
    admitted: Moment,
}

impl DeviceSession {
    /// Starts a session on this arbiter.
    pub fn start(parts: SessionParts) -> actix::Addr<Self> {
        parts.shard.metrics.session_started();
        let heard = parts.shard.now();
        let admitted = parts.tenant.barred.moment(parts.admitted);
        Actor::start(Self {
            board: parts.board,
            tenant: parts.tenant,
            transport: parts.transport,
            serial: parts.serial,
            shard: parts.shard,
            endpoint: Endpoint::new(parts.first_mid),
            meter: BoardMeter::default(),
            heard,
            armed: None,
            end: None,
            note_from_s: 0,
            issuer: parts.issuer,
            renews_only: parts.renews_only,
            admitted,
        })
    }

    fn stop(&mut self, end: SessionEnd, ctx: &mut Context<Self>) {
        self.end = Some(end);
        ctx.stop();
    }

    /// A session that is over for good is not looked for at its board's address any more.
    fn forget_address(&self, end: SessionEnd) {
        let Transport::Dtls(secured) = &self.transport else { return };
        let Key::Address(peer) = secured.key() else { return };
        match end {
            SessionEnd::CloseNotify
            | SessionEnd::PeerAlert
            | SessionEnd::Replaced
            | SessionEnd::Ended => {}
            SessionEnd::Denied
            | SessionEnd::Panicked
            | SessionEnd::Capacity
            | SessionEnd::Asleep
            | SessionEnd::StoreFailed
            | SessionEnd::Shutdown => return,
        }
        let (slot, generation) = secured.place();
        if let Ok(mut addresses) = self.shard.addresses.try_borrow_mut() {
            addresses.leave(&peer, Place { slot, generation });
        }
    }

    /// Tells the board with a fatal alert that it is shut out, or that the session is over.
    fn say(&mut self, alert: u8) {
        let Transport::Dtls(secured) = &mut self.transport else { return };
        let mut datagram = Vec::new();
        // Where nothing can be sealed any more, the board's next record is answered instead.
        if secured.seal_alert(alert, &mut datagram).is_ok() && !datagram.is_empty() {
            self.shard.sender.send(secured.peer(), &datagram);
        }
    }

    fn receive(&mut self, datagram: &Datagram, ctx: &mut Context<Self>) {
        let now = self.shard.now();
        // What waits for an answer was routed by the tenant as it was.
        if let Some(newest) = self.tenant.successor()
            && self.endpoint.poll_timeout().is_none()
        {
            self.tenant = newest;
        }
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

    fn handle_message(&mut self, now: Millis, message: &[u8]) {
        let limits = if self.shard.draining.get() {
            &self.tenant.draining_limits
        } else {
            &self.tenant.limits
        };
        let time = wall_clock::now();
        let resources = match &self.transport {
            Transport::Plain(_) => &self.tenant.plain_resources,
            Transport::Dtls(_) if self.renews_only => &self.tenant.renewal_resources,
            Transport::Dtls(_) => &self.tenant.resources,
        };
        self.endpoint.handle_message(now, time, message, resources, limits);
        let now_s = u32::try_from(now / 1000).unwrap_or(u32::MAX);
        if now_s >= self.note_from_s {
            self.note_from_s = now_s.saturating_add(NOTE_EVERY_S);
            let passed = self.take_passed();
            self.tenant.note(&self.board, passed);
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
                Effect::Serve { exchange, ask } if firmware::is_report(ask.local) => {
                    self.report(exchange, ask.body, received, ctx);
                }
                Effect::Serve { exchange, ask } => self.enrol(exchange, *ask, received, ctx),
                Effect::Read { exchange, part } => self.read(exchange, part, received, ctx),
            }
        }
        self.arm(ctx);
    }

    /// Bytes that passed since this was asked last; nobody counts those of a private network.
    fn take_passed(&mut self) -> u32 {
        match &mut self.transport {
            Transport::Dtls(secured) => secured.take_passed(),
            Transport::Plain(_) => 0,
        }
    }

    fn send(&mut self, message: &[u8]) {
        match &mut self.transport {
            Transport::Plain(peer) => {
                self.shard.sender.send(**peer, message);
            }
            Transport::Dtls(secured) => {
                let mut datagram = self.shard.scratch.take();
                match secured.seal(message, &mut datagram) {
                    Ok(()) => {
                        self.shard.sender.send(secured.peer(), &datagram);
                        secured.pass(datagram.len());
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

    /// The shard asks at `at` whether it has been idle for long enough.
    fn doze_at(&self, at: Millis, ctx: &Context<Self>) {
        self.shard.dozing.borrow_mut().enter(at, ctx.address().downgrade());
    }

    /// One timer at a time, for the earliest need.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.endpoint.poll_timeout() else { return };
        match self.armed {
            Some((armed, _)) if armed.get() <= at => return,
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
        // Before the clock shows anything, nothing is due.
        self.armed = NonZero::new(at).map(|at| (at, timer));
    }
}

impl Actor for DeviceSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let started = SessionStarted {
            board: self.board.clone(),
            issuer: self.issuer,
            serial: self.serial,
            session: ctx.address().downgrade(),
            admitted: self.admitted,
        };
        if self.tenant.supervisor().try_send(started).is_err() {
            // Unsupervised it must not live; the board begins again.
            self.stop(SessionEnd::Capacity, ctx);
        }
        self.doze_at(self.heard.saturating_add(self.shard.idle), ctx);
    }

    /// Between its messages nobody holds its address, which is no reason to end.
    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        if self.end.is_some() { Running::Stop } else { Running::Continue }
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
        let passed = self.take_passed();
        self.tenant.passed(&self.board, passed);
        self.shard.metrics.session_ended(end);
        if end == SessionEnd::Panicked {
            tracing::error!(board = %self.board, "the session panicked; the board may begin another");
        }
        if let Ok(mut table) = self.shard.table.try_borrow_mut() {
            table.remove(&self.transport.key(), self.serial);
        }
        self.forget_address(end);
        self.tenant.note_end(&self.board, self.transport.peer(), end);
        let ended = SessionEnded { board: self.board.clone(), serial: self.serial };
        // Full: the supervisor finds the dead session when its table is full.
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

impl Handler<Call> for DeviceSession {
    type Result = ();

    fn handle(&mut self, _: Call, ctx: &mut Self::Context) {
        self.endpoint.call(wire::resource::FIRMWARE);
        self.perform(Instant::now(), ctx);
    }
}

impl Handler<DescribeSession> for DeviceSession {
    type Result = MessageResult<DescribeSession>;

    fn handle(&mut self, _: DescribeSession, _: &mut Self::Context) -> Self::Result {
        let (peer, connection_id) = match &self.transport {
            Transport::Plain(peer) => (**peer, None),
            Transport::Dtls(secured) => match secured.key() {
                Key::ConnectionId(id) => (secured.peer(), id.as_bytes().try_into().ok()),
                Key::Address(peer) => (peer, None),
            },
        };
        MessageResult(SessionSeen {
            peer,
            connection_id,
            is_secured: matches!(self.transport, Transport::Dtls(_)),
            admitted_ago: self.tenant.barred.since(self.admitted, Instant::now()),
            heard_ago: Duration::from_millis(self.shard.now().saturating_sub(self.heard)),
        })
    }
}

impl Handler<Close> for DeviceSession {
    type Result = ();

    fn handle(&mut self, close: Close, ctx: &mut Self::Context) {
        let end = match close {
            Close::Denied => {
                self.say(ACCESS_DENIED);
                SessionEnd::Denied
            }
            Close::Replaced => SessionEnd::Replaced,
            Close::Ended => {
                self.say(CLOSE_NOTIFY);
                return self.over(SessionEnd::Ended, ctx);
            }
            Close::Shutdown => SessionEnd::Shutdown,
        };
        self.stop(end, ctx);
    }
}

#[cfg(test)]
mod tests;
