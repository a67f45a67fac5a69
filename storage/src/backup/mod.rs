//! Backups: one file that holds everything a store holds, except sessions.
//!
//! Invariant: a session is in no backup. Its write sequences went on after the backup was made, and
//! a hub that went back to it would use them twice under one key; boards shake hands anew instead.
//! Files are records of what looks like a tree, `files`: by path, NUL and number, pieces of 256 KiB.
//! Boards' histories look like another, `boards/history`: by the number of the board's row, big-endian,
//! its slot.

mod files;
pub mod format;
mod place;

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use self::format::{FormatError, Frame, Head, Reader, Writer};
pub use self::place::{Restored, restore};
use crate::board::BoardRecord;
use crate::history::file::Histories;
use crate::record::{decode, encode};
use crate::rows::RowNumber;
use crate::store::health::{Health, quietly};
use crate::store::histories;
use crate::store::tree::Tree;
use crate::store::{SCHEMA, SCHEMA_KEY};
use crate::{Store, StoreError, UnixSeconds};

/// Bytes of a backup that are read or written at once.
const BUFFER: usize = 256 * 1024;

/// Records between two reports of progress.
const REPORT_EVERY: u64 = 1000;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// The schema of the store it was made of.
    pub schema: u32,
    /// When it was made.
    pub created: UnixSeconds,
    /// The version of the hub that made it.
    pub hub: String,
    /// How many records it holds.
    pub records: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Why a backup could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is no whole backup that this hub understands.
    #[error("the backup {} cannot be used: {source}", file.display())]
    Unfit {
        /// The backup.
        file: PathBuf,
        /// Why.
        source: FormatError,
    },
    /// The system refused to read, write or move something.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried: "read", "write", "make" or "move".
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The backup could not be written out.
    #[error("the backup broke off: {0}")]
    BrokenOff(#[source] FormatError),
    /// The backup was made with a schema that this hub does not know.
    #[error("the backup {} has schema {found}; this hub knows schema {SCHEMA}", file.display())]
    UnknownSchema {
        /// The backup.
        file: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// There is a store already.
    #[error("there is a store in {} already", dir.display())]
    Occupied {
        /// Its folder.
        dir: PathBuf,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes everything but the sessions to `to`, as it was at one moment: whoever would change
    /// the registry waits meanwhile, and whoever reads it does not. `progress` is called with the
    /// records written since its last call.
    ///
    /// # Errors
    /// [`BackupError::BrokenOff`] when `to` takes no more, [`BackupError::Store`] when a record
    /// cannot be read; what was written is then no backup.
    pub fn backup(
        &self,
        created: UnixSeconds,
        hub: &str,
        to: impl Write,
        mut progress: impl FnMut(u64),
    ) -> Result<Contents, BackupError> {
        let head = Head { schema: SCHEMA, created: created.0, hub: hub.to_owned() };
        let to = std::io::BufWriter::with_capacity(BUFFER, to);
        let inner = &self.inner;
        let _writer = inner.writer();
        let mut writer = Writer::new(to, &head).map_err(BackupError::BrokenOff)?;
        let mut records = 0;
        let files = files::Pieces::of(self.dir())?;
        for name in self.names_for_backup(&files)? {
            writer.tree(&name).map_err(BackupError::BrokenOff)?;
            if name == files::TREE {
                files.each(|key, piece| {
                    writer.record(key, piece).map_err(BackupError::BrokenOff)?;
                    records += 1;
                    Ok(())
                })?;
                continue;
            }
            if name == histories::TREE {
                inner.each_history(|row, slot| {
                    let key = row.number().to_be_bytes();
                    writer.record(&key, slot).map_err(BackupError::BrokenOff)?;
                    records += 1;
                    Ok::<_, BackupError>(())
                })?;
                continue;
            }
            for entry in Tree::open(&inner.db, &name, &inner.health)?.iter() {
                let (key, value) = entry?;
                // The rest is about this database and its sessions.
                if name == "meta" && key != SCHEMA_KEY {
                    continue;
                }
                let without = (name == "boards").then(|| without_session(&value)).flatten();
                let value = without.as_deref().unwrap_or(&value);
                writer.record(&key, value).map_err(BackupError::BrokenOff)?;
                records += 1;
                if records % REPORT_EVERY == 0 {
                    progress(REPORT_EVERY);
                }
            }
        }
        progress(records % REPORT_EVERY);
        let (_, bytes) = writer.finish().map_err(BackupError::BrokenOff)?;
        Ok(Contents { schema: SCHEMA, created, hub: head.hub, records, bytes })
    }

    /// Records that a backup made now would hold; reads all their keys.
    pub fn count_for_backup(&self) -> Result<u64, StoreError> {
        let inner = &self.inner;
        let mut count = 0;
        let files = files::Pieces::of(self.dir()).map_err(|error| match error {
            BackupError::Store(error) => error,
            error => StoreError::Unusable {
                dir: self.dir().to_owned(),
                source: std::io::Error::other(error),
            },
        })?;
        for name in self.names_for_backup(&files)? {
            count += match name.as_str() {
                "meta" => 1,
                files::TREE => files.count(),
                histories::TREE => inner.count_histories()?,
                _ => Tree::open(&inner.db, &name, &inner.health)?.iter().count() as u64,
            };
        }
        Ok(count)
    }

    /// The names of what goes into a backup, in their order.
    fn names_for_backup(&self, files: &files::Pieces) -> Result<Vec<String>, StoreError> {
        let names = self.tree_names()?.into_iter().filter(|name| is_kept(name));
        let files = (files.count() > 0).then(|| String::from(files::TREE));
        let of_boards = String::from(histories::TREE);
        let mut names: Vec<_> = names.chain(files).chain([of_boards]).collect();
        names.sort();
        Ok(names)
    }

    /// The names of the trees there are, in their order.
    pub(crate) fn tree_names(&self) -> Result<Vec<String>, StoreError> {
        let names = self.inner.health.contain(|| Ok(self.inner.db.tree_names()))?;
        let mut names: Vec<_> =
            names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        names.sort();
        Ok(names)
    }
}

/// A board's record that names no session; nothing for one that names none as it is, or cannot be
/// read, which goes into the backup as it is.
fn without_session(record: &[u8]) -> Option<Vec<u8>> {
    let found: BoardRecord = decode(record).ok()?;
    found.session?;
    encode(&BoardRecord { session: None, ..found }).ok()
}

fn is_kept(tree: &str) -> bool {
    // What let somebody in may have been ended or used up since.
    let is_a_session = tree.starts_with("sessions") || tree == "logins" || tree == "users/setup";
    !is_a_session && tree != "__sled__default"
}

/// Reads a backup to its end and says what it holds; an error unless it is whole and undamaged.
pub fn verify(file: &Path) -> Result<Contents, BackupError> {
    each(file, |_| Ok(()))
}

/// Gives every frame of a backup to `take`.
fn each(
    file: &Path,
    mut take: impl FnMut(Frame<'_>) -> Result<(), BackupError>,
) -> Result<Contents, BackupError> {
    let unfit = |source| match source {
        FormatError::Io(source) => {
            BackupError::File { doing: "read", path: file.to_owned(), source }
        }
        source => BackupError::Unfit { file: file.to_owned(), source },
    };
    let opened = File::open(file).map_err(FormatError::from).map_err(unfit)?;
    let mut reader = Reader::new(BufReader::with_capacity(BUFFER, opened)).map_err(unfit)?;
    let Head { schema, created, hub } = reader.head().clone();
    if schema != SCHEMA {
        return Err(BackupError::UnknownSchema { file: file.to_owned(), found: schema });
    }
    loop {
        match reader.next().map_err(unfit)? {
            Frame::End { count: records } => {
                let bytes = reader.position();
                let created = UnixSeconds(created);
                return Ok(Contents { schema, created, hub, records, bytes });
            }
            frame @ (Frame::Tree(_) | Frame::Record { .. }) => take(frame)?,
        }
    }
}

/// Fills a new database in `dir` from a backup that [`verify`] has found whole.
fn fill(file: &Path, dir: &Path, mut progress: impl FnMut(u64)) -> Result<Contents, BackupError> {
    let health = Health::new(dir);
    let db = crate::store::open::database(&dir.join(crate::store::open::DATABASE), dir)?;
    let (mut into, mut files) = (Destination::Files, files::Filling::of(dir));
    let of_boards = histories::open(dir)?;
    let not_written =
        |source| BackupError::File { doing: "write", path: histories::path(dir), source };
    let mut records = 0;
    let contents = each(file, |frame| {
        match frame {
            Frame::Tree(files::TREE) => into = Destination::Files,
            Frame::Tree(histories::TREE) => into = Destination::Histories,
            Frame::Tree(name) => into = Destination::Tree(Tree::open(&db, name, &health)?),
            Frame::Record { key, value } => {
                match &into {
                    Destination::Tree(tree) => tree.insert(key, value).map(drop)?,
                    Destination::Files => files.take(key, value)?,
                    Destination::Histories => {
                        put_history(&of_boards, key, value).map_err(not_written)?
                    }
                }
                records += 1;
                if records % REPORT_EVERY == 0 {
                    progress(REPORT_EVERY);
                }
            }
            Frame::End { .. } => {}
        }
        Ok(())
    })?;
    progress(records % REPORT_EVERY);
    files.finish()?;
    of_boards.sync().map_err(not_written)?;
    health.contain(|| db.flush())?;
    drop(into);
    quietly(move || drop(db))
        .map_err(|detail| StoreError::Damaged { dir: dir.to_owned(), detail })?;
    Ok(contents)
}

/// What a backup's records are put into.
enum Destination {
    Tree(Tree),
    Files,
    Histories,
}

/// A board's history; one of another layout than this hub's is left out.
fn put_history(histories: &Histories, key: &[u8], slot: &[u8]) -> std::io::Result<()> {
    let row = key.try_into().ok().map(u32::from_be_bytes).and_then(RowNumber::new);
    match (row, slot.try_into()) {
        (Some(row), Ok(slot)) => histories.put(row, slot),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
