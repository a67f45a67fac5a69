//! Answers that carry no representation: a code, and the few options that go with it.
//! Invariant: knows nothing of exchanges; the caller says which message it answers.

use super::effect::Answer;
use super::exchanges::Remembered;
use super::limits::Limits;
use super::message::{Block, Encoder, Kind, MessageId, Token, code, option};

/// An answer that is known at once.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u8,
    /// Max-Age in seconds; 0 for none.
    pub(super) max_age_s: u16,
    pub(super) block1: Option<Block>,
    pub(super) size1: Option<u32>,
    /// Whether the board is to renew its certificate.
    pub(super) renew: bool,
    pub(super) diagnostic: &'static str,
}

impl Reply {
    pub(super) fn new(code: u8, diagnostic: &'static str) -> Self {
        Self { code, max_age_s: 0, block1: None, size1: None, renew: false, diagnostic }
    }

    /// 5.03 of the endpoint's own.
    pub(super) fn busy(limits: &Limits, block1: Option<Block>) -> Self {
        let Remembered { code, max_age_s } = Self::unavailable(limits.retry_after_s);
        Self { max_age_s, block1, ..Self::new(code, "") }
    }

    /// The same, as it is remembered.
    pub(super) fn unavailable(max_age_s: u32) -> Remembered {
        Answer::Unavailable { max_age_s }.remembered()
    }

    /// 4.13 with what would not be too large.
    pub(super) fn too_large(limits: &Limits, block1: Option<Block>) -> Self {
        let size1 = Some(u32::try_from(limits.payload_max).unwrap_or(u32::MAX));
        Self { size1, block1, ..Self::new(code::ENTITY_TOO_LARGE, "") }
    }

    pub(super) fn encode(&self, kind: Kind, id: MessageId, token: &Token) -> Vec<u8> {
        let plain = self.max_age_s == 0 && self.block1.is_none() && self.size1.is_none();
        let plain = plain && !self.renew && self.diagnostic.is_empty();
        let room = if plain { 0 } else { 13 + self.diagnostic.len() };
        let mut message = Encoder::new(kind, self.code, id, token, room);
        if self.max_age_s != 0 {
            message = message.uint(option::MAX_AGE, u32::from(self.max_age_s));
        }
        if let Some(block) = self.block1 {
            message = message.block(option::BLOCK1, block);
        }
        if let Some(size) = self.size1 {
            message = message.uint(option::SIZE1, size);
        }
        if self.renew {
            message = message.option(option::RENEW, &[]);
        }
        message.finish(self.diagnostic.as_bytes())
    }
}
