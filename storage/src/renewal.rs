//! A certificate that was issued to a board and not yet used: the board's own stays the one it has
//! until then.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::{Record, RecordError, decode_body};
use crate::{BoardId, Fingerprint, Serial, UnixSeconds};

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
    /// The new one's serial number.
    pub serial: Option<Serial>,
}

impl Record for Renewal {
    const VERSION: u8 = 2;

    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        // Before serial numbers were kept.
        (version == 1).then(|| {
            let ((board, fingerprint, replaces, not_after, issued), used) = decode_body(body)?;
            Ok((Self { board, fingerprint, replaces, not_after, issued, serial: None }, used))
        })
    }
}
