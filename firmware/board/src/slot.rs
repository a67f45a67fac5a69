//! The slot that an update is put into, and the trailers with which bootloader and application speak.
//!
//! Invariant: nothing is asked of the bootloader that was not verified here first, with the keys that it
//! will use itself.

use core::cell::RefCell;

use embedded_storage::nor_flash::NorFlash;
use image::{
    Area, Digest, Image, ImageError, KeySet, Keyring, Magic, Map, Refusal, Source, Swap, Trailer,
    digest_of,
};

/// Both slots of a board's flash.
pub(crate) struct Slots<'f, F> {
    flash: &'f RefCell<F>,
    map: Map,
}

/// Why an update is not put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not what was offered, or may not run here.
    Refused(Refusal),
    /// The flash fails.
    Flash,
}

impl<'f, F: NorFlash> Slots<'f, F> {
    pub(crate) fn new(flash: &'f RefCell<F>, map: Map) -> Self {
        Self { flash, map }
    }

    /// Bytes of the largest file.
    pub(crate) fn room(&self) -> u32 {
        self.map.image_max()
    }

    /// Bytes after which what was written is remembered: what is erased together.
    pub(crate) fn sector(&self) -> u32 {
        self.map.sector
    }

    /// Writes a part of the file. Where a sector begins it is erased first, so parts come in order; all but
    /// the last are of whole words.
    pub(crate) fn write(&mut self, at: u32, part: &[u8]) -> Result<(), Unfit> {
        let mut flash = self.flash.borrow_mut();
        let mut at = at;
        let mut rest = part;
        while !rest.is_empty() {
            let to = self.map.next_at().saturating_add(at);
            let into = at % self.map.sector;
            if into == 0 {
                flash.erase(to, to.saturating_add(self.map.sector)).map_err(|_| Unfit::Flash)?;
            }
            let left = usize::try_from(self.map.sector - into).unwrap_or(rest.len());
            let (piece, behind) = rest.split_at_checked(left).unwrap_or((rest, &[]));
            write_padded(&mut *flash, to, piece).map_err(|_| Unfit::Flash)?;
            at = at.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
            rest = behind;
        }
        Ok(())
    }

    /// Whether the file is what was offered, and may run here.
    pub(crate) fn verify(&mut self, size: u32, offered: &Digest, floor: u32) -> Result<(), Unfit> {
        let mut file = self.region(Area { at: self.map.next_at(), length: size });
        if digest_of(&mut file, size).map_err(Unfit::from)? != *offered {
            return Err(Unfit::Refused(Refusal::WrongDigest));
        }
        let mut bytes = [0; Keyring::LENGTH];
        self.region(self.map.keyring()).read(0, &mut bytes).map_err(|_| Unfit::Flash)?;
        let keyring = Keyring::parse(&bytes).map_err(|_| Unfit::Refused(Refusal::UnknownKey))?;
        let image = Image::read(&mut file)?;
        // Which keys were withdrawn only the bootloader knows; it says so after the restart.
        image.verify(&mut file, &keyring, KeySet::default())?;
        let counter = image.security_counter;
        if counter < floor {
            return Err(Unfit::Refused(Refusal::Rollback { counter, floor }));
        }
        Ok(())
    }

    /// Asks the bootloader to put the file in place at the next start.
    pub(crate) fn ask(&mut self, permanent: bool) -> Result<(), Unfit> {
        let Area { at, length } = self.map.second;
        let end = at.saturating_add(length);
        let swap = if permanent { Swap::Permanent } else { Swap::Test };
        let trailer = Trailer { magic: Magic::Good, image_ok: permanent, copy_done: false, swap };
        let mut flash = self.flash.borrow_mut();
        flash.erase(end.saturating_sub(self.map.sector), end).map_err(|_| Unfit::Flash)?;
        let to = end.saturating_sub(Trailer::SWAP_INFO_FROM_END);
        flash.write(to, &trailer.to_bytes()).map_err(|_| Unfit::Flash)
    }

    /// Tells the bootloader that what runs has proved itself.
    pub(crate) fn confirm(&mut self) -> Result<(), Unfit> {
        let at = self.map.first.end().saturating_sub(Trailer::IMAGE_OK_FROM_END);
        write_padded(&mut *self.flash.borrow_mut(), at, &[Trailer::SET]).map_err(|_| Unfit::Flash)
    }

    fn region(&self, area: Area) -> Region<'f, F> {
        Region { flash: self.flash, area }
    }
}

/// Writes bytes, filled up to whole words with what erased flash holds.
fn write_padded<F: NorFlash>(flash: &mut F, at: u32, bytes: &[u8]) -> Result<(), F::Error> {
    const LONGEST: usize = 16;
    let whole = bytes.len() - bytes.len() % F::WRITE_SIZE.max(1);
    let (words, last) = bytes.split_at_checked(whole).unwrap_or((bytes, &[]));
    flash.write(at, words)?;
    if last.is_empty() {
        return Ok(());
    }
    let mut word = [0xff; LONGEST];
    for (place, byte) in word.iter_mut().zip(last) {
        *place = *byte;
    }
    let to = at.saturating_add(u32::try_from(whole).unwrap_or(u32::MAX));
    flash.write(to, word.get(..F::WRITE_SIZE).unwrap_or(&word))
}

struct Region<'f, F> {
    flash: &'f RefCell<F>,
    area: Area,
}

impl<F: NorFlash> Source for Region<'_, F> {
    type Error = F::Error;

    fn length(&self) -> u32 {
        self.area.length
    }

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), F::Error> {
        self.flash.borrow_mut().read(self.area.at.saturating_add(offset), into)
    }
}

impl<E> From<ImageError<E>> for Unfit {
    fn from(error: ImageError<E>) -> Self {
        match error {
            ImageError::Refused(refusal) => Self::Refused(refusal),
            ImageError::Source(_) => Self::Flash,
        }
    }
}
