//! A station's result file: a line for each board, appended, so that a run that was killed is
//! resumed. JSON lines, or CSV where the file's name ends so.
//!
//! Invariant: a line is written once, whole, after the board's certificate; the last line of a board
//! is in force, and an unfinished one is nothing.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use storage::BoardId;

/// What came of one board.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Line {
    /// Its hardware id.
    pub id: String,
    /// What came of it.
    pub outcome: Outcome,
    /// SHA-256 of its certificate's DER, in hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// Its certificate's serial number, in hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub serial: String,
    /// Why it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What came of a board.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It has a certificate.
    Enrolled,
    /// The hub refused it, or its request cannot be read.
    #[default]
    Refused,
}

/// The file.
#[derive(Debug)]
pub struct Journal {
    file: File,
    is_csv: bool,
}

const HEAD: &str = "id,outcome,fingerprint,serial,reason\n";

impl Journal {
    /// Opens the file, made when it is missing, and says what it has of each board.
    pub fn open(path: &Path) -> io::Result<(Self, HashMap<BoardId, Line>)> {
        let is_csv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let mut known = HashMap::new();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let line = if is_csv { of_csv(line) } else { serde_json::from_str(line).ok() };
            if let Some(line) = line
                && let Ok(id) = line.id.parse()
            {
                known.insert(id, line);
            }
        }
        if text.is_empty() && is_csv {
            file.write_all(HEAD.as_bytes())?;
        } else if !text.is_empty() && !text.ends_with('\n') {
            // The line that a killed run left: ended, it stays in nobody's way.
            file.write_all(b"\n")?;
        }
        Ok((Self { file, is_csv }, known))
    }

    /// Appends a line.
    pub fn put(&mut self, line: &Line) -> io::Result<()> {
        let mut text = match self.is_csv {
            true => to_csv(line),
            false => serde_json::to_string(line)?,
        };
        text.push('\n');
        self.file.write_all(text.as_bytes())
    }

    /// Returns when the disk has all of it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn to_csv(line: &Line) -> String {
    let outcome = match line.outcome {
        Outcome::Enrolled => "enrolled",
        Outcome::Refused => "refused",
    };
    let Line { id, fingerprint, serial, reason, .. } = line;
    let quoted = |text: &str| match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"").replace(['\n', '\r'], " ")),
        false => text.to_owned(),
    };
    format!("{},{outcome},{fingerprint},{serial},{}", quoted(id), quoted(reason))
}

/// All but the reason, which nobody needs again.
fn of_csv(line: &str) -> Option<Line> {
    let mut fields = line.trim_end().splitn(5, ',');
    let mut next = || fields.next().map(str::to_owned);
    let (id, outcome) = (next()?, next()?);
    let outcome = match outcome.as_str() {
        "enrolled" => Outcome::Enrolled,
        "refused" => Outcome::Refused,
        _ => return None,
    };
    Some(Line { id, outcome, fingerprint: next()?, serial: next()?, reason: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolled(id: &str, fingerprint: &str) -> Line {
        let (id, fingerprint, serial) = (id.into(), fingerprint.into(), "0a".into());
        Line { id, outcome: Outcome::Enrolled, fingerprint, serial, reason: String::new() }
    }

    #[test]
    fn the_last_whole_line_of_each_board_is_found_again_in_both_forms() {
        for name in ["result.csv", "result.jsonl"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            let (mut journal, known) = Journal::open(&path).unwrap();
            assert!(known.is_empty());
            let refused = Line { id: "b".into(), reason: "a, \"b\"".into(), ..Line::default() };
            journal.put(&refused).unwrap();
            journal.put(&enrolled("a", "11")).unwrap();
            journal.put(&enrolled("a", "22")).unwrap();
            // A run that was killed in the middle of a line.
            let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
            torn.write_all(b"{\"id\":\"c\",\"outc").unwrap();
            let (mut journal, known) = Journal::open(&path).unwrap();
            assert_eq!(known.len(), 2, "{name}");
            assert_eq!(known["a"], enrolled("a", "22"));
            assert_eq!(known["b"].outcome, Outcome::Refused);
            journal.put(&enrolled("c", "33")).unwrap();
            assert_eq!(Journal::open(&path).unwrap().1["c"], enrolled("c", "33"));
        }
    }
}
