//! A release: one image for the boards of a product, from the draft to the signature.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::Record;
use crate::{FileDigest, FirmwareVersion, HardwareName, ProductName, TenantId, UnixSeconds};

/// Bytes of the longest notes.
pub const NOTES_MAX: usize = 16 * 1024;

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Release {
    /// Its number: 1 for the hub's first.
    pub number: u64,
    /// Whose boards may have it; `None` is every tenant's.
    pub tenant: Option<TenantId>,
    /// The kind of product it is for.
    pub product: ProductName,
    /// The revisions of the hardware it is for; empty for all.
    pub hardware: Vec<HardwareName>,
    /// Its version, as the image says.
    pub version: FirmwareVersion,
    /// Its security counter, as the image says.
    pub security_counter: u32,
    /// What must run before it is put in place, as the image says.
    pub needs: Option<FirmwareVersion>,
    /// SHA-256 of what is signed: header, body and protected area.
    pub digest: FileDigest,
    /// The image as it is now.
    pub file: FileDigest,
    /// Bytes of the image.
    pub size: u32,
    /// What is new, for people.
    pub notes: String,
    /// What it is made of (SBOM), a file.
    pub sbom: Option<FileDigest>,
    /// When it was uploaded.
    pub added: UnixSeconds,
    /// By whom.
    pub by: String,
    /// How far it is; in JSON its fields stand beside the release's.
    #[serde(flatten)]
    pub state: ReleaseState,
}

/// How far a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ReleaseState {
    /// It is not signed, and nobody has allowed that.
    Draft,
    /// It may be signed by a key that is elsewhere.
    Approved {
        /// Who allowed it.
        approved_by: String,
        /// When.
        approved: UnixSeconds,
    },
    /// Boards can be given it.
    Signed {
        /// SHA-256 of the key.
        key: FileDigest,
        /// When the hub had the signature.
        signed: UnixSeconds,
    },
    /// No board is given it any more.
    Withdrawn {
        /// When.
        withdrawn: UnixSeconds,
        /// Why.
        why: String,
    },
}

impl Release {
    /// Whether a tenant's boards may have it.
    #[must_use]
    pub fn is_for(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }

    /// Whether boards can be given it.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        matches!(self.state, ReleaseState::Signed { .. })
    }
}

impl Record for Release {
    const VERSION: u8 = 1;
}
