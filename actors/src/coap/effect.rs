//! What an endpoint and its shell say to each other: effects out, answers in.
//! Invariant: values only; nothing here acts.

use super::exchanges::{ExchangeId, Remembered};
use super::message::code;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2.04: it cannot be lost any more.
    Changed,
    /// The same, and the board is to renew its certificate ([`wire::OPTION_RENEW`]).
    ChangedAndRenew,
    /// 5.03: the upstream is down or full; try again after so many seconds.
    Unavailable {
        /// Max-Age, at most 65,535.
        max_age_s: u32,
    },
    /// 4.29: this board sends too much (RFC 8516).
    TooMany {
        /// Max-Age, at most 65,535.
        max_age_s: u32,
    },
    /// 5.02: the upstream will not have it, now or later.
    BadGateway,
}

impl Answer {
    /// The CoAP code it becomes.
    pub fn code(self) -> u8 {
        match self {
            Self::Changed | Self::ChangedAndRenew => code::CHANGED,
            Self::Unavailable { .. } => code::UNAVAILABLE,
            Self::TooMany { .. } => code::TOO_MANY_REQUESTS,
            Self::BadGateway => code::BAD_GATEWAY,
        }
    }

    pub(super) fn remembered(self) -> Remembered {
        let max_age_s = match self {
            Self::Unavailable { max_age_s } | Self::TooMany { max_age_s } => {
                u16::try_from(max_age_s).unwrap_or(u16::MAX).max(1)
            }
            Self::Changed | Self::ChangedAndRenew | Self::BadGateway => 0,
        };
        Remembered { code: self.code(), max_age_s }
    }
}

/// A request for one of the hub's own resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which of the local resources, by its place.
    pub local: usize,
    /// The content format that the answer is to have, one that the resource gives.
    pub format: u16,
    /// The whole body; empty for a GET.
    pub body: Vec<u8>,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first bytes of the file's SHA-256.
    pub file: [u8; 8],
    /// Where it begins.
    pub at: u32,
    /// At most so many bytes.
    pub length: u16,
}

/// What became of a request for a part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The part.
    Read {
        /// Its bytes; fewer than asked for at the file's end alone.
        bytes: Vec<u8>,
        /// Those of the whole file.
        size: u32,
        /// What tells the file from another: the first bytes of its SHA-256.
        etag: [u8; 8],
    },
    /// There is no such file for this board.
    Unknown,
    /// Not now.
    Later {
        /// Max-Age in seconds.
        max_age_s: u16,
    },
}

/// What the shell has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send one message to the board.
    Send(Vec<u8>),
    /// Deliver a reading and report back with [`Endpoint::handle_outcome`].
    Deliver {
        /// To be named in the outcome.
        exchange: ExchangeId,
        /// Which of the [`Resources`], by its place.
        resource: usize,
        /// What the payload is, where the board said so.
        content_format: Option<u16>,
        /// The whole payload, never empty; as long as its capacity.
        payload: Vec<u8>,
    },
    /// Answer a request for one of the hub's own resources with [`Endpoint::handle_content`].
    Serve {
        /// To be named in the answer.
        exchange: ExchangeId,
        /// What is asked.
        ask: Box<Ask>,
    },
    /// Read a part of a file, to be answered with [`Endpoint::handle_piece`].
    ///
    /// [`Endpoint::handle_piece`]: super::Endpoint::handle_piece
    Read {
        /// To be named in the answer.
        exchange: ExchangeId,
        /// What is asked for.
        part: Part,
    },
    /// Count an answered request by its code; repeated answers are not counted.
    Counted {
        /// The answer's code.
        code: u8,
    },
    /// Count something that led to nothing.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// Why a message, an exchange or an upload came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// No CoAP: too short, another version, or a format error.
    Malformed,
    /// A type or code that has no place here, such as a response to nothing.
    Unexpected,
    /// A message id seen before; what was said then was said again, if anything.
    Duplicate,
    /// A NON with a critical option that nobody here knows.
    BadOption,
    /// The board stopped before the final block.
    UploadTimeout,
    /// The board never acknowledged a separate response.
    Unacknowledged,
    /// The shell never reported an outcome.
    NoOutcome,
}

impl DropReason {
    /// Its name as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unexpected => "unexpected",
            Self::Duplicate => "duplicate",
            Self::BadOption => "bad_option",
            Self::UploadTimeout => "upload_timeout",
            Self::Unacknowledged => "unacknowledged",
            Self::NoOutcome => "no_outcome",
        }
    }
}
