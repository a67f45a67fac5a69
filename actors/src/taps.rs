//! Readings shown as they pass, to who looks at a board just then.
//!
//! Invariant: nothing is kept: what nobody looks at costs a look at one number, and who looks and is too
//! slow misses some. A payload goes no further than this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::BoardId;
use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::metrics::MessageOutcome;

/// Readings that wait for a listener who is slow.
const WAITING: usize = 32;

/// Who is looked at.
#[derive(Default)]
pub struct Taps {
    listeners: AtomicUsize,
    boards: Mutex<HashMap<BoardId, Listened>>,
}

struct Listened {
    sender: Sender<Arc<Passing>>,
    listeners: usize,
}

/// A reading that has just passed, or has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passing {
    /// Its CoAP path.
    pub resource: String,
    /// Its Content-Format.
    pub content_format: Option<u16>,
    /// What it says.
    pub payload: Bytes,
    /// What became of it.
    pub outcome: MessageOutcome,
    /// How long that took, from its datagram on.
    pub after: Duration,
}

/// A reading on its way, of a board that is looked at.
pub(crate) struct OnItsWay {
    pub(crate) resource: String,
    pub(crate) content_format: Option<u16>,
    pub(crate) payload: Bytes,
}

/// Somebody who looks at a board.
pub struct Tap {
    taps: Arc<Taps>,
    board: BoardId,
    passing: Receiver<Arc<Passing>>,
}

impl Taps {
    /// Looks at a board from now on.
    #[must_use]
    pub fn listen(self: &Arc<Self>, board: BoardId) -> Tap {
        let mut boards = self.locked();
        let listened = boards
            .entry(board.clone())
            .or_insert_with(|| Listened { sender: broadcast::channel(WAITING).0, listeners: 0 });
        listened.listeners += 1;
        let passing = listened.sender.subscribe();
        self.listeners.fetch_add(1, Ordering::Relaxed);
        drop(boards);
        Tap { taps: Arc::clone(self), board, passing }
    }

    /// Whether anybody looks at this board.
    pub(crate) fn is_looked_at(&self, board: &BoardId) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0 && self.locked().contains_key(board)
    }

    pub(crate) fn passed(
        &self,
        board: &BoardId,
        reading: OnItsWay,
        outcome: MessageOutcome,
        received: Instant,
    ) {
        let OnItsWay { resource, content_format, payload } = reading;
        let after = received.elapsed();
        let passing = Passing { resource, content_format, payload, outcome, after };
        if let Some(listened) = self.locked().get(board) {
            // Nobody is left: nobody sees it.
            let _ = listened.sender.send(Arc::new(passing));
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<BoardId, Listened>> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// The next reading; what was missed is passed over.
    pub async fn next(&mut self) -> Option<Arc<Passing>> {
        loop {
            match self.passing.recv().await {
                Ok(passing) => return Some(passing),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.taps.listeners.fetch_sub(1, Ordering::Relaxed);
        let mut boards = self.taps.locked();
        if let Some(listened) = boards.get_mut(&self.board) {
            listened.listeners = listened.listeners.saturating_sub(1);
            if listened.listeners == 0 {
                boards.remove(&self.board);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_looked_at_while_somebody_does_and_nothing_is_kept() {
        let (taps, board) = (Arc::<Taps>::default(), "CB-1".parse::<BoardId>().unwrap());
        let reading = || OnItsWay {
            resource: "t".into(),
            content_format: None,
            payload: Bytes::from_static(b"warm"),
        };
        let pass = || taps.passed(&board, reading(), MessageOutcome::Accepted, Instant::now());
        pass();
        let mut first = taps.listen(board.clone());
        let second = taps.listen(board.clone());
        assert!(taps.is_looked_at(&board) && !taps.is_looked_at(&"CB-2".parse().unwrap()));
        pass();
        let seen = first.passing.try_recv().unwrap();
        assert_eq!((&*seen.payload, seen.outcome), (&b"warm"[..], MessageOutcome::Accepted));
        assert!(first.passing.try_recv().is_err(), "what passed before was kept");
        drop(first);
        assert!(taps.is_looked_at(&board));
        drop(second);
        assert!(!taps.is_looked_at(&board) && taps.locked().is_empty());
    }
}
