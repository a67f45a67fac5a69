//! A store's files in a backup, and out of it again. Invariant: a file is put where files are, and
//! nowhere else, whatever a backup names.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::store::files::{FOLDER, all, place};

/// What the files' records are called in a backup.
pub(super) const TREE: &str = "files";
/// Bytes of one record.
const PIECE: usize = 256 * 1024;

/// The files of a store, cut into records.
pub(super) struct Pieces {
    files: Vec<(String, PathBuf, u64)>,
}

impl Pieces {
    pub(super) fn of(dir: &Path) -> Result<Self, BackupError> {
        let names = all(dir).map_err(failed("read", &dir.join(FOLDER)))?;
        let sized = names.into_iter().map(|name| {
            let path = dir.join(FOLDER).join(&name);
            let length = fs::metadata(&path).map_err(failed("read", &path))?.len();
            Ok((name, path, length))
        });
        Ok(Self { files: sized.collect::<Result<_, BackupError>>()? })
    }

    /// How many records; an empty file is one.
    pub(super) fn count(&self) -> u64 {
        self.files.iter().map(|(_, _, length)| length.div_ceil(PIECE as u64).max(1)).sum()
    }

    /// Gives each record to `take`; what a file has grown by since is left out.
    pub(super) fn each(
        &self,
        mut take: impl FnMut(&[u8], &[u8]) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let mut piece = Vec::with_capacity(PIECE);
        for (name, path, length) in &self.files {
            let mut file = File::open(path).map_err(failed("read", path))?.take(*length);
            for number in 0..length.div_ceil(PIECE as u64).max(1) {
                piece.clear();
                let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece);
                read.map_err(failed("read", path))?;
                let number = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
                take(&[name.as_bytes(), b"\0", &number].concat(), &piece)?;
            }
        }
        Ok(())
    }
}

/// Files that are written from a backup's records.
pub(super) struct Filling {
    dir: PathBuf,
    current: Option<(PathBuf, File)>,
}

impl Filling {
    pub(super) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), current: None }
    }

    /// The next record; one that names no file of a store's is passed over.
    pub(super) fn take(&mut self, key: &[u8], piece: &[u8]) -> Result<(), BackupError> {
        let name = key.split(|byte| *byte == 0).next().and_then(|name| str::from_utf8(name).ok());
        let Some(path) = name.and_then(|name| place(&self.dir, name)) else { return Ok(()) };
        if self.current.as_ref().is_none_or(|(current, _)| *current != path) {
            self.finish()?;
            if let Some(folder) = path.parent() {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
                made.map_err(failed("make", folder))?;
            }
            let mut options = File::options();
            options.write(true).create(true).truncate(true).mode(0o600);
            let file = options.open(&path).map_err(failed("write", &path))?;
            self.current = Some((path, file));
        }
        match &mut self.current {
            Some((path, file)) => file.write_all(piece).map_err(failed("write", path)),
            None => Ok(()),
        }
    }

    /// Has the disk take the last file.
    pub(super) fn finish(&mut self) -> Result<(), BackupError> {
        match self.current.take() {
            Some((path, file)) => file.sync_all().map_err(failed("write", &path)),
            None => Ok(()),
        }
    }
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path: path.clone(), source }
}
