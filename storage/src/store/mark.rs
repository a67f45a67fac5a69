//! The file `acknowledged`: how far the database had got when the store last told somebody that
//! his write is durable.
//!
//! sled takes a record that it cannot read in its log for the log's end, and begins again from
//! there: what came after is gone without a word. So every flush counts, in the database and,
//! when the disk has it, here; a database that has counted less than this file has lost something.
//!
//! ```text
//! count, u64 big-endian | the same, every bit inverted
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Its name in the store's folder.
pub(crate) const NAME: &str = "acknowledged";

/// The open file.
pub(super) struct Mark(File);

impl Mark {
    /// The file, made when it is missing, and what it says: 0 when it says nothing that can be
    /// understood, as after a crash while it was made.
    pub(super) fn open(dir: &Path) -> io::Result<(Self, u64)> {
        let mut how = File::options();
        let how = how.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mark = Self(how.open(dir.join(NAME))?);
        let count = mark.read()?;
        if count == 0 {
            // Its room is taken now: a full disk never keeps a later count from being written.
            mark.write(0)?;
        }
        Ok((mark, count))
    }

    /// Writes the count; not forced to the disk, where an older one does no harm.
    pub(super) fn write(&self, count: u64) -> io::Result<()> {
        let mut bytes = [0; 16];
        let (plain, inverted) = bytes.split_at_mut(8);
        plain.copy_from_slice(&count.to_be_bytes());
        inverted.copy_from_slice(&(!count).to_be_bytes());
        self.0.write_all_at(&bytes, 0)
    }

    fn read(&self) -> io::Result<u64> {
        let mut bytes = [0; 16];
        match self.0.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            Err(error) => return Err(error),
        }
        let (count, inverted) = bytes.split_at(8);
        let number = |half: &[u8]| half.try_into().map_or(0, u64::from_be_bytes);
        let (count, inverted) = (number(count), number(inverted));
        Ok(if inverted == !count { count } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_back_and_half_a_one_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mark, count) = Mark::open(dir.path()).unwrap();
        assert_eq!(count, 0);
        mark.write(0x0102_0304_0506_0708).unwrap();
        let file = dir.path().join(NAME);
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(bytes, *b"\x01\x02\x03\x04\x05\x06\x07\x08\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7");
        assert_eq!(Mark::open(dir.path()).unwrap().1, 0x0102_0304_0506_0708);
        for torn in [
            &bytes[..9],
            &[0; 16],
            b"\x01\x02\x03\x04\x05\x06\x07\x09\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7",
        ] {
            std::fs::write(&file, torn).unwrap();
            assert_eq!(Mark::open(dir.path()).unwrap().1, 0);
        }
    }
}
