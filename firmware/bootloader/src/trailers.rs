//! The last sectors of both slots, where an application asks for an update and confirms one, in
//! MCUboot's form.
//!
//! Never decides what a trailer means together with what is remembered.

use embedded_storage::nor_flash::NorFlash;
use image::Trailer;

use crate::region::Region;
use image::{Area, Map};

/// Reads a slot's trailer.
pub(crate) fn read<F: NorFlash>(flash: &mut F, slot: Area) -> Result<Trailer, F::Error> {
    let bytes =
        Region::new(flash, slot).get(slot.length.saturating_sub(Trailer::SWAP_INFO_FROM_END))?;
    Ok(Trailer::parse(&bytes))
}

/// Erases a slot's trailer: nothing is asked for, and nothing came here by a swap.
pub(crate) fn erase<F: NorFlash>(flash: &mut F, map: &Map, slot: Area) -> Result<(), F::Error> {
    Region::new(flash, slot).erase(slot.length.saturating_sub(map.sector), map.sector)
}

/// Writes a slot's trailer, in the place of any that was there.
pub(crate) fn write<F: NorFlash>(
    flash: &mut F,
    map: &Map,
    slot: Area,
    trailer: Trailer,
) -> Result<(), F::Error> {
    erase(flash, map, slot)?;
    Region::new(flash, slot)
        .write(slot.length.saturating_sub(Trailer::SWAP_INFO_FROM_END), &trailer.to_bytes())
}
