//! What a request gets that was not seen before: each refusal in its order, discovery, or delivery.
//! Invariant: only `uplink` delivers, and what it answers is remembered wherever a duplicate could
//! otherwise get something else.

use super::discovery::{Resources, TIME, WELL_KNOWN_CORE};
use super::effect::{DropReason, Effect};
use super::endpoint::Endpoint;
use super::exchanges::{ExchangeId, Exchanges, Open, Served, Stage};
use super::kept::{Part, etag};
use super::limits::Limits;
use super::message::{Encoder, Kind, Message, code, option};
use super::reply::Reply;
use super::request::{BadOption, Request};
use super::upload::{Progress, Upload};
use super::{Millis, UnixMillis};

/// Bytes of discovery that go without block-wise transfer, and the size exponent above that.
const BLOCK2_EXPONENT: u8 = 5;

const LINK_FORMAT: u32 = 40;

impl Endpoint {
    pub(super) fn request(
        &mut self,
        now: Millis,
        time: UnixMillis,
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
        if request.path() == Some(TIME) {
            return self.tell_time(time, message, &request);
        }
        if let Some(local) = request.path().and_then(|path| resources.local(path)) {
            return self.local(now, message, &request, local, limits);
        }
        if let Some(file) = request.path().and_then(|path| resources.file(path)) {
            return self.file(now, message, &request, file, limits);
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
        let payload = self.gather(now, message, request, resource, until, limits);
        let Some(payload) = payload else { return };
        if let Err(diagnostic) = check(request.content_format, &payload) {
            let block1 = request.block1;
            let reply = Reply { block1, ..Reply::new(code::BAD_REQUEST, diagnostic) };
            return match block1 {
                Some(_) => self.refuse(message, until, &reply),
                None => self.reply(message, &reply),
            };
        }
        let exchange = self.begin(now, message, request, until, limits, None);
        let content_format = request.content_format;
        self.effect(Effect::Deliver { exchange, resource, content_format, payload });
    }

    /// The whole body of an upload: what the message has, or with its last block all of them. Where
    /// there is none yet, or none will be, the board has been answered, and `None`.
    pub(super) fn gather(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        request: &Request,
        resource: usize,
        until: Millis,
        limits: &Limits,
    ) -> Option<Vec<u8>> {
        let block1 = request.block1;
        let Some(block) = block1 else {
            if message.payload.len() > limits.payload_max {
                self.reply(message, &Reply::too_large(limits, None));
                return None;
            }
            return Some(message.payload.to_vec());
        };
        let slot = &mut self.upload;
        let payload = message.payload;
        let reply = match Upload::accept(slot, now, resource, request, block, payload, limits) {
            Progress::Complete(body) => return Some(body),
            Progress::Continue => Reply { block1, ..Reply::new(code::CONTINUE, "") },
            Progress::Refused(code::ENTITY_TOO_LARGE, _) => Reply::too_large(limits, block1),
            Progress::Refused(code, why) => Reply { block1, ..Reply::new(code, why) },
        };
        self.refuse(message, until, &reply);
        None
    }

    /// Opens an exchange for a request whose answer comes from the shell.
    pub(super) fn begin(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        request: &Request,
        until: Millis,
        limits: &Limits,
        served: Option<Box<Served>>,
    ) -> ExchangeId {
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
            served,
        });
        exchange
    }

    /// `GET /time`: worked out anew for a duplicate, whose sender wants to know the time now.
    fn tell_time(&mut self, time: UnixMillis, message: &Message<'_>, request: &Request) {
        if message.code != code::GET {
            return self.reply(message, &Reply::new(code::METHOD_NOT_ALLOWED, ""));
        }
        let format = u32::from(wire::CONTENT_FORMAT_CBOR);
        if request.accept.is_some_and(|accepted| accepted != format) {
            return self.reply(message, &Reply::new(code::NOT_ACCEPTABLE, ""));
        }
        if request.has_query {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no query here"));
        }
        if request.block2.is_some_and(|block| block.number > 0) {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no such block"));
        }
        let (kind, id) = self.answer_header(message);
        let answer = Encoder::new(kind, code::CONTENT, id, &message.token, 14)
            .uint(option::CONTENT_FORMAT, format)
            .uint(option::MAX_AGE, 0)
            .finish(&wire::write_time(time.0));
        self.effect(Effect::Send(answer));
        self.effect(Effect::Counted { code: code::CONTENT });
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
        let Some(part) = Part::of(links.as_bytes(), request.block2, BLOCK2_EXPONENT) else {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no such block"));
        };
        let (kind, id) = self.answer_header(message);
        let room = 16 + part.bytes.len();
        let mut answer = Encoder::new(kind, code::CONTENT, id, &message.token, room);
        if part.block.is_some() {
            answer = answer.option(option::ETAG, &etag(links.as_bytes()));
        }
        answer = answer.uint(option::CONTENT_FORMAT, LINK_FORMAT);
        if let Some(block) = part.block {
            answer = answer.block(option::BLOCK2, block);
        }
        self.effect(Effect::Send(answer.finish(part.bytes)));
        self.effect(Effect::Counted { code: code::CONTENT });
    }
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
