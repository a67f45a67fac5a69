//! Answers in blocks (RFC 7959 section 2.4): the part of a body that a request asks for, and the one
//! answer that is kept while a board fetches the rest of it or repeats its request.
//! Invariant: a [`Kept`] ends at its deadline, whatever is asked of it.

use std::sync::Arc;

use super::Millis;
use super::message::{Block, Encoder, Kind, MessageId, Token, option};

/// An answer with a body, from the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The code, as it stands in the second byte.
    pub code: u8,
    /// What the body is; none for a diagnostic text.
    pub format: Option<u16>,
    /// Max-Age in seconds; 0 for none.
    pub max_age_s: u32,
    /// The body, which may be shared by many sessions.
    pub body: Arc<[u8]>,
}

/// An answer that may be asked for again, whole or by its blocks.
#[derive(Debug)]
pub(super) struct Kept {
    /// The request it answered.
    pub(super) id: MessageId,
    /// Of which resource.
    pub(super) local: usize,
    /// The format that was asked for.
    pub(super) format: u16,
    pub(super) until: Millis,
    /// Whether a repeated request is known for one only by this.
    pub(super) safe: bool,
    pub(super) content: Content,
}

impl Kept {
    /// Whether the request `id`, remembered as answered, was answered with this.
    pub(super) fn answers(&self, id: MessageId, now: Millis) -> bool {
        !self.safe && self.id == id && self.until > now
    }
}

/// What goes into one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    /// None where the body is whole and nobody asked for blocks.
    pub(super) block: Option<Block>,
}

impl<'a> Part<'a> {
    /// The part of `body` that `asked` names, or its beginning, in blocks of the exponent `usual`.
    /// None when there is no such block.
    pub(super) fn of(body: &'a [u8], asked: Option<Block>, usual: u8) -> Option<Self> {
        let block = asked.unwrap_or(Block { number: 0, more: false, exponent: usual });
        let rest =
            body.get(block.offset()..).filter(|rest| block.number == 0 || !rest.is_empty())?;
        let (bytes, after) = rest.split_at_checked(block.size()).unwrap_or((rest, &[]));
        let more = !after.is_empty();
        let block = (asked.is_some() || more).then_some(Block { more, ..block });
        Some(Self { bytes, block })
    }
}

impl Content {
    /// One message of it; None when there is no such block. `usual` is the exponent of blocks where
    /// the board names none, `block1` the block of the request that it answers.
    pub(super) fn encode(
        &self,
        head: (Kind, MessageId, &Token),
        asked: Option<Block>,
        usual: u8,
        block1: Option<Block>,
    ) -> Option<Vec<u8>> {
        let part = Part::of(&self.body, asked, usual)?;
        let (kind, id, token) = head;
        let mut message = Encoder::new(kind, self.code, id, token, 32 + part.bytes.len());
        if part.block.is_some() {
            message = message.option(option::ETAG, &etag(&self.body));
        }
        if let Some(format) = self.format {
            message = message.uint(option::CONTENT_FORMAT, u32::from(format));
        }
        if self.max_age_s != 0 {
            message = message.uint(option::MAX_AGE, self.max_age_s);
        }
        if let Some(block) = part.block {
            message = message.block(option::BLOCK2, block);
        }
        if let Some(block) = block1 {
            message = message.block(option::BLOCK1, block);
        }
        // The board may want to know whether it has room, before it fetches the rest.
        if part.block.is_some_and(|block| block.number == 0 && block.more) {
            let size = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
            message = message.uint(option::SIZE2, size);
        }
        Some(message.finish(part.bytes))
    }
}

/// A stamp that changes with the body (FNV-1a), so that slices of two bodies are not put together.
pub(super) fn etag(body: &[u8]) -> [u8; 4] {
    let hash = body
        .iter()
        .fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_be_bytes()
}
