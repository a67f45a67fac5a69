//! What changes with every record of a session: its replay window and how far its write sequences
//! are reserved. One file beside the database, 32 bytes a session.
//!
//! A slot is rewritten in place before a record has any effect. That is one write into the page
//! cache and no wait for the disk: it survives the hub's death by whatever signal, at some two
//! microseconds (slots at random among a million on ext4: 1.7 in the best of 15 runs of 100,000
//! writes, 3.5 in their median, on two cores that had other work). What it does not survive is the
//! machine's death. So the file says which boot of the
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
//! The upper 24 bits of a generation are the beginning of the session's id, where it has one: from
//! them, and from nothing else, a session to be resumed is found ([`Windows::named`]).
//!
//! All numbers are little-endian; the first slot is at byte 4096.
//! Invariant: a slot has one [`Lease`] at a time, and none is given out while a session owns it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bits::Bits;
use header::Header;
use names::{Names, name_of};
use slot::{SLOT_LEN, offset_of, slots_in};

mod bits;
mod header;
mod names;
mod slot;

pub use header::BootId;
pub use slot::{Slot, Trust, Window};

/// Slots that the file grows by, written out so that a full disk shows here and not at a record.
const GROW: u32 = 4096;
const GROW_LEN: usize = 4096;
/// Slots of one read at start-up.
const SCAN: usize = SLOT_LEN * 4096;

/// Whether the file tells which slots are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// It does: the machine has been running since, or the file was closed.
    Known,
    /// The machine failed since, or the file is new.
    Lost,
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
    /// Where sessions of a name may be; it may be made anew from the file.
    names: Names,
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
        let room = slots_in(file.metadata()?.len()).min(Slot::MAX.into());
        let room = u32::try_from(room).unwrap_or(Slot::MAX);
        let past = if survived { Past::Known } else { Past::Lost };
        let kept = match past {
            Past::Known => occupied(&file, room)?,
            Past::Lost => Bits::default(),
        };
        let names = named(&file, room, &kept)?;
        let places = Places { room, cursor: 0, kept, leased: Bits::default(), names };
        let places = Mutex::new(places);
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
        let (epoch, mut window) = Window::decode(&bytes);
        if epoch <= self.0.untrusted {
            window.trust = Trust::No;
        }
        Ok(window)
    }

    /// Says whose slots there are where the past is lost, each with its session's generation: all
    /// others are free, and the file tells so to the next start. What slots say stays untrusted.
    ///
    /// # Errors
    /// The system's.
    pub fn rebuild(&self, kept: impl IntoIterator<Item = (Slot, u32)>) -> io::Result<()> {
        let mut places = self.0.places();
        let found = occupied(&self.0.file, places.room)?;
        places.kept = Bits::default();
        for (slot, generation) in kept {
            places.kept.set(slot.0);
            while places.room <= slot.0 {
                self.0.grow(&mut places)?;
            }
            if self.read(slot)?.generation != generation {
                self.0.write_lost(slot, generation)?;
            }
        }
        for number in (0..places.room).filter(|number| found.has(*number)) {
            if !places.kept.has(number) {
                self.0.write(Slot(number), &Window::default())?;
            }
        }
        places.names = named(&self.0.file, places.room, &places.kept)?;
        Ok(())
    }

    /// The slot belongs to a session of this generation in the store from now on. The slot must
    /// say so already.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&self, slot: Slot, generation: u32) -> io::Result<()> {
        let mut places = self.0.places();
        places.kept.set(slot.0);
        if places.names.is_full() {
            places.names = named(&self.0.file, places.room, &places.kept)?;
        }
        places.names.enter(generation, slot.0);
        Ok(())
    }

    /// The slots of sessions whose generations have the upper 24 bits of this one.
    ///
    /// # Errors
    /// The system's.
    pub fn named(&self, generation: u32) -> io::Result<Vec<Slot>> {
        let candidates: Vec<Slot> = {
            let places = self.0.places();
            let candidates = places.names.candidates(generation);
            candidates.filter(|slot| places.kept.has(slot.0)).collect()
        };
        let mut named = Vec::new();
        for slot in candidates {
            if name_of(self.read(slot)?.generation) == name_of(generation) {
                named.push(slot);
            }
        }
        Ok(named)
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
        self.file.write_all_at(&window.encode(self.epoch), slot.offset())
    }

    /// Marks a slot as a session's whose words are lost: written in no epoch, so untrusted for ever.
    fn write_lost(&self, slot: Slot, generation: u32) -> io::Result<()> {
        let window = Window { generation, ..Window::default() };
        self.file.write_all_at(&window.encode(0), slot.offset())
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
        let offset = offset_of(places.room);
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

/// Which slots are not free; reads the whole file.
fn occupied(file: &File, room: u32) -> io::Result<Bits> {
    let mut kept = Bits::default();
    each(file, room, |slot, generation| {
        if generation != 0 {
            kept.set(slot);
        }
    })?;
    Ok(kept)
}

/// The names of the sessions in the slots that are `kept`; reads the whole file.
fn named(file: &File, room: u32, kept: &Bits) -> io::Result<Names> {
    let mut names = Names::with_room_for(kept.count());
    each(file, room, |slot, generation| {
        if kept.has(slot) {
            names.enter(generation, slot);
        }
    })?;
    Ok(names)
}

/// Gives every slot's generation to `take`.
fn each(file: &File, room: u32, mut take: impl FnMut(u32, u32)) -> io::Result<()> {
    let mut chunk = vec![0; SCAN];
    let mut slot = 0;
    while slot < room {
        let read = file.read_at(&mut chunk, offset_of(slot))?;
        let whole = chunk.get(..read).unwrap_or_default().chunks_exact(SLOT_LEN);
        if whole.len() == 0 {
            break;
        }
        for bytes in whole {
            take(slot, Window::decode(bytes).1.generation);
            slot += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
