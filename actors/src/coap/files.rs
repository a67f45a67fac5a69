//! Files in blocks (RFC 7959, section 2.4), each block read for itself: nothing of a file is kept here,
//! and any block can be asked for at any time, in another session and after a restart.
//! Invariant: an answer holds one block, and the shell is asked for no more.

use super::Millis;
use super::effect::{Effect, Part, Piece};
use super::endpoint::Endpoint;
use super::exchanges::{ExchangeId, Exchanges, Open, Served};
use super::limits::Limits;
use super::message::{Block, Encoder, Message, code, option};
use super::reply::Reply;
use super::request::Request;

/// `application/octet-stream`
const OCTETS: u16 = 42;
/// Blocks of 512 bytes where the board names no size: they go in one piece over NB-IoT.
const USUAL_EXPONENT: u8 = 5;

impl Endpoint {
    /// A request for a block of a file.
    pub(super) fn file(
        &mut self,
        now: Millis,
        message: &Message<'_>,
        request: &Request,
        file: [u8; 8],
        limits: &Limits,
    ) {
        if message.code != code::GET {
            return self.reply(message, &Reply::new(code::METHOD_NOT_ALLOWED, ""));
        }
        if request.has_query {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no query here"));
        }
        if request.accept.is_some_and(|accepted| accepted != u32::from(OCTETS)) {
            return self.reply(message, &Reply::new(code::NOT_ACCEPTABLE, ""));
        }
        let usual = Block { number: 0, more: false, exponent: USUAL_EXPONENT };
        let block = request.block2.unwrap_or(usual);
        let (at, length) = (u32::try_from(block.offset()), u16::try_from(block.size()));
        let (Ok(at), Ok(length)) = (at, length) else {
            return self.reply(message, &Reply::new(code::BAD_REQUEST, "no such block"));
        };
        let full = self.exchanges.is_full() || self.exchanges.open.len() >= limits.in_flight_max;
        if full {
            return self.reply(message, &Reply::busy(limits, None));
        }
        let until = Exchanges::remember_until(now, limits.exchange_lifetime_ms);
        let served = Served {
            local: usize::MAX,
            format: OCTETS,
            block2: Some(block),
            safe: true,
            keep_ms: 0,
            retry_after_s: limits.retry_after_s,
        };
        let exchange = self.begin(now, message, request, until, limits, Some(Box::new(served)));
        self.effect(Effect::Read { exchange, part: Part { file, at, length } });
    }

    /// Takes the shell's answer to [`Effect::Read`]; one that came too late is ignored.
    pub fn handle_piece(&mut self, now: Millis, exchange: ExchangeId, piece: Piece) {
        let awaited = |open: &Open| open.exchange == exchange && open.is_awaiting_outcome();
        let Some(index) = self.exchanges.open.iter().position(awaited) else { return };
        let Some(open) = self.exchanges.open.get(index) else { return };
        let Some(block) = open.served.as_deref().and_then(|served| served.block2) else { return };
        let refusal = match &piece {
            Piece::Read { bytes, .. } if bytes.is_empty() => {
                Some(Reply::new(code::BAD_REQUEST, "no such block"))
            }
            Piece::Read { .. } => None,
            Piece::Unknown => Some(Reply::new(code::NOT_FOUND, "")),
            Piece::Later { max_age_s } => {
                let max_age_s = (*max_age_s).max(1);
                Some(Reply { max_age_s, ..Reply::new(code::UNAVAILABLE, "") })
            }
        };
        let said = refusal.as_ref().map_or(code::CONTENT, |reply| reply.code);
        self.conclude(now, index, |kind, id, token| match (&refusal, &piece) {
            (None, Piece::Read { bytes, size, etag }) => {
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let end = u32::try_from(block.offset()).unwrap_or(u32::MAX).saturating_add(length);
                let block = Block { more: end < *size, ..block };
                let room = 32 + bytes.len();
                let mut answer = Encoder::new(kind, code::CONTENT, id, token, room)
                    .option(option::ETAG, etag)
                    .uint(option::CONTENT_FORMAT, u32::from(OCTETS))
                    .block(option::BLOCK2, block);
                if block.number == 0 {
                    answer = answer.uint(option::SIZE2, *size);
                }
                answer.finish(bytes)
            }
            (Some(reply), _) => reply.encode(kind, id, token),
            (None, Piece::Unknown | Piece::Later { .. }) => {
                Reply::new(code::NOT_FOUND, "").encode(kind, id, token)
            }
        });
        self.effect(Effect::Counted { code: said });
    }
}
