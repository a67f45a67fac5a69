//! The sessions' sealed records: one file beside the database, 512 bytes a session, by slot.
//!
//! A record is no longer than a sector and begins where one begins, so no disk tears it; and it is
//! sealed for its slot, so that one that is torn, spoilt or another slot's does not open. Such a
//! session is lost, and its board shakes hands again.
//!
//! | bytes | slot |
//! | --- | --- |
//! | 2 | length of what follows, little-endian; 0: no session |
//! | n | the record, sealed for `sessions` and the slot's number |
//! | rest | zeros |
//!
//! The file begins with 4096 bytes of which 8 name it; behind its end there is no session.
//! Invariant: room for a record is written out before its slot is given to anybody, so that a full
//! disk shows there and not at a record.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::{KeyId, Keyring, SEAL_OVERHEAD, SealError, Slot};
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"hubses\0\x01";
const HEADER_LEN: u64 = 4096;
const SLOT_LEN: usize = 512;
const SLOT_BYTES: u64 = 512;
const LENGTH_LEN: usize = 2;
/// Slots that the file grows by.
const GROW: u32 = 1024;
const GROW_LEN: usize = 1024 * SLOT_LEN;
/// Slots that are read at once where all are.
const SCAN: u32 = 256;
const SCAN_LEN: usize = 256 * SLOT_LEN;

/// Bytes of the longest record before it is sealed.
pub(crate) const RECORD_MAX: usize = SLOT_LEN - LENGTH_LEN - SEAL_OVERHEAD;

/// The name that records are sealed for, beside their slot.
const PLACE: &[u8] = b"sessions";

/// The open file.
pub(crate) struct SealedFile {
    file: File,
    keyring: Keyring,
    /// Slots that the file has room for; held while it grows.
    room: Mutex<u32>,
    is_new: bool,
}

/// Why a record was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealedError {
    /// The system refused.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The record does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl SealedFile {
    /// Opens the file at `path`, made with mode 0600 when it is missing.
    ///
    /// # Errors
    /// The system's; `InvalidData` when the file is none of ours.
    pub(crate) fn open(path: &Path, keyring: Keyring) -> io::Result<Self> {
        let mut how = File::options();
        let how = how.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = how.open(path)?;
        let magic = head(&file)?;
        // Zeros: the machine failed while the file was made.
        let is_new = magic == [0; 8];
        if !is_new && magic != MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if is_new {
            let mut header = MAGIC.to_vec();
            header.resize(SLOT_LEN, 0);
            file.write_all_at(&header, 0)?;
            file.sync_all()?;
        }
        let room = Mutex::new(room(&file)?);
        Ok(Self { file, keyring, room, is_new })
    }

    /// Whether there was no such file.
    pub(crate) const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Makes room for the record of this slot.
    ///
    /// # Errors
    /// The system's, `StorageFull` among them.
    pub(crate) fn make_room(&self, slot: Slot) -> io::Result<()> {
        // Whoever panicked with it had written too much or nothing.
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        while *room <= slot.number() {
            self.file.write_all_at(&vec![0; GROW_LEN], offset_of(*room))?;
            *room = room.saturating_add(GROW);
        }
        Ok(())
    }

    /// The record in this slot; `None` where there is none.
    ///
    /// # Errors
    /// [`SealedError`]; any bytes give a record or an error.
    pub(crate) fn read(&self, slot: Slot) -> Result<Option<Zeroizing<Vec<u8>>>, SealedError> {
        let mut bytes = [0; SLOT_LEN];
        read_at_most(&self.file, &mut bytes, offset_of(slot.number()))?;
        self.open_slot(slot, &bytes).map_err(SealedError::from)
    }

    /// Writes the record of this slot, in place of whatever is there; on return it survives the
    /// hub's end, and after [`SealedFile::sync`] the machine's.
    ///
    /// # Errors
    /// [`SealedError`]; a record longer than [`RECORD_MAX`] is `InvalidInput`.
    pub(crate) fn write(&self, slot: Slot, record: &[u8]) -> Result<(), SealedError> {
        let sealed = self.keyring.seal(&[PLACE, &slot.key()], record)?;
        let mut bytes = [0; SLOT_LEN];
        let (length, body) = bytes.split_at_mut(LENGTH_LEN);
        let (Some(body), Ok(count)) = (body.get_mut(..sealed.len()), u16::try_from(sealed.len()))
        else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        };
        body.copy_from_slice(&sealed);
        length.copy_from_slice(&count.to_le_bytes());
        Ok(self.file.write_all_at(&bytes, offset_of(slot.number()))?)
    }

    /// Marks the slot as having no session, and wipes its record.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn remove(&self, slot: Slot) -> io::Result<()> {
        self.file.write_all_at(&[0; SLOT_LEN], offset_of(slot.number()))
    }

    /// Some slots from number `first` on whose records are under another key than the current one, and
    /// the number to go on from; `None` at the end.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn under_older_keys(&self, first: u32) -> io::Result<(Vec<Slot>, Option<u32>)> {
        let room = room(&self.file)?;
        let current = self.keyring.current();
        let mut chunk = vec![0; SCAN_LEN];
        read_at_most(&self.file, &mut chunk, offset_of(first))?;
        let older =
            (first..room).zip(chunk.chunks_exact(SLOT_LEN)).filter_map(|(number, bytes)| {
                let sealed = sealed_in(bytes).ok().flatten()?;
                let is_older = Keyring::key_of(sealed).is_ok_and(|key| key != current);
                Slot::new(number).filter(|_| is_older)
            });
        let older = older.collect();
        Ok((older, first.checked_add(SCAN).filter(|next| *next < room)))
    }

    /// Returns when the disk has everything written so far.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives every slot that is not empty to `take`, with its record or why that does not open.
    ///
    /// # Errors
    /// The system's, as `unread` understands them, and `take`'s.
    pub(crate) fn each<E>(
        &self,
        unread: impl Fn(io::Error) -> E,
        mut take: impl FnMut(Slot, Result<Zeroizing<Vec<u8>>, SealError>) -> Result<(), E>,
    ) -> Result<(), E> {
        each_slot(&self.file, unread, |slot, bytes| match self.open_slot(slot, bytes) {
            Ok(Some(record)) => take(slot, Ok(record)),
            Ok(None) => Ok(()),
            Err(error) => take(slot, Err(error)),
        })
    }

    fn open_slot(&self, slot: Slot, bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
        let Some(sealed) = sealed_in(bytes)? else { return Ok(None) };
        self.keyring.open(&[PLACE, &slot.key()], sealed).map(Some)
    }
}

/// Looks at every record of the file at `path` that can be seen to be one, without the keys: gives
/// the slot, the record's length, and the key it is sealed under or what is wrong with its form.
///
/// # Errors
/// The system's; `InvalidData` when the file is none of ours.
pub(crate) fn survey(
    path: &Path,
    mut take: impl FnMut(Slot, usize, Result<KeyId, SealError>),
) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if ![MAGIC, [0; 8]].contains(&head(&file)?) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    each_slot(&file, std::convert::identity, |slot, bytes| {
        match sealed_in(bytes) {
            Ok(Some(sealed)) => take(slot, sealed.len(), Keyring::key_of(sealed)),
            Ok(None) => {}
            Err(error) => take(slot, 0, Err(error)),
        }
        Ok(())
    })
}

/// The sealed bytes in a slot's; `None` in an empty one.
fn sealed_in(bytes: &[u8]) -> Result<Option<&[u8]>, SealError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_LEN>() else { return Ok(None) };
    match usize::from(u16::from_le_bytes(*length)) {
        0 => Ok(None),
        length => rest.get(..length).map(Some).ok_or(SealError::TooShort { bytes: rest.len() }),
    }
}

fn each_slot<E>(
    file: &File,
    unread: impl Fn(io::Error) -> E,
    mut take: impl FnMut(Slot, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let room = room(file).map_err(&unread)?;
    let mut chunk = vec![0; SCAN_LEN];
    let mut first = 0;
    while first < room {
        read_at_most(file, &mut chunk, offset_of(first)).map_err(&unread)?;
        for (number, bytes) in (first..room).zip(chunk.chunks_exact(SLOT_LEN)) {
            if let Some(slot) = Slot::new(number) {
                take(slot, bytes)?;
            }
        }
        first = first.saturating_add(SCAN);
    }
    Ok(())
}

fn head(file: &File) -> io::Result<[u8; 8]> {
    let mut magic = [0; 8];
    read_at_most(file, &mut magic, 0)?;
    Ok(magic)
}

/// Whole slots of the file; what a torn growth left of one is grown over.
fn room(file: &File) -> io::Result<u32> {
    let slots = file.metadata()?.len().saturating_sub(HEADER_LEN) / SLOT_BYTES;
    Ok(u32::try_from(slots).unwrap_or(Slot::MAX).min(Slot::MAX))
}

/// Reads up to the file's end; zeros stand for what is behind it.
pub(crate) fn read_at_most(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => {
                rest.fill(0);
                return Ok(());
            }
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn offset_of(number: u32) -> u64 {
    HEADER_LEN + SLOT_BYTES * u64::from(number)
}

#[cfg(test)]
mod tests;
