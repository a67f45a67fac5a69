//! What a simulated board's own clock says: the host's time, nothing, or something wrong.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A board's own clock. Boards learn the time from the hub unless it is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnClock {
    /// The host's time.
    #[default]
    Right,
    /// The board has none: until the hub tells the time, its readings carry none (to whoever
    /// reads SenML, that is "now").
    Missing,
    /// The host's time and so many seconds, as of a board whose battery was out.
    WrongBy(i64),
}

impl OwnClock {
    /// Milliseconds since 1970 as the board believes them to be.
    pub fn unix_ms(self) -> Option<u64> {
        let host = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let host = u64::try_from(host.as_millis()).unwrap_or(u64::MAX);
        match self {
            Self::Right => Some(host),
            Self::Missing => None,
            Self::WrongBy(seconds) => {
                Some(host.saturating_add_signed(seconds.saturating_mul(1000)))
            }
        }
    }
}

impl FromStr for OwnClock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "right" => Ok(Self::Right),
            "none" => Ok(Self::Missing),
            seconds => seconds.parse().map(Self::WrongBy).map_err(|_| {
                "right, none, or the seconds it is wrong by, such as -86400".to_owned()
            }),
        }
    }
}
