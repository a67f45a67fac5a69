//! The head of the rows' file: which database it belongs to, and whether its rows are believed.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use crate::BootId;

/// The last byte is 2 since rows say what boards run; the file of a hub before is made anew.
const MAGIC: [u8; 8] = *b"hubrow\0\x02";
/// Where the first row begins.
pub(super) const HEADER_LEN: u64 = 4096;
const PADDED: usize = 4096;
const BYTES: usize = 76;

/// What a database and its rows' file know each other by; another one with each file.
pub(crate) type RowsName = [u8; 16];

/// What the rows are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// They are still being written for the first time, or one could not be written.
    Incomplete,
    /// They are changed in place.
    InUse,
    /// None was changed since the disk had them all.
    Closed,
}

/// The file as the system knows it: a copy is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) boot: BootId,
    inode: u64,
    device: u64,
}

impl Place {
    pub(super) fn of(file: &File, boot: BootId) -> io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self { boot, inode: about.ino(), device: about.dev() })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) standing: Standing,
    pub(super) name: RowsName,
    /// Where it was written.
    pub(super) place: Place,
    /// The database's count of flushes when it was closed.
    pub(super) flushes: u64,
    /// Boards that had a row then.
    pub(super) boards: u32,
}

impl Header {
    /// The header of a file of ours; nothing of any other, or of a new one.
    pub(super) fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; BYTES];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        Ok(Self::decode(&bytes))
    }

    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let mut bytes = self.encode().to_vec();
        bytes.resize(PADDED, 0);
        file.write_all_at(&bytes, 0)
    }

    fn encode(&self) -> [u8; BYTES] {
        let standing = match self.standing {
            Standing::Incomplete => 0_u8,
            Standing::InUse => 1,
            Standing::Closed => 2,
        };
        let fields = MAGIC.into_iter().chain([standing, 0, 0, 0, 0, 0, 0, 0]);
        let fields = fields.chain(self.name).chain(self.place.boot.0);
        let numbers = [self.place.inode, self.place.device, self.flushes];
        let fields = fields.chain(numbers.into_iter().flat_map(u64::to_le_bytes));
        let mut bytes = [0; BYTES];
        let fields = fields.chain(self.boards.to_le_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (standing, rest) = rest.split_first_chunk::<8>()?;
        let (name, rest) = rest.split_first_chunk::<16>()?;
        let (boot, rest) = rest.split_first_chunk::<16>()?;
        let (inode, rest) = rest.split_first_chunk::<8>()?;
        let (device, rest) = rest.split_first_chunk::<8>()?;
        let (flushes, rest) = rest.split_first_chunk::<8>()?;
        let (boards, _) = rest.split_first_chunk::<4>()?;
        let standing = match standing {
            [0, ..] => Standing::Incomplete,
            [1, ..] => Standing::InUse,
            [2, ..] => Standing::Closed,
            _ => return None,
        };
        let [inode, device, flushes] = [inode, device, flushes].map(|n| u64::from_le_bytes(*n));
        (*magic == MAGIC).then_some(Self {
            standing,
            name: *name,
            place: Place { boot: BootId(*boot), inode, device },
            flushes,
            boards: u32::from_le_bytes(*boards),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headers_bytes_are_frozen() {
        let place = Place { boot: BootId([0xb0; 16]), inode: 0x0102, device: 0x03 };
        let header = Header {
            standing: Standing::Closed,
            name: [0xaa; 16],
            place,
            flushes: 0x0405,
            boards: 0x0607,
        };
        let golden = [
            &b"hubrow\0\x02\x02\0\0\0\0\0\0\0"[..],
            &[0xaa; 16],
            &[0xb0; 16],
            &[2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 4, 0, 0, 0, 0, 0, 0, 7, 6, 0, 0],
        ]
        .concat();
        assert_eq!(header.encode().as_slice(), golden);
        assert_eq!(Header::decode(&header.encode()), Some(header));
        for (at, byte) in [(0, b'x'), (7, 1), (8, 9)] {
            let mut other = header.encode();
            other[at] = byte;
            assert_eq!(Header::decode(&other), None);
        }
    }

    #[test]
    fn a_copy_is_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, b"").unwrap();
        std::fs::copy(&one, &two).unwrap();
        let place = |path| Place::of(&File::open(path).unwrap(), BootId([1; 16])).unwrap();
        assert_eq!(place(&one), place(&one));
        assert_ne!(place(&one), place(&two));
    }
}
