//! The bytes of a backup, version 1. All numbers are big-endian.
//!
//! ```text
//! head:    "CHBACKUP" | version u16 | schema u32 | created u64 | n u8 | hub's version, n bytes
//! frames:  'T' | n u8  | a tree's name, n bytes              the records behind it are this tree's
//!          'R' | k u16 | v u32 | key, k bytes | value, v bytes
//! end:     'E' | count of records u64 | SHA-256 of everything before, 32 bytes
//! ```
//! Trees come in the order of their names and records in that of their keys, each once, so that the
//! same contents are the same bytes. Invariant: pure; whatever is read is bounded before it is kept,
//! and a backup is whole only when [`Reader::next`] has said [`Frame::End`].

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

/// The format that is written, and the newest that is read.
pub const VERSION: u16 = 1;

/// Bytes of the longest tree's name or hub's version.
const NAME_MAX: usize = 64;
/// Bytes of the longest key.
pub const KEY_MAX: usize = 1024;
/// Bytes of the longest value.
pub const VALUE_MAX: usize = 1024 * 1024;

const MAGIC: &[u8; 8] = b"CHBACKUP";
const TREE: u8 = b'T';
const RECORD: u8 = b'R';
const END: u8 = b'E';

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The schema of the store it was made of.
    pub schema: u32,
    /// When it was made: seconds since 1970.
    pub created: u64,
    /// The version of the hub that made it.
    pub hub: String,
}

/// Why bytes are no backup.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It begins with something else.
    #[error("it is not a backup of a hub's store")]
    NotABackup,
    /// A newer hub made it.
    #[error("it has format {found}, and this hub reads format {VERSION}; use the hub that made it")]
    UnknownVersion {
        /// The format it names.
        found: u16,
    },
    /// It ends too early, as after a copy that broke off.
    #[error("it is cut short after {at} bytes")]
    Truncated {
        /// Bytes that were there.
        at: u64,
    },
    /// It contradicts the format.
    #[error("it is malformed at byte {at}: {what}")]
    Malformed {
        /// Where.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The checksum at its end is another.
    #[error("it is damaged: its checksum does not hold")]
    Checksum,
    /// A name, key or value is longer than the format allows.
    #[error("a record of {tree} is too large for a backup")]
    TooLarge {
        /// Whose.
        tree: String,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes a backup; what it has written is worthless until [`Writer::finish`].
pub struct Writer<W> {
    to: W,
    digest: Sha256,
    tree: String,
    count: u64,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a backup.
    pub fn new(to: W, head: &Head) -> Result<Self, FormatError> {
        let mut writer =
            Self { to, digest: Sha256::new(), tree: String::new(), count: 0, bytes: 0 };
        writer.put(MAGIC)?;
        writer.put(&VERSION.to_be_bytes())?;
        writer.put(&head.schema.to_be_bytes())?;
        writer.put(&head.created.to_be_bytes())?;
        writer.name(&head.hub)?;
        Ok(writer)
    }

    /// The records that follow are this tree's.
    pub fn tree(&mut self, name: &str) -> Result<(), FormatError> {
        name.clone_into(&mut self.tree);
        self.put(&[TREE])?;
        self.name(name)
    }

    /// One record of the tree.
    pub fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), FormatError> {
        let too_large = || FormatError::TooLarge { tree: self.tree.clone() };
        if key.len() > KEY_MAX || value.len() > VALUE_MAX {
            return Err(too_large());
        }
        let key_length = u16::try_from(key.len()).map_err(|_| too_large())?;
        let value_length = u32::try_from(value.len()).map_err(|_| too_large())?;
        self.put(&[RECORD])?;
        self.put(&key_length.to_be_bytes())?;
        self.put(&value_length.to_be_bytes())?;
        self.put(key)?;
        self.put(value)?;
        self.count += 1;
        Ok(())
    }

    /// Ends the backup and gives back what it was written to, with the bytes that it has.
    pub fn finish(mut self) -> Result<(W, u64), FormatError> {
        self.put(&[END])?;
        self.put(&self.count.to_be_bytes())?;
        let digest = std::mem::take(&mut self.digest).finalize();
        self.to.write_all(&digest)?;
        self.to.flush()?;
        Ok((self.to, self.bytes + digest.len() as u64))
    }

    fn name(&mut self, name: &str) -> Result<(), FormatError> {
        match u8::try_from(name.len()) {
            Ok(length) if name.len() <= NAME_MAX => {
                self.put(&[length])?;
                self.put(name.as_bytes())
            }
            _ => Err(FormatError::TooLarge { tree: name.to_owned() }),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(self.to.write_all(bytes)?)
    }
}

/// What comes next in a backup.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The records that follow are this tree's.
    Tree(&'a str),
    /// One record.
    Record {
        /// Its key.
        key: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// The backup is whole.
    End {
        /// Records it holds.
        count: u64,
    },
}

/// Reads a backup, a frame at a time.
pub struct Reader<R> {
    from: R,
    digest: Sha256,
    head: Head,
    at: u64,
    tree: String,
    has_tree: bool,
    key: Vec<u8>,
    before: Vec<u8>,
    has_key: bool,
    value: Vec<u8>,
    count: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    pub fn new(from: R) -> Result<Self, FormatError> {
        let head = Head { schema: 0, created: 0, hub: String::new() };
        let mut reader = Self {
            from,
            digest: Sha256::new(),
            head,
            at: 0,
            tree: String::new(),
            has_tree: false,
            key: Vec::new(),
            before: Vec::new(),
            has_key: false,
            value: Vec::new(),
            count: 0,
        };
        let magic = reader.array::<8>().map_err(|error| match error {
            FormatError::Truncated { .. } => FormatError::NotABackup,
            other => other,
        })?;
        if magic != *MAGIC {
            return Err(FormatError::NotABackup);
        }
        let found = u16::from_be_bytes(reader.array()?);
        if found != VERSION {
            return Err(FormatError::UnknownVersion { found });
        }
        reader.head.schema = u32::from_be_bytes(reader.array()?);
        reader.head.created = u64::from_be_bytes(reader.array()?);
        reader.head.hub = reader.name()?;
        Ok(reader)
    }

    /// What it says of itself.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Bytes read so far.
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// The next frame; asked again after [`Frame::End`] it finds the backup cut short.
    #[expect(clippy::should_implement_trait, reason = "a frame borrows from its reader")]
    pub fn next(&mut self) -> Result<Frame<'_>, FormatError> {
        let [kind] = self.array()?;
        match kind {
            TREE => {
                let name = self.name()?;
                if self.has_tree && name <= self.tree {
                    return Err(self.malformed("a tree out of order"));
                }
                (self.tree, self.has_tree, self.has_key) = (name, true, false);
                Ok(Frame::Tree(&self.tree))
            }
            RECORD => self.record(),
            END => self.end(),
            _ => Err(self.malformed("no frame begins like this")),
        }
    }

    fn record(&mut self) -> Result<Frame<'_>, FormatError> {
        let key_length = usize::from(u16::from_be_bytes(self.array()?));
        let value_length = u32::from_be_bytes(self.array()?);
        let value_length = usize::try_from(value_length).unwrap_or(usize::MAX);
        if !self.has_tree {
            return Err(self.malformed("a record without a tree"));
        }
        if key_length > KEY_MAX || value_length > VALUE_MAX {
            return Err(self.malformed("a record too large"));
        }
        std::mem::swap(&mut self.key, &mut self.before);
        self.key.resize(key_length, 0);
        self.value.resize(value_length, 0);
        fill(&mut self.from, &mut self.digest, &mut self.at, &mut self.key)?;
        fill(&mut self.from, &mut self.digest, &mut self.at, &mut self.value)?;
        if self.has_key && self.key <= self.before {
            return Err(self.malformed("a key out of order"));
        }
        self.has_key = true;
        self.count += 1;
        Ok(Frame::Record { key: &self.key, value: &self.value })
    }

    fn end(&mut self) -> Result<Frame<'_>, FormatError> {
        if u64::from_be_bytes(self.array()?) != self.count {
            return Err(self.malformed("another count of records"));
        }
        let made: [u8; 32] = std::mem::take(&mut self.digest).finalize().into();
        if self.array::<32>()? != made {
            return Err(FormatError::Checksum);
        }
        let mut more = [0];
        match self.from.read(&mut more)? {
            0 => Ok(Frame::End { count: self.count }),
            _ => Err(self.malformed("bytes behind the end")),
        }
    }

    fn name(&mut self) -> Result<String, FormatError> {
        let [length] = self.array()?;
        let mut name = vec![0; usize::from(length)];
        fill(&mut self.from, &mut self.digest, &mut self.at, &mut name)?;
        match String::from_utf8(name) {
            Ok(name) if name.len() <= NAME_MAX && !name.chars().any(char::is_control) => Ok(name),
            _ => Err(self.malformed("not a name")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut bytes = [0; N];
        fill(&mut self.from, &mut self.digest, &mut self.at, &mut bytes)?;
        Ok(bytes)
    }

    const fn malformed(&self, what: &'static str) -> FormatError {
        FormatError::Malformed { at: self.at, what }
    }
}

fn fill(
    from: &mut impl Read,
    digest: &mut Sha256,
    at: &mut u64,
    bytes: &mut [u8],
) -> Result<(), FormatError> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FormatError::Truncated { at: *at },
        _ => FormatError::Io(error),
    })?;
    digest.update(&*bytes);
    *at += bytes.len() as u64;
    Ok(())
}
