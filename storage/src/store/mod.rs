//! The store: one folder, one database, one tree a noun and one an index; beside it the sessions'
//! files, the boards' rows and their histories.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `meta` | `schema` | u32, big-endian |
//! | `meta` | `acknowledged` | u64, big-endian: flushes so far (see [`mark`]) |
//! | `meta` | `list` | u64, big-endian: the last list of revoked certificates' number |
//! | `meta` | `rows` | 16 bytes: what the file [`rows`] is known by |
//! | `tenants` | tenant | record |
//! | `authorities`... | see [`authorities`] | record |
//! | `boards` | board | record, the slot of its session, and its row |
//! | `boards/address` | 4 or 16 bytes | board |
//! | `boards/renewal` | board | record |
//! | `routes` | tenant NUL resource | record |
//! | `upstreams` | tenant NUL upstream | record |
//! | `certificates/revoked` | see [`revoked`] | record |
//! | `audit` | see [`audit`] | |
//! | `batches`..., `tokens` | see [`batches`] | |
//! | `vault/keys` | see [`data_keys`] | |
//! | `vault/secrets` | see [`secrets`] | |
//! | `users`..., `api-tokens`, `approvals`, `logins`, `firmware`..., `rollouts`, `stations`, `campaigns` | see [`keyed`] | |
//! | `sessions`... | see [`sessions`] | |
//!
//! Invariant: a board and its address change in one transaction, its row follows before anybody else
//! changes a board, and whatever writes returns when the disk has it, [`Boards::mark_seen`] and
//! [`Store::add_history`] apart.
//! Nothing outside `store` sees sled.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use sled::Db;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use self::building::Building;
use self::health::Health;
use self::mark::Mark;
use self::tree::Tree;
use crate::history::file::Histories;
use crate::record::{self, Record};
use crate::rows::{Past, Rows};
use crate::{BoardForecast, Boards, Renewals, Routes, StoreError, TenantId, Tenants, Upstreams};

pub(crate) mod audit;
pub(crate) mod authorities;
pub(crate) mod batches;
pub(crate) mod belongings;
pub(crate) mod boards;
mod building;
mod campaigns;
mod census;
pub(crate) mod chosen;
pub(crate) mod data_keys;
pub(crate) mod error;
pub(crate) mod files;
mod forecast;
pub(crate) mod health;
pub(crate) mod histories;
pub(crate) mod keyed;
mod lists;
pub(crate) mod mark;
pub(crate) mod open;
pub(crate) mod renewals;
pub(crate) mod revoked;
pub(crate) mod rows;
pub(crate) mod running;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod tenants;
pub(crate) mod together;
pub(crate) mod tree;

/// The one schema this version reads and writes. It stays while trees are only added.
pub const SCHEMA: u32 = 1;

pub(crate) const SCHEMA_KEY: &[u8] = b"schema";
pub(crate) const ACKNOWLEDGED_KEY: &[u8] = b"acknowledged";
pub(crate) const LIST_NUMBER_KEY: &[u8] = b"list";

/// An open store; clones are the same store. The folder is free again when the last one is gone.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    /// Makes rows; ends with the last clone.
    _building: Option<Arc<Building>>,
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    meta: Tree,
    pub(crate) tenants: Tree,
    pub(crate) authorities: Tree,
    pub(crate) by_certificate: Tree,
    pub(crate) boards: Tree,
    pub(crate) by_address: Tree,
    /// What lists are made from.
    pub(crate) rows: Rows,
    pub(crate) histories: Histories,
    /// Records read for them so far, and boards there once were: how far they are.
    records_read: AtomicU64,
    boards_before: Option<u32>,
    pub(crate) renewals: Tree,
    routes: Tree,
    upstreams: Tree,
    pub(crate) revoked: Tree,
    /// Changes of what is revoked, and of whose authority is which, since the store was opened.
    revocations: AtomicU64,
    pub(crate) batches: batches::BatchTrees,
    pub(crate) keyed: keyed::KeyedTrees,
    together: together::Together,
    /// When certificates end, as it was counted last.
    forecast: Mutex<Option<Arc<BoardForecast>>>,
    pub(crate) db: Db,
    /// The database's file once more: sled's own flush leaves the file's size and the disk's
    /// cache to the system.
    file: File,
    pub(crate) health: Arc<Health>,
    mark: Mark,
    /// Flushes so far; held while one is counted in the database, and shared by who changes rows.
    count: RwLock<u64>,
    /// The last flush that ended.
    flushed: AtomicU64,
    /// Held by whoever checks across trees and then writes.
    writer: Mutex<()>,
    /// The sessions, while they are open.
    sessions: Mutex<Weak<sessions::Shared>>,
    /// Last, so that the folder is free only when the database is closed.
    _lock: File,
}

impl Store {
    /// Opens the store in `dir`, which is made with mode 0700 when it is missing.
    ///
    /// Fails when the folder is open elsewhere ([`StoreError::Locked`]), was written with another
    /// schema ([`StoreError::UnknownSchema`]), is no folder that can be written, or when its
    /// database is damaged or has lost what it had acknowledged ([`StoreError::Damaged`]).
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        open::make_folder(dir)?;
        let lock = open::lock(dir)?;
        let health = Health::new(dir);
        let opened = open::open(dir, &health)?;
        let rows::OpenedRows { rows, past } = rows::open(&opened, dir)?;
        let open::Opened { db, meta, file, mark, count, acknowledged } = opened;
        let tree = |name| Tree::open(&db, name, &health);
        let inner = Inner {
            dir: dir.to_owned(),
            meta,
            tenants: tree("tenants")?,
            authorities: tree(authorities::TREE)?,
            by_certificate: tree(authorities::BY_CERTIFICATE)?,
            boards: tree("boards")?,
            by_address: tree("boards/address")?,
            rows,
            histories: histories::open(dir)?,
            records_read: AtomicU64::new(0),
            boards_before: if let Past::Lost(boards) = past { boards } else { None },
            renewals: tree(renewals::TREE)?,
            routes: tree("routes")?,
            upstreams: tree("upstreams")?,
            revoked: tree(revoked::TREE)?,
            revocations: AtomicU64::new(0),
            batches: batches::BatchTrees::open(tree)?,
            keyed: keyed::KeyedTrees::open(tree)?,
            together: together::Together::default(),
            forecast: Mutex::default(),
            db,
            file,
            health,
            mark,
            count: RwLock::new(count),
            flushed: AtomicU64::new(acknowledged),
            writer: Mutex::new(()),
            sessions: Mutex::default(),
            _lock: lock,
        };
        sessions::drop_older(&inner)?;
        authorities::migrate(&inner)?;
        revoked::migrate(&inner)?;
        // An index that nothing needs any more.
        inner.health.contain(|| inner.db.drop_tree("boards/fingerprint"))?;
        let inner = Arc::new(inner);
        let building = rows::repair(&inner, past)?.map(Arc::new);
        let store = Self { inner, _building: building };
        store.flush()?;
        Ok(store)
    }

    /// Notes that all is written, so that the next start finds everything in its place even after
    /// the machine was switched off. The last clone does so by itself when it goes; a process that
    /// ends without dropping it calls this.
    ///
    /// # Errors
    /// As [`Store::flush`]; [`StoreError::Unusable`].
    pub fn close(&self) -> Result<(), StoreError> {
        self.inner.close_rows()
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Why nothing can be made durable any more, and what to do about it; nothing while all is
    /// well. Once failed, a store stays so until it is opened anew; what it still has in memory
    /// and what it can read is served on.
    pub fn failure(&self) -> Option<&str> {
        self.inner.health.failure()
    }

    /// Has `told` called once with [`Store::failure`]: when the store fails, on the thread that
    /// found it out, or at once when it has failed before. The first caller is served.
    pub fn on_failure(&self, told: impl Fn(&str) + Send + Sync + 'static) {
        self.inner.health.on_failure(Box::new(told));
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

    /// Certificates that boards have been issued and have not used yet.
    pub fn renewals(&self) -> Renewals<'_> {
        Renewals::new(self)
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
        let mut counted = self.count.write().unwrap_or_else(PoisonError::into_inner);
        let count = *counted + 1;
        self.meta.insert(ACKNOWLEDGED_KEY, &count.to_be_bytes())?;
        *counted = count;
        drop(counted);
        self.health.contain(|| self.db.flush())?;
        let not_durable = |source| self.health.not_durable(source);
        self.file.sync_data().map_err(not_durable)?;
        self.mark.write(count).map_err(not_durable)?;
        self.flushed.fetch_max(count, Ordering::Release);
        Ok(())
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, ()> {
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

/// `tenant NUL name`; no name holds a NUL, so one tenant's keys are a range of their own.
pub(crate) fn scoped(tenant: &TenantId, name: &str) -> Vec<u8> {
    [tenant.as_str().as_bytes(), b"\0", name.as_bytes()].concat()
}

fn encode<T: Record>(key: &[u8], noun: &T) -> Result<Vec<u8>, StoreError> {
    record::encode(noun).map_err(|source| StoreError::Unwritable { key: printable(key), source })
}

pub(crate) fn decode<T: Record>(
    tree: &'static str,
    key: &[u8],
    record: &[u8],
) -> Result<T, StoreError> {
    record::decode(record).map_err(|source| corrupt(tree, key, source))
}

pub(crate) fn corrupt(tree: &'static str, key: &[u8], source: record::RecordError) -> StoreError {
    StoreError::Corrupt { tree, key: printable(key), source }
}

pub(crate) fn printable(key: &[u8]) -> String {
    String::from_utf8_lossy(key).replace('\0', "/")
}

/// Ends a transaction with an error of ours.
fn abort(error: StoreError) -> ConflictableTransactionError<StoreError> {
    ConflictableTransactionError::Abort(error)
}

impl Inner {
    /// Runs a transaction, contained.
    fn transaction<T>(
        &self,
        run: impl FnOnce() -> Result<T, TransactionError<StoreError>>,
    ) -> Result<T, StoreError> {
        let ended = self.health.contain(|| match run() {
            Ok(done) => Ok(Ok(done)),
            Err(TransactionError::Abort(error)) => Ok(Err(error)),
            Err(TransactionError::Storage(error)) => Err(error),
        });
        ended.and_then(std::convert::identity)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A store that failed has said so; what it could not write, the next start looks for.
        if self.health.failure().is_none() {
            let _ = self.close_rows();
        }
    }
}

#[cfg(test)]
mod tests;
