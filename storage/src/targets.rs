//! How far each board of a rollout is: one file a rollout, 64 bytes a board.
//!
//! | at | bytes | header | | at | bytes | row |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | 0 | 8 | `CHTARGET` | | 0 | 1 | 1: this layout |
//! | 8 | 4 | 1: this layout | | 1 | 1 | state |
//! | 12 | 4 | rows in the order of ids | | 2 | 1 | why |
//! | 16 | 48 | zeros | | 3 | 1 | attempt |
//! | | | | | 4 | 2 | group |
//! | | | | | 6 | 1 | bytes of its id |
//! | | | | | 7 | 1 | refusal |
//! | | | | | 8 | 4 | when it changed |
//! | | | | | 12 | 4 | bytes received |
//! | | | | | 16 | 32 | its id |
//! | | | | | 48 | 4 | radio cell, 0 for none |
//! | | | | | 52 | 2 | the outcome's number before |
//! | | | | | 54 | 1 | 1: there is one |
//! | | | | | 55 | 9 | zeros |
//!
//! All numbers are little-endian. Boards that there were when the rollout was made are in order and are
//! found by halving; those that came later are behind them, and known in memory. A row is written into
//! the page cache: it survives the hub's death by whatever signal. What the machine's death takes, boards
//! say again. Invariant: a board has one row.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::rows::ID_MAX;
use crate::store::files::UNFINISHED;
use crate::{BoardId, Chosen, UnixSeconds};

mod target;

pub(crate) use self::target::{PaddedId, padded};
use self::target::{ROW, chunk, decode, encode, encode_waiting, put};
pub use self::target::{Target, TargetState, Why};

const HEAD_LEN: usize = 64;
const HEAD: u64 = 64;
const MAGIC: [u8; 12] = *b"CHTARGET\x01\0\0\0";
/// Rows of one read.
const AT_ONCE: usize = 4096;

/// The open file of a rollout.
#[derive(Debug)]
pub struct Targets {
    file: File,
    /// Rows in the order of ids.
    sorted: u32,
    /// Rows behind them.
    later: Mutex<HashMap<PaddedId, u32>>,
}

impl Targets {
    /// Writes the file of these boards, which are in the order of their ids and each there once, with
    /// their groups; durable on return.
    ///
    /// # Errors
    /// The system's.
    pub fn create(
        path: &Path,
        boards: impl ExactSizeIterator<Item = (Chosen, u16)>,
        now: UnixSeconds,
    ) -> io::Result<Self> {
        let sorted = u32::try_from(boards.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let file = write_anew(path, sorted, |to| {
            for (board, group) in boards {
                to.write_all(&encode_waiting(&board.id, group, now))?;
            }
            Ok(())
        })?;
        Ok(Self { file, sorted, later: Mutex::default() })
    }

    /// Writes the file anew with every board as `change` has it, and opens that; durable on return, and
    /// all or nothing whatever ends the process.
    ///
    /// # Errors
    /// The system's.
    pub fn rewrite(
        &self,
        path: &Path,
        mut change: impl FnMut(Target) -> Target,
    ) -> io::Result<Self> {
        write_anew(path, self.sorted, |to| {
            let mut written = Ok(());
            self.each_while(0, |_, row| {
                let row = decode(row).map_or(*row, |target| encode(&change(target)));
                written = to.write_all(&row);
                written.is_ok()
            })?;
            written
        })?;
        Self::open(path)
    }

    /// Opens the file.
    ///
    /// # Errors
    /// The system's; `InvalidData` for what is no such file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let mut head = [0; HEAD_LEN];
        file.read_exact_at(&mut head, 0)?;
        let length = u32::try_from((file.metadata()?.len() - HEAD) / ROW as u64);
        let length = length.map_err(|_| io::ErrorKind::InvalidData)?;
        let sorted = u32::from_le_bytes(chunk(&head, 12));
        if head.first_chunk() != Some(&MAGIC) || sorted > length {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let targets = Self { file, sorted, later: Mutex::default() };
        let mut later = HashMap::new();
        targets.each_from(sorted, |number, row| {
            later.insert(chunk(row, 16), number);
        })?;
        *targets.later.lock().unwrap_or_else(PoisonError::into_inner) = later;
        Ok(targets)
    }

    /// The board and its row's number.
    ///
    /// # Errors
    /// The system's.
    pub fn find(&self, board: &BoardId) -> io::Result<Option<(u32, Target)>> {
        let wanted = padded(board);
        let later = self.later.lock().unwrap_or_else(PoisonError::into_inner).get(&wanted).copied();
        if let Some(number) = later {
            return Ok(self.read(number)?.map(|target| (number, target)));
        }
        let (mut from, mut to) = (0, self.sorted);
        while from < to {
            let middle = from + (to - from) / 2;
            let row = self.row(middle)?;
            match chunk::<ID_MAX>(&row, 16).cmp(&wanted) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
                std::cmp::Ordering::Equal => {
                    return Ok(decode(&row).map(|target| (middle, target)));
                }
            }
        }
        Ok(None)
    }

    /// The row of this number.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&self, number: u32) -> io::Result<Option<Target>> {
        Ok(decode(&self.row(number)?))
    }

    /// Writes the row of this number.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, number: u32, target: &Target) -> io::Result<()> {
        self.file.write_all_at(&encode(target), offset(number))
    }

    /// Adds a board that is not there.
    ///
    /// # Errors
    /// The system's.
    pub fn add(&self, target: &Target) -> io::Result<u32> {
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = u32::try_from(later.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let number = self.sorted.checked_add(behind).ok_or(io::ErrorKind::FileTooLarge)?;
        self.write(number, target)?;
        later.insert(padded(&target.board), number);
        Ok(number)
    }

    /// How many boards there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        let later = self.later.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.sorted.saturating_add(u32::try_from(later).unwrap_or(u32::MAX))
    }

    /// Gives every board from the row of this number on to `take`, until it says no.
    ///
    /// # Errors
    /// The system's.
    pub fn each(&self, from: u32, mut take: impl FnMut(u32, Target) -> bool) -> io::Result<()> {
        let mut goes_on = true;
        self.each_while(from, |number, row| {
            if let Some(target) = decode(row) {
                goes_on = take(number, target);
            }
            goes_on
        })
    }

    /// What is wrong with the file, in words, where something is: a row that no hub has written, boards out
    /// of order or there twice, a group that there is not.
    ///
    /// # Errors
    /// The system's.
    pub fn problem(&self, groups: usize) -> io::Result<Option<String>> {
        let (mut problem, mut last, mut later) = (None, None, HashSet::new());
        let bytes = self.file.metadata()?.len();
        self.each_while(0, |number, row| {
            let id = chunk::<ID_MAX>(row, 16);
            let what = match decode(row) {
                None => Some(String::from("is none that a hub has written")),
                Some(target) if usize::from(target.group) >= groups => {
                    Some(format!("names group {}, and there are {groups}", target.group))
                }
                Some(_) if number < self.sorted && last.is_some_and(|last| last >= id) => {
                    Some(String::from("is not in the order of ids"))
                }
                Some(_) if number >= self.sorted && !later.insert(id) => {
                    Some(String::from("has a board that another row has"))
                }
                Some(_) => None,
            };
            last = Some(id);
            problem = what.map(|what| format!("row {number} {what}"));
            problem.is_none()
        })?;
        let is_torn = bytes % ROW as u64 != 0;
        Ok(problem.or_else(|| is_torn.then(|| String::from("its last row is not whole"))))
    }

    /// Has the disk take what was written.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn each_from(&self, from: u32, mut take: impl FnMut(u32, &[u8; ROW])) -> io::Result<()> {
        self.each_while(from, |number, row| {
            take(number, row);
            true
        })
    }

    fn each_while(
        &self,
        from: u32,
        mut take: impl FnMut(u32, &[u8; ROW]) -> bool,
    ) -> io::Result<()> {
        let (mut number, mut bytes) = (from, vec![0; ROW * AT_ONCE]);
        loop {
            let read = self.file.read_at(&mut bytes, offset(number))?;
            let (rows, _) = bytes.get(..read).unwrap_or_default().as_chunks::<ROW>();
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                if !take(number, row) {
                    return Ok(());
                }
                number += 1;
            }
        }
    }

    fn row(&self, number: u32) -> io::Result<[u8; ROW]> {
        let mut row = [0; ROW];
        self.file.read_exact_at(&mut row, offset(number))?;
        Ok(row)
    }
}

/// Writes a file of so many rows in order beside `path`, then puts it there.
fn write_anew(
    path: &Path,
    sorted: u32,
    rows: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<File> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&unfinished)?;
    let mut to = BufWriter::with_capacity(ROW * AT_ONCE, &file);
    let mut head = [0; HEAD_LEN];
    put(&mut head, 0, &MAGIC);
    put(&mut head, 12, &sorted.to_le_bytes());
    to.write_all(&head)?;
    rows(&mut to)?;
    to.flush()?;
    drop(to);
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    if let Some(parent) = path.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(file)
}

fn offset(number: u32) -> u64 {
    HEAD + ROW as u64 * u64::from(number)
}

#[cfg(test)]
mod tests;
