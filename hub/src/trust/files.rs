//! New files and folders with the modes that certificates and keys need.
//!
//! Invariant: an existing file is never opened for writing; one is replaced as a whole, if at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::TrustError;

/// Makes `folder` and those above it, each with mode 0700; existing ones stay as they are.
pub fn make_folder(folder: &Path) -> Result<(), TrustError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| TrustError::File { doing: "make", file: folder.to_path_buf(), source })
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Readers {
    /// Anybody: mode 0644.
    Anybody,
    /// Its owner alone: mode 0600.
    Owner,
}

/// Writes a file that must not exist yet, and returns when the disk has it; anybody may read it.
pub fn write_new(file: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    write_durably(file, bytes, Readers::Anybody)
}

/// Writes a file that must not exist yet, and returns when the disk has it; for the owner's eyes
/// alone.
pub fn write_new_secret(file: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    write_durably(file, bytes, Readers::Owner)
}

/// Has the file `new` take the place of `file`, and returns when the disk has it.
pub(super) fn put_in_place(new: &Path, file: &Path) -> Result<(), TrustError> {
    let moved = std::fs::rename(new, file).and_then(|()| sync_folder(file));
    moved.map_err(|source| refused(file, source))
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a file that must not exist yet and leaves it to the system when the disk has it: for
/// what can be made again.
pub fn write_new_unsynced(file: &Path, bytes: &[u8], readers: Readers) -> Result<(), TrustError> {
    create_new(file, bytes, readers).map(drop).map_err(|source| refused(file, source))
}

fn write_durably(file: &Path, bytes: &[u8], readers: Readers) -> Result<(), TrustError> {
    let written = create_new(file, bytes, readers).and_then(|open| {
        open.sync_all()?;
        sync_folder(file)
    });
    written.map_err(|source| refused(file, source))
}

fn create_new(file: &Path, bytes: &[u8], readers: Readers) -> io::Result<File> {
    let mode = match readers {
        Readers::Anybody => 0o644,
        Readers::Owner => 0o600,
    };
    let mut open = OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
    open.write_all(bytes)?;
    Ok(open)
}

fn refused(file: &Path, source: io::Error) -> TrustError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => TrustError::Exists { file: file.to_path_buf() },
        _ => TrustError::File { doing: "write", file: file.to_path_buf(), source },
    }
}
