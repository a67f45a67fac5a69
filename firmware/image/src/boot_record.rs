//! What the bootloader tells the application that it starts, in memory that neither clears.
//!
//! Never believed without its check: after a start without this bootloader there is anything there.

use crate::digest::digest;
use crate::version::Version;

/// How this start came about, and what became of the last update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootRecord {
    /// Why this image was started.
    pub start: Start,
    /// The image that was started.
    pub version: Version,
    /// Its security counter.
    pub security_counter: u32,
    /// The least counter that may run on this board.
    pub floor: u32,
    /// The place of the key that signed the image.
    pub key: u8,
    /// The last thing that happened to an update, at this start or an earlier one.
    pub outcome: Outcome,
    /// Why the processor was reset, as its own register has it.
    pub reset_cause: u32,
}

/// Why an image was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It was here before, and confirmed.
    Again,
    /// For the first time, for good.
    Updated,
    /// For the first time, to prove itself: it is confirmed before the next start, or replaced.
    Trial,
    /// Its successor did not prove itself.
    Reverted,
    /// What was here could not be run any more.
    Rescued,
}

/// What happened to an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Counts outcomes, so that one is told once.
    pub number: u16,
    /// What happened.
    pub event: Event,
    /// [`Refusal::code`](crate::Refusal::code) where something was refused; else 0.
    pub refusal: u8,
    /// Which version it happened to; 0.0.0 where that could not be read.
    pub version: Version,
}

/// What can happen to an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet.
    #[default]
    None,
    /// It was put in place, on trial or for good.
    Installed,
    /// It was confirmed by its application.
    Confirmed,
    /// It was not confirmed, and the image before it put back.
    Reverted,
    /// It was not taken.
    Refused,
    /// It was not confirmed, but the image before it could not be put back.
    Kept,
    /// The image in place was damaged, and replaced with this one.
    Rescued,
}

impl BootRecord {
    /// Bytes in memory.
    pub const LENGTH: usize = 56;
    const MAGIC: [u8; 4] = *b"CHB\x01";
    const CHECK: usize = 8;

    /// For the memory that the application reads.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let Self { start, version, security_counter, floor, key, outcome, reset_cause } = *self;
        let mut bytes = [0; Self::LENGTH];
        let fields: [&[u8]; 7] = [
            &Self::MAGIC,
            &[start.code(), key, 0, 0],
            &version.to_bytes(),
            &security_counter.to_le_bytes(),
            &floor.to_le_bytes(),
            &reset_cause.to_le_bytes(),
            &outcome.to_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        let check = check(&bytes);
        if let Some(place) = bytes.last_chunk_mut() {
            *place = check;
        }
        bytes
    }

    /// From that memory; `None` where the bootloader wrote none.
    pub fn parse(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let check = check(bytes);
        if *bytes.first_chunk()? != Self::MAGIC || *bytes.last_chunk()? != check {
            return None;
        }
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let &[_, _, _, _, start, key, ..] = bytes;
        Some(Self {
            start: Start::from_code(start)?,
            version: Version::from_bytes(*bytes.get(8..)?.first_chunk()?),
            security_counter: word(16)?,
            floor: word(20)?,
            key,
            reset_cause: word(24)?,
            outcome: Outcome::from_bytes(bytes.get(28..)?.first_chunk()?),
        })
    }
}

/// The first bytes of the digest of all but the last.
fn check(bytes: &[u8; BootRecord::LENGTH]) -> [u8; BootRecord::CHECK] {
    let content = bytes.get(..BootRecord::LENGTH - BootRecord::CHECK).unwrap_or_default();
    digest(content).first_chunk().copied().unwrap_or_default()
}

impl Start {
    fn code(self) -> u8 {
        match self {
            Self::Again => 1,
            Self::Updated => 2,
            Self::Trial => 3,
            Self::Reverted => 4,
            Self::Rescued => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        let all = [Self::Again, Self::Updated, Self::Trial, Self::Reverted, Self::Rescued];
        all.into_iter().find(|start| start.code() == code)
    }
}

impl Outcome {
    /// Bytes in memory and in flash.
    pub const LENGTH: usize = 12;

    /// The next one.
    pub fn next(self, event: Event, version: Version) -> Self {
        Self { number: self.number.wrapping_add(1), event, refusal: 0, version }
    }

    /// For memory or flash.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let [low, high] = self.number.to_le_bytes();
        let [a, b, c, d, e, f, g, h] = self.version.to_bytes();
        [low, high, self.event.code(), self.refusal, a, b, c, d, e, f, g, h]
    }

    /// From there; an event that is not known is none.
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        let [low, high, event, refusal, version @ ..] = *bytes;
        let (number, event) = (u16::from_le_bytes([low, high]), Event::from_code(event));
        Self { number, event, refusal, version: Version::from_bytes(version) }
    }
}

impl Event {
    /// One byte for a record.
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Installed => 1,
            Self::Confirmed => 2,
            Self::Reverted => 3,
            Self::Refused => 4,
            Self::Kept => 5,
            Self::Rescued => 6,
        }
    }

    fn from_code(code: u8) -> Self {
        let all = [
            Self::Installed,
            Self::Confirmed,
            Self::Reverted,
            Self::Refused,
            Self::Kept,
            Self::Rescued,
        ];
        all.into_iter().find(|event| event.code() == code).unwrap_or_default()
    }
}
