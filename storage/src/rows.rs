//! What lists are made from: one row of 192 bytes a board, in the file `rows` beside the database
//! ([`row`] has the layout). A million boards are filtered, sorted and counted by reading it from end
//! to end, a megabyte at a time; nothing of it stays in memory.
//!
//! Rows are derived from the boards' records, which say where they are: whatever is wrong with the
//! file, it is made anew. When it must be, and when not:
//!
//! | since the last change | rows |
//! | --- | --- |
//! | the store was closed | are believed, whatever happened to the machine |
//! | the hub was killed | are believed, but for those stamped with a flush that did not end: the kernel has what was written, and only what the database had not yet written is lost |
//! | the machine failed | are made anew from the records: the disk may have any of the changes |
//! | the file was copied, or its database put back to another time | are made anew |
//!
//! A row is stamped before its record changes, with the number of the flush that the change waits
//! for, and it keeps its board's id when the board is removed; so every record that may have been
//! set back by a kill is found by its row. Invariant: a stamp is written, the record changed and the
//! row written while [`Rows::change`] is held and no flush begins; a row that was given up is not
//! used again before the flush it waits for.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use bincode::de::Decoder;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};

use self::header::{Header, Place, Standing};
use self::row::{Kind, STAMP_OFFSET, offset_of, rows_in};
use crate::sealed::read_at_most;
use crate::{Board, BoardId, BootId, UnixSeconds};

mod header;
mod row;
mod runs;

pub(crate) use self::header::RowsName;
pub use self::row::StateKind;
pub(crate) use self::row::{
    ID_MAX, LABELS_MAX, ROW_LEN, Row, key_hash, label_hash, short, tenant_hash,
};
pub(crate) use self::runs::Runs;

/// Rows that the file grows by, written out so that a full disk shows here.
const GROW: u32 = 4096;
const GROW_LEN: usize = 4096 * ROW_LEN;
/// Rows that are read at once.
const PIECE: u32 = 5461;
const PIECE_LEN: usize = 5461 * ROW_LEN;

/// A place in the file, below 2^24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub(crate) struct RowNumber(u32);

impl RowNumber {
    /// One more than the largest.
    const MAX: u32 = 1 << 24;

    pub(crate) fn new(number: u32) -> Option<Self> {
        (number < Self::MAX).then_some(Self(number))
    }

    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

impl<C> Decode<C> for RowNumber {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let number = Decode::decode(decoder)?;
        Self::new(number).ok_or(DecodeError::Other("there is no row of this number"))
    }
}

bincode::impl_borrow_decode!(RowNumber);

/// The open file.
pub(crate) struct Rows {
    file: File,
    state: RwLock<State>,
}

struct State {
    /// As it stands in the file.
    header: Header,
    phase: Phase,
    /// Rows that the file has room for.
    room: u32,
    /// Boards that have a row, or are just being given one.
    boards: u32,
    /// Where the search for a free row goes on.
    cursor: u32,
    /// Flushes that had ended when no free row was found.
    searched: Option<u64>,
}

/// How far the rows can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Those of records that name one are being written.
    Reading,
    /// Records without one are being given one.
    Assigning,
    /// They are what lists are made from.
    Ready,
    /// One could not be written.
    Spoilt,
}

/// What of an opened file is believed.
#[derive(Debug)]
pub(crate) enum Past {
    /// All of it but these rows.
    Known(Vec<RowNumber>),
    /// Nothing; boards that had a row in it, as far as it said so.
    Lost(Option<u32>),
}

/// Who opens a file, and what the database knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) name: Option<RowsName>,
    pub(crate) boot: BootId,
    /// The last flush that is known to have ended.
    pub(crate) acknowledged: u64,
    /// Flushes that the database counted.
    pub(crate) flushes: u64,
    /// What to call a file that is made anew.
    pub(crate) new_name: RowsName,
}

impl Rows {
    /// Opens the file at `path`, made with mode 0600 when it is missing; one that is not believed
    /// is emptied, and called [`Opening::new_name`].
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(path: &Path, opening: &Opening) -> io::Result<(Self, Past)> {
        let mut how = File::options();
        let how = how.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = how.open(path)?;
        let place = Place::of(&file, opening.boot)?;
        let found = Header::read(&file)?.filter(|header| opening.name == Some(header.name));
        let is_same = |header: &Header| header.place == place;
        match found {
            Some(header) if header.standing == Standing::Closed => {
                let since = opening.flushes.checked_sub(header.flushes);
                if since == Some(0) || (is_same(&header) && since.is_some()) {
                    let header = Header { place, flushes: opening.flushes, ..header };
                    header.write(&file)?;
                    let room = rows_in(file.metadata()?.len()).min(RowNumber::MAX);
                    let state = State::new(header, Phase::Ready, room, header.boards);
                    return Ok((Self { file, state: RwLock::new(state) }, Past::Known(Vec::new())));
                }
            }
            Some(header) if header.standing == Standing::InUse && is_same(&header) => {
                let room = rows_in(file.metadata()?.len()).min(RowNumber::MAX);
                let state = RwLock::new(State::new(header, Phase::Ready, room, 0));
                let rows = Self { file, state };
                let suspects = rows.survey(opening.acknowledged)?;
                return Ok((rows, Past::Known(suspects)));
            }
            Some(_) | None => {}
        }
        let before = found.filter(|header| header.standing == Standing::Closed);
        file.set_len(0)?;
        let (standing, name) = (Standing::Incomplete, opening.new_name);
        let header = Header { standing, name, place, flushes: 0, boards: 0 };
        header.write(&file)?;
        let state = RwLock::new(State::new(header, Phase::Reading, 0, 0));
        Ok((Self { file, state }, Past::Lost(before.map(|header| header.boards))))
    }

    /// What the database has to call it.
    pub(crate) fn name(&self) -> RowsName {
        self.read_state(|state| state.header.name)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.read_state(|state| state.phase)
    }

    /// Whether a row was changed since the file was closed.
    pub(crate) fn is_changed(&self) -> bool {
        self.read_state(|state| state.header.standing == Standing::InUse)
    }

    /// How many boards have a row.
    pub(crate) fn boards(&self) -> u32 {
        self.read_state(|state| state.boards)
    }

    /// Gives every row that is not empty to `take`, some thousands of one moment at a time; what
    /// changes meanwhile may be seen or not.
    ///
    /// # Errors
    /// The system's, as `unread` understands them, and `take`'s.
    fn each<E>(
        &self,
        unread: impl Fn(io::Error) -> E,
        mut take: impl FnMut(RowNumber, Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut piece = vec![0; PIECE_LEN];
        let mut first = 0;
        loop {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let count = state.room.saturating_sub(first).min(PIECE);
            if count == 0 {
                return Ok(());
            }
            read_at_most(&self.file, &mut piece, offset_of(first)).map_err(&unread)?;
            drop(state);
            for (number, bytes) in (first..first + count).zip(piece.chunks_exact(ROW_LEN)) {
                let Ok(bytes) = bytes.try_into() else { continue };
                let row = Row(bytes);
                if row.kind() != Kind::Empty {
                    take(RowNumber(number), row)?;
                }
            }
            first += count;
        }
    }

    /// Gives every board's row to `take`, as [`Rows::each`] does.
    ///
    /// # Errors
    /// As [`Rows::each`].
    pub(crate) fn each_board<E>(
        &self,
        unread: impl Fn(io::Error) -> E,
        mut take: impl FnMut(StateKind, Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each(unread, |_, row| match row.kind() {
            Kind::Board(state) => take(state, row),
            Kind::Empty | Kind::Claimed | Kind::Freed => Ok(()),
        })
    }

    /// Gives the number and the board of every row that is in use to `take`, as [`Rows::each`] does.
    ///
    /// # Errors
    /// As [`Rows::each`].
    pub(crate) fn each_numbered<E>(
        &self,
        unread: impl Fn(io::Error) -> E,
        mut take: impl FnMut(RowNumber, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each(unread, |number, row| match row.kind() {
            Kind::Claimed | Kind::Board(_) => take(number, row.id()),
            Kind::Empty | Kind::Freed => Ok(()),
        })
    }

    /// Gives the row to `look` while nobody changes it or its record.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn look<T>(
        &self,
        number: RowNumber,
        look: impl FnOnce(Row<'_>) -> T,
    ) -> io::Result<T> {
        let _state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Ok(look(Row(&row_at(&self.file, number)?)))
    }

    /// Takes the rows for a change of boards' records; whoever reads waits meanwhile.
    pub(crate) fn change(&self) -> Changing<'_> {
        // Whoever panicked with it has left rows that the next start finds by their stamps.
        let state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        Changing { file: &self.file, state }
    }

    /// Notes that the disk has every row, so that they are believed after any boot, until the next
    /// change. `flushes` is what the database counts.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn close(&self, flushes: u64) -> io::Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.phase != Phase::Ready {
            return Ok(());
        }
        let is_changed = state.header.standing != Standing::Closed;
        if is_changed {
            self.file.sync_all()?;
        }
        let header =
            Header { standing: Standing::Closed, flushes, boards: state.boards, ..state.header };
        header.write(&self.file)?;
        if is_changed {
            self.file.sync_all()?;
        }
        state.header = header;
        Ok(())
    }

    /// Finds the rows that wait for a flush which did not end, and counts the boards in the others.
    fn survey(&self, acknowledged: u64) -> io::Result<Vec<RowNumber>> {
        let (mut boards, mut suspects) = (0, Vec::new());
        self.each(std::convert::identity, |number, row| {
            match row.stamp() > acknowledged {
                true => suspects.push(number),
                false => boards += u32::from(matches!(row.kind(), Kind::Claimed | Kind::Board(_))),
            }
            Ok(())
        })?;
        self.change().state.boards = boards;
        Ok(suspects)
    }

    fn read_state<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    const fn new(header: Header, phase: Phase, room: u32, boards: u32) -> Self {
        Self { header, phase, room, boards, cursor: 0, searched: None }
    }
}

/// The rows, held by somebody who changes boards.
pub(crate) struct Changing<'a> {
    file: &'a File,
    state: RwLockWriteGuard<'a, State>,
}

impl Changing<'_> {
    /// Notes that this row's record is about to change, and that the change waits for this flush.
    pub(crate) fn stamp(&mut self, number: RowNumber, stamp: u64) -> io::Result<()> {
        self.begin()?;
        self.put(number, STAMP_OFFSET, &stamp.to_le_bytes())
    }

    /// A row for a board that is about to be added; none while it is not known which are free.
    /// `ended` is the last flush that has ended.
    pub(crate) fn claim(
        &mut self,
        id: &BoardId,
        stamp: u64,
        ended: u64,
    ) -> io::Result<Option<RowNumber>> {
        if !matches!(self.state.phase, Phase::Ready | Phase::Assigning) {
            return Ok(None);
        }
        self.begin()?;
        let number = self.free_row(ended)?;
        self.put(number, 0, &row::named(Kind::Claimed, id, stamp))?;
        self.state.boards += 1;
        self.state.cursor = number.0 + 1;
        Ok(Some(number))
    }

    /// Writes a board's row, but for what it says of its firmware.
    pub(crate) fn write(&mut self, number: RowNumber, board: &Board, stamp: u64) -> io::Result<()> {
        self.put(number, 0, &row::encode(board, stamp))
    }

    /// Writes a board's row whole, where there may have been none.
    pub(crate) fn write_anew(
        &mut self,
        number: RowNumber,
        board: &Board,
        runs: Option<Runs>,
    ) -> io::Result<()> {
        self.put(number, 0, &row::whole(board, runs))
    }

    /// Gives up the row of a board that is gone, which it goes on naming.
    pub(crate) fn free(&mut self, number: RowNumber, id: &BoardId, stamp: u64) -> io::Result<()> {
        self.put(number, 0, &row::named(Kind::Freed, id, stamp))?;
        self.state.boards = self.state.boards.saturating_sub(1);
        Ok(())
    }

    /// Writes a row that was not counted: its record may have been set back.
    pub(crate) fn repair(
        &mut self,
        number: RowNumber,
        id: &BoardId,
        board: Option<&Board>,
        stamp: u64,
    ) -> io::Result<()> {
        match board {
            Some(board) => {
                self.write(number, board, stamp)?;
                self.state.boards += 1;
                Ok(())
            }
            None => self.put(number, 0, &row::named(Kind::Freed, id, stamp)),
        }
    }

    /// Writes when the row's board was heard.
    pub(crate) fn mark_seen(
        &mut self,
        number: RowNumber,
        first: Option<UnixSeconds>,
        last: Option<UnixSeconds>,
    ) -> io::Result<()> {
        self.begin()?;
        self.put(number, row::SEEN_OFFSET, &row::seen(first, last))
    }

    /// Writes what the row's board runs.
    pub(crate) fn mark_runs(&mut self, number: RowNumber, runs: Runs) -> io::Result<()> {
        self.begin()?;
        self.put(number, row::RUNS_OFFSET, &runs.encode())
    }

    /// The board that the row names; nothing where none ever was in it.
    pub(crate) fn named(&self, number: RowNumber) -> io::Result<Option<Vec<u8>>> {
        let bytes = row_at(self.file, number)?;
        Ok((Row(&bytes).kind() != Kind::Empty).then(|| Row(&bytes).id().to_vec()))
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state.phase
    }

    /// All records that name a row have it: what is free is known.
    pub(crate) fn has_read(&mut self) -> io::Result<()> {
        let room = rows_in(self.file.metadata()?.len());
        let mut boards = 0;
        let mut bytes = vec![0; PIECE_LEN];
        for first in (0..room).step_by(PIECE as usize) {
            read_at_most(self.file, &mut bytes, offset_of(first))?;
            let rows = bytes.chunks_exact(ROW_LEN).filter_map(|row| row.try_into().ok());
            let rows = rows.filter(|row| matches!(Row(row).kind(), Kind::Board(_)));
            boards += u32::try_from(rows.count()).unwrap_or(0);
        }
        (self.state.room, self.state.boards, self.state.phase) = (room, boards, Phase::Assigning);
        Ok(())
    }

    /// Every record has its row: lists may be made.
    pub(crate) fn is_complete(&mut self) -> io::Result<()> {
        self.write_header(Standing::InUse)?;
        self.state.phase = Phase::Ready;
        Ok(())
    }

    /// A row could not be written: no list is made from this file any more.
    pub(crate) fn spoil(&mut self) {
        self.state.phase = Phase::Spoilt;
        // The disk that took no row may take no header; then the stamps tell.
        let _ = self.write_header(Standing::Incomplete);
    }

    /// The disk knows that rows change before it has the first that did.
    fn begin(&mut self) -> io::Result<()> {
        if self.state.header.standing == Standing::Closed {
            self.write_header(Standing::InUse)?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    fn write_header(&mut self, standing: Standing) -> io::Result<()> {
        let header = Header { standing, ..self.state.header };
        header.write(self.file)?;
        self.state.header = header;
        Ok(())
    }

    fn put(&self, number: RowNumber, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset_of(number.0) + at)
    }

    /// Searches where the last search ended, and grows the file where none is free; but for a file
    /// full of rows that wait for a flush, which is searched once for each.
    fn free_row(&mut self, ended: u64) -> io::Result<RowNumber> {
        let state = &mut *self.state;
        if state.boards < state.room && state.searched != Some(ended) {
            for (from, to) in [(state.cursor, state.room), (0, state.cursor.min(state.room))] {
                if let Some(free) = find_free(self.file, from, to, ended)? {
                    return Ok(free);
                }
            }
            state.searched = Some(ended);
        }
        let first = state.room;
        if first >= RowNumber::MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(&vec![0; GROW_LEN], offset_of(first))?;
        state.room = first.saturating_add(GROW).min(RowNumber::MAX);
        state.searched = None;
        Ok(RowNumber(first))
    }
}

fn find_free(file: &File, from: u32, to: u32, ended: u64) -> io::Result<Option<RowNumber>> {
    // Most often the next one is free.
    let (mut first, mut count) = (from, 16_u32);
    let mut bytes = Vec::new();
    while first < to {
        bytes.resize(ROW_LEN * count as usize, 0);
        read_at_most(file, &mut bytes, offset_of(first))?;
        for (number, row) in (first..to).zip(bytes.chunks_exact(ROW_LEN)) {
            let Ok(row) = row.try_into() else { continue };
            let is_free = match Row(row).kind() {
                Kind::Empty => true,
                Kind::Freed => Row(row).stamp() <= ended,
                Kind::Claimed | Kind::Board(_) => false,
            };
            if is_free {
                return Ok(Some(RowNumber(number)));
            }
        }
        first = first.saturating_add(count);
        count = PIECE;
    }
    Ok(None)
}

fn row_at(file: &File, number: RowNumber) -> io::Result<[u8; ROW_LEN]> {
    let mut bytes = [0; ROW_LEN];
    read_at_most(file, &mut bytes, offset_of(number.0))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
