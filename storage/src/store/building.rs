//! Makes the boards' rows anew from their records.
//!
//! Twice through the records: first those that name a row get it, then it is known which are free,
//! and the others are given one. A store of some thousands is done when it is open; a larger one goes
//! on in a thread that works half of the time. Invariant: boards are found, changed, added and removed
//! meanwhile as ever; only lists wait.

use std::ops::Bound;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Inner;
use crate::board::BoardRecord;
use crate::record::decode;
use crate::rows::{Changing, Phase, RowNumber, Runs};
use crate::{BoardFirmware, StoreError};

/// Records of one step; whoever changes boards or reads rows waits for one.
const STEP: usize = 256;
/// Steps before the store is open: 20,000 boards, twice.
const AT_ONCE: usize = 160;

/// The thread that makes rows; it ends when this is dropped.
pub(super) struct Building {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Building {
    /// Begins, and ends at once where there is little to do.
    pub(super) fn begin(inner: &Arc<Inner>) -> Result<Option<Self>, StoreError> {
        let mut builder = Builder::default();
        for _ in 0..AT_ONCE {
            if builder.step(inner)? {
                return Ok(None);
            }
        }
        let stop = Arc::new(Stop::default());
        let (stopped, building) = (Arc::clone(&stop), Arc::clone(inner));
        let work = move || {
            loop {
                let began = Instant::now();
                // What goes wrong fails the store, which tells of it.
                if builder.step(&building).unwrap_or(true) || stopped.within(began.elapsed()) {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name(String::from("rows")).spawn(work);
        let thread = thread.map_err(inner.unread_rows())?;
        Ok(Some(Self { stop, thread: Some(thread) }))
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        self.stop.now();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Default)]
struct Stop {
    is_wanted: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn now(&self) {
        *self.is_wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits, and says whether the end was wanted by then.
    fn within(&self, time: Duration) -> bool {
        let is_wanted = self.is_wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(is_wanted, time, |is_wanted| !*is_wanted);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How far it has come.
#[derive(Default)]
struct Builder {
    /// The last record that was looked at.
    after: Option<Vec<u8>>,
}

impl Builder {
    /// Goes on with a few records and says whether the rows are complete.
    fn step(&mut self, inner: &Inner) -> Result<bool, StoreError> {
        let mut rows = inner.rows.change();
        let from = self.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut records = Vec::with_capacity(STEP);
        for entry in inner.boards.range((from, Bound::Unbounded)).take(STEP) {
            records.push(entry?);
        }
        for (key, record) in &records {
            // One that cannot be read is in no list; `store check` names it.
            let Ok(record) = decode::<BoardRecord>(record) else { continue };
            match rows.phase() {
                Phase::Reading => read(inner, &mut rows, key, &record)?,
                Phase::Assigning => assign(inner, &mut rows, &record)?,
                Phase::Ready | Phase::Spoilt => return Ok(true),
            }
        }
        inner.records_read.fetch_add(records.len() as u64, Ordering::Relaxed);
        if let (STEP, Some((key, _))) = (records.len(), records.last()) {
            self.after = Some(key.to_vec());
            return Ok(false);
        }
        self.after = None;
        if rows.phase() == Phase::Reading {
            return rows
                .has_read()
                .map(|()| false)
                .map_err(|source| inner.spoil(&mut rows, source));
        }
        drop(rows);
        inner.drop_older_index()?;
        // A row is believed after a kill: the record that names it must be there.
        inner.flush()?;
        let mut rows = inner.rows.change();
        rows.is_complete().map(|()| true).map_err(|source| inner.spoil(&mut rows, source))
    }
}

/// Gives the row that the record names its words; one that another board has already is not this
/// one's.
fn read(
    inner: &Inner,
    rows: &mut Changing<'_>,
    key: &[u8],
    record: &BoardRecord,
) -> Result<(), StoreError> {
    let Some(row) = record.row else { return Ok(()) };
    let named = rows.named(row).map_err(|source| inner.spoil(rows, source))?;
    if named.is_some_and(|named| named != key) {
        return inner.update(&record.board.id, |record| record.row = None);
    }
    write(inner, rows, row, record)
}

/// Gives a board that has none a row.
fn assign(inner: &Inner, rows: &mut Changing<'_>, record: &BoardRecord) -> Result<(), StoreError> {
    if record.row.is_some() {
        return Ok(());
    }
    let ended = inner.flushed.load(Ordering::Acquire);
    let claimed = rows.claim(&record.board.id, 0, ended);
    let Some(row) = claimed.map_err(|source| inner.spoil(rows, source))? else { return Ok(()) };
    inner.update(&record.board.id, |record| record.row = Some(row))?;
    write(inner, rows, row, record)
}

/// Writes a board's row, with what the board said last of its firmware.
fn write(
    inner: &Inner,
    rows: &mut Changing<'_>,
    row: RowNumber,
    record: &BoardRecord,
) -> Result<(), StoreError> {
    let key = record.board.id.as_str().as_bytes();
    // One that cannot be read is found by `store check`; the board says it again.
    let said = inner.keyed.board_firmware.get(key)?;
    let said = said.and_then(|said| decode::<BoardFirmware>(&said).ok());
    let written = rows.write_anew(row, &record.board, said.as_ref().map(Runs::of));
    written.map_err(|source| inner.spoil(rows, source))
}
