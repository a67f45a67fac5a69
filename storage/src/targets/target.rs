//! A board of a rollout, and the 64 bytes that it is kept in ([`super`] has the layout).

use serde::Serialize;

use crate::rows::ID_MAX;
use crate::{BoardId, UnixSeconds};

/// Bytes of a row.
pub(super) const ROW: usize = 64;

/// A board's id with zeros behind it, which no id has in it.
pub(crate) type PaddedId = [u8; ID_MAX];

/// A board of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The board.
    pub board: BoardId,
    /// Its group, from 0.
    pub group: u16,
    /// How far it is.
    pub state: TargetState,
    /// Why it is no further.
    pub why: Why,
    /// What the board or its bootloader said of the image, as `firmware/image` numbers it.
    pub refusal: u8,
    /// The offer's number.
    pub attempt: u8,
    /// When that began.
    pub changed: UnixSeconds,
    /// Bytes of the image that it has.
    pub received: u32,
    /// The radio cell that it was in last.
    pub cell: Option<u32>,
    /// The number of its bootloader's outcome before the offer.
    pub outcome: Option<u16>,
}

/// How far a board is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// It was not offered anything yet.
    #[default]
    Waiting,
    /// It was offered the release.
    Offered,
    /// It fetches it.
    Fetching,
    /// It waits for something of its own.
    Held,
    /// It has all of it, and restarts.
    Restarting,
    /// The release runs and has yet to prove itself.
    OnTrial,
    /// The release runs.
    Succeeded,
    /// It does not run the release.
    Failed,
    /// The release is not for it.
    Skipped,
}

/// Why a board is no further.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Nothing hinders it.
    #[default]
    Nothing,
    /// Its battery is too low.
    Battery,
    /// Its signal is too weak.
    Signal,
    /// Its product will not be disturbed.
    Product,
    /// What it fetched is not what was offered, or may not run there.
    Refused,
    /// Its bootloader did not take the image.
    RefusedAtStart,
    /// The image did not prove itself, and the one before was put back.
    Reverted,
    /// It has begun and is silent.
    Lost,
    /// It is another product.
    OtherProduct,
    /// It is another revision of the hardware.
    OtherHardware,
    /// What runs there is newer.
    Newer,
    /// The release's security counter is below what may run there.
    Rollback,
    /// It is gone, or does not fit the filter any more.
    Gone,
    /// What must run before does not.
    NeedsOther,
    /// The update does not fit what its data plan has left this month.
    DataPlan,
}

impl TargetState {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Offered,
        Self::Fetching,
        Self::Held,
        Self::Restarting,
        Self::OnTrial,
        Self::Succeeded,
        Self::Failed,
        Self::Skipped,
    ];

    /// Its place in [`TargetState::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// Whether nothing more comes of it by itself.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }

    /// Whether it has begun and not come to an end.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        !self.is_end() && !matches!(self, Self::Waiting)
    }
}

impl Why {
    const ALL: [Self; 15] = [
        Self::Nothing,
        Self::Battery,
        Self::Signal,
        Self::Product,
        Self::Refused,
        Self::RefusedAtStart,
        Self::Reverted,
        Self::Lost,
        Self::OtherProduct,
        Self::OtherHardware,
        Self::Newer,
        Self::Rollback,
        Self::Gone,
        Self::NeedsOther,
        Self::DataPlan,
    ];

    /// In words, behind the board's name; empty for nothing.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Battery => "its battery is too low",
            Self::Signal => "its signal is too weak",
            Self::Product => "its product will not be disturbed now",
            Self::Refused => "it did not take what it fetched",
            Self::RefusedAtStart => "its bootloader did not take the image",
            Self::Reverted => "the image did not prove itself and the one before was put back",
            Self::Lost => "it has begun and was not heard since",
            Self::OtherProduct => "it is another product",
            Self::OtherHardware => "the release is not for its hardware",
            Self::Newer => "what runs there is newer",
            Self::Rollback => "the release's security counter is below what may run there",
            Self::Gone => "it is gone, or does not fit the filter any more",
            Self::NeedsOther => "the release needs a newer version to be there before",
            Self::DataPlan => "its data plan has no room for the update this month",
        }
    }
}

impl Target {
    /// A board that nothing was offered to yet.
    #[must_use]
    pub fn waiting(board: BoardId, group: u16, now: UnixSeconds) -> Self {
        Self {
            board,
            group,
            state: TargetState::Waiting,
            why: Why::Nothing,
            refusal: 0,
            attempt: 0,
            changed: now,
            received: 0,
            cell: None,
            outcome: None,
        }
    }
}

/// The row of a board that nothing was offered to yet.
pub(super) fn encode_waiting(id: &PaddedId, group: u16, now: UnixSeconds) -> [u8; ROW] {
    let length = id.iter().position(|byte| *byte == 0).unwrap_or(id.len());
    let mut row = [0; ROW];
    put(&mut row, 0, &[1]);
    put(&mut row, 4, &group.to_le_bytes());
    put(&mut row, 6, &[u8::try_from(length).unwrap_or(0)]);
    put(&mut row, 8, &u32::try_from(now.0).unwrap_or(u32::MAX).to_le_bytes());
    put(&mut row, 16, id);
    row
}

pub(crate) fn padded(board: &BoardId) -> PaddedId {
    let mut id = [0; ID_MAX];
    put(&mut id, 0, board.as_str().as_bytes());
    id
}

pub(super) fn encode(target: &Target) -> [u8; ROW] {
    let mut row = [0; ROW];
    let why = Why::ALL.iter().position(|why| *why == target.why).unwrap_or(0);
    let byte = |number: usize| u8::try_from(number).unwrap_or(0);
    let id = target.board.as_str().as_bytes();
    put(&mut row, 0, &[1, byte(target.state.place()), byte(why), target.attempt]);
    put(&mut row, 4, &target.group.to_le_bytes());
    put(&mut row, 6, &[byte(id.len()), target.refusal]);
    put(&mut row, 8, &u32::try_from(target.changed.0).unwrap_or(u32::MAX).to_le_bytes());
    put(&mut row, 12, &target.received.to_le_bytes());
    put(&mut row, 16, id);
    put(&mut row, 48, &target.cell.unwrap_or(0).to_le_bytes());
    put(&mut row, 52, &target.outcome.unwrap_or(0).to_le_bytes());
    put(&mut row, 54, &[u8::from(target.outcome.is_some())]);
    row
}

/// The board of a row; none for a row that no hub of this version has written.
pub(super) fn decode(row: &[u8; ROW]) -> Option<Target> {
    let &[layout, state, why, attempt, _, _, length, refusal, ..] = row;
    if layout != 1 {
        return None;
    }
    let (id, behind) = row.get(16..16 + ID_MAX)?.split_at_checked(length.into())?;
    if behind.iter().any(|byte| *byte != 0) {
        return None;
    }
    let has_outcome = chunk::<1>(row, 54) == [1];
    Some(Target {
        board: std::str::from_utf8(id).ok()?.parse().ok()?,
        group: u16::from_le_bytes(chunk(row, 4)),
        state: TargetState::ALL.get(usize::from(state)).copied()?,
        why: Why::ALL.get(usize::from(why)).copied()?,
        refusal,
        attempt,
        changed: UnixSeconds(u32::from_le_bytes(chunk(row, 8)).into()),
        received: u32::from_le_bytes(chunk(row, 12)),
        cell: Some(u32::from_le_bytes(chunk(row, 48))).filter(|cell| *cell != 0),
        outcome: has_outcome.then(|| u16::from_le_bytes(chunk(row, 52))),
    })
}

pub(super) fn chunk<const N: usize>(row: &[u8], at: usize) -> [u8; N] {
    row.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

pub(super) fn put(row: &mut [u8], at: usize, bytes: &[u8]) {
    let place = row.get_mut(at..).unwrap_or_default();
    place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}
