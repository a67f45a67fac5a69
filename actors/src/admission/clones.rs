//! Whether there are two of what there is one of: two devices with one certificate, or a certificate
//! that a board has given up and somebody still has the key of.
//!
//! A device remembers its last session and offers that to resume. So whoever offers, in a full handshake,
//! the session before the last has not seen the last one begin, or has lost it. That happens to one
//! device: its last flight was lost, or its memory. But then it cannot, in the handshake after that, offer
//! the very session that it had not seen. Two devices that take turns do so each time. A board that
//! offers nothing, or what is older, tells nothing; an address never does.
//!
//! Invariant: what is noted here comes of handshakes whose key was proved; memory is bounded, and what is
//! forgotten (a restart of the hub, too many boards) delays what is found, and finds nothing that is not.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::{BoardId, Fingerprint, UnixSeconds};

/// Handshakes in a row that offer the session before the last. One may be an accident, two cannot be
/// of one memory; the third is for a memory that has two halves.
const TURNS: u8 = 3;
/// Boards that are remembered, twice: those of lately, and those before.
const LATELY_MAX: usize = 32_768;

/// The first half of a session's id, which the hub has made.
pub type SessionMark = [u8; 16];

/// What handshakes of boards have left to be compared with.
#[derive(Default)]
pub(super) struct Clones {
    hasher: RandomState,
    boards: Mutex<Boards>,
}

#[derive(Default)]
struct Boards {
    lately: HashMap<u64, Seen>,
    before: HashMap<u64, Seen>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    last: Option<SessionMark>,
    before_last: Option<SessionMark>,
    turns: u8,
    given_up: Option<(Fingerprint, UnixSeconds)>,
}

impl Clones {
    /// The board has shaken hands in full, offered this session to resume, and been given that. Whether
    /// there are two of it.
    pub(super) fn are_two(
        &self,
        board: &BoardId,
        offered: Option<&SessionMark>,
        given: Option<&SessionMark>,
    ) -> bool {
        self.change(board, |seen| {
            let is_a_turn = offered.is_some() && offered == seen.before_last.as_ref();
            seen.turns = if is_a_turn { seen.turns.saturating_add(1) } else { 0 };
            (seen.before_last, seen.last) = (seen.last, given.copied());
            seen.turns >= TURNS
        })
    }

    /// The board uses another certificate from now on, in place of this one.
    pub(super) fn gave_up(&self, board: &BoardId, certificate: Fingerprint, now: UnixSeconds) {
        self.change(board, |seen| seen.given_up = Some((certificate, now)));
    }

    /// When the board gave up this certificate, if it did.
    pub(super) fn given_up(
        &self,
        board: &BoardId,
        certificate: &Fingerprint,
    ) -> Option<UnixSeconds> {
        let tag = self.hasher.hash_one(board);
        let boards = self.locked();
        let seen = boards.lately.get(&tag).or_else(|| boards.before.get(&tag))?;
        seen.given_up.filter(|(given_up, _)| given_up == certificate).map(|(_, at)| at)
    }

    /// Nothing of the board is remembered.
    pub(super) fn forget(&self, board: &BoardId) {
        self.change(board, |seen| *seen = Seen::default());
    }

    fn change<T>(&self, board: &BoardId, change: impl FnOnce(&mut Seen) -> T) -> T {
        let tag = self.hasher.hash_one(board);
        let mut boards = self.locked();
        if boards.lately.len() >= LATELY_MAX && !boards.lately.contains_key(&tag) {
            boards.before = std::mem::take(&mut boards.lately);
        }
        let known = boards.before.get(&tag).copied().unwrap_or_default();
        change(boards.lately.entry(tag).or_insert(known))
    }

    fn locked(&self) -> MutexGuard<'_, Boards> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A device with one memory, which may miss what it is given and forget what it had.
    #[derive(Clone, Default)]
    struct Device {
        memory: Option<SessionMark>,
        /// What it wrote down at some time, and finds again after a restart.
        kept: Option<SessionMark>,
    }

    struct World {
        clones: Clones,
        board: BoardId,
        next: u8,
    }

    impl World {
        fn new() -> Self {
            Self { clones: Clones::default(), board: "CB-1".parse().unwrap(), next: 0 }
        }

        /// A full handshake, of which the device sees the end or does not.
        fn shake(&mut self, device: &mut Device, arrives: bool) -> bool {
            self.next += 1;
            let given = [self.next; 16];
            let offered = device.memory;
            if arrives {
                device.memory = Some(given);
            }
            self.clones.are_two(&self.board, offered.as_ref(), Some(&given))
        }
    }

    #[test]
    fn two_devices_that_take_turns_are_found() {
        let (mut world, mut one) = (World::new(), Device::default());
        world.shake(&mut one, true);
        let mut other = one.clone();
        assert!(!world.shake(&mut other, true));
        let found = (0..4).find(|_| world.shake(&mut one, true) || world.shake(&mut other, true));
        assert_eq!(found, Some(1));
    }

    #[test]
    fn a_certificate_is_given_up_by_its_own_board_and_for_as_long_as_nobody_forgets() {
        let (clones, now) = (Clones::default(), UnixSeconds(9));
        let (one, other): (BoardId, BoardId) = ("CB-1".parse().unwrap(), "CB-2".parse().unwrap());
        let certificate = Fingerprint([1; 32]);
        clones.gave_up(&one, certificate, now);
        assert_eq!(clones.given_up(&one, &certificate), Some(now));
        assert_eq!(clones.given_up(&other, &certificate), None);
        assert_eq!(clones.given_up(&one, &Fingerprint([2; 32])), None);
        clones.forget(&one);
        assert_eq!(clones.given_up(&one, &certificate), None);
    }

    #[test]
    fn memory_is_bounded_and_what_was_seen_lately_is_kept() {
        let clones = Clones::default();
        let board = |number: usize| format!("CB-{number}").parse::<BoardId>().unwrap();
        for number in 0..3 * LATELY_MAX {
            clones.gave_up(&board(number), Fingerprint([1; 32]), UnixSeconds(1));
        }
        let boards = clones.locked();
        assert!(boards.lately.len() <= LATELY_MAX && boards.before.len() <= LATELY_MAX);
        drop(boards);
        let last = board(3 * LATELY_MAX - 1);
        assert!(clones.given_up(&last, &Fingerprint([1; 32])).is_some());
        assert!(clones.given_up(&board(0), &Fingerprint([1; 32])).is_none());
    }

    proptest! {
        /// Whatever the network loses, and however often it restarts with what it had written down.
        #[test]
        fn one_device_is_never_two(what in prop::collection::vec(0..5_u8, 0..200)) {
            let (mut world, mut device) = (World::new(), Device::default());
            for what in what {
                match what {
                    0 => device.kept = device.memory,
                    1 => device.memory = device.kept,
                    2 => device.memory = None,
                    3 => prop_assert!(!world.shake(&mut device, false)),
                    _ => prop_assert!(!world.shake(&mut device, true)),
                }
            }
        }
    }
}
