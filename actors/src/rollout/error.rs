//! Why a rollout is not made or changed.

use std::io;
use std::path::PathBuf;

use storage::StoreError;

/// Why a rollout is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// There is none of this number.
    #[error("there is no rollout {0}")]
    Unknown(u64),
    /// A rule forbids it.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of its boards cannot be read or written.
    #[error("the boards of a rollout cannot be read or written in {}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl RolloutError {
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}
