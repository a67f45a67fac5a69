//! The fixture folder that `cellular-hub fixture` writes, as far as boards need it.
//!
//! Layout: `boards.csv` with lines `board,tenant,path`; beside each path `.cert.der` and
//! `.key.der`; the root of the hub's certificate in `pki/root.pem`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::identity::{Identity, IdentityError};
use crate::renewal::Files;

/// A fixture folder.
#[derive(Clone, Debug)]
pub struct Fixture {
    dir: PathBuf,
}

/// Why a folder is no fixture.
#[derive(Debug, Error)]
pub enum FixtureError {
    /// The list of boards cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not `board,tenant,path`.
    #[error("line {line} of {} is not `board,tenant,path`", file.display())]
    Line {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// Fewer boards than asked for.
    #[error("{} lists {there} boards, {asked} are asked for", file.display())]
    TooFew {
        /// Which file.
        file: PathBuf,
        /// How many it lists.
        there: usize,
        /// Boards asked for, with those skipped.
        asked: usize,
    },
    /// A board's certificate or key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Fixture {
    /// The fixture at `dir`; nothing is read yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The root certificate that the hub's own leads to.
    pub fn root(&self) -> PathBuf {
        self.dir.join("pki").join("root.pem")
    }

    /// `count` boards in the order of the list, after the first `skip`.
    pub fn boards(&self, skip: usize, count: usize) -> Result<Vec<Identity>, FixtureError> {
        let entries = self.entries(skip, count)?;
        let read = |(board, files): &(String, Files)| {
            Identity::from_files(board, &files.certificate, &files.key)
        };
        Ok(entries.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// The same boards by name, and where their keys and certificates are.
    pub fn entries(&self, skip: usize, count: usize) -> Result<Vec<(String, Files)>, FixtureError> {
        let file = self.dir.join("boards.csv");
        let unreadable = |source| FixtureError::Unreadable { file: file.clone(), source };
        let list = BufReader::new(File::open(&file).map_err(unreadable)?);
        let mut boards = Vec::new();
        let mut there = 0_usize;
        for (index, line) in list.lines().enumerate() {
            let line = line.map_err(unreadable)?;
            if index == 0 && line.starts_with("board,") || line.is_empty() {
                continue;
            }
            there += 1;
            if there <= skip || boards.len() >= count {
                continue;
            }
            let mut fields = line.trim_end().split(',');
            let (Some(board), Some(_), Some(path), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(FixtureError::Line { file, line: index + 1 });
            };
            let beside = |suffix: &str| self.dir.join(format!("{path}.{suffix}"));
            let files = Files { certificate: beside("cert.der"), key: beside("key.der") };
            boards.push((board.to_owned(), files));
        }
        if boards.len() < count {
            return Err(FixtureError::TooFew { file, there, asked: skip.saturating_add(count) });
        }
        Ok(boards)
    }
}
