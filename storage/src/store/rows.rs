//! The boards' rows ([`crate::rows`]), kept in step with their records.
//!
//! Invariant: whoever changes what a row says of a board does so inside [`Inner::with_rows`],
//! [`Boards::mark_seen`](super::boards::Boards::mark_seen) apart, whose times may be lost.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use serde::Serialize;

use super::building::Building;
use super::open::Opened;
use super::{Inner, Store};
use crate::rows::{Changing, Opening, Past, Phase, RowNumber, Rows, RowsName};
use crate::{BoardId, BootId, StoreError};

/// Its name in the store's folder.
pub(crate) const FILE: &str = "rows";
/// In `meta`: what the database calls the file.
pub(crate) const NAME_KEY: &[u8] = b"rows";

/// Where boards' rows are; none while it is not known which are free.
pub(super) type Places = BTreeMap<BoardId, Option<RowNumber>>;

/// Whether boards can be listed, searched and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum RowsState {
    /// They can.
    Ready,
    /// What lists are made from is being made anew from the records.
    Building {
        /// Records read so far; each may be read twice.
        read: u64,
        /// How many there were when the store was last closed, where that is known.
        boards: Option<u32>,
    },
    /// Not before the store is opened anew.
    Failed,
}

impl Store {
    /// Whether boards can be listed; they can be found and changed in any case.
    #[must_use]
    pub fn rows_state(&self) -> RowsState {
        self.inner.rows_state()
    }
}

/// What [`open`] found.
pub(super) struct OpenedRows {
    pub(super) rows: Rows,
    pub(super) past: Past,
}

/// Opens the rows' file of this database.
pub(super) fn open(opened: &Opened, dir: &Path) -> Result<OpenedRows, StoreError> {
    let path = dir.join(FILE);
    let unusable = |source| StoreError::Unusable { dir: path.clone(), source };
    let name = opened.meta.get(NAME_KEY)?;
    let mut new_name = RowsName::default();
    getrandom::fill(&mut new_name)
        .map_err(|error| unusable(io::Error::other(error.to_string())))?;
    let opening = Opening {
        name: name.and_then(|name| RowsName::try_from(&*name).ok()),
        // Where the kernel has no name for this boot, a file in use is of another.
        boot: BootId::of_this_boot().unwrap_or(BootId(new_name)),
        acknowledged: opened.acknowledged,
        flushes: opened.count,
        new_name,
    };
    let (rows, past) = Rows::open(&path, &opening).map_err(unusable)?;
    if opening.name != Some(rows.name()) {
        opened.meta.insert(NAME_KEY, &rows.name())?;
    }
    Ok(OpenedRows { rows, past })
}

/// Has the rows say what the records say, where they may not; long work goes on in the background
/// until what is returned is dropped.
pub(super) fn repair(inner: &Arc<Inner>, past: Past) -> Result<Option<Building>, StoreError> {
    match past {
        Past::Known(suspects) => {
            for row in suspects {
                inner.repair_row(row)?;
            }
            Ok(None)
        }
        Past::Lost(_) => Building::begin(inner),
    }
}

impl Inner {
    pub(crate) fn rows_state(&self) -> RowsState {
        match self.rows.phase() {
            Phase::Ready => RowsState::Ready,
            Phase::Reading | Phase::Assigning => RowsState::Building {
                read: self.records_read.load(Ordering::Relaxed),
                boards: self.boards_before,
            },
            Phase::Spoilt => RowsState::Failed,
        }
    }

    /// Runs `change`, which may change the records of these boards and of no others and gives them
    /// the places it is given, and has their rows follow. The writer's lock is held.
    pub(super) fn with_rows<'b, T>(
        &self,
        boards: impl IntoIterator<Item = &'b BoardId>,
        change: impl FnOnce(&Places) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut rows = self.rows.change();
        // No flush begins before the rows are written: what it makes durable is then all or nothing.
        let flushes = self.count.read().unwrap_or_else(PoisonError::into_inner);
        let (stamp, ended) = (*flushes + 1, self.flushed.load(Ordering::Acquire));
        let mut places = Places::new();
        for id in boards {
            if places.contains_key(id) {
                continue;
            }
            let known = self.board_record(id.as_str().as_bytes())?.and_then(|record| record.row);
            let place = match known {
                Some(row) => rows.stamp(row, stamp).map(|()| Some(row)),
                None => rows.claim(id, stamp, ended),
            };
            let place = place.map_err(|source| self.spoil(&mut rows, source))?;
            places.insert(id.clone(), place);
        }
        let changed = change(&places);
        for (id, row) in &places {
            if let Some(row) = row {
                self.follow(&mut rows, *row, id, stamp)?;
            }
        }
        changed
    }

    /// Gives the row a record's words, or gives it up, and the board's history with it, where none has it.
    fn follow(
        &self,
        rows: &mut Changing<'_>,
        row: RowNumber,
        id: &BoardId,
        stamp: u64,
    ) -> Result<(), StoreError> {
        let record = self.board_record(id.as_str().as_bytes())?;
        let written = match record.filter(|record| record.row == Some(row)) {
            Some(record) => rows.write(row, &record.board, stamp),
            // Before another board can have the row.
            None => self.histories.clear(row).and_then(|()| rows.free(row, id, stamp)),
        };
        written.map_err(|source| self.spoil(rows, source))
    }

    /// Looks again at a row whose record may have been set back.
    fn repair_row(&self, row: RowNumber) -> Result<(), StoreError> {
        let mut rows = self.rows.change();
        let named = rows.named(row).map_err(|source| self.spoil(&mut rows, source))?;
        let Some(id) = named.and_then(|id| crate::record::parse_utf8(&id).ok()) else {
            return Ok(());
        };
        let record = self.board_record(id.as_str().as_bytes())?;
        let board = record.filter(|record| record.row == Some(row)).map(|record| record.board);
        let cleared = if board.is_none() { self.histories.clear(row) } else { Ok(()) };
        let flushed = self.flushed.load(Ordering::Acquire);
        let repaired = cleared.and_then(|()| rows.repair(row, &id, board.as_ref(), flushed));
        repaired.map_err(|source| self.spoil(&mut rows, source))
    }

    /// The store fails: a row could not be written.
    pub(super) fn spoil(&self, rows: &mut Changing<'_>, source: io::Error) -> StoreError {
        rows.spoil();
        self.health.not_durable(source)
    }

    pub(crate) fn unread_rows(&self) -> impl Fn(io::Error) -> StoreError {
        let dir = self.dir.join(FILE);
        move |source| StoreError::Unusable { dir: dir.clone(), source }
    }

    /// Notes that all is written: the next start believes the rows.
    pub(super) fn close_rows(&self) -> Result<(), StoreError> {
        if self.rows.is_changed() {
            self.flush()?;
        }
        let count = *self.count.read().unwrap_or_else(PoisonError::into_inner);
        self.rows.close(count).map_err(self.unread_rows())
    }

    /// The index that rows took the place of; not flushed.
    pub(super) fn drop_older_index(&self) -> Result<(), StoreError> {
        self.health.contain(|| self.db.drop_tree("boards/tenant")).map(drop)
    }
}
