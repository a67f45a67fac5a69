//! A suspicious client's memory: every nonce the hub used, and what was sent to it and answered, to
//! be sent again after a crash. Invariant: only what was sent once and answered is replayed, so
//! that the hub has certainly taken it before.

use std::collections::{HashSet, VecDeque};

use super::chance::Chance;
use super::nonces::Nonces;

/// Answered datagrams that are kept.
const KEPT: usize = 4096;

/// What was seen of the boards' traffic.
#[derive(Debug, Default)]
pub struct Witness {
    nonces: Vec<Nonces>,
    /// The last datagram of each board, while it was its request's only one.
    only: Vec<Vec<u8>>,
    answered: VecDeque<Answered>,
    replayed: HashSet<(u32, u16)>,
    /// What must not be.
    pub breaches: Breaches,
}

/// What must not be, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaches {
    /// Nonces the hub used twice under one key.
    pub nonces: u64,
    /// Replayed datagrams the hub answered.
    pub replays: u64,
    /// Records for a board that its key does not open.
    pub unopened: u64,
}

/// A datagram that was sent once, and answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Whose.
    pub board: u32,
    message_id: u16,
    /// Its bytes.
    pub datagram: Vec<u8>,
}

fn entry<T: Default>(of: &mut Vec<T>, board: u32) -> Option<&mut T> {
    let at = usize::try_from(board).ok()?;
    if of.len() <= at {
        of.resize_with(at + 1, T::default);
    }
    of.get_mut(at)
}

impl Witness {
    /// A nonce of the hub's for this board.
    pub fn note(&mut self, board: u32, nonce: u64) {
        if let Some(nonces) = entry(&mut self.nonces, board)
            && !nonces.note(nonce)
        {
            self.breaches.nonces += 1;
        }
    }

    /// A datagram of the board's request left; `count` is 1 for its first.
    pub fn sent(&mut self, board: u32, count: u16, datagram: &[u8]) {
        let Some(only) = entry(&mut self.only, board) else { return };
        only.clear();
        if count == 1 {
            only.extend_from_slice(datagram);
        }
    }

    /// The board's request was answered.
    pub fn answered(&mut self, board: u32, message_id: u16) {
        let Some(only) = entry(&mut self.only, board) else { return };
        if only.is_empty() {
            return;
        }
        let datagram = std::mem::take(only);
        if self.answered.len() >= KEPT {
            self.answered.pop_front();
        }
        self.answered.push_back(Answered { board, message_id, datagram });
    }

    /// An answer came that nobody waits for.
    pub fn unasked(&mut self, board: u32, message_id: u16) {
        if self.replayed.contains(&(board, message_id)) {
            self.breaches.replays += 1;
        }
    }

    /// What to replay now: the newest `newest` and as many from all that are kept.
    pub fn replay(&mut self, newest: usize, chance: &mut Chance) -> Vec<Answered> {
        let mut chosen: Vec<_> = self.answered.iter().rev().take(newest).cloned().collect();
        for _ in 0..newest {
            chosen.extend(self.answered.get(chance.below(self.answered.len())).cloned());
        }
        self.replayed = chosen.iter().map(|sent| (sent.board, sent.message_id)).collect();
        chosen
    }
}
