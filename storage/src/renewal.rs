//! A certificate that was issued to a board and not yet used: the board's own stays the one it has
//! until then.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::{Record, RecordError, decode_body};
use crate::{AuthorityNumber, BoardId, Certificate, Fingerprint, Serial, UnixSeconds};

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
    /// Which of the tenant's authorities issued the new one; unknown where it was before that was
    /// written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<AuthorityNumber>,
}

impl Renewal {
    /// The new certificate.
    pub(crate) fn certificate(&self) -> Certificate {
        Certificate {
            fingerprint: self.fingerprint,
            serial: self.serial.clone(),
            issuer: self.issuer,
            not_after: Some(self.not_after),
        }
    }
}

impl Record for Renewal {
    const VERSION: u8 = 3;

    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        match version {
            // Before serial numbers were kept.
            1 => Some(decode_body(body).map(|(older, used)| {
                let (board, fingerprint, replaces, not_after, issued) = older;
                let (serial, issuer) = (None, None);
                (Self { board, fingerprint, replaces, not_after, issued, serial, issuer }, used)
            })),
            // Before a tenant could have several authorities.
            2 => Some(decode_body(body).map(|(older, used)| {
                let (board, fingerprint, replaces, not_after, issued, serial) = older;
                let issuer = None;
                (Self { board, fingerprint, replaces, not_after, issued, serial, issuer }, used)
            })),
            _ => None,
        }
    }
}
