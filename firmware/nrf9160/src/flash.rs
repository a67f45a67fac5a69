//! The flash behind its controller (NVMC, a chapter of the product specification): words of four
//! bytes, each written at most twice before its page of 4 kB is erased.

use core::ptr;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use nrf_pac::nvmc::vals::Wen;
use nrf_pac::{NVMC_S, nvmc::Nvmc};

const LENGTH: usize = 0x10_0000;
const WORD: usize = 4;
const PAGE: usize = 0x1000;

/// The whole of it. It is mapped at address 0.
#[derive(Debug, Default)]
pub struct Flash(());

/// Something was asked for that does not begin or end where it can, or lies outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misaligned;

impl NorFlashError for Misaligned {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::NotAligned
    }
}

impl Flash {
    /// Gives access to it; there is to be one at a time.
    pub fn new() -> Self {
        Self(())
    }
}

impl ErrorType for Flash {
    type Error = Misaligned;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Misaligned> {
        let from = within(offset, into.len(), 1)?;
        for (at, byte) in into.iter_mut().enumerate() {
            // SAFETY: within the flash, which is mapped and can be read byte by byte.
            *byte = unsafe { ptr::read_volatile((from + at) as *const u8) };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        LENGTH
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misaligned> {
        let to = within(offset, bytes.len(), WORD)?;
        set(Wen::Wen);
        for (at, word) in bytes.chunks_exact(WORD).enumerate() {
            if let Ok(word) = word.try_into() {
                // SAFETY: an aligned word of the flash, for which writing is enabled.
                unsafe {
                    ptr::write_volatile((to + at * WORD) as *mut u32, u32::from_le_bytes(word))
                };
                wait(NVMC_S);
            }
        }
        set(Wen::Ren);
        Ok(())
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Misaligned> {
        let length = to.checked_sub(from).ok_or(Misaligned)? as usize;
        let from = within(from, length, PAGE)?;
        set(Wen::Een);
        for page in (from..from + length).step_by(PAGE) {
            // SAFETY: the first word of a page, for which erasing is enabled; all ones erase it.
            unsafe { ptr::write_volatile(page as *mut u32, u32::MAX) };
            wait(NVMC_S);
        }
        set(Wen::Ren);
        Ok(())
    }
}

fn within(offset: u32, length: usize, multiple: usize) -> Result<usize, Misaligned> {
    let offset = offset as usize;
    let end = offset.checked_add(length).ok_or(Misaligned)?;
    let is_aligned = offset.is_multiple_of(multiple) && length.is_multiple_of(multiple);
    if end > LENGTH || !is_aligned { Err(Misaligned) } else { Ok(offset) }
}

fn set(mode: Wen) {
    NVMC_S.config().write(|config| config.set_wen(mode));
    wait(NVMC_S);
}

fn wait(controller: Nvmc) {
    while !controller.ready().read().ready() {}
}
