//! What a command answers with: text for people, one JSON document a line for scripts.
//!
//! Invariant: this is the one place that writes to standard output.

use std::io::{self, Write as _};

use serde::Serialize;

use super::Failure;

/// How a command answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Output {
    /// Text for people.
    Text,
    /// One JSON document a line.
    Json,
}

impl Output {
    /// One answer, in either way.
    pub(super) fn answer(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        match self {
            Self::Text => print(&text()),
            Self::Json => print(&serde_json::to_string(value).map_err(io::Error::from)?),
        }
    }

    /// A list: a line for each, below a head for people.
    pub(super) fn list<T: Serialize>(
        self,
        head: &str,
        values: impl Iterator<Item = Result<T, Failure>>,
        text: impl Fn(&T) -> String,
    ) -> Result<(), Failure> {
        let mut to = io::BufWriter::new(io::stdout().lock());
        if self == Self::Text {
            writeln!(to, "{}", head.trim_end())?;
        }
        for value in values {
            let value = value?;
            match self {
                Self::Text => writeln!(to, "{}", text(&value).trim_end())?,
                Self::Json => {
                    serde_json::to_writer(&mut to, &value).map_err(io::Error::from)?;
                    writeln!(to)?;
                }
            }
        }
        Ok(to.flush()?)
    }
}

/// Text as it is, with one line's end.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{}", text.trim_end())?)
}

/// The one line of a failed command.
pub(super) fn complain(failure: &Failure) {
    let line = failure.to_string().lines().collect::<Vec<_>>().join(" ");
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "cellular-hub: {line}");
}

/// A moment as people read it (UTC); the days-to-date part is the proleptic Gregorian calendar.
pub(super) fn moment(seconds: storage::UnixSeconds) -> String {
    let (days, second) = (seconds.0 / 86_400, seconds.0 % 86_400);
    // Days from 1 March of year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// A moment in a file's name: 20231114T221320Z.
pub(super) fn compact(seconds: storage::UnixSeconds) -> String {
    moment(seconds).replace(['-', ':'], "").replace(' ', "T")
}

#[cfg(test)]
mod tests {
    use storage::UnixSeconds;

    use super::*;

    #[test]
    fn moments_are_read_as_utc_dates() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_700_000_000, "2023-11-14 22:13:20Z"),
            (4_107_542_399, "2100-02-28 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(moment(UnixSeconds(seconds)), date);
        }
        assert_eq!(compact(UnixSeconds(1_700_000_000)), "20231114T221320Z");
    }
}
