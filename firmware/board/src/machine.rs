//! The board's state machine: a bounded queue, one exchange at a time (NSTART = 1), in order; on
//! a board that learns the time, the question for it comes first on every connection.
//!
//! A reading leaves the queue only when the hub said 2.01 or 2.04, or refused it for good.
//! Its token stays the same over every attempt, so that a late answer still counts; the message
//! id is new for every attempt but the retransmissions.
//! Invariant: no clock, socket or randomness but those given.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::clock::Clock;
use crate::event::{Event, ReadingId, Status, SubmitError};
use crate::freshness::Freshness;
use crate::link::{Backoff, Link};
use crate::message::{self, Incoming, Request};
use crate::random::Random;
use crate::{Config, Millis};

mod answers;

const NOT_FOUND: u8 = 0x84;
const UNAVAILABLE: u8 = 0xa3;
/// 5.00: what it has to say does not fit.
const TOO_LARGE_TO_ANSWER: u8 = 0xa0;
/// Bytes of an answer before its payload, at most.
const ANSWER_HEAD: usize = 13;

/// One board.
#[derive(Clone, Debug)]
pub struct Board {
    config: Config,
    random: Random,
    link: Link,
    backoff: Backoff,
    queue: VecDeque<Pending>,
    exchange: Exchange,
    freshness: Freshness,
    clock: Clock,
    next_reading: u64,
    next_message: u16,
    token_base: u16,
    last_confirmed: Option<u16>,
    requests: Option<Request>,
    answered_last: Option<(u16, Vec<u8>)>,
    datagrams: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

#[derive(Clone, Debug)]
struct Pending {
    id: ReadingId,
    token: [u8; 2],
    message: Vec<u8>,
}

/// What is happening to the question for the time, or else to the first reading of the queue.
#[derive(Clone, Debug)]
enum Exchange {
    /// Nothing yet.
    Idle,
    /// Sent, not heard of.
    Sent { message_id: u16, retransmissions: u32, wait: Millis, until: Millis },
    /// The hub has it and will answer.
    AwaitingResponse { until: Millis },
    /// The hub asked to try later.
    Deferred { until: Millis },
}

impl Board {
    /// A board that has nothing to say and no connection. Different boards need different seeds.
    pub fn new(config: Config, seed: u64) -> Self {
        let mut random = Random::new(seed);
        // Even ones: a transfer on the same connection has the odd ones.
        let (next_message, token_base) = (random.bits16() & !1, random.bits16());
        Self {
            config,
            random,
            link: Link::Offline { not_before: 0 },
            backoff: Backoff::default(),
            queue: VecDeque::new(),
            exchange: Exchange::Idle,
            freshness: Freshness::default(),
            clock: Clock::new(token_base),
            next_reading: 0,
            next_message,
            token_base,
            last_confirmed: None,
            requests: None,
            answered_last: None,
            datagrams: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Takes a reading for delivery to `resource` (segments joined by `/`). It is kept until the
    /// hub acknowledges or rejects it; a connection is asked for if there is none.
    pub fn submit(
        &mut self,
        now: Millis,
        resource: &str,
        content_format: u16,
        payload: Vec<u8>,
    ) -> Result<ReadingId, SubmitError> {
        if self.queue.len() >= self.config.queue_max {
            return Err(SubmitError::QueueFull { limit: self.config.queue_max });
        }
        let limit = self.config.message_max;
        let id = ReadingId(self.next_reading);
        let low = u16::try_from(id.0 & 0xffff).unwrap_or_default();
        let token = self.token_base.wrapping_add(low);
        let is_path = resource.split('/').all(|segment| (1..=255).contains(&segment.len()));
        let message = is_path
            .then(|| message::post(token, resource, content_format, payload, limit))
            .flatten()
            .ok_or(SubmitError::TooLarge { limit })?;
        self.next_reading += 1;
        self.queue.push_back(Pending { id, token: token.to_be_bytes(), message });
        self.advance(now);
        Ok(id)
    }

    /// The shell has a connection.
    pub fn handle_connected(&mut self, now: Millis) {
        self.link = Link::Online;
        self.last_confirmed = None;
        self.requests = None;
        self.answered_last = None;
        self.freshness.renew();
        if self.config.learns_time {
            self.clock.ask();
        }
        self.abandon_exchange();
        self.advance(now);
    }

    /// The connection is lost, or could not be made.
    pub fn handle_disconnected(&mut self, now: Millis) {
        self.go_offline(now);
        self.advance(now);
    }

    /// A CoAP message came; malformed ones are ignored.
    pub fn handle_datagram(&mut self, now: Millis, datagram: &[u8]) {
        match message::read(datagram) {
            None => {}
            Some(Incoming::Acknowledged { message_id }) if self.is_sent_as(message_id) => {
                let until = now.saturating_add(self.config.response_wait);
                self.exchange = Exchange::AwaitingResponse { until };
            }
            Some(Incoming::Reset { message_id }) if self.is_sent_as(message_id) => {
                self.put_off(now, 0, None);
            }
            Some(Incoming::Acknowledged { .. } | Incoming::Reset { .. }) => {}
            Some(Incoming::Ping { message_id }) => self.reply(message::reset(message_id)),
            Some(Incoming::Request(request)) => self.asked(request),
            Some(Incoming::Response { message_id, confirm, answer }) => {
                let is_repeated = confirm && self.last_confirmed == Some(message_id);
                let is_ours = !is_repeated && self.token() == Some(&answer.token[..]);
                if confirm && (is_ours || is_repeated) {
                    self.last_confirmed = Some(message_id);
                    self.reply(message::acknowledgement(message_id));
                } else if confirm {
                    self.reply(message::reset(message_id));
                }
                if is_ours {
                    self.answered(now, answer);
                }
            }
        }
        self.advance(now);
    }

    /// `poll_timeout` has come.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.advance(now);
    }

    /// The next request of the hub, where [`Config::serves_requests`]; to be answered with
    /// [`Board::answer`].
    pub fn poll_request(&mut self) -> Option<Request> {
        self.requests.take()
    }

    /// Answers a request with a code (three bits class and five detail) and a payload that fits one
    /// message.
    pub fn answer(&mut self, request: &Request, code: u8, payload: &[u8]) {
        let fits = payload.len() <= self.config.message_max.saturating_sub(ANSWER_HEAD);
        let (code, payload) = if fits { (code, payload) } else { (TOO_LARGE_TO_ANSWER, &[][..]) };
        let own_id = self.next_message;
        if !request.confirm {
            self.next_message = own_id.wrapping_add(2);
        }
        let answer = message::answer(request, own_id, code, payload);
        self.answered_last = Some((request.message_id, answer.clone()));
        self.reply(answer);
    }

    /// The next CoAP message to send; lost ones are the core's business, not the shell's.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call `handle_timeout`; `None`: not before something else happens.
    pub fn poll_timeout(&self) -> Option<Millis> {
        if self.has_nothing_to_say() {
            return None;
        }
        match (&self.link, &self.exchange) {
            (Link::Connecting, _) | (Link::Online, Exchange::Idle) => None,
            (Link::Offline { not_before }, Exchange::Deferred { until }) => {
                Some(*until.max(not_before))
            }
            (Link::Offline { not_before }, _) => Some(*not_before),
            (
                Link::Online,
                Exchange::Sent { until, .. }
                | Exchange::AwaitingResponse { until }
                | Exchange::Deferred { until },
            ) => Some(*until),
        }
    }

    /// Readings not yet acknowledged.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// What the connection is like.
    pub fn status(&self) -> Status {
        match self.link {
            Link::Offline { .. } => Status::Offline,
            Link::Connecting => Status::Connecting,
            Link::Online => Status::Online,
        }
    }

    /// The time of day in milliseconds since 1970, UTC, once the hub has told it
    /// ([`Config::learns_time`]). It is right to within that exchange's time and the drift of
    /// the shell's clock since.
    pub fn unix_ms(&self, now: Millis) -> Option<u64> {
        self.clock.unix_ms(now)
    }

    fn has_nothing_to_say(&self) -> bool {
        self.queue.is_empty() && !self.clock.is_asking()
    }

    /// The token of the question that is asked now, or would be next.
    fn token(&self) -> Option<&[u8]> {
        if self.clock.is_asking() {
            return Some(self.clock.token());
        }
        self.queue.front().map(|head| &head.token[..])
    }

    /// Does everything that is due at `now`.
    fn advance(&mut self, now: Millis) {
        if self.has_nothing_to_say() {
            self.exchange = Exchange::Idle;
            return;
        }
        if let Exchange::Deferred { until } = self.exchange {
            if now < until {
                return;
            }
            self.exchange = Exchange::Idle;
        }
        match self.link {
            Link::Offline { not_before } if now >= not_before => {
                self.link = Link::Connecting;
                self.events.push_back(Event::ConnectWanted);
            }
            Link::Offline { .. } | Link::Connecting => {}
            Link::Online => self.advance_exchange(now),
        }
    }

    fn advance_exchange(&mut self, now: Millis) {
        match self.exchange {
            Exchange::Idle => self.send_anew(now),
            Exchange::AwaitingResponse { until } if now >= until => self.send_anew(now),
            Exchange::Sent { message_id, retransmissions, wait, until } if now >= until => {
                if retransmissions >= self.config.retransmit_max {
                    self.go_offline(now);
                    return;
                }
                let wait = wait.saturating_mul(2);
                self.clock.note_sent(now);
                self.exchange = Exchange::Sent {
                    message_id,
                    retransmissions: retransmissions + 1,
                    wait,
                    until: now.saturating_add(wait),
                };
                self.transmit();
            }
            Exchange::AwaitingResponse { .. }
            | Exchange::Sent { .. }
            | Exchange::Deferred { .. } => {}
        }
    }

    /// What there is to say, in a message of its own.
    fn send_anew(&mut self, now: Millis) {
        let message_id = self.next_message;
        self.next_message = self.next_message.wrapping_add(2);
        self.clock.note_sent(now);
        if let Some(head) = self.queue.front_mut() {
            message::number(&mut head.message, message_id);
        }
        let half = self.config.ack_timeout / 2;
        let wait = self.config.ack_timeout.saturating_add(self.random.up_to(half));
        let until = now.saturating_add(wait);
        self.exchange = Exchange::Sent { message_id, retransmissions: 0, wait, until };
        self.transmit();
    }

    fn transmit(&mut self) {
        let message = match (&self.exchange, self.queue.front()) {
            (Exchange::Sent { message_id, .. }, _) if self.clock.is_asking() => {
                self.clock.question(*message_id)
            }
            (_, Some(head)) => head.message.clone(),
            (_, None) => return,
        };
        self.datagrams.push_back(self.freshness.stamp(message));
    }

    /// Answers are few and small, but a flood of what asks for one is not ours to store.
    fn reply(&mut self, message: Vec<u8>) {
        if self.datagrams.len() < 16 {
            self.datagrams.push_back(message);
        }
    }

    /// A request of the hub: one at a time, and one that is repeated is answered as before.
    fn asked(&mut self, request: Request) {
        if let Some((message_id, answer)) = &self.answered_last
            && *message_id == request.message_id
        {
            return self.reply(answer.clone());
        }
        if self.config.serves_requests && self.requests.is_none() {
            self.requests = Some(request);
        } else if request.confirm {
            let code = if self.config.serves_requests { UNAVAILABLE } else { NOT_FOUND };
            self.reply(message::answer(&request, 0, code, &[]));
        }
    }

    fn is_sent_as(&self, sent: u16) -> bool {
        matches!(self.exchange, Exchange::Sent { message_id, .. } if message_id == sent)
    }

    fn go_offline(&mut self, now: Millis) {
        let wait = self.backoff.wait(&self.config, &mut self.random);
        self.link = Link::Offline { not_before: now.saturating_add(wait) };
        self.datagrams.clear();
        self.clock.give_up();
        self.abandon_exchange();
    }

    /// The connection an exchange lived on is gone; what the hub asked for still holds.
    fn abandon_exchange(&mut self) {
        if !matches!(self.exchange, Exchange::Deferred { .. }) {
            self.exchange = Exchange::Idle;
        }
    }
}
