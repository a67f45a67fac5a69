//! Boards' histories: one file, `files/history`, [`SLOT_LEN`] bytes a board at the place that its row
//! has among rows ([`super::slot`] has the layout).
//!
//! Places of boards that nothing happened to are holes and cost no disk; nothing of it stays in
//! memory. What is written survives the hub's death by whatever signal; what the machine's death takes
//! is lost, and a slot that it tore is empty. The file begins with 4096 bytes of which 8 name it.
//! Invariant: nobody reads a slot that is half written.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use super::BoardHistory;
use super::slot::{self, Owner, SLOT_LEN, SlotBytes};
use crate::Board;
use crate::rows::RowNumber;
use crate::sealed::read_at_most;

const MAGIC: [u8; 8] = *b"hubhis\0\x01";
const HEADER_LEN: u64 = 4096;
const SLOT_BYTES: u64 = 672;
/// Slots that are read at once where all are.
const PIECE: u32 = 1560;
const PIECE_LEN: usize = 1560 * SLOT_LEN;

/// The open file.
pub(crate) struct Histories(RwLock<File>);

impl Histories {
    /// Opens the file at `path`, made with mode 0600 when it is missing.
    ///
    /// # Errors
    /// The system's; `InvalidData` when the file is none of ours.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut how = File::options();
        let how = how.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = how.open(path)?;
        let mut magic = [0; 8];
        read_at_most(&file, &mut magic, 0)?;
        match magic {
            MAGIC => {}
            // New, or the machine failed while it was made.
            [0, 0, 0, 0, 0, 0, 0, 0] => file.write_all_at(&MAGIC, 0)?,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(Self(RwLock::new(file)))
    }

    /// What happened to the board that has this row.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read(&self, row: RowNumber, board: &Board) -> io::Result<Option<BoardHistory>> {
        let file = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(slot::decode(&read_slot(&file, row)?, Owner::of(board), &board.id))
    }

    /// Adds what happened to the board that has this row.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn add(&self, row: RowNumber, board: &Board, later: BoardHistory) -> io::Result<()> {
        let (file, owner) =
            (self.0.write().unwrap_or_else(PoisonError::into_inner), Owner::of(board));
        let known = slot::decode(&read_slot(&file, row)?, owner, &board.id);
        let mut history = known.unwrap_or_else(|| BoardHistory::new(board.id.clone()));
        history.add(later);
        file.write_all_at(&slot::encode(owner, &history), offset_of(row))
    }

    /// Forgets what happened to the board that had this row.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn clear(&self, row: RowNumber) -> io::Result<()> {
        let file = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match slot::is_empty(&read_slot(&file, row)?) {
            true => Ok(()),
            false => file.write_all_at(&[0; SLOT_LEN], offset_of(row)),
        }
    }

    /// Writes a slot as it was in a backup.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn put(&self, row: RowNumber, slot: &SlotBytes) -> io::Result<()> {
        let file = self.0.write().unwrap_or_else(PoisonError::into_inner);
        file.write_all_at(slot, offset_of(row))
    }

    /// Gives every slot that is not empty to `take`.
    ///
    /// # Errors
    /// The system's, as `unread` understands them, and `take`'s.
    pub(crate) fn each<E>(
        &self,
        unread: impl Fn(io::Error) -> E,
        mut take: impl FnMut(RowNumber, &SlotBytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut piece, mut first) = (vec![0; PIECE_LEN], 0);
        while let Some(begin) = RowNumber::new(first) {
            let file = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let length = file.metadata().map_err(&unread)?.len();
            if length <= offset_of(begin) {
                break;
            }
            read_at_most(&file, &mut piece, offset_of(begin)).map_err(&unread)?;
            drop(file);
            let (slots, _) = piece.as_chunks::<SLOT_LEN>();
            for (number, slot) in (first..).zip(slots).filter(|(_, slot)| !slot::is_empty(slot)) {
                if let Some(row) = RowNumber::new(number) {
                    take(row, slot)?;
                }
            }
            first += PIECE;
        }
        Ok(())
    }

    /// Has the disk take what was written.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).sync_all()
    }
}

fn read_slot(file: &File, row: RowNumber) -> io::Result<SlotBytes> {
    let mut slot = [0; SLOT_LEN];
    read_at_most(file, &mut slot, offset_of(row))?;
    Ok(slot)
}

fn offset_of(row: RowNumber) -> u64 {
    HEADER_LEN + SLOT_BYTES * u64::from(row.number())
}
