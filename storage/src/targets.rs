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

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::rows::ID_MAX;
use crate::store::files::UNFINISHED;
use crate::{BoardId, Chosen, UnixSeconds};

const ROW: usize = 64;
const HEAD_LEN: usize = 64;
const HEAD: u64 = 64;
const MAGIC: [u8; 12] = *b"CHTARGET\x01\0\0\0";
/// Rows of one read.
const AT_ONCE: usize = 4096;

/// A board's id with zeros behind it, which no id has in it.
pub(crate) type PaddedId = [u8; ID_MAX];

/// A board of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The board.
    pub board: BoardId,
    /// Its group, from 0.
    pub group: u16,
    /// How far it is.
    pub state: TargetState,
    /// Why it is no further.
    pub why: Why,
    /// What the board or its bootloader said of the image, as `firmware/image` numbers it.
    pub refusal: u8,
    /// The offer's number.
    pub attempt: u8,
    /// When that began.
    pub changed: UnixSeconds,
    /// Bytes of the image that it has.
    pub received: u32,
    /// The radio cell that it was in last.
    pub cell: Option<u32>,
    /// The number of its bootloader's outcome before the offer.
    pub outcome: Option<u16>,
}

/// How far a board is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// It was not offered anything yet.
    #[default]
    Waiting,
    /// It was offered the release.
    Offered,
    /// It fetches it.
    Fetching,
    /// It waits for something of its own.
    Held,
    /// It has all of it, and restarts.
    Restarting,
    /// The release runs and has yet to prove itself.
    OnTrial,
    /// The release runs.
    Succeeded,
    /// It does not run the release.
    Failed,
    /// The release is not for it.
    Skipped,
}

/// Why a board is no further.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Nothing hinders it.
    #[default]
    Nothing,
    /// Its battery is too low.
    Battery,
    /// Its signal is too weak.
    Signal,
    /// Its product will not be disturbed.
    Product,
    /// What it fetched is not what was offered, or may not run there.
    Refused,
    /// Its bootloader did not take the image.
    RefusedAtStart,
    /// The image did not prove itself, and the one before was put back.
    Reverted,
    /// It has begun and is silent.
    Lost,
    /// It is another product.
    OtherProduct,
    /// It is another revision of the hardware.
    OtherHardware,
    /// What runs there is newer.
    Newer,
    /// The release's security counter is below what may run there.
    Rollback,
    /// It is gone, or does not fit the filter any more.
    Gone,
    /// What must run before does not.
    NeedsOther,
}

impl TargetState {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Offered,
        Self::Fetching,
        Self::Held,
        Self::Restarting,
        Self::OnTrial,
        Self::Succeeded,
        Self::Failed,
        Self::Skipped,
    ];

    /// Its place in [`TargetState::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// Whether nothing more comes of it by itself.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }

    /// Whether it has begun and not come to an end.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        !self.is_end() && !matches!(self, Self::Waiting)
    }
}

impl Why {
    const ALL: [Self; 14] = [
        Self::Nothing,
        Self::Battery,
        Self::Signal,
        Self::Product,
        Self::Refused,
        Self::RefusedAtStart,
        Self::Reverted,
        Self::Lost,
        Self::OtherProduct,
        Self::OtherHardware,
        Self::Newer,
        Self::Rollback,
        Self::Gone,
        Self::NeedsOther,
    ];

    /// In words, behind the board's name; empty for nothing.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Battery => "its battery is too low",
            Self::Signal => "its signal is too weak",
            Self::Product => "its product will not be disturbed now",
            Self::Refused => "it did not take what it fetched",
            Self::RefusedAtStart => "its bootloader did not take the image",
            Self::Reverted => "the image did not prove itself and the one before was put back",
            Self::Lost => "it has begun and was not heard since",
            Self::OtherProduct => "it is another product",
            Self::OtherHardware => "the release is not for its hardware",
            Self::Newer => "what runs there is newer",
            Self::Rollback => "the release's security counter is below what may run there",
            Self::Gone => "it is gone, or does not fit the filter any more",
            Self::NeedsOther => "the release needs a newer version to be there before",
        }
    }
}

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

impl Target {
    /// A board that nothing was offered to yet.
    #[must_use]
    pub fn waiting(board: BoardId, group: u16, now: UnixSeconds) -> Self {
        Self {
            board,
            group,
            state: TargetState::Waiting,
            why: Why::Nothing,
            refusal: 0,
            attempt: 0,
            changed: now,
            received: 0,
            cell: None,
            outcome: None,
        }
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

/// The row of a board that nothing was offered to yet.
fn encode_waiting(id: &PaddedId, group: u16, now: UnixSeconds) -> [u8; ROW] {
    let length = id.iter().position(|byte| *byte == 0).unwrap_or(id.len());
    let mut row = [0; ROW];
    put(&mut row, 0, &[1]);
    put(&mut row, 4, &group.to_le_bytes());
    put(&mut row, 6, &[u8::try_from(length).unwrap_or(0)]);
    put(&mut row, 8, &u32::try_from(now.0).unwrap_or(u32::MAX).to_le_bytes());
    put(&mut row, 16, id);
    row
}

fn offset(number: u32) -> u64 {
    HEAD + ROW as u64 * u64::from(number)
}

pub(crate) fn padded(board: &BoardId) -> PaddedId {
    let mut id = [0; ID_MAX];
    put(&mut id, 0, board.as_str().as_bytes());
    id
}

fn encode(target: &Target) -> [u8; ROW] {
    let mut row = [0; ROW];
    let why = Why::ALL.iter().position(|why| *why == target.why).unwrap_or(0);
    let byte = |number: usize| u8::try_from(number).unwrap_or(0);
    let id = target.board.as_str().as_bytes();
    put(&mut row, 0, &[1, byte(target.state.place()), byte(why), target.attempt]);
    put(&mut row, 4, &target.group.to_le_bytes());
    put(&mut row, 6, &[byte(id.len()), target.refusal]);
    put(&mut row, 8, &u32::try_from(target.changed.0).unwrap_or(u32::MAX).to_le_bytes());
    put(&mut row, 12, &target.received.to_le_bytes());
    put(&mut row, 16, id);
    put(&mut row, 48, &target.cell.unwrap_or(0).to_le_bytes());
    put(&mut row, 52, &target.outcome.unwrap_or(0).to_le_bytes());
    put(&mut row, 54, &[u8::from(target.outcome.is_some())]);
    row
}

/// The board of a row; none for a row that no hub of this version has written.
fn decode(row: &[u8; ROW]) -> Option<Target> {
    let &[layout, state, why, attempt, _, _, length, refusal, ..] = row;
    if layout != 1 {
        return None;
    }
    let id = row.get(16..16 + usize::from(length).min(ID_MAX))?;
    let has_outcome = chunk::<1>(row, 54) == [1];
    Some(Target {
        board: std::str::from_utf8(id).ok()?.parse().ok()?,
        group: u16::from_le_bytes(chunk(row, 4)),
        state: TargetState::ALL.get(usize::from(state)).copied()?,
        why: Why::ALL.get(usize::from(why)).copied()?,
        refusal,
        attempt,
        changed: UnixSeconds(u32::from_le_bytes(chunk(row, 8)).into()),
        received: u32::from_le_bytes(chunk(row, 12)),
        cell: Some(u32::from_le_bytes(chunk(row, 48))).filter(|cell| *cell != 0),
        outcome: has_outcome.then(|| u16::from_le_bytes(chunk(row, 52))),
    })
}

fn chunk<const N: usize>(row: &[u8], at: usize) -> [u8; N] {
    row.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn put(row: &mut [u8], at: usize, bytes: &[u8]) {
    let place = row.get_mut(at..).unwrap_or_default();
    place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests;
