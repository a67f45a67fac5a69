//! Secrets that unlock keys: a passphrase or a PIN, from a file of its owner alone or from a systemd
//! credential.
//!
//! Invariant: a secret is wiped when dropped and never printed.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeyError;
use crate::trust::TrustError;
use crate::trust::files::{make_folder, write_new_secret};

/// Whoever else may read a file.
const OTHERS: u32 = 0o077;

/// Bytes of the longest passphrase or PIN.
const LENGTH_MAX: usize = 1024;

/// Where a secret is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretFile {
    /// The configuration's key that names the file.
    pub key: &'static str,
    /// The file; its first line counts.
    pub file: PathBuf,
    /// The same from systemd (`LoadCredential=`), which comes first where it exists. Its mode is
    /// systemd's business.
    pub credential: Option<PathBuf>,
}

impl SecretFile {
    /// The file that is read.
    pub fn source(&self) -> &Path {
        match &self.credential {
            Some(credential) if credential.exists() => credential,
            Some(_) | None => &self.file,
        }
    }

    /// The secret; `None` where there is no file.
    pub fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let file = self.source();
        let unreadable = |source| KeyError::File { doing: "read", file: file.to_owned(), source };
        let open = match File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unreadable)?,
        };
        let mode = open.metadata().map_err(unreadable)?.permissions().mode();
        if mode & OTHERS != 0 && file == self.file {
            return Err(KeyError::Open { key: self.key, file: file.to_owned() });
        }
        // Room for all of it at once: a buffer that grows leaves copies behind.
        let mut secret = Zeroizing::new(Vec::with_capacity(LENGTH_MAX + 2));
        open.take(LENGTH_MAX as u64 + 1).read_to_end(&mut secret).map_err(unreadable)?;
        let unfit =
            |problem| KeyError::UnfitSecret { key: self.key, file: file.to_owned(), problem };
        first_line(secret).map(Some).map_err(unfit)
    }

    /// Writes a secret into the file, which must not be there.
    pub(super) fn write(&self, secret: &[u8]) -> Result<(), KeyError> {
        let written = match self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => make_folder(folder),
            None => Ok(()),
        };
        written.and_then(|()| write_new_secret(&self.file, secret)).map_err(in_words)
    }

    /// Where the one that is to take its place lies meanwhile.
    pub(super) fn next(&self) -> Self {
        let mut file = self.file.clone().into_os_string();
        file.push(".new");
        Self { key: self.key, file: file.into(), credential: None }
    }

    /// Everywhere it may be: the credential comes first, and a change that broke off leaves two.
    pub(super) fn candidates(&self) -> Vec<Self> {
        let file = Self { credential: None, ..self.clone() };
        let mut places = vec![self.clone(), file, self.next()];
        places.dedup_by(|place, before| place.source() == before.source());
        places
    }

    /// The secret, or a new random one where there is none: 256 bits in hexadecimal.
    pub(super) fn read_or_make(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if let Some(secret) = self.read()? {
            return Ok(secret);
        }
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut()).map_err(|_| KeyError::Random)?;
        let mut text = Zeroizing::new(Vec::with_capacity(2 * random.len()));
        for byte in *random {
            for nibble in [byte >> 4, byte & 15] {
                text.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
            }
        }
        self.write(&text)?;
        Ok(text)
    }
}

/// The first line of what was read; an error says what is wrong with it.
pub(super) fn first_line(
    mut secret: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    if secret.len() > LENGTH_MAX {
        return Err("is longer than 1024 bytes");
    }
    if let Some(end) = secret.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        secret.truncate(end);
    }
    match secret.is_empty() {
        true => Err("has nothing in its first line"),
        false => Ok(secret),
    }
}

/// What [`crate::trust::files`] says, as a key store's.
pub(super) fn in_words(error: TrustError) -> KeyError {
    match error {
        TrustError::File { doing, file, source } => KeyError::File { doing, file, source },
        TrustError::Exists { file } => {
            KeyError::File { doing: "write", file, source: io::ErrorKind::AlreadyExists.into() }
        }
        other => KeyError::File {
            doing: "write",
            file: PathBuf::new(),
            source: io::Error::other(other.to_string()),
        },
    }
}
