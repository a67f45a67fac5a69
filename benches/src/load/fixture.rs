//! The boards of a fixture folder (`cellular-hub fixture`): `boards.csv` and two DER files a board.
//! Invariant: read-only; the hub's store is never opened.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::error::LoadError;

/// The boards listed in a fixture.
#[derive(Debug)]
pub struct Fixture {
    dir: PathBuf,
    /// A board's files, without their endings, relative to `dir`.
    boards: Vec<String>,
}

/// What a board proves who it is with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its certificate.
    pub certificate: X509,
    /// Its private key.
    pub key: PKey<Private>,
}

impl Fixture {
    /// Reads the list of boards.
    ///
    /// # Errors
    /// [`LoadError::Fixture`] when there is none.
    pub fn open(dir: &Path) -> Result<Self, LoadError> {
        let list = text(&dir.join("boards.csv"))?;
        let boards = list
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').nth(2))
            .map(|path| path.trim().to_owned())
            .collect();
        Ok(Self { dir: dir.to_owned(), boards })
    }

    /// How many boards there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.boards.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.boards.is_empty()
    }

    /// Refuses a run that needs more boards than there are.
    ///
    /// # Errors
    /// [`LoadError::TooFewBoards`].
    pub fn require(&self, wanted: usize) -> Result<(), LoadError> {
        if wanted > self.len() {
            return Err(LoadError::TooFewBoards { found: self.len(), wanted });
        }
        Ok(())
    }

    /// Certificate and key of the board in row `index`.
    ///
    /// # Errors
    /// [`LoadError`] when a file is missing or broken, or the row does not exist.
    pub fn credentials(&self, index: usize) -> Result<Credentials, LoadError> {
        let path = self
            .boards
            .get(index)
            .ok_or(LoadError::TooFewBoards { found: self.len(), wanted: index + 1 })?;
        let certificate = bytes(&self.dir.join(format!("{path}.cert.der")))?;
        let key = bytes(&self.dir.join(format!("{path}.key.der")))?;
        Ok(Credentials {
            certificate: X509::from_der(&certificate)
                .map_err(LoadError::openssl("a board's certificate"))?,
            key: PKey::private_key_from_der(&key).map_err(LoadError::openssl("a board's key"))?,
        })
    }
}

fn text(file: &Path) -> Result<String, LoadError> {
    fs::read_to_string(file).map_err(|source| LoadError::reading(file, source))
}

fn bytes(file: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(file).map_err(|source| LoadError::reading(file, source))
}
