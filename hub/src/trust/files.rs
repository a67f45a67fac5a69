//! New files and folders with the modes that certificates and keys need.
//!
//! Invariant: an existing file is never opened for writing.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::TrustError;

/// Makes `folder` and those above it, each with mode 0700; existing ones stay as they are.
pub fn make_folder(folder: &Path) -> Result<(), TrustError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| TrustError::File { doing: "make", file: folder.to_path_buf(), source })
}

/// Writes a file that must not exist yet; anybody may read it.
pub fn write_new(file: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    write_with_mode(file, bytes, 0o644)
}

/// Writes a file that must not exist yet, for the owner's eyes alone.
pub fn write_new_secret(file: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    write_with_mode(file, bytes, 0o600)
}

fn write_with_mode(file: &Path, bytes: &[u8], mode: u32) -> Result<(), TrustError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)
        .and_then(|mut open| open.write_all(bytes));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => TrustError::Exists { file: file.to_path_buf() },
        _ => TrustError::File { doing: "write", file: file.to_path_buf(), source },
    })
}
