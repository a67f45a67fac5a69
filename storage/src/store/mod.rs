//! The store: one folder, one database, one tree a noun and one an index.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `meta` | `schema` | u32, big-endian |
//! | `tenants` | tenant | record |
//! | `boards` | board | record |
//! | `boards/fingerprint` | 32 bytes | board |
//! | `boards/address` | 4 or 16 bytes | board |
//! | `boards/tenant` | tenant NUL board | nothing |
//! | `routes` | tenant NUL resource | record |
//! | `upstreams` | tenant NUL upstream | record |
//! | `sessions`... | see [`sessions`] | |
//!
//! Invariant: a board and its three index entries change in one transaction, and whatever writes
//! returns when the disk has it, [`Boards::mark_seen`] apart. Nothing outside `store` sees sled.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sled::transaction::{ConflictableTransactionError, TransactionError};
use sled::{Db, Tree};

use crate::record::{self, Record};
use crate::{Boards, Routes, StoreError, TenantId, Tenants, Upstreams};

pub(crate) mod belongings;
pub(crate) mod boards;
pub(crate) mod error;
pub(crate) mod sessions;
pub(crate) mod tenants;

/// The one schema this version reads and writes.
pub const SCHEMA: u32 = 1;

const SCHEMA_KEY: &[u8] = b"schema";

/// Bytes of memory that the database may keep pages in.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// How often, and how long apart, a database that is just being closed is tried again.
const CLOSING_POLLS: u32 = 200;
const CLOSING_POLL: Duration = Duration::from_millis(10);

/// An open store; clones are the same store. The folder is free again when the last one is gone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    tenants: Tree,
    boards: Tree,
    by_fingerprint: Tree,
    by_address: Tree,
    by_tenant: Tree,
    routes: Tree,
    upstreams: Tree,
    db: Db,
    /// The database's file once more: sled's own flush leaves the file's size and the disk's
    /// cache to the system.
    file: File,
    /// Held by whoever checks across trees and then writes.
    writer: Mutex<()>,
    /// Last, so that the folder is free only when the database is closed.
    _lock: File,
}

impl Store {
    /// Opens the store in `dir`, which is made with mode 0700 when it is missing.
    ///
    /// Fails when the folder is open elsewhere ([`StoreError::Locked`]), was written with another
    /// schema ([`StoreError::UnknownSchema`]), or is no folder that can be written.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let unusable = |source| StoreError::Unusable { dir: dir.to_owned(), source };
        make_folder(dir)?;
        let lock = lock(dir)?;
        let database = dir.join("sled");
        let db = open_database(&database)?;
        check_schema(&db, dir)?;
        let file = File::open(database.join("db")).map_err(unusable)?;
        let inner = Inner {
            dir: dir.to_owned(),
            tenants: db.open_tree("tenants")?,
            boards: db.open_tree("boards")?,
            by_fingerprint: db.open_tree("boards/fingerprint")?,
            by_address: db.open_tree("boards/address")?,
            by_tenant: db.open_tree("boards/tenant")?,
            routes: db.open_tree("routes")?,
            upstreams: db.open_tree("upstreams")?,
            db,
            file,
            writer: Mutex::new(()),
            _lock: lock,
        };
        let store = Self { inner: Arc::new(inner) };
        store.flush()?;
        Ok(store)
    }

    /// Returns when everything written so far is on the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }

    /// The tenants.
    pub fn tenants(&self) -> Tenants<'_> {
        Tenants { inner: &self.inner }
    }

    /// The boards.
    pub fn boards(&self) -> Boards<'_> {
        Boards { inner: &self.inner }
    }

    /// The tenants' routes.
    pub fn routes(&self) -> Routes<'_> {
        Routes::new(&self.inner, &self.inner.routes)
    }

    /// The tenants' upstreams.
    pub fn upstreams(&self) -> Upstreams<'_> {
        Upstreams::new(&self.inner, &self.inner.upstreams)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Inner {
    fn flush(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        self.file.sync_data().map_err(StoreError::NotDurable)
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        // The lock guards no value, so whoever panicked with it left nothing half-changed.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a tenant that does not exist; the caller holds the writer's lock.
    fn require_tenant(&self, tenant: &TenantId) -> Result<(), StoreError> {
        match self.tenants.contains_key(tenant.as_str())? {
            true => Ok(()),
            false => Err(StoreError::UnknownTenant { tenant: tenant.clone() }),
        }
    }
}

fn make_folder(dir: &Path) -> Result<(), StoreError> {
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

fn lock(dir: &Path) -> Result<File, StoreError> {
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
fn open_database(path: &Path) -> Result<Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
    for _ in 0..CLOSING_POLLS {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("acquire lock") => {
                std::thread::sleep(CLOSING_POLL);
            }
            opened => return Ok(opened?),
        }
    }
    Ok(config.open()?)
}

/// Writes the schema into a new database and refuses any other; sees it before any other tree is
/// opened.
fn check_schema(db: &Db, dir: &Path) -> Result<(), StoreError> {
    let unknown = |found| StoreError::UnknownSchema { dir: dir.to_owned(), found, known: SCHEMA };
    let is_new = db.tree_names().iter().all(|name| name == b"meta" || name == b"__sled__default");
    let meta = db.open_tree("meta")?;
    match meta.get(SCHEMA_KEY)? {
        Some(value) => match <[u8; 4]>::try_from(value.as_ref()).map(u32::from_be_bytes) {
            Ok(SCHEMA) => Ok(()),
            Ok(found) => Err(unknown(found)),
            Err(_) => Err(unknown(0)),
        },
        None if is_new => {
            meta.insert(SCHEMA_KEY, &SCHEMA.to_be_bytes())?;
            db.flush()?;
            Ok(())
        }
        None => Err(unknown(0)),
    }
}

/// `tenant NUL name`; no name holds a NUL, so one tenant's keys are a range of their own.
fn scoped(tenant: &TenantId, name: &str) -> Vec<u8> {
    [tenant.as_str().as_bytes(), b"\0", name.as_bytes()].concat()
}

fn encode<T: Record>(key: &[u8], noun: &T) -> Result<Vec<u8>, StoreError> {
    record::encode(noun).map_err(|source| StoreError::Unwritable { key: printable(key), source })
}

fn decode<T: Record>(tree: &'static str, key: &[u8], record: &[u8]) -> Result<T, StoreError> {
    record::decode(record).map_err(|source| corrupt(tree, key, source))
}

fn corrupt(tree: &'static str, key: &[u8], source: record::RecordError) -> StoreError {
    StoreError::Corrupt { tree, key: printable(key), source }
}

fn printable(key: &[u8]) -> String {
    String::from_utf8_lossy(key).replace('\0', "/")
}

/// Ends a transaction with an error of ours.
fn abort(error: StoreError) -> ConflictableTransactionError<StoreError> {
    ConflictableTransactionError::Abort(error)
}

fn ended(error: TransactionError<StoreError>) -> StoreError {
    match error {
        TransactionError::Abort(error) => error,
        TransactionError::Storage(error) => StoreError::Database(error),
    }
}

#[cfg(test)]
mod tests;
