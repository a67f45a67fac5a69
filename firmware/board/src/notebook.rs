//! A few values by number, in sectors of the flash that are for nothing else.
//!
//! Invariant: a value is the old one or the new one, whenever the power goes.

use alloc::vec::Vec;
use core::cell::RefCell;

use embedded_storage::nor_flash::MultiwriteNorFlash;
use image::Area;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};

use crate::depot::{DepotError, into};
use crate::flash::{Shared, at_once};

const VALUE_MAX: usize = 64;

type Uncaching = Cache<Uncached, Uncached, Uncached, u8>;

/// The values.
pub struct Notebook<'f, F: MultiwriteNorFlash> {
    values: MapStorage<u8, Shared<'f, F>, Uncaching>,
}

impl<'f, F: MultiwriteNorFlash> Notebook<'f, F> {
    /// `None` where the area is not of whole sectors, or of fewer than two.
    pub fn new(flash: &'f RefCell<F>, area: Area) -> Option<Self> {
        let config = MapConfig::try_new(area.at..area.end()).ok()?;
        let values = MapStorage::new(Shared::new(flash), config, Cache::new_uncached());
        Some(Self { values })
    }

    /// Keeps a value of at most 64 bytes, in the place of the one before.
    pub fn note(&mut self, key: u8, value: &[u8]) -> Result<(), DepotError> {
        let mut buffer = [0; VALUE_MAX + 8];
        if value.len() > VALUE_MAX {
            return Err(DepotError::TooLarge);
        }
        let stored = at_once(self.values.store_item(&mut buffer, &key, &value));
        stored.ok_or(DepotError::Broken)?.map_err(into)
    }

    /// The value that was kept last.
    pub fn recall(&mut self, key: u8) -> Result<Option<Vec<u8>>, DepotError> {
        let mut buffer = [0; VALUE_MAX + 8];
        let found = at_once(self.values.fetch_item::<&[u8]>(&mut buffer, &key));
        let found = found.ok_or(DepotError::Broken)?.map_err(into)?;
        Ok(found.map(<[u8]>::to_vec))
    }
}
