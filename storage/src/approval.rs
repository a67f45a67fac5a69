//! What waits for a second person: an act that one asked for and another has to allow.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::Record;
use crate::{FileDigest, TenantId, UnixSeconds, UserName};

/// An act that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Approval {
    /// Its number: 1 for the hub's first.
    pub number: u64,
    /// What is to be done; in JSON its fields stand beside the approval's.
    #[serde(flatten)]
    pub act: Act,
    /// Why, in the words of whoever asks.
    pub reason: String,
    /// Who asks.
    pub requester: UserName,
    /// When they did.
    pub requested: UnixSeconds,
    /// The last second in which it can be allowed.
    pub expires: UnixSeconds,
    /// What has become of it; in JSON its fields stand beside the approval's.
    #[serde(flatten)]
    pub state: ApprovalState,
}

/// What takes two people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Remove a tenant, with its upstreams, routes and batches.
    RemoveTenant {
        /// Which.
        tenant: TenantId,
    },
    /// Sign a release of firmware, or have it signed.
    SignFirmware {
        /// Which.
        release: u64,
        /// What is signed: no other image takes its place meanwhile.
        digest: FileDigest,
        /// The name of the key in the hub's key store; `None` where the key is elsewhere.
        key: Option<String>,
        /// Whose release it is.
        tenant: Option<TenantId>,
    },
    /// Start a rollout.
    StartRollout {
        /// Which.
        rollout: u64,
        /// Which release it gives boards.
        release: u64,
        /// Whose boards; `None` for those of several tenants.
        tenant: Option<TenantId>,
    },
    /// Have a rollout that was halted begin anew with another release.
    ChangeRollout {
        /// Which.
        rollout: u64,
        /// Which release it then gives boards.
        release: u64,
        /// Whose boards; `None` for those of several tenants.
        tenant: Option<TenantId>,
    },
}

/// What has become of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ApprovalState {
    /// It waits.
    Pending,
    /// It was allowed and is done.
    Done {
        /// By whom it was allowed.
        by: String,
        /// When.
        at: UnixSeconds,
    },
    /// It was allowed, and could not be done.
    Failed {
        /// By whom it was allowed.
        by: String,
        /// When.
        at: UnixSeconds,
        /// Why it could not.
        why: String,
    },
    /// It was not allowed.
    Rejected {
        /// By whom.
        by: String,
        /// When.
        at: UnixSeconds,
        /// Why, in their words.
        why: String,
    },
    /// Whoever asked has thought better of it.
    Withdrawn {
        /// When.
        at: UnixSeconds,
    },
}

impl Act {
    /// The tenant that it is about.
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::RemoveTenant { tenant } => Some(tenant),
            Self::SignFirmware { tenant, .. }
            | Self::StartRollout { tenant, .. }
            | Self::ChangeRollout { tenant, .. } => tenant.as_ref(),
        }
    }
}

impl Approval {
    /// Whether it can be allowed now.
    pub fn waits(&self, now: UnixSeconds) -> bool {
        self.state == ApprovalState::Pending && now <= self.expires
    }
}

impl Record for Approval {
    const VERSION: u8 = 1;
}
