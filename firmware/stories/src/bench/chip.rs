//! An nRF9160's flash, as a programmer fills it: there is no such chip in QEMU, so that what the bootloader decides about
//! it is played on this machine.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::{Failure, Told};

const LENGTH: usize = 0x10_0000;

/// The flash: bits are set by erasing pages, and cleared by writing words.
pub(crate) struct Chip(Vec<u8>);

/// Something does not lie in it, or not where it can.
#[derive(Debug)]
pub(crate) struct Misplaced;

impl NorFlashError for Misplaced {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::NotAligned
    }
}

impl Chip {
    /// One that a file in Intel's format was written to; nothing may be written twice.
    pub(crate) fn programmed(hex: &[u8]) -> Told<Self> {
        let text = String::from_utf8_lossy(hex);
        let mut chip = Self(vec![0xff; LENGTH]);
        let mut base = 0;
        for line in text.lines() {
            let wrong = || Failure::Tool(format!("not a line of a hex file: {line}"));
            let record = record(line).ok_or_else(wrong)?;
            match record.kind {
                0 => chip.program(base + record.at, &record.bytes).ok_or_else(wrong)?,
                1 => return Ok(chip),
                // The upper bits of the addresses that follow: in segments of 16 bytes, or of 64 kB.
                2 => base = record.number() << 4,
                4 => base = record.number() << 16,
                _ => return Err(wrong()),
            }
        }
        Err(Failure::Tool("a hex file without an end".to_owned()))
    }

    fn program(&mut self, at: u32, bytes: &[u8]) -> Option<()> {
        let place = self.place(at, bytes.len()).ok()?;
        place.iter().all(|byte| *byte == 0xff).then(|| place.copy_from_slice(bytes))
    }

    /// Four bytes, as the processor reads them.
    pub(crate) fn word(&mut self, at: u32) -> u32 {
        let place = self.place(at, 4).ok().and_then(|place| place.first_chunk().copied());
        place.map_or(u32::MAX, u32::from_le_bytes)
    }

    fn place(&mut self, at: u32, length: usize) -> Result<&mut [u8], Misplaced> {
        let at = usize::try_from(at).map_err(|_| Misplaced)?;
        self.0.get_mut(at..).and_then(|rest| rest.get_mut(..length)).ok_or(Misplaced)
    }
}

/// A line of the file.
struct Record {
    kind: u8,
    at: u32,
    bytes: Vec<u8>,
}

impl Record {
    /// What its two bytes are together.
    fn number(&self) -> u32 {
        self.bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }
}

/// Of a line whose sum is right.
fn record(line: &str) -> Option<Record> {
    let digits = line.trim().strip_prefix(':')?.as_bytes();
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    let bytes = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let (&[length, high, low, kind], rest) = bytes.split_first_chunk()?;
    let (_, content) = rest.split_last()?;
    let at = u32::from(u16::from_be_bytes([high, low]));
    let is_right = sum == 0 && content.len() == usize::from(length);
    is_right.then(|| Record { kind, at, bytes: content.to_vec() })
}

impl ErrorType for Chip {
    type Error = Misplaced;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Misplaced> {
        into.copy_from_slice(self.place(offset, into.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        LENGTH
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 0x1000;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Misplaced> {
        let is_whole = from.is_multiple_of(0x1000) && to.is_multiple_of(0x1000);
        let length = to.checked_sub(from).filter(|_| is_whole).ok_or(Misplaced)?;
        self.place(from, usize::try_from(length).map_err(|_| Misplaced)?)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misplaced> {
        if !offset.is_multiple_of(4) || !bytes.len().is_multiple_of(4) {
            return Err(Misplaced);
        }
        let place = self.place(offset, bytes.len())?;
        place.iter_mut().zip(bytes).for_each(|(old, new)| *old &= *new);
        Ok(())
    }
}
