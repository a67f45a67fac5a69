//! What a command answers with: text for people, one JSON document a line for scripts.
//!
//! Invariant: this is the one place that writes to standard output.

use std::io::{self, Write as _};
use std::sync::PoisonError;

use serde::Serialize;

use super::Failure;
use crate::control::Reply;

/// How a command answers, and where.
pub(super) struct Output {
    pub(super) form: Form,
    pub(super) to: To,
}

/// Where answers go.
pub(super) enum To {
    /// This process's standard output.
    Stdout,
    /// That of the process whose command a running hub carries out.
    Client(Reply),
}

/// How a command answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Text for people.
    Text,
    /// One JSON document a line.
    Json,
}

impl Output {
    /// One answer, in either way.
    pub(super) fn answer(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let line = match self.form {
            Form::Text => text(),
            Form::Json => serde_json::to_string(value).map_err(io::Error::from)?,
        };
        self.with(|to| Ok(writeln!(to, "{}", line.trim_end())?))
    }

    /// A list: a line for each, below a head for people.
    pub(super) fn list<T: Serialize>(
        &self,
        head: &str,
        values: impl Iterator<Item = Result<T, Failure>>,
        text: impl Fn(&T) -> String,
    ) -> Result<(), Failure> {
        self.with(|to| {
            if self.form == Form::Text {
                writeln!(to, "{}", head.trim_end())?;
            }
            for value in values {
                let value = value?;
                match self.form {
                    Form::Text => writeln!(to, "{}", text(&value).trim_end())?,
                    Form::Json => {
                        serde_json::to_writer(&mut *to, &value).map_err(io::Error::from)?;
                        writeln!(to)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Lines that are the same for people and for scripts.
    pub(super) fn lines(
        &self,
        mut lines: impl Iterator<Item = Result<String, Failure>>,
    ) -> Result<(), Failure> {
        self.with(|to| lines.try_for_each(|line| Ok(writeln!(to, "{}", line?)?)))
    }

    fn with(
        &self,
        write: impl FnOnce(&mut dyn io::Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match &self.to {
            To::Stdout => {
                let mut to = io::BufWriter::new(io::stdout().lock());
                write(&mut to)?;
                Ok(to.flush()?)
            }
            To::Client(reply) => write(&mut *reply.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// Says something to whoever has started the hub.
pub(crate) fn print(text: &str) {
    // Nobody reads it when standard output is gone.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// The one line of a failed command.
pub(super) fn complain(failure: &Failure) {
    complain_in_words(&one_line(failure));
}

/// The same, in words that are one line.
pub(super) fn complain_in_words(line: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "cellular-hub: {line}");
}

/// What a failure says, in one line.
pub(super) fn one_line(failure: &Failure) -> String {
    failure.to_string().lines().collect::<Vec<_>>().join(" ")
}

/// What a change ended, behind the words for the change; `None` where no hub runs.
pub(super) fn ended(sessions: Option<usize>) -> String {
    match sessions {
        None => String::new(),
        Some(1) => String::from("; 1 session ends"),
        Some(count) => format!("; {count} sessions end"),
    }
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
