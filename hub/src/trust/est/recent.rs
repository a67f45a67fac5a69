//! What was issued lately: whoever asks again with the same key, because the answer was lost, gets
//! the same certificate, so that the one the hub knows is the one the board has.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::{BoardId, Fingerprint, UnixSeconds};

/// Certificates that are remembered; a thousand bytes each.
const MOST: usize = 4096;
/// For how long, seconds.
const LASTS: u64 = 15 * 60;
/// Boards are sorted by chance into so many; two of one sort wait for each other.
const SORTS: usize = 1024;

/// Certificates issued lately, and who may issue one for a board now.
pub(super) struct Recent {
    turns: Vec<Mutex<()>>,
    hash: RandomState,
    issued: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    of: HashMap<BoardId, Entry>,
    order: VecDeque<(BoardId, Fingerprint)>,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: [u8; 32],
    pub(super) fingerprint: Fingerprint,
    pub(super) replaced: Option<Fingerprint>,
    pub(super) der: Vec<u8>,
    pub(super) at: UnixSeconds,
}

impl Recent {
    pub(super) fn new() -> Self {
        let turns = (0..SORTS).map(|_| Mutex::default()).collect();
        Self { turns, hash: RandomState::new(), issued: Mutex::default() }
    }

    /// Waits until nobody else has a certificate made for this board.
    pub(super) fn turn(&self, board: &BoardId) -> Option<MutexGuard<'_, ()>> {
        let sort = usize::try_from(self.hash.hash_one(board) % SORTS as u64).unwrap_or_default();
        self.turns.get(sort).map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the board was given for this key a moment ago.
    pub(super) fn find(&self, board: &BoardId, key: &[u8; 32], now: UnixSeconds) -> Option<Entry> {
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = issued.of.get(board)?;
        let is_it = entry.key == *key && now.0.saturating_sub(entry.at.0) <= LASTS;
        is_it.then(|| entry.clone())
    }

    pub(super) fn put(&self, board: BoardId, entry: Entry) {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.order.push_back((board.clone(), entry.fingerprint));
        issued.of.insert(board, entry);
        while issued.order.len() > MOST {
            let Some((oldest, fingerprint)) = issued.order.pop_front() else { break };
            if issued.of.get(&oldest).is_some_and(|entry| entry.fingerprint == fingerprint) {
                issued.of.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8, at: u64) -> Entry {
        let (fingerprint, at) = (Fingerprint([n; 32]), UnixSeconds(at));
        Entry { key: [n; 32], fingerprint, replaced: None, der: vec![n], at }
    }

    #[test]
    fn the_same_key_finds_its_certificate_for_a_while_and_another_key_none() {
        let recent = Recent::new();
        let board: BoardId = "CB-1".parse().unwrap();
        recent.put(board.clone(), entry(1, 100));
        let found = |key, now| recent.find(&board, &[key; 32], UnixSeconds(now)).map(|e| e.der);
        assert_eq!(found(1, 100 + LASTS), Some(vec![1]));
        assert_eq!(found(2, 100), None);
        assert_eq!(found(1, 101 + LASTS), None);
        recent.put(board.clone(), entry(2, 200));
        assert_eq!((found(1, 200), found(2, 200)), (None, Some(vec![2])));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let recent = Recent::new();
        for n in 0..=MOST {
            recent.put(format!("CB-{n}").parse().unwrap(), entry(1, 1));
        }
        assert!(recent.find(&"CB-0".parse().unwrap(), &[1; 32], UnixSeconds(1)).is_none());
        assert!(recent.find(&"CB-1".parse().unwrap(), &[1; 32], UnixSeconds(1)).is_some());
    }
}
