//! All that a bootloader remembers, in one record.
//!
//! The form is frozen: a board in the field has one for decades.

use image::{KeySet, Outcome, digest};

/// What is remembered between starts. A board that was never started has the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The least security counter that may run; it only rises.
    pub(crate) floor: u32,
    /// Keys that were withdrawn, for good.
    pub(crate) revoked: KeySet,
    /// A swap that was begun.
    pub(crate) swap: Option<Swap>,
    pub(crate) trial: Trial,
    /// What became of the last update.
    pub(crate) outcome: Outcome,
}

/// A swap under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Swap {
    pub(crate) kind: Kind,
    /// Sectors that change places.
    pub(crate) sectors: u16,
    /// Copies that are done: two a sector.
    pub(crate) done: u16,
}

/// Why images change places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new one, to prove itself.
    Test,
    /// A new one, for good.
    Permanent,
    /// The one before comes back.
    Revert,
}

/// Whether the image in the first slot has yet to prove itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trial {
    /// It has not.
    #[default]
    None,
    /// It has, and was not started yet.
    Due,
    /// It has, and was started.
    Running,
}

impl State {
    /// Bytes of what is remembered.
    pub(crate) const LENGTH: usize = 32;

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let Self { floor, revoked, swap, trial, outcome } = self;
        let kind = swap.map_or(0, |swap| swap.kind.code());
        let (sectors, done) = swap.map_or((0, 0), |swap| (swap.sectors, swap.done));
        let fields: [&[u8]; 6] = [
            &floor.to_le_bytes(),
            &revoked.0.to_le_bytes(),
            &[kind, trial.code()],
            &sectors.to_le_bytes(),
            &done.to_le_bytes(),
            &outcome.to_bytes(),
        ];
        let mut bytes = [0; Self::LENGTH];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let &[f0, f1, f2, f3, r0, r1, r2, r3, kind, trial, s0, s1, d0, d1, ref rest @ ..] = bytes;
        let swap = match kind {
            0 => None,
            kind => Some(Swap {
                kind: Kind::from_code(kind)?,
                sectors: u16::from_le_bytes([s0, s1]),
                done: u16::from_le_bytes([d0, d1]),
            }),
        };
        Some(Self {
            floor: u32::from_le_bytes([f0, f1, f2, f3]),
            revoked: KeySet(u32::from_le_bytes([r0, r1, r2, r3])),
            swap,
            trial: Trial::from_code(trial)?,
            outcome: Outcome::from_bytes(rest.first_chunk()?),
        })
    }
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Test => 1,
            Self::Permanent => 2,
            Self::Revert => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Test, Self::Permanent, Self::Revert].into_iter().find(|kind| kind.code() == code)
    }
}

impl Trial {
    fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Due => 1,
            Self::Running => 2,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::None, Self::Due, Self::Running].into_iter().find(|trial| trial.code() == code)
    }
}

/// A state as it lies in the journal: with the generation of its sector, and a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) generation: u32,
    pub(crate) state: State,
}

impl Record {
    pub(crate) const LENGTH: usize = 48;
    const CHECK: usize = Self::LENGTH - 4 - State::LENGTH;

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let content = self.generation.to_le_bytes().into_iter().chain(self.state.to_bytes());
        for (place, byte) in bytes.iter_mut().zip(content) {
            *place = byte;
        }
        let check = check(&bytes);
        if let Some(place) = bytes.last_chunk_mut() {
            *place = check;
        }
        bytes
    }

    /// `None` where this was never written, or not to its end.
    pub(crate) fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        if *bytes.last_chunk()? != check(bytes) {
            return None;
        }
        let (generation, rest) = bytes.split_first_chunk()?;
        let state = State::from_bytes(rest.first_chunk()?)?;
        Some(Self { generation: u32::from_le_bytes(*generation), state })
    }
}

/// The first bytes of the digest of generation and state.
fn check(bytes: &[u8; Record::LENGTH]) -> [u8; Record::CHECK] {
    let content = bytes.get(..Record::LENGTH - Record::CHECK).unwrap_or_default();
    digest(content).first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use image::Event;

    use super::*;

    fn some() -> Record {
        let outcome = Outcome::default().next(Event::Installed, "1.2.3+4".parse().unwrap());
        let swap = Some(Swap { kind: Kind::Revert, sectors: 0x0102, done: 0x0304 });
        let revoked = KeySet::default().with(1);
        let state = State { floor: 7, revoked, swap, trial: Trial::Running, outcome };
        Record { generation: 0x0a0b_0c0d, state }
    }

    #[test]
    fn a_record_is_frozen() {
        let bytes = some().to_bytes();
        let content = [
            0x0d, 0x0c, 0x0b, 0x0a, 7, 0, 0, 0, 2, 0, 0, 0, 3, 2, 2, 1, 4, 3, 1, 0, 1, 0, 1, 2, 3,
            0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(bytes[..36], content);
        assert_eq!(bytes[36..], digest(&content)[..12]);
        assert_eq!(Record::from_bytes(&bytes), Some(some()));
    }

    #[test]
    fn no_damaged_record_is_believed() {
        let bytes = some().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::from_bytes(&damaged), None);
        }
        assert_eq!(Record::from_bytes(&[0xff; Record::LENGTH]), None);
        assert_eq!(Record::from_bytes(&[0; Record::LENGTH]), None);
    }
}
