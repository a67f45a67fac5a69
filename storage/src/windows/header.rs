//! The head of the slots' file: which boot of the machine wrote it, and what of it to believe.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const MAGIC: [u8; 8] = *b"hubwnd\0\x01";
/// Where the first slot begins.
pub(super) const HEADER_LEN: u64 = 4096;
const PADDED: usize = 4096;

/// One boot of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// This boot, as the kernel names it.
    ///
    /// # Errors
    /// The system's, where it has no such name.
    pub fn of_this_boot() -> io::Result<Self> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let mut id = [0; 16];
        let digits = text.bytes().filter_map(|byte| char::from(byte).to_digit(16));
        for (at, digit) in digits.enumerate().take(32) {
            if let Some(byte) = id.get_mut(at / 2) {
                *byte = *byte << 4 | u8::try_from(digit).unwrap_or(0);
            }
        }
        Ok(Self(id))
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// One more after each power failure.
    pub(super) epoch: u32,
    /// The newest epoch whose slots are not believed.
    pub(super) untrusted: u32,
    /// The boot it was written in.
    pub(super) boot: BootId,
    /// Whether nothing was written after.
    pub(super) clean: bool,
}

impl Header {
    /// The header of the file, or of a new one, whose slots nobody can have written.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; 33];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Self { epoch: 1, untrusted: 0, boot: BootId([0; 16]), clean: false });
            }
            read => read?,
        }
        let (magic, rest) = bytes.split_at(8);
        let (epoch, rest) = rest.split_at(4);
        let (untrusted, rest) = rest.split_at(4);
        let (boot, clean) = rest.split_at(16);
        if magic != MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, &byte| n << 8 | u32::from(byte));
        Ok(Self {
            epoch: number(epoch),
            untrusted: number(untrusted),
            boot: BootId(boot.try_into().unwrap_or_default()),
            clean: clean == [1],
        })
    }

    pub(super) fn write(self, file: &File) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.untrusted.to_le_bytes());
        bytes.extend_from_slice(&self.boot.0);
        bytes.push(u8::from(self.clean));
        bytes.resize(PADDED, 0);
        file.write_all_at(&bytes, 0)
    }
}
