//! What the application can ask of the secure side: a number, and what it is about, in four registers.
//!
//! Both sides are of one image, so that these numbers may change from one release to the next.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Read flash: from where, to where in memory, how much.
    Read,
    /// Write flash: to where, from where in memory, how much.
    Write,
    /// Erase flash: from where, nothing, how much.
    Erase,
    /// The boot record: nothing, to where in memory, how much.
    Record,
}

/// It was done.
pub const DONE: u32 = 0;
/// Memory was named that is not the application's.
pub const NOT_YOURS: u32 = 1;
/// There is no such service.
pub const UNKNOWN: u32 = 2;
/// Another call is not over.
pub const BUSY: u32 = 3;
/// The flash has no business there, or fails.
pub const DENIED: u32 = 4;
/// The image that is on trial has to be confirmed first.
pub const ON_TRIAL: u32 = 5;
/// The image that was asked for is refused; above this number lies the refusal's.
pub const REFUSED: u32 = 0x100;

impl Service {
    /// Its number.
    pub const fn number(self) -> u32 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Erase => 3,
            Self::Record => 4,
        }
    }

    /// The service of that number.
    pub fn from_number(number: u32) -> Option<Self> {
        let all = [Self::Read, Self::Write, Self::Erase, Self::Record];
        all.into_iter().find(|service| service.number() == number)
    }
}
