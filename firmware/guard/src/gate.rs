//! The gate that each read, write and erasure of the application goes through.
//!
//! The bootloader judges an image again before it runs: this gate keeps the application from wearing it down, and
//! from losing what it would fall back on.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use image::{
    Area, BootRecord, Image, ImageError, KeySet, Keyring, Magic, Map, Refusal, Source, Start,
    Trailer,
};

/// The flash, behind the gate.
#[derive(Debug)]
pub struct Gate<F> {
    flash: F,
    map: Map,
    /// What runs has not proved itself: the second slot holds what would come back.
    is_on_trial: bool,
    floor: u32,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The application has no business there.
    Place,
    /// What runs has to be confirmed first.
    OnTrial,
    /// The image that is asked for may not run.
    Image(Refusal),
    /// The flash fails, or was asked for what does not begin or end where it can.
    Flash(NorFlashErrorKind),
}

impl NorFlashError for Denied {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Flash(kind) => *kind,
            Self::Place => NorFlashErrorKind::OutOfBounds,
            Self::OnTrial | Self::Image(_) => NorFlashErrorKind::Other,
        }
    }
}

/// What a write is for.
enum Purpose {
    /// A part of the next image, or what the application keeps.
    Content,
    /// To have the next image put in place.
    Request,
    /// To be kept.
    Confirmation,
}

impl<F: NorFlash> Gate<F> {
    /// Bytes that are written at once to say yes; the flash's words are at most as long.
    const FLAG_MAX: usize = 8;

    /// A gate to all of `flash`; `record` is what the bootloader left, and without it what runs counts as on trial.
    pub fn new(flash: F, map: Map, record: Option<&BootRecord>) -> Self {
        let is_on_trial = record.is_none_or(|record| record.start == Start::Trial);
        Self { flash, map, is_on_trial, floor: record.map_or(0, |record| record.floor) }
    }

    /// What a write of these bytes there would be for.
    fn purpose(&self, offset: u32, bytes: &[u8]) -> Result<Purpose, Denied> {
        let length = u32::try_from(bytes.len()).map_err(|_| Denied::Place)?;
        let (first, second) = (self.map.first, self.map.second);
        if offset == first.end().saturating_sub(Trailer::IMAGE_OK_FROM_END) {
            let is_flag = bytes.len() <= Self::FLAG_MAX
                && bytes.split_first().is_some_and(|(first, rest)| {
                    *first == Trailer::SET && rest.iter().all(|byte| *byte == 0xff)
                });
            return if is_flag { Ok(Purpose::Confirmation) } else { Err(Denied::Place) };
        }
        if is_within(self.map.application, offset, length) {
            return Ok(Purpose::Content);
        }
        if !is_within(second, offset, length) {
            return Err(Denied::Place);
        }
        if self.is_on_trial {
            return Err(Denied::OnTrial);
        }
        let trailer = self.last_sector();
        if offset.saturating_add(length) <= trailer.at {
            return Ok(Purpose::Content);
        }
        let parsed = bytes.try_into().map(Trailer::parse);
        let is_request = offset == second.end().saturating_sub(Trailer::SWAP_INFO_FROM_END)
            && parsed.is_ok_and(|trailer| trailer.magic == Magic::Good && !trailer.copy_done);
        if is_request { Ok(Purpose::Request) } else { Err(Denied::Place) }
    }

    /// Of the second slot: its trailer's.
    fn last_sector(&self) -> Area {
        let (second, sector) = (self.map.second, self.map.sector);
        Area { at: second.end().saturating_sub(sector), length: sector }
    }

    /// Whether the next image may run: whole, signed with a key of this board, and not rolled back. Which keys were
    /// withdrawn only the bootloader knows; it says so when it refuses.
    fn judge(&mut self) -> Result<(), Denied> {
        let mut bytes = [0; Keyring::LENGTH];
        let Area { at, length } = self.map.keyring();
        let keys = Part { flash: &mut self.flash, at, length }.read(0, &mut bytes);
        keys.map_err(|error| Denied::Flash(error.kind()))?;
        let keyring = Keyring::parse(&bytes).map_err(|_| Denied::Image(Refusal::UnknownKey))?;
        let (at, length) = (self.map.next_at(), self.map.image_max());
        let mut file = Part { flash: &mut self.flash, at, length };
        let image = Image::read(&mut file).map_err(denied)?;
        image.verify(&mut file, &keyring, KeySet::default()).map_err(denied)?;
        let (counter, floor) = (image.security_counter, self.floor);
        if counter < floor {
            return Err(Denied::Image(Refusal::Rollback { counter, floor }));
        }
        Ok(())
    }
}

impl<F: NorFlash> ErrorType for Gate<F> {
    type Error = Denied;
}

impl<F: NorFlash> ReadNorFlash for Gate<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    /// Nothing in this flash is secret: the bootloader keeps public keys and counters.
    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Denied> {
        self.flash.read(offset, into).map_err(|error| Denied::Flash(error.kind()))
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: NorFlash> NorFlash for Gate<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Denied> {
        let length = to.checked_sub(from).ok_or(Denied::Place)?;
        let is_next = is_within(self.map.second, from, length);
        if is_next && self.is_on_trial {
            return Err(Denied::OnTrial);
        }
        if !is_next && !is_within(self.map.application, from, length) {
            return Err(Denied::Place);
        }
        self.flash.erase(from, to).map_err(|error| Denied::Flash(error.kind()))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Denied> {
        if bytes.is_empty() {
            return Ok(());
        }
        let purpose = self.purpose(offset, bytes)?;
        if matches!(purpose, Purpose::Request) {
            self.judge()?;
        }
        self.flash.write(offset, bytes).map_err(|error| Denied::Flash(error.kind()))?;
        if matches!(purpose, Purpose::Confirmation) {
            self.is_on_trial = false;
        }
        Ok(())
    }
}

fn is_within(area: Area, offset: u32, length: u32) -> bool {
    offset >= area.at && offset.checked_add(length).is_some_and(|end| end <= area.end())
}

fn denied<E: NorFlashError>(error: ImageError<E>) -> Denied {
    match error {
        ImageError::Refused(refusal) => Denied::Image(refusal),
        ImageError::Source(error) => Denied::Flash(error.kind()),
    }
}

/// A part of the flash, as an image's source.
struct Part<'f, F> {
    flash: &'f mut F,
    at: u32,
    length: u32,
}

impl<F: NorFlash> Source for Part<'_, F> {
    type Error = F::Error;

    fn length(&self) -> u32 {
        self.length
    }

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(self.at.saturating_add(offset), into)
    }
}
