//! A certificate that was issued to a board and not yet used: the board's own stays the one it has
//! until then.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::Record;
use crate::{BoardId, Fingerprint, UnixSeconds};

/// The certificate a board has asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Renewal {
    /// The board.
    pub board: BoardId,
    /// The new certificate.
    pub fingerprint: Fingerprint,
    /// The certificate it was issued in place of. Once that is no longer the board's, the renewal
    /// means nothing.
    pub replaces: Fingerprint,
    /// When the new one ends.
    pub not_after: UnixSeconds,
    /// When it was issued.
    pub issued: UnixSeconds,
}

impl Record for Renewal {
    const VERSION: u8 = 1;
}
