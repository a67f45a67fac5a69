//! From the name in a generation to the slots that may have it: four bytes of memory a name.
//!
//! A hash table of slots whose keys are on the disk: an entry holds a slot and eight bits of its
//! name, and the slot itself says the rest. Nothing is ever taken out; an entry whose slot has
//! another name by now is passed over by whoever looks there, and left behind when the table is made
//! anew. Invariant: no name that was entered is missing, but for one entry in 2^32.

use super::slot::Slot;

/// Bits of a name.
const NAME_BITS: u32 = 24;
const EMPTY: u32 = u32::MAX;
const LEAST: usize = 1024;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Names {
    entries: Vec<u32>,
    used: usize,
}

impl Names {
    /// A table with room for more than `count` names.
    pub(super) fn with_room_for(count: usize) -> Self {
        let size = LEAST.saturating_add(count.saturating_mul(5) / 3);
        Self { entries: vec![EMPTY; size], used: 0 }
    }

    /// Whether it has to be made anew before another name is entered.
    pub(super) fn is_full(&self) -> bool {
        self.used.saturating_mul(20) >= self.entries.len().saturating_mul(17)
    }

    /// Notes that `slot` has the name in `generation`.
    pub(super) fn enter(&mut self, generation: u32, slot: u32) {
        let name = name_of(generation);
        for place in self.places(name) {
            let Some(entry) = self.entries.get_mut(place) else { return };
            if *entry == EMPTY {
                *entry = entry_of(name, slot);
                self.used += 1;
                return;
            }
            if *entry == entry_of(name, slot) {
                return;
            }
        }
    }

    /// Slots that may have the name in `generation`.
    pub(super) fn candidates(&self, generation: u32) -> impl Iterator<Item = Slot> {
        let name = name_of(generation);
        let entries = self.places(name).filter_map(|place| self.entries.get(place));
        let entries = entries.take_while(|entry| **entry != EMPTY);
        let alike = entries.filter(move |entry| **entry >> NAME_BITS == name & 0xFF);
        alike.filter_map(|entry| Slot::new(entry & (Slot::MAX - 1)))
    }

    /// Where a name may be, in the order in which to look.
    fn places(&self, name: u32) -> impl Iterator<Item = usize> + use<> {
        let size = self.entries.len();
        let first = usize::try_from(name).unwrap_or(0).saturating_mul(size) >> NAME_BITS;
        (first..size).chain(0..first)
    }
}

/// The upper 24 bits of a generation.
pub(super) const fn name_of(generation: u32) -> u32 {
    generation >> (u32::BITS - NAME_BITS)
}

/// Eight bits of the name, those that least say where it is, and the slot.
const fn entry_of(name: u32, slot: u32) -> u32 {
    (name & 0xFF) << NAME_BITS | slot
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_name_that_was_entered_leads_to_its_slots(
            entered in prop::collection::vec((any::<u32>(), 0..Slot::MAX - 1), 0..900),
        ) {
            let mut names = Names::with_room_for(0);
            for (generation, slot) in &entered {
                prop_assert!(!names.is_full() || entered.len() > 800);
                names.enter(*generation, *slot);
            }
            for (generation, slot) in entered {
                let found = names.candidates(generation).any(|found| found.number() == slot);
                prop_assert!(found);
            }
        }
    }

    #[test]
    fn a_name_that_nobody_has_leads_to_few_slots_of_many() {
        let mut names = Names::with_room_for(100_000);
        for slot in 0..100_000_u32 {
            names.enter(slot.wrapping_mul(2_654_435_761), slot);
        }
        let looked: usize = (0..1000_u32).map(|n| names.candidates(n << 22 | 77).count()).sum();
        assert!(looked < 100, "{looked} of 1000 looks read a slot in vain");
    }

    #[test]
    fn an_empty_table_has_nothing() {
        assert_eq!(Names::default().candidates(7).count(), 0);
    }
}
