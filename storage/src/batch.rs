//! A production batch: which boards of a tenant may be enrolled by a station, until when, and with
//! certificates of what life.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::checked_text;
use crate::record::Record;
use crate::{BoardId, TenantId, UnixSeconds};

checked_text!(
    /// A batch's name within its tenant: `[a-z0-9][a-z0-9-]{0,31}`.
    BatchName,
    "batch name",
    "1 to 32 of a-z, 0-9 and '-', not beginning with '-'",
    crate::id::is_slug
);

checked_text!(
    /// How the hardware ids of a batch begin: `[A-Za-z0-9._:-]{1,32}`.
    BoardPrefix,
    "beginning of board ids",
    "1 to 32 of A-Z, a-z, 0-9, '.', '_', ':' and '-'",
    |text| text.parse::<BoardId>().is_ok()
);

/// One production batch of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Batch {
    /// Whose boards.
    pub tenant: TenantId,
    /// Its name there.
    pub name: BatchName,
    /// Which hardware ids.
    pub allowed: Allowed,
    /// Whether boards may be enrolled; in JSON its fields stand beside the batch's.
    #[serde(flatten)]
    pub state: BatchState,
    /// How long the boards' certificates are valid.
    pub certificates: CertificateLife,
    /// Which boards may be enrolled once more.
    pub again: Again,
    /// Boards enrolled: each once, however many certificates it was given.
    pub enrolled: u32,
    /// When it was added.
    pub created: UnixSeconds,
    /// The last second in which boards may be enrolled.
    pub expires: Option<UnixSeconds>,
}

/// Which hardware ids a batch takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "allowed", rename_all = "kebab-case")]
pub enum Allowed {
    /// Those of its list, which is kept beside it ([`crate::Batches::lists`]).
    List {
        /// How many they are.
        count: u32,
    },
    /// Those that begin so, up to a number of boards.
    Prefix {
        /// Their beginning.
        prefix: BoardPrefix,
        /// How many boards at most.
        max: u32,
    },
}

/// Whether a batch's boards may be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum BatchState {
    /// They may.
    Open,
    /// No more.
    Closed {
        /// Since when.
        since: UnixSeconds,
    },
}

/// How long a board's certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateLife {
    /// Years from when it is made.
    Years(u16),
    /// Without a known end (99991231235959Z, RFC 5280 4.1.2.5).
    Never,
}

/// Which boards that have a certificate may be given another by a station.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// Those the hub has never heard: they have not left the factory.
    #[default]
    UntilHeard,
    /// All: whoever has a station of the batch can then take the place of a board in the field.
    Always,
}

impl Batch {
    /// How many boards it may have.
    pub fn room(&self) -> u32 {
        match self.allowed {
            Allowed::List { count } => count,
            Allowed::Prefix { max, .. } => max,
        }
    }
}

impl Record for Batch {
    const VERSION: u8 = 1;
}

/// A piece of a batch's list, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct ListPiece(pub(crate) Vec<BoardId>);

impl Record for ListPiece {
    const VERSION: u8 = 1;
}
