//! What an application leaves in memory when it fails, for the hub to learn of it at the next contact; and how many
//! times in a row it failed, so that a board that cannot run does not restart without a pause.
//!
//! Never believed without its check: after a loss of power there is anything there.

use core::fmt::{self, Write};

use image::digest;

/// Bytes of the text.
pub const TEXT_MAX: usize = 160;

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The program found itself in a state that it does not have (a panic).
    Panic,
    /// The processor did (a hard fault of the application).
    Processor,
    /// The application reached for what is the secure side's.
    Security,
    /// The modem's own program failed.
    Modem,
    /// The modem did not do what it was told, and only a restart helps.
    Stuck,
}

impl FaultKind {
    const ALL: [Self; 5] = [Self::Panic, Self::Processor, Self::Security, Self::Modem, Self::Stuck];

    fn code(self) -> u8 {
        match self {
            Self::Panic => 1,
            Self::Processor => 2,
            Self::Security => 3,
            Self::Modem => 4,
            Self::Stuck => 5,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Processor => "processor fault",
            Self::Security => "security fault",
            Self::Modem => "modem fault",
            Self::Stuck => "modem stuck",
        }
    }
}

/// One fault. Its text is what the hub is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What failed.
    pub kind: FaultKind,
    text: [u8; TEXT_MAX],
    length: usize,
}

impl Fault {
    /// A fault, in words; what is longer than [`TEXT_MAX`] bytes is cut off, and what is not ASCII replaced.
    pub fn new(kind: FaultKind, words: fmt::Arguments<'_>) -> Self {
        let mut fault = Self { kind, text: [0; TEXT_MAX], length: 0 };
        // Cut off is not failed.
        let _ = write!(fault, "{}: {words}", kind.word());
        fault
    }

    /// The words.
    pub fn text(&self) -> &str {
        let text = self.text.get(..self.length).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

impl Write for Fault {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        for character in words.chars() {
            let place = self.text.get_mut(self.length).ok_or(fmt::Error)?;
            let byte = u8::try_from(character).ok().filter(|byte| matches!(byte, b' '..=b'~'));
            *place = byte.unwrap_or(b'?');
            self.length += 1;
        }
        Ok(())
    }
}

/// What lies in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Starts in a row that ended with one.
    pub in_a_row: u8,
    /// The last one, until the hub was told.
    pub last: Option<Fault>,
}

impl Faults {
    /// Bytes in memory.
    pub const LENGTH: usize = 180;
    const MAGIC: [u8; 4] = *b"CHF\x01";
    const CHECK: usize = 8;

    /// With one more.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self { in_a_row: self.in_a_row.saturating_add(1), last: Some(fault) }
    }

    /// Seconds to wait before the modem is started: none at first, an hour at most. A board that fails at each start
    /// would empty its battery otherwise.
    pub fn pause_s(&self) -> u32 {
        match self.in_a_row {
            0 | 1 => 0,
            again => 10_u32.saturating_mul(1 << (again - 2).min(10)).min(3_600),
        }
    }

    /// For that memory.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let code = self.last.map_or(0, |fault| fault.kind.code());
        let length = self.last.map_or(0, |fault| u8::try_from(fault.length).unwrap_or_default());
        let text = self.last.map_or([0; TEXT_MAX], |fault| fault.text);
        let head = [self.in_a_row, code, length, 0];
        let content = Self::MAGIC.iter().chain(&head).chain(&text);
        for (place, byte) in bytes.iter_mut().zip(content) {
            *place = *byte;
        }
        let check = Self::check(&bytes);
        if let Some(place) = bytes.last_chunk_mut() {
            *place = check;
        }
        bytes
    }

    /// From there; what nobody wrote is no fault.
    pub fn parse(bytes: &[u8; Self::LENGTH]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let rest = bytes.strip_prefix(&Self::MAGIC)?;
        (*bytes.last_chunk()? == Self::check(bytes)).then_some(())?;
        let (&[in_a_row, code, length, _], rest) = rest.split_first_chunk()?;
        let text = *rest.first_chunk::<TEXT_MAX>()?;
        let kind = FaultKind::ALL.into_iter().find(|kind| kind.code() == code);
        let length = usize::from(length).min(TEXT_MAX);
        Some(Self { in_a_row, last: kind.map(|kind| Fault { kind, text, length }) })
    }

    fn check(bytes: &[u8; Self::LENGTH]) -> [u8; Self::CHECK] {
        let content = bytes.get(..Self::LENGTH - Self::CHECK).unwrap_or_default();
        digest(content).first_chunk().copied().unwrap_or_default()
    }
}
