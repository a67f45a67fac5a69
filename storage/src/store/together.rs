//! One flush for all who wait for one: whoever comes while one is under way waits for the next,
//! which is for all of them. A thousand writers cost the disk as many flushes as it can do, not a
//! thousand.

use std::sync::{Condvar, Mutex, PoisonError};

use crate::{Store, StoreError};

/// Who waits for which flush.
#[derive(Default)]
pub(crate) struct Together {
    turns: Mutex<Turns>,
    changed: Condvar,
}

#[derive(Default)]
struct Turns {
    is_under_way: bool,
    /// Flushes that began.
    begun: u64,
    /// The last that ended well.
    done: u64,
    /// The last that ended.
    ended: u64,
}

impl Store {
    /// Like [`Store::flush`], shared with whoever else waits at the time.
    pub fn flush_together(&self) -> Result<(), StoreError> {
        let together = &self.inner.together;
        let mut turns = together.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is under way may have begun before what this caller wrote.
        let wanted = turns.begun + 1;
        while turns.is_under_way && turns.begun < wanted {
            turns = together.changed.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        if turns.begun < wanted {
            turns.begun = wanted;
            turns.is_under_way = true;
            drop(turns);
            let flushed = self.flush();
            let mut turns = together.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.is_under_way = false;
            turns.ended = wanted;
            if flushed.is_ok() {
                turns.done = wanted;
            }
            together.changed.notify_all();
            return flushed;
        }
        while turns.ended < wanted {
            turns = together.changed.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        match turns.done >= wanted {
            true => Ok(()),
            // Somebody else's flush failed: its words are that caller's, ours come from our own.
            false => {
                drop(turns);
                self.flush()
            }
        }
    }
}
