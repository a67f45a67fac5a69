//! A one-time token, with which one board of a batch is enrolled. Holds no secret: the token itself
//! is known to whom it was given, the hub keeps its digest.

use bincode::{Decode, Encode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::record::Record;
use crate::{BatchName, BoardId, TenantId, UnixSeconds};

/// SHA-256 over a token's text. Tokens are random and long, so nobody finds one from its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

/// One token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Token {
    /// Whose boards.
    pub tenant: TenantId,
    /// Of which batch.
    pub batch: BatchName,
    /// When it was made.
    pub created: UnixSeconds,
    /// The last second in which it may be used.
    pub expires: UnixSeconds,
    /// What it was used for.
    pub used: Option<Used>,
}

/// A token's one use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Used {
    /// When.
    pub at: UnixSeconds,
    /// For which board.
    pub board: BoardId,
}

impl TokenDigest {
    /// Of a token's text.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Record for Token {
    const VERSION: u8 = 1;
}
