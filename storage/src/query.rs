//! What can be asked of all boards at once: which, in what order, how many of each kind.
//!
//! A question is answered by looking at every board's row ([`crate::rows`]) once. Rows have hashes of
//! tenants and labels, so a board is shown only after its record was read and says the same; counts
//! are taken from the rows alone.

use serde::Serialize;

use crate::record::Record;
use crate::{
    AuthorityNumber, Board, BoardId, FirmwareVersion, HardwareName, ProductName, StateKind,
    TenantId, UnixSeconds,
};

mod facets;
mod matcher;
mod page;

pub(crate) use facets::{FirmwareTally, Tally, ValueTally};
use matcher::Part;
pub(crate) use matcher::{Look, Matcher};
pub(crate) use page::Best;

/// Which boards are meant: those that fit everything that is said here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardFilter {
    /// Of one of these tenants; `None` is of all, and an empty list of none.
    pub tenants: Option<Vec<TenantId>>,
    /// In one of these states; empty for all.
    pub states: Vec<StateKind>,
    /// With this in their id, whatever the case.
    pub id_contains: Option<String>,
    /// With all of these labels.
    pub labels: Vec<LabelFilter>,
    /// Added then.
    pub created: Span,
    /// Last heard then.
    pub last_seen: Span,
    /// Ever heard, or never.
    pub heard: Option<bool>,
    /// With a certificate that ends then, as far as the hub has seen it.
    pub certificate_ends: Span,
    /// With a certificate of one of their tenant's authorities of these numbers, and for `None` of
    /// those whose issuer is not known, or without a certificate; empty for all.
    pub issuers: Vec<Option<AuthorityNumber>>,
    /// That said last that they run one of these versions; empty for all, as for the next two.
    pub versions: Vec<FirmwareVersion>,
    /// That said last that they are one of these products.
    pub products: Vec<ProductName>,
    /// That said last that they are one of these revisions of the hardware.
    pub hardware: Vec<HardwareName>,
}

/// A label that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFilter {
    /// Its key.
    pub key: String,
    /// One of these values; empty for any.
    pub values: Vec<String>,
}

/// From one moment on and before another; what has no moment is in no span but the one without
/// bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first second of it.
    pub from: Option<UnixSeconds>,
    /// The first second behind it.
    pub before: Option<UnixSeconds>,
}

/// What a list is sorted by; boards of the same moment by their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The id.
    #[default]
    Id,
    /// When it was added.
    Created,
    /// When it was last heard; never is before all.
    LastSeen,
    /// When its certificate ends; not known is before all.
    CertificateEnd,
}

/// A place between two boards of a sorted list; good for as long as anybody likes, whatever changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub struct Cursor {
    pub(crate) moment: u32,
    pub(crate) id: BoardId,
}

impl Record for Cursor {
    const VERSION: u8 = 1;
}

impl Cursor {
    /// Behind this board in a list that is sorted by id.
    #[must_use]
    pub fn behind(board: &BoardId) -> Self {
        Self { moment: 0, id: board.clone() }
    }

    /// The board that it is behind.
    #[must_use]
    pub const fn board(&self) -> &BoardId {
        &self.id
    }

    /// Bytes that stand for it, for people to bring back.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        crate::record::encode(self).unwrap_or_default()
    }

    /// The cursor that these bytes stand for; none for those that no hub has given out.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        crate::record::decode(bytes).ok()
    }
}

/// A page of a list, and what is to be counted.
#[derive(Debug, Clone, Default)]
pub struct BoardQuery {
    /// Which boards.
    pub filter: BoardFilter,
    /// In what order.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
    /// Begin behind this place of a list with the same order.
    pub after: Option<Cursor>,
    /// At most so many boards.
    pub limit: usize,
    /// What to count.
    pub facets: Facets,
}

/// What is counted beside a page. Each is counted among the boards that fit the filter but for what
/// the filter says of this very thing: so that a choice among its values can be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// How many of each state.
    pub states: bool,
    /// How many of each tenant.
    pub tenants: bool,
    /// How many have which labels' keys.
    pub keys: bool,
    /// How many have which value of these labels.
    pub values_of: Vec<String>,
    /// How many run which firmware.
    pub firmware: bool,
}

/// A page.
#[derive(Debug, Clone, Default)]
pub struct BoardPage {
    /// The boards, as their records are; fewer than wanted where one was changed just now.
    pub boards: Vec<Board>,
    /// Where the next page begins; none behind the last.
    pub next: Option<Cursor>,
    /// How many boards fit the filter.
    pub total: u64,
    /// What was counted.
    pub counts: FacetCounts,
}

/// What was counted; the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FacetCounts {
    /// States.
    pub states: Vec<Counted<StateKind>>,
    /// Tenants.
    pub tenants: Vec<Counted<TenantId>>,
    /// Keys of labels.
    pub keys: Vec<Counted<String>>,
    /// By the label's key: its values, and how many boards have others than those that are named.
    pub values: Vec<ValueCounts>,
    /// Firmware: what boards said last.
    pub firmware: FirmwareCounts,
}

/// Which firmware boards run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FirmwareCounts {
    /// The most frequent first.
    pub kinds: Vec<FirmwareCount>,
    /// Boards with others than those that are named.
    pub others: u64,
    /// Boards that have said nothing.
    pub unknown: u64,
}

/// How many boards run this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirmwareCount {
    /// The kind of product that they are.
    pub product: String,
    /// The revision of their hardware.
    pub hardware: String,
    /// What runs.
    pub version: FirmwareVersion,
    /// How many.
    pub boards: u64,
}

/// One value of something, and how many boards have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted<T> {
    /// The value.
    pub value: T,
    /// How many boards.
    pub boards: u64,
}

/// A label's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueCounts {
    /// The label's key.
    pub key: String,
    /// Values, the most frequent first.
    pub values: Vec<Counted<String>>,
    /// Boards with values that are not named here.
    pub others: u64,
}

impl BoardFilter {
    /// Whether a board fits, as far as its record says.
    pub(crate) fn fits(&self, board: &Board) -> bool {
        let has = |wanted: &LabelFilter| {
            let found = board.labels.get(&wanted.key);
            found.is_some_and(|value| wanted.values.is_empty() || wanted.values.contains(value))
        };
        let id = board.id.as_str().to_ascii_lowercase();
        let part = self.id_contains.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(&board.tenant))
            && (self.states.is_empty() || self.states.contains(&StateKind::of(&board.state)))
            && id.contains(&part)
            && self.labels.iter().all(has)
            && self.created.has(Some(board.created))
            && self.last_seen.has(board.last_seen)
            && self.certificate_ends.has(board.not_after)
            && (self.issuers.is_empty() || self.issuers.contains(&board.issuer))
            && self.heard.is_none_or(|heard| heard == board.last_seen.is_some())
    }
}

impl Span {
    /// Whether a moment is in it.
    #[must_use]
    pub fn has(self, moment: Option<UnixSeconds>) -> bool {
        let Self { from, before } = self;
        let is_in = |moment: UnixSeconds| {
            from.is_none_or(|from| from <= moment) && before.is_none_or(|before| moment < before)
        };
        (from.is_none() && before.is_none()) || moment.is_some_and(is_in)
    }
}
