//! What a board and its shell say to each other.
//!
//! Values only; nothing here acts.

use core::fmt;

use crate::Millis;

/// Counts the readings of one board since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadingId(pub u64);

/// What the shell is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The hub has the reading for good.
    Acknowledged {
        /// Which.
        id: ReadingId,
    },
    /// The hub will never take the reading; it is gone from the queue.
    Rejected {
        /// Which.
        id: ReadingId,
        /// The answer, three bits class and five detail (0x84 is 4.04).
        code: u8,
    },
    /// The hub cannot take the reading now; it stays and is sent again.
    Deferred {
        /// Which.
        id: ReadingId,
        /// The answer.
        code: u8,
        /// When it is sent again.
        until: Millis,
    },
    /// The hub told the time; [`Board::unix_ms`](crate::Board::unix_ms) goes on from it.
    TimeLearned {
        /// Milliseconds since 1970, UTC, at the moment of this event.
        unix_ms: u64,
    },
    /// The hub wants the board to have another certificate, made for a new key (`sren`, RFC 9148). The one that
    /// it has is good until the new one was used; the hub says so again where nothing comes of it.
    RenewalWanted,
    /// Connect anew (drop what there was), then call `handle_connected` or
    /// `handle_disconnected`.
    ConnectWanted,
}

/// Why a reading was not taken into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The queue is full. What is in it stays: the newest reading is the one refused.
    QueueFull {
        /// Readings it holds.
        limit: usize,
    },
    /// The message would not fit one datagram, or the path is not one.
    TooLarge {
        /// Bytes it may have.
        limit: usize,
    },
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull { limit } => write!(f, "the queue holds {limit} readings already"),
            Self::TooLarge { limit } => write!(f, "the message does not fit {limit} bytes"),
        }
    }
}

impl core::error::Error for SubmitError {}

/// What a board is doing, for a status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No connection.
    Offline,
    /// The shell is connecting.
    Connecting,
    /// Connected.
    Online,
}
