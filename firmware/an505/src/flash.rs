//! A NOR flash made of the board's static memory: writing clears bits, erasing sets them.
//!
//! The emulation's bench can pull the plug: a number in the memory at [`PLUG`] is how many operations are
//! still done; the one after them is done by half, and then nothing happens any more.

use core::ptr;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::FLASH;

/// Memory that nothing else uses; 0 as long as the bench did not write to it.
const PLUG: *mut u32 = 0x8000_0000 as *mut u32;
const WORD: usize = 4;
const SECTOR: usize = 0x1000;

/// The whole of it.
#[derive(Debug, Default)]
pub struct EmulatedFlash(());

/// Something was asked for that does not begin or end where it can, or lies outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misaligned;

impl NorFlashError for Misaligned {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::NotAligned
    }
}

impl EmulatedFlash {
    /// Gives access to it.
    pub fn new() -> Self {
        Self(())
    }
}

impl ErrorType for EmulatedFlash {
    type Error = Misaligned;
}

impl ReadNorFlash for EmulatedFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Misaligned> {
        let from = address(offset, into.len(), 1)?;
        for (at, byte) in into.iter_mut().enumerate() {
            // SAFETY: within the flash, which is memory that can be read at all times.
            *byte = unsafe { ptr::read_volatile(from.add(at)) };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        FLASH.length as usize
    }
}

impl NorFlash for EmulatedFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misaligned> {
        let to = address(offset, bytes.len(), WORD)?;
        let left = plugged(bytes.len());
        for (at, byte) in bytes.iter().take(left).enumerate() {
            // SAFETY: within the flash; bits are only cleared, and nobody holds a reference into it.
            unsafe { ptr::write_volatile(to.add(at), ptr::read_volatile(to.add(at)) & byte) };
        }
        if left < bytes.len() { off() } else { Ok(()) }
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Misaligned> {
        let length = to.checked_sub(from).ok_or(Misaligned)? as usize;
        let from = address(from, length, SECTOR)?;
        let left = plugged(length);
        for at in 0..left {
            // SAFETY: within the flash, into which nobody holds a reference.
            unsafe { ptr::write_volatile(from.add(at), 0xff) };
        }
        if left < length { off() } else { Ok(()) }
    }
}

/// As on an nRF9160, bits of a word that is written already can be cleared.
impl MultiwriteNorFlash for EmulatedFlash {}

fn address(offset: u32, length: usize, multiple: usize) -> Result<*mut u8, Misaligned> {
    let offset = offset as usize;
    let end = offset.checked_add(length).ok_or(Misaligned)?;
    let is_aligned = offset.is_multiple_of(multiple) && length.is_multiple_of(multiple);
    if end > FLASH.length as usize || !is_aligned {
        return Err(Misaligned);
    }
    Ok((FLASH.at as usize + offset) as *mut u8)
}

/// How many of the bytes of an operation are still done.
fn plugged(bytes: usize) -> usize {
    // SAFETY: memory that only this function writes to.
    let left = unsafe { ptr::read_volatile(PLUG) };
    match left {
        0 => bytes,
        1 => bytes / 2 / WORD * WORD,
        _ => {
            // SAFETY: as above.
            unsafe { ptr::write_volatile(PLUG, left - 1) };
            bytes
        }
    }
}

fn off() -> ! {
    crate::Uart::new().say("the power is off\n");
    loop {
        cortex_m::asm::wfi();
    }
}
