//! The endpoint: what each message gets, in which order, and when it is said again.
//! Call one `handle_*`, then drain [`Endpoint::poll_effect`] until it is empty.
//! Invariant: a message id is delivered at most once within the exchange lifetime, and an answer
//! is sent only for an outcome that the shell reported.

use std::collections::VecDeque;

use super::discovery::Resources;
use super::effect::{Answer, DropReason, Effect};
use super::exchanges::{ExchangeId, Exchanges, Open, Remembered, Response, Seen, Stage};
use super::kept::Kept;
use super::limits::Limits;
use super::message::{Encoder, Kind, Malformed, Message, MessageId, Token, code, empty, option};
use super::reply::Reply;
use super::request::Request;
use super::upload::Upload;
use super::{Millis, UnixMillis};

/// ACK_TIMEOUT of RFC 7252 section 4.8: the first wait for the ACK of a separate response.
const ACK_TIMEOUT_MS: Millis = 2_000;

/// MAX_RETRANSMIT of the same section.
const MAX_RETRANSMIT: u8 = 4;

/// Effects not yet polled; nothing but an empty pointer while there are none.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "an idle endpoint is to be small")]
struct Effects(Option<Box<VecDeque<Effect>>>);

impl Effects {
    fn push(&mut self, effect: Effect) {
        self.0.get_or_insert_with(|| Box::new(VecDeque::with_capacity(2))).push_back(effect);
    }

    fn pop(&mut self) -> Option<Effect> {
        let effect = self.0.as_mut()?.pop_front();
        if effect.is_none() {
            self.0 = None;
        }
        effect
    }

    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        let queue = |it: &VecDeque<Effect>| size_of_val(it) + it.capacity() * size_of::<Effect>();
        self.0.as_deref().map_or(0, queue)
    }
}

/// The server side of one board's association.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) exchanges: Exchanges,
    effects: Effects,
    pub(super) upload: Option<Box<Upload>>,
    pub(super) kept: Option<Box<Kept>>,
    pub(super) next_exchange: u32,
    next_id: MessageId,
}

impl Endpoint {
    /// `next_mid` is where our own message ids begin; random, so that they differ between
    /// associations of the same board.
    pub fn new(next_mid: u16) -> Self {
        Self {
            exchanges: Exchanges::default(),
            effects: Effects::default(),
            upload: None,
            kept: None,
            next_exchange: 0,
            next_id: next_mid,
        }
    }

    /// Takes one message from the board, of any shape; `time` is what it gets told if it asks.
    pub fn handle_message(
        &mut self,
        now: Millis,
        time: UnixMillis,
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
                    Some(seen) => self.repeat(now, seen, &message, limits),
                    None => self.request(now, time, &message, resources, limits),
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
        let Some(open) = self.exchanges.open.get(index) else { return };
        let renew = answer == Answer::ChangedAndRenew;
        let answer = answer.remembered();
        let (id, until) = (open.id, open.remember_until);
        let reply = Reply {
            max_age_s: answer.max_age_s,
            block1: open.block1,
            renew,
            ..Reply::new(answer.code, "")
        };
        self.conclude(now, index, |kind, id, token| reply.encode(kind, id, token));
        self.exchanges.remember(id, until, answer);
        self.effect(Effect::Counted { code: answer.code });
    }

    /// Asks the board to do something, by this resource of its own; nobody waits for an answer (RFC 7967).
    pub fn call(&mut self, resource: &str) {
        /// No-Response: to none of 2.xx, 4.xx and 5.xx.
        const NOT_INTERESTED: u32 = 26;
        let (id, token) = (take(&mut self.next_id), Token::default());
        let call = Encoder::new(Kind::NonConfirmable, code::POST, id, &token, 20);
        let call = call.option(option::URI_PATH, resource.as_bytes());
        let call = call.uint(option::NO_RESPONSE, NOT_INTERESTED);
        self.effect(Effect::Send(call.finish(&[])));
    }

    /// Sends the answer of the open exchange `index` as its stage has it, with the header it gets.
    pub(super) fn conclude(
        &mut self,
        now: Millis,
        index: usize,
        encode: impl Fn(Kind, MessageId, &Token) -> Vec<u8>,
    ) {
        let Some(open) = self.exchanges.open.get_mut(index) else { return };
        let bytes = match &open.stage {
            Stage::Fresh { .. } => {
                let bytes = encode(Kind::Acknowledgement, open.id, &open.token);
                self.exchanges.close(index);
                bytes
            }
            Stage::Unconfirmed => {
                let bytes = encode(Kind::NonConfirmable, take(&mut self.next_id), &open.token);
                self.exchanges.close(index);
                bytes
            }
            Stage::Acknowledged | Stage::Responding(_) => {
                let id = take(&mut self.next_id);
                let bytes = encode(Kind::Confirmable, id, &open.token);
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
        self.effect(Effect::Send(bytes));
    }

    /// Does what has become due; needed at [`Endpoint::poll_timeout`], harmless at any time.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.exchanges.forget(now);
        self.kept.take_if(|kept| kept.until <= now);
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
                Stage::Responding(response)
                    if response.attempts_left == 0 || open.remember_until <= now =>
                {
                    Some(DropReason::Unacknowledged)
                }
                Stage::Responding(response) => {
                    response.attempts_left -= 1;
                    response.wait_ms = response.wait_ms.saturating_mul(2);
                    response.again_at = now.saturating_add(response.wait_ms);
                    self.effects.push(Effect::Send(response.bytes.clone()));
                    None
                }
                Stage::Acknowledged | Stage::Unconfirmed => Some(DropReason::NoOutcome),
                Stage::Fresh { .. } if open.remember_until <= now => Some(DropReason::NoOutcome),
                Stage::Fresh { .. } => {
                    self.effects.push(Effect::Send(empty(Kind::Acknowledgement, open.id)));
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
        self.effects.pop()
    }

    /// When [`Endpoint::handle_timeout`] has something to say or to give up.
    pub fn poll_timeout(&self) -> Option<Millis> {
        let upload = self.upload.as_ref().map(|upload| upload.deadline());
        let kept = self.kept.as_ref().map(|kept| kept.until);
        self.exchanges.open.iter().map(Open::due).chain(upload).chain(kept).min()
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

    /// Bytes on the heap, as near as capacities tell.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        let upload =
            self.upload.as_ref().map_or(0, |upload| size_of::<Upload>() + upload.capacity());
        let kept = self.kept.as_ref().map_or(0, |kept| size_of::<Kept>() + kept.content.body.len());
        self.exchanges.heap_bytes() + self.effects.heap_bytes() + upload + kept
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.exchanges.entries()
    }

    #[cfg(test)]
    pub(super) fn open_exchanges(&self) -> usize {
        self.exchanges.open.len()
    }

    /// Says again what was said to a message id seen before. A repeated NON gets nothing.
    fn repeat(&mut self, now: Millis, seen: Seen, message: &Message<'_>, limits: &Limits) {
        self.dropped(DropReason::Duplicate);
        if message.kind != Kind::Confirmable {
            return;
        }
        let bytes = match seen {
            Seen::Awaited => return,
            Seen::Acknowledged => empty(Kind::Acknowledgement, message.id),
            Seen::Answered(Remembered { code, max_age_s }) => {
                let request = Request::read(message).ok();
                let kept = self.kept.as_ref().filter(|kept| kept.answers(message.id, now));
                if let (Some(kept), Some(request)) = (kept, &request) {
                    let content = kept.content.clone();
                    return self.say_content(message, request, &content);
                }
                let block1 = request.and_then(|request| request.block1);
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
    pub(super) fn refuse(&mut self, message: &Message<'_>, until: Millis, reply: &Reply) {
        let answer = Remembered { code: reply.code, max_age_s: reply.max_age_s };
        self.exchanges.remember(message.id, until, answer);
        self.reply(message, reply);
    }

    /// Answers at once. A duplicate is worked out anew, to the same end.
    pub(super) fn reply(&mut self, message: &Message<'_>, reply: &Reply) {
        let (kind, id) = self.answer_header(message);
        self.effect(Effect::Send(reply.encode(kind, id, &message.token)));
        self.effect(Effect::Counted { code: reply.code });
    }

    pub(super) fn answer_header(&mut self, message: &Message<'_>) -> (Kind, MessageId) {
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

    pub(super) fn dropped(&mut self, reason: DropReason) {
        self.effect(Effect::Dropped { reason });
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
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
