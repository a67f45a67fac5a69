//! What a request for one of the hub's own resources gets: a refusal, the shell's answer, or a block
//! of the answer that is kept.
//! Invariant: a POST reaches the shell once for each message id; a GET may reach it again.

use super::Millis;
use super::effect::{Ask, Effect};
use super::endpoint::Endpoint;
use super::exchanges::{ExchangeId, Exchanges, Open, Served};
use super::kept::{Content, Kept};
use super::limits::Limits;
use super::local::{Local, Method};
use super::message::{Message, code};
use super::reply::Reply;
use super::request::Request;

/// Blocks of 1024 bytes where the board names no size: the largest there is, and with every option
/// and its record still below the 1280 bytes that any path carries.
const USUAL_EXPONENT: u8 = 6;

impl Endpoint {
    /// A request for the local resource `local`, which is at `place` in its list.
    pub(super) fn local(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        request: &Request,
        (place, local): (usize, &'static Local),
        limits: &Limits,
    ) {
        if message.code != local.method.code() {
            return self.reply(message, &Reply::new(code::METHOD_NOT_ALLOWED, ""));
        }
        if request.has_query {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no query here"));
        }
        let Some(format) = asked_format(request.accept, local.gives) else {
            return self.reply(message, &Reply::new(code::NOT_ACCEPTABLE, ""));
        };
        let continues = request.block2.is_some_and(|block| block.number > 0);
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.until > now) {
            let same = (kept.local, kept.format) == (place, format);
            if same && (kept.id == message.id || continues) {
                let content = kept.content.clone();
                return self.say_content(message, request, &content);
            }
        }
        match local.method {
            Method::Get => self.ask(now, message, request, (place, format), Vec::new(), limits),
            Method::Post { .. } if continues && request.block1.is_none() => {
                let gone = Reply::new(code::ENTITY_INCOMPLETE, "the answer is no longer kept");
                self.reply(message, &gone);
            }
            Method::Post { takes } => {
                self.take_body(now, message, request, (place, format, takes), limits);
            }
        }
    }

    /// Gathers a POST's body; what depends on more than the message itself is remembered.
    fn take_body(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        request: &Request,
        (place, format, takes): (usize, u16, u16),
        limits: &Limits,
    ) {
        let block1 = request.block1;
        if request.content_format != Some(takes) {
            let reply = Reply { block1, ..Reply::new(code::UNSUPPORTED_FORMAT, "") };
            return self.reply(message, &reply);
        }
        if self.exchanges.is_full() {
            return self.reply(message, &Reply::busy(limits, block1));
        }
        let until = Exchanges::remember_until(now, limits.exchange_lifetime_ms);
        let body = self.gather(now, message, request, upload_key(place), until, limits);
        let Some(body) = body else { return };
        if body.is_empty() {
            let reply = Reply { block1, ..Reply::new(code::BAD_REQUEST, "no payload") };
            return self.refuse(message, until, &reply);
        }
        self.ask(now, message, request, (place, format), body, limits);
    }

    /// Gives the request to the shell.
    fn ask(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        request: &Request,
        (local, format): (usize, u16),
        body: Vec<u8>,
        limits: &Limits,
    ) {
        let until = Exchanges::remember_until(now, limits.exchange_lifetime_ms);
        if self.exchanges.is_full() {
            return self.reply(message, &Reply::busy(limits, request.block1));
        }
        if self.exchanges.open.len() >= limits.in_flight_max {
            return self.refuse(message, until, &Reply::busy(limits, request.block1));
        }
        let safe = message.code == code::GET;
        let keep_ms = limits.block_timeout_ms;
        let block2 = request.block2;
        let served =
            Served { local, format, block2, safe, keep_ms, retry_after_s: limits.retry_after_s };
        let served = Some(Box::new(served));
        let exchange = self.begin(now, message, request, until, limits, served);
        self.effect(Effect::Serve { exchange, ask: Box::new(Ask { local, format, body }) });
    }

    /// Takes the shell's answer to [`Effect::Serve`]; one that came too late is ignored.
    pub fn handle_content(&mut self, now: Millis, exchange: ExchangeId, content: Content) {
        let awaited = |open: &Open| open.exchange == exchange && open.is_awaiting_outcome();
        let Some(index) = self.exchanges.open.iter().position(awaited) else { return };
        let Some(open) = self.exchanges.open.get(index) else { return };
        let Some(served) = open.served.as_deref().copied() else { return };
        let (id, block1, until) = (open.id, open.block1, open.remember_until);
        let code = content.code;
        let none_such = |kind, id, token: &_| {
            Reply::new(code::BAD_REQUEST, "no such block").encode(kind, id, token)
        };
        self.conclude(now, index, |kind, id, token| {
            content
                .encode((kind, id, token), served.block2, USUAL_EXPONENT, block1)
                .unwrap_or_else(|| none_such(kind, id, token))
        });
        if !served.safe {
            // A repetition gets what is kept; after that, a word that it is to be asked anew.
            let answer = Reply::unavailable(served.retry_after_s);
            self.exchanges.remember(id, until, answer);
        }
        let until = now.saturating_add(served.keep_ms);
        let Served { local, format, safe, .. } = served;
        self.kept = Some(Box::new(Kept { id, local, format, until, safe, content }));
        self.effect(Effect::Counted { code });
    }

    /// Answers with the block of `content` that is asked for.
    pub(super) fn say_content(
        &mut self,
        message: &Message<'_>,
        request: &Request,
        content: &Content,
    ) {
        let (kind, id) = self.answer_header(message);
        let head = (kind, id, &message.token);
        match content.encode(head, request.block2, USUAL_EXPONENT, request.block1) {
            Some(bytes) => {
                self.effect(Effect::Send(bytes));
                self.effect(Effect::Counted { code: content.code });
            }
            None => self.reply(message, &Reply::new(code::BAD_REQUEST, "no such block")),
        }
    }
}

/// Uploads to routes are known by the route's place, from nought up.
const fn upload_key(place: usize) -> usize {
    usize::MAX - place
}

/// The format the board accepts, or the first where it does not say.
fn asked_format(accept: Option<u32>, gives: &[u16]) -> Option<u16> {
    match accept {
        None => gives.first().copied(),
        Some(accept) => gives.iter().copied().find(|&format| u32::from(format) == accept),
    }
}
