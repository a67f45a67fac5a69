//! Where a restored store is put. Invariant: nothing of a store that is there is deleted or changed;
//! it is moved aside as a whole, and only when its backup's successor is complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{BackupError, Contents, fill, verify};
use crate::store::files::FOLDER;
use crate::store::open::{DATABASE, lock, make_folder};
use crate::{Store, StoreError};

/// What a database that is being filled is called in its folder.
const UNFINISHED: &str = "restoring";

/// What was restored, and where the store from before is.
#[derive(Debug, serde::Serialize)]
pub struct Restored {
    /// What the backup held.
    #[serde(flatten)]
    pub contents: Contents,
    /// The store's folder.
    pub store: PathBuf,
    /// Where the store that was there is now.
    pub moved: Option<PathBuf>,
}

/// Restores the backup in `file` as the store in `dir`, which must be missing or hold none
/// ([`BackupError::Occupied`]) unless `aside` says what to rename it to. The backup is read twice:
/// nothing is made of one that is not whole.
///
/// # Errors
/// [`StoreError::Locked`] when a hub or command has the store in `dir` open.
pub fn restore(
    file: &Path,
    dir: &Path,
    aside: Option<&Path>,
    progress: impl FnMut(u64),
) -> Result<Restored, BackupError> {
    // Without a slash at its end, which would make a neighbour a child.
    let dir = &dir.components().collect::<PathBuf>();
    let is_occupied = is_occupied(dir)?;
    // Before the long work; a folder in use stays its user's.
    let held = if dir.exists() { Some(lock(dir)?) } else { None };
    match (is_occupied, aside) {
        (true, None) => return Err(BackupError::Occupied { dir: dir.to_owned() }),
        (true, Some(aside)) if aside.exists() => {
            return Err(BackupError::Occupied { dir: aside.to_owned() });
        }
        _ => {}
    }
    verify(file)?;
    let (contents, moved) = match aside.filter(|_| is_occupied) {
        None => (into_folder(file, dir, held, progress)?, None),
        Some(aside) => (instead_of(file, dir, aside, progress)?, Some(aside.to_owned())),
    };
    // From the first start on, what is there is acknowledged.
    drop(Store::open(dir)?);
    Ok(Restored { contents, store: dir.clone(), moved })
}

/// Whether a store's folder holds more than what any opening leaves there.
fn is_occupied(dir: &Path) -> Result<bool, BackupError> {
    let failed = |source| BackupError::File { doing: "read", path: dir.to_owned(), source };
    if !dir.exists() {
        return Ok(false);
    }
    if !dir.is_dir() {
        return Err(StoreError::NotADirectory { dir: dir.to_owned() }.into());
    }
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !["lock", "control.sock", UNFINISHED, FOLDER].iter().any(|ours| name == *ours) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Fills a database in the folder itself, so that the folder may be a mount's, and gives it its
/// name when it is complete.
fn into_folder(
    file: &Path,
    dir: &Path,
    held: Option<File>,
    progress: impl FnMut(u64),
) -> Result<Contents, BackupError> {
    make_folder(dir)?;
    let _held = match held {
        Some(held) => held,
        None => lock(dir)?,
    };
    let unfinished = dir.join(UNFINISHED);
    if unfinished.exists() {
        // A restore that broke off; nobody but us gives anything that name.
        fs::remove_dir_all(&unfinished).map_err(failed("remove", &unfinished))?;
    }
    make_folder(&unfinished)?;
    let contents = fill(file, &unfinished, progress)?;
    // Before the database, whose records name them; what such a restore left is nobody's.
    if unfinished.join(FOLDER).exists() {
        if dir.join(FOLDER).exists() {
            fs::remove_dir_all(dir.join(FOLDER)).map_err(failed("remove", &dir.join(FOLDER)))?;
        }
        rename(&unfinished.join(FOLDER), &dir.join(FOLDER))?;
    }
    rename(&unfinished.join(DATABASE), &dir.join(DATABASE))?;
    let _ = fs::remove_dir(&unfinished);
    sync(dir)?;
    Ok(contents)
}

/// Fills a folder beside the store's and exchanges the two. The old store's lock is the caller's.
fn instead_of(
    file: &Path,
    dir: &Path,
    aside: &Path,
    progress: impl FnMut(u64),
) -> Result<Contents, BackupError> {
    let mut beside = dir.as_os_str().to_owned();
    beside.push(".");
    beside.push(UNFINISHED);
    let beside = PathBuf::from(beside);
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(failed("remove", &beside))?;
    }
    let contents = into_folder(file, &beside, None, progress)?;
    rename(dir, aside)?;
    rename(&beside, dir)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync(parent)?;
    }
    Ok(contents)
}

fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::rename(from, to).map_err(failed("move", from))
}

fn sync(dir: &Path) -> Result<(), BackupError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("write", dir))
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path: path.clone(), source }
}
