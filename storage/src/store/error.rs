//! Why the store refused. Holds no record's contents.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::health::WAY_OUT;
use crate::record::RecordError;
use crate::{AuthorityName, BoardId, SealError, TenantId};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or this one, has the folder open.
    #[error("the store {} is in use by another hub or command", dir.display())]
    Locked {
        /// The store's folder.
        dir: PathBuf,
    },
    /// The store was written by another version of the hub.
    #[error("the store {} has schema {found}; this hub knows schema {known}", dir.display())]
    UnknownSchema {
        /// The store's folder.
        dir: PathBuf,
        /// The schema found; 0 when the database names none.
        found: u32,
        /// The one schema this hub reads and writes.
        known: u32,
    },
    /// The store's path is something other than a folder.
    #[error("the store {} is not a folder", dir.display())]
    NotADirectory {
        /// The path.
        dir: PathBuf,
    },
    /// The store's folder cannot be made or used.
    #[error("the store {} cannot be used", dir.display())]
    Unusable {
        /// The store's folder.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database cannot be read, or has lost what was acknowledged.
    #[error("the store {} is damaged ({detail}); {WAY_OUT}", dir.display())]
    Damaged {
        /// The store's folder.
        dir: PathBuf,
        /// What was found.
        detail: String,
    },
    /// There is no room left for what is to be written.
    #[error(
        "the disk of the store {} is full, or a quota or limit is reached; free space, then start \
         the hub again: until then it serves what it knows and remembers nothing new",
        dir.display()
    )]
    NoSpace {
        /// The store's folder.
        dir: PathBuf,
    },
    /// The database failed.
    #[error("the store's database failed")]
    Database(#[from] sled::Error),
    /// The written data could not be forced to the disk.
    #[error("the store could not be forced to the disk")]
    NotDurable(#[source] io::Error),
    /// A record that cannot be read.
    #[error("the record {key:?} in {tree} cannot be read")]
    Corrupt {
        /// Which tree.
        tree: &'static str,
        /// Its key, as text.
        key: String,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// A sealed record that cannot be opened or made.
    #[error("a sealed record in {tree}: {source}")]
    Sealed {
        /// Which tree.
        tree: &'static str,
        /// What is wrong with it.
        #[source]
        source: SealError,
    },
    /// Something too large to be kept.
    #[error("the record {key:?} cannot be written")]
    Unwritable {
        /// Its key, as text.
        key: String,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// What lists are made from is being made anew.
    #[error(
        "boards cannot be listed yet: the rows that lists are made from are being made anew; try \
         again in some seconds"
    )]
    ListsNotReady,
    /// The tenant that owns it does not exist.
    #[error("there is no tenant {tenant}")]
    UnknownTenant {
        /// The name that was given.
        tenant: TenantId,
    },
    /// A tenant with boards cannot be removed.
    #[error("tenant {tenant} still has {count} boards")]
    TenantHasBoards {
        /// The tenant.
        tenant: TenantId,
        /// How many boards it has.
        count: usize,
    },
    /// A session's board does not exist.
    #[error("there is no board {board}")]
    UnknownBoard {
        /// The name that was given.
        board: BoardId,
    },
    /// One certificate is one tenant's authority.
    #[error("that certificate is the authority {authority} already")]
    AuthorityTaken {
        /// Which.
        authority: AuthorityName,
    },
    /// A tenant has had as many authorities as there are numbers.
    #[error("tenant {tenant} has had all of the 65535 authorities that one can have")]
    AuthoritiesFull {
        /// The tenant.
        tenant: TenantId,
    },
    /// One address belongs to one board.
    #[error("the address {address} already belongs to board {board}")]
    AddressTaken {
        /// The address.
        address: IpAddr,
        /// The board that has it.
        board: BoardId,
    },
}
