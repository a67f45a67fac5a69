//! Which message ids were seen, and what became of them (RFC 7252 sections 4.5 and 5.2.2).
//! A request that is being delivered is an [`Open`] exchange. Answered ones are remembered for the
//! exchange lifetime as runs: neighbouring ids with the same answer in the same slice of time are
//! one entry of 16 bytes, so a board that counts its ids up costs 64 entries at any rate.
//! Invariant: nothing is forgotten early; when the memory is full, new requests are refused.

use std::collections::VecDeque;

use super::Millis;
use super::message::{Block, Message, MessageId, Token};

/// Names one delivery of an endpoint until its outcome comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub(super) u32);

/// Most entries an endpoint holds, answered and open together.
pub(super) const ENTRIES_MAX: usize = 1024;

/// Slices of the exchange lifetime; ids are forgotten a slice at a time, up to one slice late.
const SLICES: u64 = 64;

/// Entries at the back that are tried for a new neighbour.
const NEIGHBOURS: usize = 4;

/// What a message id seen before is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Being delivered, the ACK will carry the answer: stay silent.
    Awaited,
    /// An empty ACK went: say it again.
    Acknowledged,
    /// Done: the same answer.
    Answered(Remembered),
}

/// As much of an answer as is needed to give it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) code: u8,
    /// Max-Age in seconds; 0 for none.
    pub(super) max_age_s: u16,
}

/// A request handed to the shell.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) exchange: ExchangeId,
    pub(super) id: MessageId,
    pub(super) token: Token,
    /// The final block of an upload, for its answer to name.
    pub(super) block1: Option<Block>,
    pub(super) remember_until: Millis,
    pub(super) stage: Stage,
    /// What its answer has to know, where it is for one of the hub's own resources.
    pub(super) served: Option<Box<Served>>,
}

/// A request for one of the hub's own resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) local: usize,
    pub(super) format: u16,
    /// The block that is asked for.
    pub(super) block2: Option<Block>,
    /// A GET, whose repetition is asked anew.
    pub(super) safe: bool,
    /// For how long the answer is kept.
    pub(super) keep_ms: Millis,
    /// Max-Age of what a repetition is told after that.
    pub(super) retry_after_s: u32,
}

/// How far an open exchange has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// CON: the answer rides on the ACK unless this moment comes first.
    Fresh { acknowledge_by: Millis },
    /// CON: an empty ACK went, a separate response will follow.
    Acknowledged,
    /// NON: answered by a NON.
    Unconfirmed,
    /// The separate response is out, until the board's ACK or RST.
    Responding(Box<Response>),
}

/// A separate response and its retransmission (section 4.2).
#[derive(Debug)]
pub(super) struct Response {
    pub(super) id: MessageId,
    pub(super) bytes: Vec<u8>,
    pub(super) again_at: Millis,
    pub(super) wait_ms: Millis,
    pub(super) attempts_left: u8,
}

impl Open {
    pub(super) fn due(&self) -> Millis {
        match &self.stage {
            Stage::Fresh { acknowledge_by } => self.remember_until.min(*acknowledge_by),
            Stage::Acknowledged | Stage::Unconfirmed => self.remember_until,
            Stage::Responding(response) => self.remember_until.min(response.again_at),
        }
    }

    pub(super) fn is_awaiting_outcome(&self) -> bool {
        !matches!(self.stage, Stage::Responding(_))
    }
}

#[derive(Debug)]
struct Run {
    expires: Millis,
    first: MessageId,
    len: u16,
    max_age_s: u16,
    code: u8,
}

impl Run {
    fn contains(&self, id: MessageId) -> bool {
        id.wrapping_sub(self.first) < self.len
    }

    /// Takes the id in when it stands right before or behind.
    fn join(&mut self, id: MessageId) -> bool {
        let Some(longer) = self.len.checked_add(1) else { return false };
        if id == self.first.wrapping_sub(1) {
            self.first = id;
        } else if id != self.first.wrapping_add(self.len) {
            return false;
        }
        self.len = longer;
        true
    }
}

/// The exchanges of one endpoint. Holds no heap when nothing is open or remembered.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    answered: VecDeque<Run>,
    pub(super) open: Vec<Open>,
}

impl Exchanges {
    /// None when the id is new.
    pub(super) fn seen(&self, now: Millis, message: &Message<'_>) -> Option<Seen> {
        if let Some(open) =
            self.open.iter().find(|open| open.id == message.id && open.remember_until > now)
        {
            return Some(match open.stage {
                Stage::Fresh { .. } | Stage::Unconfirmed => Seen::Awaited,
                Stage::Acknowledged | Stage::Responding(_) => Seen::Acknowledged,
            });
        }
        let run = self.answered.iter().rev().find(|run| run.contains(message.id));
        run.filter(|run| run.expires > now)
            .map(|run| Seen::Answered(Remembered { code: run.code, max_age_s: run.max_age_s }))
    }

    /// Whether one more id could not be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.answered.len() + self.open.len() >= ENTRIES_MAX
    }

    /// Until when an id that arrives now is remembered: its lifetime, rounded up to a slice.
    pub(super) fn remember_until(now: Millis, lifetime_ms: Millis) -> Millis {
        let slice = (lifetime_ms / SLICES).max(1);
        now.saturating_add(lifetime_ms).div_ceil(slice).saturating_mul(slice)
    }

    pub(super) fn remember(&mut self, id: MessageId, expires: Millis, answer: Remembered) {
        let Remembered { code, max_age_s } = answer;
        let joined = self.answered.iter_mut().rev().take(NEIGHBOURS).any(|run| {
            let alike = (run.expires, run.code, run.max_age_s) == (expires, code, max_age_s);
            alike && run.join(id)
        });
        if !joined {
            if self.answered.capacity() == 0 {
                self.answered.reserve_exact(1);
            }
            self.answered.push_back(Run { expires, first: id, len: 1, max_age_s, code });
        }
    }

    pub(super) fn open(&mut self, open: Open) {
        if self.open.capacity() == 0 {
            self.open.reserve_exact(1);
        }
        self.open.push(open);
    }

    /// Ends an exchange; the last one takes the buffer with it.
    pub(super) fn close(&mut self, index: usize) -> Option<Open> {
        if index >= self.open.len() {
            return None;
        }
        let open = self.open.swap_remove(index);
        if self.open.is_empty() {
            self.open = Vec::new();
        }
        Some(open)
    }

    /// Forgets what has outlived its lifetime.
    pub(super) fn forget(&mut self, now: Millis) {
        if self.answered.len() + self.open.len() >= ENTRIES_MAX {
            self.answered.retain(|run| run.expires > now);
        }
        while self.answered.front().is_some_and(|run| run.expires <= now) {
            self.answered.pop_front();
        }
        if self.answered.is_empty() {
            self.answered = VecDeque::new();
        } else if self.answered.capacity() > 8 * self.answered.len().max(4) {
            self.answered.shrink_to(2 * self.answered.len());
        }
    }

    /// When the last answered id may be forgotten.
    pub(super) fn forgotten_at(&self) -> Option<Millis> {
        self.answered.iter().map(|run| run.expires).max()
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        let responses = self.open.iter().map(|open| match &open.stage {
            Stage::Responding(response) => size_of::<Response>() + response.bytes.capacity(),
            Stage::Fresh { .. } | Stage::Acknowledged | Stage::Unconfirmed => 0,
        });
        let served = self.open.iter().filter(|open| open.served.is_some()).count();
        self.answered.capacity() * size_of::<Run>()
            + served * size_of::<Served>()
            + self.open.capacity() * size_of::<Open>()
            + responses.sum::<usize>()
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.answered.len() + self.open.len()
    }
}
