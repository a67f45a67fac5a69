//! Two images change places, a sector at a time, without a third place: the second slot has one sector
//! more than an image needs, and the hole wanders through it.
//!
//! A new image lies in the second slot from its second sector on, one that was swapped out from its
//! first. Each copy reads what the last one left behind, so that a copy that was cut off is done again.
//! Invariant: a copy is begun only when the journal has the one before it.

use embedded_storage::nor_flash::NorFlash;

use crate::region::copy_sector;
use crate::start::Halt;
use crate::state::{Kind, Swap};
use image::Map;

impl Swap {
    pub(crate) fn new(kind: Kind, sectors: u16) -> Self {
        Self { kind, sectors, done: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        u32::from(self.done) >= 2 * u32::from(self.sectors)
    }

    /// Does the next copy; the journal has to be told before the one after it.
    pub(crate) fn step<F: NorFlash>(
        &self,
        flash: &mut F,
        map: &Map,
    ) -> Result<Self, Halt<F::Error>> {
        let count = u32::from(self.done) / 2;
        let is_out = self.done.is_multiple_of(2);
        let last = u32::from(self.sectors).saturating_sub(1);
        let (index, out_to, in_from) = match self.kind {
            Kind::Test | Kind::Permanent => (count, count, count + 1),
            Kind::Revert => {
                let index = last.saturating_sub(count);
                (index, index + 1, index)
            }
        };
        let first = map.first.at + index * map.sector;
        let (from, to) = if is_out {
            (first, map.second.at + out_to * map.sector)
        } else {
            (map.second.at + in_from * map.sector, first)
        };
        if copy_sector(flash, from, to, map.sector)? || copy_sector(flash, from, to, map.sector)? {
            Ok(Self { done: self.done.saturating_add(1), ..*self })
        } else {
            Err(Halt::Worn)
        }
    }
}
