//! A part of the flash, and nothing of the rest.

use embedded_storage::nor_flash::NorFlash;
use image::Source;

use image::Area;

/// Bytes copied at once: on the stack.
const PIECE: usize = 256;

/// A flash that is only seen within an area.
pub(crate) struct Region<'f, F> {
    pub(crate) flash: &'f mut F,
    pub(crate) area: Area,
}

impl<'f, F: NorFlash> Region<'f, F> {
    pub(crate) fn new(flash: &'f mut F, area: Area) -> Self {
        Self { flash, area }
    }

    pub(crate) fn get<const N: usize>(&mut self, offset: u32) -> Result<[u8; N], F::Error> {
        let mut bytes = [0; N];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(self.area.at.saturating_add(offset), bytes)
    }

    /// Whether that is there now.
    pub(crate) fn holds(&mut self, offset: u32, bytes: &[u8]) -> Result<bool, F::Error> {
        let mut at = offset;
        for piece in bytes.chunks(PIECE) {
            let mut found = [0; PIECE];
            let Some(found) = found.get_mut(..piece.len()) else { return Ok(false) };
            self.read(at, found)?;
            if found != piece {
                return Ok(false);
            }
            at = at.saturating_add(length(piece));
        }
        Ok(true)
    }

    pub(crate) fn erase(&mut self, offset: u32, bytes: u32) -> Result<(), F::Error> {
        let from = self.area.at.saturating_add(offset);
        self.flash.erase(from, from.saturating_add(bytes))
    }
}

impl<F: NorFlash> Source for Region<'_, F> {
    type Error = F::Error;

    fn length(&self) -> u32 {
        self.area.length
    }

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(self.area.at.saturating_add(offset), into)
    }
}

/// Copies a sector, from erasing to reading back; false where the flash does not keep it.
pub(crate) fn copy_sector<F: NorFlash>(
    flash: &mut F,
    from: u32,
    to: u32,
    sector: u32,
) -> Result<bool, F::Error> {
    flash.erase(to, to.saturating_add(sector))?;
    let mut piece = [0; PIECE];
    let mut at = 0;
    while at < sector {
        let left = usize::try_from(sector - at).unwrap_or(PIECE).min(PIECE);
        let Some(part) = piece.get_mut(..left) else { break };
        flash.read(from.saturating_add(at), part)?;
        flash.write(to.saturating_add(at), part)?;
        let part = &*part;
        if !Region::new(flash, Area { at: to, length: sector }).holds(at, part)? {
            return Ok(false);
        }
        at = at.saturating_add(length(part));
    }
    Ok(true)
}

pub(crate) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
