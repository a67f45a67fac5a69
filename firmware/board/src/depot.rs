//! What a board keeps in the application's part of its flash: readings, until the hub has them, in their
//! order and over every loss of power; and a few values by number.
//!
//! Invariant: what [`Depot::push`] took is there at every later start until [`Depot::drop_oldest`].

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use embedded_storage::nor_flash::MultiwriteNorFlash;
use image::{Area, Map};
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use crate::flash::{Shared, at_once};
use crate::notebook::Notebook;

/// Bytes of a reading with its path.
const ENTRY_MAX: usize = 1100;
/// Sectors of the area that are for values; the rest is for readings.
const VALUE_SECTORS: u32 = 4;

type Readings<'f, F> = QueueStorage<Shared<'f, F>, Cache<Uncached, Uncached, Uncached, ()>>;

/// Both.
pub(crate) struct Depot<'f, F: MultiwriteNorFlash> {
    readings: Readings<'f, F>,
    values: Notebook<'f, F>,
}

/// A reading as it was submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) resource: String,
    pub(crate) content_format: u16,
    pub(crate) payload: Vec<u8>,
}

/// Why something is not kept, or not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepotError {
    /// There is no room until something is dropped.
    Full,
    /// It would never fit.
    TooLarge,
    /// The flash fails, or holds what nobody wrote.
    Broken,
}

impl<'f, F: MultiwriteNorFlash> Depot<'f, F> {
    /// `None` where the map's area is too small, or not of whole sectors.
    pub(crate) fn new(flash: &'f RefCell<F>, map: &Map) -> Option<Self> {
        let area = map.application;
        let split = area.end().checked_sub(map.sector.checked_mul(VALUE_SECTORS)?)?;
        let readings = QueueConfig::try_new(area.at..split).ok()?;
        Some(Self {
            readings: QueueStorage::new(Shared::new(flash), readings, Cache::new_uncached()),
            values: Notebook::new(flash, Area { at: split, length: area.end() - split })?,
        })
    }

    /// Keeps a reading behind all others.
    pub(crate) fn push(&mut self, entry: &Entry) -> Result<(), DepotError> {
        let bytes = entry.to_bytes().filter(|bytes| bytes.len() <= ENTRY_MAX);
        let bytes = bytes.ok_or(DepotError::TooLarge)?;
        at_once(self.readings.push(&bytes, false)).ok_or(DepotError::Broken)?.map_err(into)
    }

    /// The reading that was kept first.
    pub(crate) fn oldest(&mut self) -> Result<Option<Entry>, DepotError> {
        let mut buffer = [0; ENTRY_MAX];
        let found = at_once(self.readings.peek(&mut buffer)).ok_or(DepotError::Broken)?;
        match found.map_err(into)? {
            None => Ok(None),
            Some(bytes) => Entry::from_bytes(bytes).ok_or(DepotError::Broken).map(Some),
        }
    }

    pub(crate) fn drop_oldest(&mut self) -> Result<(), DepotError> {
        let mut buffer = [0; ENTRY_MAX];
        let popped = at_once(self.readings.pop(&mut buffer)).ok_or(DepotError::Broken)?;
        popped.map(drop).map_err(into)
    }

    /// Forgets all readings: where what is there cannot be read any more.
    pub(crate) fn forget_readings(&mut self) -> Result<(), DepotError> {
        at_once(self.readings.erase_all()).ok_or(DepotError::Broken)?.map_err(into)
    }

    /// Keeps a value, in the place of the one before.
    pub(crate) fn note(&mut self, key: u8, value: &[u8]) -> Result<(), DepotError> {
        self.values.note(key, value)
    }

    /// The value that was kept last.
    pub(crate) fn recall(&mut self, key: u8) -> Result<Option<Vec<u8>>, DepotError> {
        self.values.recall(key)
    }
}

impl Entry {
    /// Format, length of the path, path, payload.
    fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = self.content_format.to_le_bytes().to_vec();
        bytes.push(u8::try_from(self.resource.len()).ok()?);
        bytes.extend_from_slice(self.resource.as_bytes());
        bytes.extend_from_slice(&self.payload);
        Some(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[low, high, length], rest) = bytes.split_first_chunk()?;
        let (resource, payload) = rest.split_at_checked(usize::from(length))?;
        Some(Self {
            resource: String::from(core::str::from_utf8(resource).ok()?),
            content_format: u16::from_le_bytes([low, high]),
            payload: payload.to_vec(),
        })
    }
}

pub(crate) fn into<E>(error: Error<E>) -> DepotError {
    match error {
        Error::FullStorage => DepotError::Full,
        Error::ItemTooBig | Error::BufferTooBig | Error::BufferTooSmall(_) => DepotError::TooLarge,
        _ => DepotError::Broken,
    }
}
