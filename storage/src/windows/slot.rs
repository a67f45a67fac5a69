//! One slot: what a session has written there, and which bytes that is.
//!
//! The top bit of "one past the newest sequence read" is set while the session is unproven.

use bincode::{Decode, Encode};

use super::header::HEADER_LEN;

/// Bytes of a slot.
pub(super) const SLOT_LEN: usize = 32;
const LEN: u64 = 32;
/// Marks a slot whose reads are not to be believed; sequences have 48 bits.
const UNPROVEN: u64 = 1 << 63;

/// Where the slot with this number begins.
pub(super) fn offset_of(number: u32) -> u64 {
    HEADER_LEN + LEN * u64::from(number)
}

/// How many slots a file of this length has.
pub(super) const fn slots_in(file_len: u64) -> u64 {
    file_len.saturating_sub(HEADER_LEN) / LEN
}

/// A place in the file; below 2^24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Slot(pub(super) u32);

impl Slot {
    /// One more than the largest.
    pub const MAX: u32 = 1 << 24;

    /// The slot with this number, if there can be one.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number < Self::MAX).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn key(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_key(key: &[u8]) -> Option<Self> {
        key.try_into().ok().map(u32::from_be_bytes).and_then(Self::new)
    }

    pub(super) fn offset(self) -> u64 {
        offset_of(self.0)
    }
}

/// The contents of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The session's generation; 0 in a free slot.
    pub generation: u32,
    /// One past the newest sequence read; 0 before the first.
    pub next: u64,
    /// Bit `n` stands for the sequence `next - 1 - n`.
    pub received: u64,
    /// The first write sequence that is not reserved: none from here on was ever used.
    pub write_limit: u64,
    /// What of this is to be believed.
    pub trust: Trust,
}

/// What of a slot is what its session last knew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// All of it.
    #[default]
    Yes,
    /// How far write sequences are reserved. What was read is a lower bound: the machine failed,
    /// and the board has not shown since where it stands.
    Writes,
    /// Nothing: the machine failed since it was written.
    No,
}

impl Window {
    /// The slot's bytes, written in `epoch`.
    pub(super) fn encode(&self, epoch: u32) -> [u8; SLOT_LEN] {
        let mut bytes = [0; SLOT_LEN];
        let unproven = match self.trust {
            Trust::Yes => 0,
            Trust::Writes | Trust::No => UNPROVEN,
        };
        let numbers = [self.next | unproven, self.received, self.write_limit];
        let fields = self.generation.to_le_bytes().into_iter().chain(epoch.to_le_bytes());
        let fields = fields.chain(numbers.into_iter().flat_map(u64::to_le_bytes));
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    /// What a slot's bytes say, and the epoch they were written in.
    pub(super) fn decode(bytes: &[u8]) -> (u32, Self) {
        let number = |from: usize, len: usize| {
            let field = bytes.get(from..from + len).unwrap_or_default();
            field.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte))
        };
        let short = |from| u32::try_from(number(from, 4)).unwrap_or(0);
        let next = number(8, 8);
        let window = Self {
            generation: short(0),
            next: next & !UNPROVEN,
            trust: if next & UNPROVEN == 0 { Trust::Yes } else { Trust::Writes },
            received: number(16, 8),
            write_limit: number(24, 8),
        };
        (short(4), window)
    }
}
