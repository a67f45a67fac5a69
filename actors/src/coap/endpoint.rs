//! The endpoint: what each message gets, in which order, and when it is said again.
//! Call one `handle_*`, then drain [`Endpoint::poll_effect`] until it is empty.
//! Invariant: a message id is delivered at most once within the exchange lifetime, and an answer
//! is sent only for an outcome that the shell reported.

use std::collections::VecDeque;

use super::Millis;
use super::discovery::{Resources, WELL_KNOWN_CORE};
use super::effect::{Answer, DropReason, Effect};
use super::exchanges::{ExchangeId, Exchanges, Open, Remembered, Response, Seen, Stage};
use super::limits::Limits;
use super::message::{Block, Encoder, Kind, Malformed, Message, MessageId};
use super::message::{code, empty, option};
use super::reply::Reply;
use super::request::{BadOption, Request};
use super::upload::{Progress, Upload};

/// ACK_TIMEOUT of RFC 7252 section 4.8: the first wait for the ACK of a separate response.
const ACK_TIMEOUT_MS: Millis = 2_000;

/// MAX_RETRANSMIT of the same section.
const MAX_RETRANSMIT: u8 = 4;

/// Bytes of discovery that go without block-wise transfer, and the size exponent above that.
const BLOCK2_EXPONENT: u8 = 5;

const LINK_FORMAT: u32 = 40;

/// The server side of one board's association.
#[derive(Debug)]
pub struct Endpoint {
    exchanges: Exchanges,
    effects: VecDeque<Effect>,
    upload: Option<Box<Upload>>,
    next_exchange: u32,
    next_id: MessageId,
}

impl Endpoint {
    /// `next_mid` is where our own message ids begin; random, so that they differ between
    /// associations of the same board.
    pub fn new(next_mid: u16) -> Self {
        Self {
            exchanges: Exchanges::default(),
            effects: VecDeque::new(),
            upload: None,
            next_exchange: 0,
            next_id: next_mid,
        }
    }

    /// Takes one message from the board, of any shape.
    pub fn handle_message(
        &mut self,
        now: Millis,
        bytes: &[u8],
        resources: &Resources,
        limits: &Limits,
    ) {
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(Malformed::Foreign) => return self.dropped(DropReason::Malformed),
            Err(Malformed::Format { kind, id }) => {
                self.reset(kind, id);
                return self.dropped(DropReason::Malformed);
            }
        };
        match message.kind {
            Kind::Acknowledgement | Kind::Reset if message.code == code::EMPTY => {
                self.settle(message.id);
            }
            Kind::Confirmable if message.code == code::EMPTY => {
                self.reset(message.kind, message.id)
            }
            Kind::Confirmable | Kind::NonConfirmable if message.is_request() => {
                self.exchanges.forget(now);
                match self.exchanges.seen(now, &message) {
                    Some(seen) => self.repeat(seen, &message, limits),
                    None => self.request(now, &message, resources, limits),
                }
            }
            kind => {
                self.reset(kind, message.id);
                self.dropped(DropReason::Unexpected);
            }
        }
    }

    /// Takes the outcome of a delivery; one that came too late is ignored.
    pub fn handle_outcome(&mut self, now: Millis, exchange: ExchangeId, answer: Answer) {
        let awaited = |open: &Open| open.exchange == exchange && open.is_awaiting_outcome();
        let Some(index) = self.exchanges.open.iter().position(awaited) else { return };
        let Some(open) = self.exchanges.open.get_mut(index) else { return };
        let answer = answer.remembered();
        let (id, until) = (open.id, open.remember_until);
        let reply = Reply {
            max_age_s: answer.max_age_s,
            block1: open.block1,
            ..Reply::new(answer.code, "")
        };
        let bytes = match &open.stage {
            Stage::Fresh { .. } => {
                let bytes = reply.encode(Kind::Acknowledgement, id, &open.token);
                self.exchanges.close(index);
                bytes
            }
            Stage::Unconfirmed => {
                let bytes =
                    reply.encode(Kind::NonConfirmable, take(&mut self.next_id), &open.token);
                self.exchanges.close(index);
                bytes
            }
            Stage::Acknowledged | Stage::Responding(_) => {
                let id = take(&mut self.next_id);
                let bytes = reply.encode(Kind::Confirmable, id, &open.token);
                let wait_ms = first_wait(id);
                open.stage = Stage::Responding(Box::new(Response {
                    id,
                    bytes: bytes.clone(),
                    again_at: now.saturating_add(wait_ms),
                    wait_ms,
                    attempts_left: MAX_RETRANSMIT,
                }));
                bytes
            }
        };
        self.exchanges.remember(id, until, answer);
        self.effect(Effect::Send(bytes));
        self.effect(Effect::Counted { code: answer.code });
    }

    /// Does what has become due; needed at [`Endpoint::poll_timeout`], harmless at any time.
    pub fn handle_timeout(&mut self, now: Millis, _limits: &Limits) {
        self.exchanges.forget(now);
        if self.upload.as_ref().is_some_and(|upload| upload.deadline() <= now) {
            self.upload = None;
            self.dropped(DropReason::UploadTimeout);
        }
        let mut index = 0;
        while let Some(open) = self.exchanges.open.get_mut(index) {
            if open.due() > now {
                index += 1;
                continue;
            }
            let over = match &mut open.stage {
                Stage::Responding(response) if response.attempts_left == 0 => {
                    Some(DropReason::Unacknowledged)
                }
                Stage::Responding(response) => {
                    response.attempts_left -= 1;
                    response.wait_ms = response.wait_ms.saturating_mul(2);
                    response.again_at = now.saturating_add(response.wait_ms);
                    self.effects.push_back(Effect::Send(response.bytes.clone()));
                    None
                }
                Stage::Acknowledged | Stage::Unconfirmed => Some(DropReason::NoOutcome),
                Stage::Fresh { .. } => {
                    self.effects.push_back(Effect::Send(empty(Kind::Acknowledgement, open.id)));
                    open.stage = Stage::Acknowledged;
                    None
                }
            };
            match over {
                Some(reason) => {
                    self.exchanges.close(index);
                    self.dropped(reason);
                }
                None => index += 1,
            }
        }
    }

    /// The next thing to do; None once all is done, which also gives the buffer back.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front();
        if effect.is_none() {
            self.effects = VecDeque::new();
        }
        effect
    }

    /// When [`Endpoint::handle_timeout`] has something to say or to give up.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let upload = self.upload.as_ref().map(|upload| upload.deadline());
        self.exchanges.open.iter().map(Open::due).chain(upload).min()
    }

    /// When a [`Endpoint::handle_timeout`] leaves nothing remembered, if no more messages come:
    /// the moment from which the endpoint may be dropped and made anew. None: it may be now,
    /// unless [`Endpoint::poll_timeout`] has something left.
    pub fn forgotten_at(&self) -> Option<Millis> {
        self.exchanges.forgotten_at()
    }

    /// Deliveries whose outcome is awaited.
    pub fn in_flight(&self) -> usize {
        self.exchanges.open.iter().filter(|open| open.is_awaiting_outcome()).count()
    }

    fn request(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        resources: &Resources,
        limits: &Limits,
    ) {
        let request = match Request::read(message) {
            Ok(request) => request,
            Err(BadOption) if message.kind == Kind::NonConfirmable => {
                return self.dropped(DropReason::BadOption);
            }
            Err(BadOption) => return self.reply(message, &Reply::new(code::BAD_OPTION, "")),
        };
        if request.wants_proxy {
            return self.reply(message, &Reply::new(code::PROXYING_NOT_SUPPORTED, ""));
        }
        if request.path() == Some(WELL_KNOWN_CORE) {
            return self.discover(message, &request, resources);
        }
        let Some(resource) = request.path().and_then(|path| resources.find(path)) else {
            return self.reply(message, &Reply::new(code::NOT_FOUND, ""));
        };
        if !matches!(message.code, code::POST | code::PUT) {
            return self.reply(message, &Reply::new(code::METHOD_NOT_ALLOWED, ""));
        }
        if request.has_query {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no query here"));
        }
        self.uplink(now, message, &request, resource, limits);
    }

    /// A POST or PUT to a route's resource. What depends on more than the message itself is
    /// remembered, so that a duplicate gets the same.
    fn uplink(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        request: &Request,
        resource: usize,
        limits: &Limits,
    ) {
        let until = Exchanges::remember_until(now, limits.exchange_lifetime_ms);
        if self.exchanges.is_full() {
            return self.reply(message, &Reply::busy(limits, request.block1));
        }
        let last = request.block1.is_none_or(|block| !block.more);
        if last && self.exchanges.open.len() >= limits.in_flight_max {
            return self.refuse(message, until, &Reply::busy(limits, request.block1));
        }
        let payload = match request.block1 {
            None if message.payload.len() > limits.payload_max => {
                return self.reply(message, &Reply::too_large(limits, None));
            }
            None => message.payload.to_vec(),
            Some(block) => {
                let slot = &mut self.upload;
                match Upload::accept(slot, now, resource, request, block, message.payload, limits) {
                    Progress::Complete(payload) => payload,
                    Progress::Continue => {
                        let block1 = request.block1;
                        let reply = Reply { block1, ..Reply::new(code::CONTINUE, "") };
                        return self.refuse(message, until, &reply);
                    }
                    Progress::Refused(code::ENTITY_TOO_LARGE, _) => {
                        return self.refuse(
                            message,
                            until,
                            &Reply::too_large(limits, request.block1),
                        );
                    }
                    Progress::Refused(code, why) => {
                        let block1 = request.block1;
                        return self.refuse(
                            message,
                            until,
                            &Reply { block1, ..Reply::new(code, why) },
                        );
                    }
                }
            }
        };
        if let Err(diagnostic) = check(request.content_format, &payload) {
            let block1 = request.block1;
            let reply = Reply { block1, ..Reply::new(code::BAD_REQUEST, diagnostic) };
            return match block1 {
                Some(_) => self.refuse(message, until, &reply),
                None => self.reply(message, &reply),
            };
        }
        let exchange = ExchangeId(self.next_exchange);
        self.next_exchange = self.next_exchange.wrapping_add(1);
        let stage = match message.kind {
            Kind::Confirmable => {
                let acknowledge_by = now.saturating_add(limits.acknowledge_within_ms);
                Stage::Fresh { acknowledge_by }
            }
            Kind::NonConfirmable | Kind::Acknowledgement | Kind::Reset => Stage::Unconfirmed,
        };
        self.exchanges.open(Open {
            exchange,
            id: message.id,
            token: message.token,
            block1: request.block1,
            remember_until: until,
            stage,
        });
        let content_format = request.content_format;
        self.effect(Effect::Deliver { exchange, resource, content_format, payload });
    }

    /// `GET /.well-known/core` (RFC 6690), in blocks where it is long or the board asks for them.
    fn discover(&mut self, message: &Message<'_>, request: &Request, resources: &Resources) {
        if message.code != code::GET {
            return self.reply(message, &Reply::new(code::METHOD_NOT_ALLOWED, ""));
        }
        if request.accept.is_some_and(|format| format != LINK_FORMAT) {
            return self.reply(message, &Reply::new(code::NOT_ACCEPTABLE, ""));
        }
        let queries = message.options().filter(|&(number, _)| number == option::URI_QUERY);
        let links = resources.links(queries.map(|(_, query)| query));
        let whole = Block { number: 0, more: false, exponent: BLOCK2_EXPONENT };
        let mut block = request.block2.unwrap_or(whole);
        let Some(rest) = links
            .as_bytes()
            .get(block.offset()..)
            .filter(|rest| block.number == 0 || !rest.is_empty())
        else {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no such block"));
        };
        let (slice, after) = rest.split_at_checked(block.size()).unwrap_or((rest, &[]));
        block.more = !after.is_empty();

        let (kind, id) = self.answer_header(message);
        let mut answer = Encoder::new(kind, code::CONTENT, id, &message.token, 16 + slice.len());
        if request.block2.is_some() || block.more {
            answer = answer.option(option::ETAG, &etag(links.as_bytes()));
        }
        answer = answer.uint(option::CONTENT_FORMAT, LINK_FORMAT);
        if request.block2.is_some() || block.more {
            answer = answer.block(option::BLOCK2, block);
        }
        self.effect(Effect::Send(answer.finish(slice)));
        self.effect(Effect::Counted { code: code::CONTENT });
    }

    /// Says again what was said to a message id seen before. A repeated NON gets nothing.
    fn repeat(&mut self, seen: Seen, message: &Message<'_>, limits: &Limits) {
        self.dropped(DropReason::Duplicate);
        if message.kind != Kind::Confirmable {
            return;
        }
        let bytes = match seen {
            Seen::Awaited => return,
            Seen::Acknowledged => empty(Kind::Acknowledgement, message.id),
            Seen::Answered(Remembered { code, max_age_s }) => {
                let block1 = Request::read(message).ok().and_then(|request| request.block1);
                let reply = match code {
                    code::ENTITY_TOO_LARGE => Reply::too_large(limits, block1),
                    _ => Reply { max_age_s, block1, ..Reply::new(code, "") },
                };
                reply.encode(Kind::Acknowledgement, message.id, &message.token)
            }
        };
        self.effect(Effect::Send(bytes));
    }

    /// Answers at once and remembers the answer.
    fn refuse(&mut self, message: &Message<'_>, until: Millis, reply: &Reply) {
        let answer = Remembered { code: reply.code, max_age_s: reply.max_age_s };
        self.exchanges.remember(message.id, until, answer);
        self.reply(message, reply);
    }

    /// Answers at once. A duplicate is worked out anew, to the same end.
    fn reply(&mut self, message: &Message<'_>, reply: &Reply) {
        let (kind, id) = self.answer_header(message);
        self.effect(Effect::Send(reply.encode(kind, id, &message.token)));
        self.effect(Effect::Counted { code: reply.code });
    }

    fn answer_header(&mut self, message: &Message<'_>) -> (Kind, MessageId) {
        match message.kind {
            Kind::Confirmable => (Kind::Acknowledgement, message.id),
            Kind::NonConfirmable | Kind::Acknowledgement | Kind::Reset => {
                (Kind::NonConfirmable, take(&mut self.next_id))
            }
        }
    }

    /// The board's ACK or RST of a separate response ends it; any other one means nothing.
    fn settle(&mut self, id: MessageId) {
        let settled = self.exchanges.open.iter().position(
            |open| matches!(&open.stage, Stage::Responding(response) if response.id == id),
        );
        if let Some(index) = settled {
            self.exchanges.close(index);
        }
    }

    /// Rejects a CON; everything else is rejected by silence (section 4.2 and 4.3).
    fn reset(&mut self, kind: Kind, id: MessageId) {
        if kind == Kind::Confirmable {
            self.effect(Effect::Send(empty(Kind::Reset, id)));
        }
    }

    fn dropped(&mut self, reason: DropReason) {
        self.effect(Effect::Dropped { reason });
    }

    fn effect(&mut self, effect: Effect) {
        if self.effects.capacity() == 0 {
            self.effects.reserve_exact(2);
        }
        self.effects.push_back(effect);
    }
}

fn take(next: &mut MessageId) -> MessageId {
    let id = *next;
    *next = id.wrapping_add(1);
    id
}

/// ACK_TIMEOUT spread over ACK_RANDOM_FACTOR 1.5 by the message id, whose start is random.
fn first_wait(id: MessageId) -> Millis {
    ACK_TIMEOUT_MS + Millis::from(id.wrapping_mul(40_503)) % (ACK_TIMEOUT_MS / 2)
}

/// Whether a payload is what its content format says; formats not known here pass as they are.
fn check(content_format: Option<u16>, payload: &[u8]) -> Result<(), &'static str> {
    if payload.is_empty() {
        return Err("no payload");
    }
    match content_format {
        Some(wire::CONTENT_FORMAT_SENML_CBOR) => {
            wire::validate(payload).map(drop).map_err(|_| "no SenML pack in CBOR")
        }
        Some(wire::CONTENT_FORMAT_CBOR) => {
            wire::well_formed(payload).map_err(|_| "no well-formed CBOR")
        }
        Some(_) | None => Ok(()),
    }
}

/// A stamp that changes with the text (FNV-1a), so that slices of two texts are not put together.
fn etag(text: &[u8]) -> [u8; 4] {
    let hash = text
        .iter()
        .fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_be_bytes()
}
