//! One row: what a list asks of a board, and which bytes that is.
//!
//! | at | bytes | | at | bytes | |
//! | --- | --- | --- | --- | --- | --- |
//! | 0 | 1 | 1: this layout | 28 | 4 | when its certificate ends |
//! | 1 | 1 | [`Kind`] | 32 | 4 | first seen |
//! | 2 | 1 | bytes of its id | 36 | 4 | last seen |
//! | 3 | 1 | labels, at most 255 | 40 | 32 | its id |
//! | 4 | 2 | issuer of its certificate | 72 | 64 | eight labels, 8 bytes each |
//! | 6 | 2 | zeros | 136 | 8 | version of its firmware: 1, 1, 2, 4 |
//! | 8 | 8 | the flush it waits for | 144 | 4 | its product, hashed |
//! | 16 | 8 | its tenant, hashed | 148 | 4 | its hardware, hashed |
//! | 24 | 4 | created | 152 | 1 | 1: it has said these three |
//! | | | | 153 | 39 | zeros, for what boards will say of themselves |
//!
//! All numbers are little-endian; times are seconds since 1970, 0 for none, as of an issuer. A label is a hash of its
//! key and one of key and value, 4 bytes each, in the order of the keys; a board that has more than
//! eight is looked at in its record. What a board says of its firmware is not in its record, and stays where
//! the row is written anew.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::header::HEADER_LEN;
use super::runs::{RUNS_LEN, Runs};
use crate::{AuthorityNumber, Board, BoardId, BoardState, TenantId, UnixSeconds};

/// Bytes of a row.
pub(crate) const ROW_LEN: usize = 192;
const LEN: u64 = 192;

const LAYOUT: u8 = 1;
const KIND: usize = 1;
const ID_LEN: usize = 2;
const LABEL_COUNT: usize = 3;
const ISSUER: usize = 4;
const STAMP: usize = 8;
const TENANT: usize = 16;
const CREATED: usize = 24;
const CERTIFICATE_END: usize = 28;
const FIRST_SEEN: usize = 32;
const LAST_SEEN: usize = 36;
const ID: usize = 40;
/// Bytes of the longest id.
pub(crate) const ID_MAX: usize = 32;
const LABELS: usize = 72;
/// Labels that a row has room for.
pub(crate) const LABELS_MAX: usize = 8;
/// Where what follows from its board's record ends, and what it says of its firmware begins.
const RUNS: usize = 136;

/// Where the row with this number begins.
pub(super) fn offset_of(number: u32) -> u64 {
    HEADER_LEN + LEN * u64::from(number)
}

/// Where in a row the flush it waits for stands.
pub(super) const STAMP_OFFSET: u64 = 8;
/// Where in a row both times of sighting stand.
pub(super) const SEEN_OFFSET: u64 = 32;
/// Where in a row its board's firmware stands.
pub(super) const RUNS_OFFSET: u64 = 136;

/// How many whole rows a file of this length has.
pub(super) fn rows_in(file_len: u64) -> u32 {
    u32::try_from(file_len.saturating_sub(HEADER_LEN) / LEN).unwrap_or(u32::MAX)
}

/// What stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing yet.
    Empty,
    /// A board that is just being added.
    Claimed,
    /// A board that was removed.
    Freed,
    /// A board.
    Board(StateKind),
}

/// A board's state without its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// It may connect.
    Active,
    /// Refused until an admin lifts the block.
    Blocked,
    /// Refused for good.
    Revoked,
    /// Refused until an admin releases it.
    Held,
}

impl StateKind {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Active, Self::Blocked, Self::Revoked, Self::Held];

    /// That of a state.
    #[must_use]
    pub const fn of(state: &BoardState) -> Self {
        match state {
            BoardState::Active => Self::Active,
            BoardState::Blocked { .. } => Self::Blocked,
            BoardState::Revoked { .. } => Self::Revoked,
            BoardState::Held { .. } => Self::Held,
        }
    }
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Empty => 0,
            Self::Claimed => 1,
            Self::Freed => 2,
            Self::Board(StateKind::Active) => 16,
            Self::Board(StateKind::Blocked) => 17,
            Self::Board(StateKind::Revoked) => 18,
            Self::Board(StateKind::Held) => 19,
        }
    }

    /// A byte of no kind is a row that nobody can use: it is there until the file is made anew.
    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Empty,
            2 => Self::Freed,
            16 => Self::Board(StateKind::Active),
            17 => Self::Board(StateKind::Blocked),
            18 => Self::Board(StateKind::Revoked),
            19 => Self::Board(StateKind::Held),
            _ => Self::Claimed,
        }
    }
}

/// A time as rows hold it; 0 for none. What is later than 2106 is at the end of all.
pub(crate) fn short(at: Option<UnixSeconds>) -> u32 {
    at.map_or(0, |UnixSeconds(at)| u32::try_from(at).unwrap_or(u32::MAX).max(1))
}

/// What stands for a tenant.
pub(crate) fn tenant_hash(tenant: &TenantId) -> u64 {
    let digest = Sha256::digest(tenant.as_str());
    digest.first_chunk().map_or(0, |hash| u64::from_le_bytes(*hash))
}

/// What stands for a label's key.
pub(crate) fn key_hash(key: &str) -> u32 {
    let digest = Sha256::digest(key);
    digest.first_chunk().map_or(0, |hash| u32::from_le_bytes(*hash))
}

/// What stands for a label.
pub(crate) fn label_hash(key: &str, value: &str) -> u32 {
    let length = (key.len() as u64).to_le_bytes();
    let digest = Sha256::new().chain_update(length).chain_update(key).chain_update(value);
    digest.finalize().first_chunk().map_or(0, |hash| u32::from_le_bytes(*hash))
}

/// The bytes of a row, in a chunk of the file.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a>(pub(super) &'a [u8; ROW_LEN]);

impl<'a> Row<'a> {
    pub(crate) fn kind(self) -> Kind {
        match self.byte(0) {
            0 | LAYOUT => Kind::from_byte(self.byte(KIND)),
            _ => Kind::Claimed,
        }
    }

    /// The board that is or was in it.
    pub(crate) fn id(self) -> &'a [u8] {
        let length = usize::from(self.byte(ID_LEN)).min(ID_MAX);
        self.0.get(ID..ID + length).unwrap_or_default()
    }

    /// The same with zeros behind it.
    pub(crate) fn padded_id(self) -> [u8; ID_MAX] {
        self.chunk(ID).unwrap_or_default()
    }

    /// The flush after which its record is on the disk.
    pub(super) fn stamp(self) -> u64 {
        self.chunk(STAMP).map_or(0, u64::from_le_bytes)
    }

    pub(crate) fn tenant(self) -> u64 {
        self.chunk(TENANT).map_or(0, u64::from_le_bytes)
    }

    pub(crate) fn created(self) -> u32 {
        self.number(CREATED)
    }

    /// Which of its tenant's authorities issued its certificate, where it has one.
    pub(crate) fn issuer(self) -> Option<AuthorityNumber> {
        AuthorityNumber::new(self.chunk(ISSUER).map_or(0, u16::from_le_bytes))
    }

    pub(crate) fn certificate_end(self) -> u32 {
        self.number(CERTIFICATE_END)
    }

    pub(crate) fn last_seen(self) -> u32 {
        self.number(LAST_SEEN)
    }

    /// Labels that the board has; those above [`LABELS_MAX`] are in its record only.
    pub(crate) fn label_count(self) -> usize {
        self.byte(LABEL_COUNT).into()
    }

    /// Hashes of its labels: of the key, and of key and value.
    pub(crate) fn labels(self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let count = self.label_count().min(LABELS_MAX);
        let bytes = self.0.get(LABELS..LABELS + 8 * count).unwrap_or_default();
        bytes.chunks_exact(8).map(|label| {
            let (key, pair) = label.split_at(4);
            let number = |half: &[u8]| half.try_into().map_or(0, u32::from_le_bytes);
            (number(key), number(pair))
        })
    }

    /// What the board runs, where it has said so.
    pub(crate) fn runs(self) -> Option<Runs> {
        Runs::decode(self.chunk::<RUNS_LEN>(RUNS)?)
    }

    /// Whether this is the row that the board should have. Its times of sighting may be ahead of
    /// the record's, which a kill can set back by what the database had not yet written.
    pub(crate) fn tells(self, board: &Board) -> bool {
        let own = encode(board, self.stamp());
        let but_seen = |row: &'a [u8; ROW_LEN]| {
            [row.get(..FIRST_SEEN).unwrap_or_default(), row.get(ID..RUNS).unwrap_or_default()]
        };
        let heard = short(board.last_seen);
        let own = [own.get(..FIRST_SEEN).unwrap_or_default(), own.get(ID..).unwrap_or_default()];
        but_seen(self.0) == own && self.last_seen() >= heard
    }

    fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    fn number(self, at: usize) -> u32 {
        self.chunk(at).map_or(0, u32::from_le_bytes)
    }

    fn chunk<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }
}

/// What a board's record gives its row.
pub(crate) fn encode(board: &Board, stamp: u64) -> [u8; RUNS] {
    let mut row = named(Kind::Board(StateKind::of(&board.state)), &board.id, stamp);
    put(&mut row, TENANT, &tenant_hash(&board.tenant).to_le_bytes());
    put(&mut row, CREATED, &short(Some(board.created)).to_le_bytes());
    let issuer = board.issuer.map_or(0, AuthorityNumber::get);
    put(&mut row, ISSUER, &issuer.to_le_bytes());
    put(&mut row, CERTIFICATE_END, &short(board.not_after).to_le_bytes());
    put(&mut row, FIRST_SEEN, &seen(board.first_seen, board.last_seen));
    put_labels(&mut row, &board.labels);
    row.first_chunk().copied().unwrap_or([0; RUNS])
}

/// The same with what the board runs behind it; it waits for no flush.
pub(super) fn whole(board: &Board, runs: Option<Runs>) -> [u8; ROW_LEN] {
    let mut row = [0; ROW_LEN];
    put(&mut row, 0, &encode(board, 0));
    if let Some(runs) = runs {
        put(&mut row, RUNS, &runs.encode());
    }
    row
}

/// A row that names a board, and says nothing of it.
pub(super) fn named(kind: Kind, id: &BoardId, stamp: u64) -> [u8; ROW_LEN] {
    let mut row = [0; ROW_LEN];
    let id = id.as_str().as_bytes();
    put(&mut row, 0, &[LAYOUT, kind.byte(), u8::try_from(id.len()).unwrap_or(0)]);
    put(&mut row, STAMP, &stamp.to_le_bytes());
    put(&mut row, ID, id);
    row
}

/// The bytes of both times of sighting.
pub(super) fn seen(first: Option<UnixSeconds>, last: Option<UnixSeconds>) -> [u8; 8] {
    let mut bytes = [0; 8];
    let (to_first, to_last) = bytes.split_at_mut(4);
    to_first.copy_from_slice(&short(first).to_le_bytes());
    to_last.copy_from_slice(&short(last).to_le_bytes());
    bytes
}

fn put_labels(row: &mut [u8; ROW_LEN], labels: &BTreeMap<String, String>) {
    put(row, LABEL_COUNT, &[u8::try_from(labels.len()).unwrap_or(u8::MAX)]);
    for (at, (key, value)) in labels.iter().take(LABELS_MAX).enumerate() {
        put(row, LABELS + 8 * at, &key_hash(key).to_le_bytes());
        put(row, LABELS + 8 * at + 4, &label_hash(key, value).to_le_bytes());
    }
}

fn put(row: &mut [u8; ROW_LEN], at: usize, bytes: &[u8]) {
    let place = row.get_mut(at..).unwrap_or_default();
    place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests;
