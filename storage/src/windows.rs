//! What changes with every record of a session: its replay window and how far its write sequences
//! are reserved. One file beside the database, 32 bytes a session.
//!
//! A slot is rewritten in place before a record has any effect. That is one write into the page
//! cache and no wait for the disk: it survives the hub's death by whatever signal, at under half a
//! microsecond. What it does not survive is the machine's death. So the file says which boot of the
//! machine wrote it and whether it was closed cleanly; after a power failure every slot written
//! before is untrusted ([`Trust::No`]) until its session writes it again.
//!
//! | bytes | header | | bytes | slot |
//! | --- | --- | --- | --- | --- |
//! | 8 | magic and version | | 4 | generation; 0: free |
//! | 4 | epoch: one more after each power failure | | 4 | epoch it was written in |
//! | 4 | the newest epoch that is untrusted | | 8 | one past the newest sequence read |
//! | 16 | boot id | | 8 | which of the 64 before it were read |
//! | 1 | 1: closed cleanly | | 8 | the first write sequence not reserved |
//!
//! The top bit of "one past the newest" is set while the session is unproven ([`Trust::Writes`]).
//!
//! All numbers are little-endian; the first slot is at byte 4096.
//! Invariant: a slot has one [`Lease`] at a time, and none is given out while a session owns it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bits::Bits;

mod bits;

const MAGIC: [u8; 8] = *b"hubwnd\0\x01";
const HEADER: u64 = 4096;
const SLOT: u64 = 32;
const SLOT_LEN: usize = 32;
/// Slots that the file grows by, written out so that a full disk shows here and not at a record.
const GROW: u32 = 4096;
const GROW_LEN: usize = 4096;
/// Marks a slot whose reads are not to be believed; sequences have 48 bits.
const UNPROVEN: u64 = 1 << 63;
/// Slots of one read at start-up.
const SCAN: usize = SLOT_LEN * 4096;

/// A place in the file; below 2^24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// One more than the largest.
    pub const MAX: u32 = 1 << 24;

    /// The slot with this number, if there can be one.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number < Self::MAX).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn key(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_key(key: &[u8]) -> Option<Self> {
        key.try_into().ok().map(u32::from_be_bytes).and_then(Self::new)
    }

    fn offset(self) -> u64 {
        HEADER + SLOT * u64::from(self.0)
    }
}

/// The contents of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The session's generation.
    pub generation: u32,
    /// One past the newest sequence read; 0 before the first.
    pub next: u64,
    /// Bit `n` stands for the sequence `next - 1 - n`.
    pub received: u64,
    /// The first write sequence that is not reserved: none from here on was ever used.
    pub write_limit: u64,
    /// What of this is to be believed.
    pub trust: Trust,
}

/// What of a slot is what its session last knew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// All of it.
    #[default]
    Yes,
    /// How far write sequences are reserved. What was read is a lower bound: the machine failed,
    /// and the board has not shown since where it stands.
    Writes,
    /// Nothing: the machine failed since it was written.
    No,
}

/// Whether the file tells which slots are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// It does: the machine has been running since, or the file was closed.
    Known,
    /// The machine failed since, or the file is new.
    Lost,
}

/// One boot of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// This boot, as the kernel names it.
    ///
    /// # Errors
    /// The system's, where it has no such name.
    pub fn of_this_boot() -> io::Result<Self> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let mut id = [0; 16];
        let digits = text.bytes().filter_map(|byte| char::from(byte).to_digit(16));
        for (at, digit) in digits.enumerate().take(32) {
            if let Some(byte) = id.get_mut(at / 2) {
                *byte = *byte << 4 | u8::try_from(digit).unwrap_or(0);
            }
        }
        Ok(Self(id))
    }
}

/// The open file; clones share it.
#[derive(Clone)]
pub struct Windows(Arc<Shared>);

struct Shared {
    file: File,
    epoch: u32,
    untrusted: u32,
    boot: BootId,
    places: Mutex<Places>,
}

struct Places {
    /// Slots the file has room for.
    room: u32,
    /// Where the search for a free one begins: a slot rests as long as possible.
    cursor: u32,
    /// Owned by a session in the store.
    kept: Bits,
    /// Held by somebody in memory.
    leased: Bits,
}

/// A slot held in memory, by a handshake or a session that is awake.
pub struct Lease {
    shared: Arc<Shared>,
    slot: Slot,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lease").field(&self.slot.0).finish()
    }
}

impl Windows {
    /// Opens the file at `path`, made with mode 0600 when it is missing. Where the past is lost,
    /// [`Windows::rebuild`] has to be told which slots belong to sessions.
    ///
    /// # Errors
    /// The system's; `InvalidData` when the file is none of ours.
    pub fn open(path: &Path, boot: BootId) -> io::Result<(Self, Past)> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mut header = Header::read(&file)?;
        let survived = header.clean || header.boot == boot;
        if !survived {
            header.untrusted = header.epoch;
            header.epoch = header.epoch.saturating_add(1);
        }
        header = Header { boot, clean: false, ..header };
        header.write(&file)?;
        file.sync_all()?;
        let room = (file.metadata()?.len().saturating_sub(HEADER) / SLOT).min(Slot::MAX.into());
        let room = u32::try_from(room).unwrap_or(Slot::MAX);
        let past = if survived { Past::Known } else { Past::Lost };
        let kept = match past {
            Past::Known => occupied(&file, room)?,
            Past::Lost => Bits::default(),
        };
        let places = Mutex::new(Places { room, cursor: 0, kept, leased: Bits::default() });
        let (epoch, untrusted) = (header.epoch, header.untrusted);
        Ok((Self(Arc::new(Shared { file, epoch, untrusted, boot, places })), past))
    }

    /// Takes a free slot for a session to be.
    ///
    /// # Errors
    /// The system's, where the file cannot grow; `StorageFull` when there are 2^24 sessions.
    pub fn take(&self) -> io::Result<Lease> {
        let mut places = self.0.places();
        let slot = loop {
            let found = places.free_from(places.cursor).or_else(|| places.free_from(0));
            match found {
                Some(slot) => break slot,
                // Where the file was lost, sessions may own slots behind its end.
                None => self.0.grow(&mut places)?,
            }
        };
        places.leased.set(slot);
        places.cursor = slot.saturating_add(1);
        let slot = Slot::new(slot).ok_or(io::ErrorKind::StorageFull)?;
        Ok(Lease { shared: Arc::clone(&self.0), slot })
    }

    /// Holds the slot of a session that wakes; `None` while it is held already.
    #[must_use]
    pub fn lease(&self, slot: Slot) -> Option<Lease> {
        let mut places = self.0.places();
        if !places.kept.has(slot.0) || places.leased.has(slot.0) {
            return None;
        }
        places.leased.set(slot.0);
        Some(Lease { shared: Arc::clone(&self.0), slot })
    }

    /// What a slot says; a free one has generation 0, one that was never written is not believed.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&self, slot: Slot) -> io::Result<Window> {
        let mut bytes = [0; SLOT_LEN];
        match self.0.file.read_exact_at(&mut bytes, slot.offset()) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            read => read?,
        }
        let (epoch, mut window) = parse(&bytes);
        if epoch <= self.0.untrusted {
            window.trust = Trust::No;
        }
        Ok(window)
    }

    /// Says whose slots there are where the past is lost: all others are free, and the file tells
    /// so to the next start. What slots say stays untrusted.
    ///
    /// # Errors
    /// The system's.
    pub fn rebuild(&self, kept: impl IntoIterator<Item = Slot>) -> io::Result<()> {
        let mut places = self.0.places();
        for slot in kept {
            places.kept.set(slot.0);
            while places.room <= slot.0 {
                self.0.grow(&mut places)?;
            }
        }
        let found = occupied(&self.0.file, places.room)?;
        for number in 0..places.room {
            let slot = Slot(number);
            match (places.kept.has(number), found.has(number)) {
                (true, false) => self.0.write_lost(slot)?,
                (false, true) => self.0.write(slot, &Window::default())?,
                (true, true) | (false, false) => {}
            }
        }
        Ok(())
    }

    /// The slot belongs to a session in the store from now on.
    pub fn keep(&self, slot: Slot) {
        self.0.places().kept.set(slot.0);
    }

    /// The slot's session is gone; the slot is free once nobody holds it.
    pub fn forget(&self, slot: Slot) {
        let mut places = self.0.places();
        places.kept.clear(slot.0);
        if !places.leased.has(slot.0) {
            self.0.vacate(slot);
        }
    }

    /// Whether a slot belongs to a session.
    #[must_use]
    pub fn keeps(&self, slot: Slot) -> bool {
        self.0.places().kept.has(slot.0)
    }

    /// How many slots belong to sessions.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.places().kept.count()
    }

    /// Notes that nothing will be written any more: the slots may be believed after any boot.
    ///
    /// # Errors
    /// The system's.
    pub fn close(&self) -> io::Result<()> {
        self.0.file.sync_all()?;
        let Shared { epoch, untrusted, boot, .. } = *self.0;
        Header { epoch, untrusted, boot, clean: true }.write(&self.0.file)?;
        self.0.file.sync_all()
    }
}

impl Lease {
    /// The slot that is held.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Rewrites the slot; on return it survives the hub's end. [`Trust::No`] is kept as
    /// [`Trust::Writes`]: whoever writes knows what it has written itself.
    ///
    /// # Errors
    /// The system's: then the slot may say what it said before.
    pub fn write(&self, window: &Window) -> io::Result<()> {
        self.shared.write(self.slot, window)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut places = self.shared.places();
        places.leased.clear(self.slot.0);
        if !places.kept.has(self.slot.0) {
            self.shared.vacate(self.slot);
        }
    }
}

impl Shared {
    fn places(&self) -> MutexGuard<'_, Places> {
        // Whoever panicked with it changed one bit or none.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, slot: Slot, window: &Window) -> io::Result<()> {
        let mut bytes = [0; SLOT_LEN];
        let unproven = match window.trust {
            Trust::Yes => 0,
            Trust::Writes | Trust::No => UNPROVEN,
        };
        let numbers = [window.next | unproven, window.received, window.write_limit];
        let fields = window.generation.to_le_bytes().into_iter().chain(self.epoch.to_le_bytes());
        let fields = fields.chain(numbers.into_iter().flat_map(u64::to_le_bytes));
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        self.file.write_all_at(&bytes, slot.offset())
    }

    /// Marks a slot as somebody's whose words are lost: written in no epoch, so untrusted for ever.
    fn write_lost(&self, slot: Slot) -> io::Result<()> {
        let mut bytes = [0; SLOT_LEN];
        let (generation, _) = bytes.split_at_mut(4);
        generation.fill(u8::MAX);
        self.file.write_all_at(&bytes, slot.offset())
    }

    /// A slot that cannot be marked free stays as it is on the disk: the next start finds it
    /// occupied, and loses 32 bytes by it.
    fn vacate(&self, slot: Slot) {
        let _ = self.write(slot, &Window::default());
    }

    fn grow(&self, places: &mut Places) -> io::Result<()> {
        if places.room >= Slot::MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let offset = HEADER + SLOT * u64::from(places.room);
        let zeros = vec![0; SLOT_LEN * GROW_LEN];
        self.file.write_all_at(&zeros, offset)?;
        places.room = places.room.saturating_add(GROW).min(Slot::MAX);
        Ok(())
    }
}

impl Places {
    fn free_from(&self, first: u32) -> Option<u32> {
        (first..self.room).find(|slot| !self.kept.has(*slot) && !self.leased.has(*slot))
    }
}

#[derive(Debug, Clone, Copy)]
struct Header {
    epoch: u32,
    untrusted: u32,
    boot: BootId,
    clean: bool,
}

impl Header {
    /// The header of the file, or of a new one, whose slots nobody can have written.
    fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; 33];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Self { epoch: 1, untrusted: 0, boot: BootId([0; 16]), clean: false });
            }
            read => read?,
        }
        let (magic, rest) = bytes.split_at(8);
        let (epoch, rest) = rest.split_at(4);
        let (untrusted, rest) = rest.split_at(4);
        let (boot, clean) = rest.split_at(16);
        if magic != MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, &byte| n << 8 | u32::from(byte));
        Ok(Self {
            epoch: number(epoch),
            untrusted: number(untrusted),
            boot: BootId(boot.try_into().unwrap_or_default()),
            clean: clean == [1],
        })
    }

    fn write(self, file: &File) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.untrusted.to_le_bytes());
        bytes.extend_from_slice(&self.boot.0);
        bytes.push(u8::from(self.clean));
        bytes.resize(usize::try_from(HEADER).unwrap_or(4096), 0);
        file.write_all_at(&bytes, 0)
    }
}

fn parse(bytes: &[u8]) -> (u32, Window) {
    let number = |from: usize, len: usize| {
        let field = bytes.get(from..from + len).unwrap_or_default();
        field.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte))
    };
    let short = |from| u32::try_from(number(from, 4)).unwrap_or(0);
    let next = number(8, 8);
    let window = Window {
        generation: short(0),
        next: next & !UNPROVEN,
        trust: if next & UNPROVEN == 0 { Trust::Yes } else { Trust::Writes },
        received: number(16, 8),
        write_limit: number(24, 8),
    };
    (short(4), window)
}

/// Which slots are not free; reads the whole file.
fn occupied(file: &File, room: u32) -> io::Result<Bits> {
    let mut kept = Bits::default();
    let mut chunk = vec![0; SCAN];
    let mut slot = 0;
    while slot < room {
        let read = file.read_at(&mut chunk, HEADER + SLOT * u64::from(slot))?;
        let whole = chunk.get(..read).unwrap_or_default().chunks_exact(SLOT_LEN);
        if whole.len() == 0 {
            break;
        }
        for bytes in whole {
            if parse(bytes).1.generation != 0 {
                kept.set(slot);
            }
            slot += 1;
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
