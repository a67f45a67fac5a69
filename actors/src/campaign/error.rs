//! Why a campaign is not as somebody wants it.

use storage::StoreError;

/// Why a campaign is not as somebody wants it.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// There is none of this number.
    #[error("there is no campaign {0}")]
    Unknown(u64),
    /// It cannot be; why, and what can be done.
    #[error("{0}")]
    Refused(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CampaignError {
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}
