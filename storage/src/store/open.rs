//! From a folder to an open database, or to the reason why not.
//!
//! Invariant: nothing is deleted or repaired here that anybody could miss. (sled drops the torn end
//! of its log, which was never acknowledged; more than that is found by [`super::mark`].)

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sled::Db;

use super::health::{Health, quietly, understand};
use super::mark::Mark;
use super::tree::Tree;
use super::{ACKNOWLEDGED_KEY, SCHEMA, SCHEMA_KEY};
use crate::StoreError;

/// The database's folder in the store's.
pub(crate) const DATABASE: &str = "sled";

/// Bytes of memory that the database may keep pages in.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// How often, and how long apart, a database that is just being closed is tried again.
const CLOSING_POLLS: u32 = 200;
const CLOSING_POLL: Duration = Duration::from_millis(10);

/// What [`open`] found.
pub(super) struct Opened {
    pub(super) db: Db,
    pub(super) meta: Tree,
    pub(super) file: File,
    pub(super) mark: Mark,
    /// Flushes that the database counted.
    pub(super) count: u64,
    /// The last of them that is known to have ended.
    pub(super) acknowledged: u64,
}

/// Opens the database in a locked folder and sees that it is ours and whole.
pub(super) fn open(dir: &Path, health: &Arc<Health>) -> Result<Opened, StoreError> {
    let unusable = |source| StoreError::Unusable { dir: dir.to_owned(), source };
    let (mark, acknowledged) = Mark::open(dir).map_err(unusable)?;
    let path = dir.join(DATABASE);
    let db = database(&path, dir)?;
    let meta = check_schema(&db, dir, health, acknowledged)?;
    let count = meta.get(ACKNOWLEDGED_KEY)?.map_or(Some(0), |value| number(&value)).unwrap_or(0);
    if count < acknowledged {
        let detail = format!(
            "its last {} acknowledged changes are missing; to go on without them, remove the file \
             `acknowledged`",
            acknowledged - count
        );
        return Err(StoreError::Damaged { dir: dir.to_owned(), detail });
    }
    let file = File::open(path.join("db")).map_err(unusable)?;
    Ok(Opened { db, meta, file, mark, count, acknowledged })
}

/// Makes the folder, with mode 0700, when it is missing.
pub(crate) fn make_folder(dir: &Path) -> Result<(), StoreError> {
    let unusable = |source| StoreError::Unusable { dir: dir.to_owned(), source };
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(unusable)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(unusable(error)),
        _ if !dir.is_dir() => Err(StoreError::NotADirectory { dir: dir.to_owned() }),
        _ => Ok(()),
    }
}

/// Takes the folder for this process, as long as the file is open.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let unusable = |source| StoreError::Unusable { dir: dir.to_owned(), source };
    let path = dir.join("lock");
    let lock = File::options().write(true).create(true).truncate(false).open(path);
    let lock = lock.map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Opens the database. The folder's lock is ours by now: one that is still locked belongs to a store
/// of this process that was just dropped, whose thread inside sled outlives it by an instant.
#[expect(clippy::disallowed_methods, reason = "start-up waits here, on no arbiter")]
pub(crate) fn database(path: &Path, dir: &Path) -> Result<Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
    let mut polls = 0;
    loop {
        let opened = quietly(|| config.open());
        let opened =
            opened.map_err(|detail| StoreError::Damaged { dir: dir.to_owned(), detail })?;
        match opened {
            Err(sled::Error::Io(error))
                if polls < CLOSING_POLLS && error.to_string().contains("acquire lock") =>
            {
                polls += 1;
                std::thread::sleep(CLOSING_POLL);
            }
            Err(error) => return Err(understand(error, dir)),
            Ok(db) => return Ok(db),
        }
    }
}

/// Writes the schema into a new database and refuses any other; sees it before any other tree is
/// opened. Trees that a newer hub added are no other schema: an older one leaves them alone, and
/// they are made, empty, where they are missing.
fn check_schema(
    db: &Db,
    dir: &Path,
    health: &Arc<Health>,
    acknowledged: u64,
) -> Result<Tree, StoreError> {
    let unknown = |found| StoreError::UnknownSchema { dir: dir.to_owned(), found, known: SCHEMA };
    let names = health.contain(|| Ok(db.tree_names()))?;
    let is_new = names.iter().all(|name| name == b"meta" || name == b"__sled__default");
    let meta = Tree::open(db, "meta", health)?;
    match meta.get(SCHEMA_KEY)? {
        Some(value) => match <[u8; 4]>::try_from(value.as_ref()).map(u32::from_be_bytes) {
            Ok(SCHEMA) => Ok(meta),
            Ok(found) => Err(unknown(found)),
            Err(_) => Err(unknown(0)),
        },
        None if acknowledged > 0 => {
            let detail = String::from("everything that was acknowledged is missing");
            Err(StoreError::Damaged { dir: dir.to_owned(), detail })
        }
        None if is_new => {
            meta.insert(SCHEMA_KEY, &SCHEMA.to_be_bytes())?;
            health.contain(|| db.flush())?;
            Ok(meta)
        }
        None => Err(unknown(0)),
    }
}

fn number(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}
