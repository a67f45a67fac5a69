//! Where the state is remembered: a log of whole records over a ring of sectors; the newest counts.
//!
//! A record that was cut off while it was written may read as whole today and as nothing tomorrow, or
//! the other way round. So a record is read back, then marked as settled; where the newest is not settled,
//! or a swap is under way, the state is written again before anything follows from it; the first place
//! behind is left empty then, for it may only look erased; and a sector is erased each time it is entered.
//! Invariant: what [`Journal::write`] said is remembered outlives every cut of power after it.

use embedded_storage::nor_flash::NorFlash;
use image::Source;

use crate::region::Region;
use crate::start::Halt;
use crate::state::{Record, State};
use image::{Area, Map};

/// Bytes for one record and its mark.
const PLACE: u32 = 64;
/// Where the mark begins.
const MARK: u32 = 48;
const ERASED: u8 = 0xff;
const SETTLED: u8 = 0;

/// The state, and where its next version is written.
pub(crate) struct Journal {
    area: Area,
    sector_size: u32,
    state: State,
    generation: u32,
    sector: u32,
    place: u32,
}

/// The newest record of a sector.
struct Newest {
    record: Record,
    is_settled: bool,
    /// Places up to the last one that is not erased.
    used: u32,
}

impl Journal {
    /// Reads what is remembered.
    pub(crate) fn open<F: NorFlash>(flash: &mut F, map: &Map) -> Result<Self, Halt<F::Error>> {
        let area = map.journal();
        let mut journal = Self {
            area,
            sector_size: map.sector,
            state: State::default(),
            generation: 0,
            // The first record is the first of a sector.
            sector: 0,
            place: map.sector / PLACE,
        };
        let mut newest: Option<(u32, Newest)> = None;
        for sector in 0..journal.sectors() {
            let found = journal.newest_of(flash, sector)?;
            let generation = |newest: &Newest| newest.record.generation;
            let before = newest.as_ref().map(|(_, newest)| generation(newest));
            if let Some(found) =
                found.filter(|found| before.is_none_or(|of| of < generation(found)))
            {
                newest = Some((sector, found));
            }
        }
        let Some((sector, Newest { record, is_settled, used })) = newest else {
            return Ok(journal);
        };
        journal.state = record.state;
        journal.generation = record.generation;
        journal.sector = sector;
        // What was begun behind the last one may look erased.
        journal.place = used.saturating_add(1);
        if !is_settled || record.state.swap.is_some() {
            journal.write(flash, record.state)?;
        }
        Ok(journal)
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Remembers a state; where it is as before, there is nothing to do.
    pub(crate) fn note<F: NorFlash>(
        &mut self,
        flash: &mut F,
        state: State,
    ) -> Result<(), Halt<F::Error>> {
        if state == self.state { Ok(()) } else { self.write(flash, state) }
    }

    fn write<F: NorFlash>(&mut self, flash: &mut F, state: State) -> Result<(), Halt<F::Error>> {
        // Once around the ring: a flash that keeps nothing is given up.
        for _ in 0..self.sectors().saturating_mul(self.places()) {
            let mut region = Region::new(flash, self.area);
            if self.place >= self.places() {
                self.sector = (self.sector + 1) % self.sectors().max(1);
                self.generation = self.generation.saturating_add(1);
                self.place = 0;
                region.erase(self.sector * self.sector_size, self.sector_size)?;
            }
            let at = self.at(self.sector, self.place);
            self.place += 1;
            let record = Record { generation: self.generation, state }.to_bytes();
            region.write(at, &record)?;
            if region.holds(at, &record)? {
                let mark = [SETTLED; 16];
                region.write(at + MARK, mark.get(..F::WRITE_SIZE).unwrap_or(&mark))?;
                self.state = state;
                return Ok(());
            }
        }
        Err(Halt::Worn)
    }

    fn newest_of<F: NorFlash>(
        &self,
        flash: &mut F,
        sector: u32,
    ) -> Result<Option<Newest>, Halt<F::Error>> {
        let mut region = Region::new(flash, self.area);
        let (mut newest, mut used) = (None, 0);
        for place in 0..self.places() {
            let mut bytes = [0; PLACE as usize];
            region.read(self.at(sector, place), &mut bytes)?;
            if bytes.iter().all(|byte| *byte == ERASED) {
                continue;
            }
            used = place + 1;
            let (record, mark) = bytes.split_first_chunk().unwrap_or((&[0; Record::LENGTH], &[]));
            if let Some(record) = Record::from_bytes(record) {
                newest = Some((record, mark.iter().any(|byte| *byte != ERASED)));
            }
        }
        Ok(newest.map(|(record, is_settled)| Newest { record, is_settled, used }))
    }

    fn at(&self, sector: u32, place: u32) -> u32 {
        sector * self.sector_size + place * PLACE
    }

    fn sectors(&self) -> u32 {
        self.area.length / self.sector_size
    }

    fn places(&self) -> u32 {
        self.sector_size / PLACE
    }
}

#[cfg(test)]
mod tests {
    use crate::flash::{Cut, Flash, Leaves, Operation, Random, SECTOR};
    use crate::state::{Kind, Swap};

    use super::*;

    const MAP: Map = Map {
        sector: SECTOR,
        protected: Area { at: 0, length: 5 * SECTOR },
        first: Area { at: 5 * SECTOR, length: 3 * SECTOR },
        second: Area { at: 8 * SECTOR, length: 3 * SECTOR },
        application: Area { at: 11 * SECTOR, length: SECTOR },
        address: 0,
        vectors_aligned_to: 4,
        memory: Area { at: 0, length: 4 },
    };

    /// Whatever the cells that were being written do later: what was read once, or noted, is never less
    /// the next time, and never more than was begun to be noted. In a swap it is not even that: what was
    /// read once is what there is, for copies are made by it.
    fn remember(swap: Option<Swap>) {
        let mut flash = Flash::new(11 * SECTOR);
        let mut random = Random(3);
        let (mut least, mut most) = (0, 0);
        for start in 0..40_000_u64 {
            let seed = random.next();
            let leaves = if seed & 1 == 0 { Leaves::Weak(seed) } else { Leaves::Torn(seed) };
            flash.cut_at(Cut { after: random.below(12), of: Operation::Call, leaves });
            if let Ok(mut journal) = Journal::open(&mut flash, &MAP) {
                let read = journal.state().floor;
                assert!(
                    (least..=most).contains(&read),
                    "start {start}: {read} of {least}..={most}"
                );
                least = read;
                if journal.state().swap.is_some() {
                    most = read;
                }
                while random.below(3) > 0 {
                    let floor = least + 1 + u32::try_from(random.below(3)).unwrap();
                    most = most.max(floor);
                    let state = State { floor, swap, ..journal.state() };
                    if journal.note(&mut flash, state).is_err() {
                        break;
                    }
                    (least, most) = (floor, floor);
                }
            }
            flash.power_on();
        }
        assert!(least > 10_000);
    }

    #[test]
    fn what_is_remembered_never_goes_back() {
        remember(None);
    }

    #[test]
    fn in_a_swap_what_is_read_stays() {
        remember(Some(Swap { kind: Kind::Test, sectors: 9, done: 3 }));
    }
}
