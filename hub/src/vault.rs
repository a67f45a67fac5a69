//! The vault's master key: read from its file, or made when there is none.
//!
//! Invariant: the key leaves this module only as a [`SealingKey`], which is wiped when dropped and
//! never printed; its file is readable by its owner alone.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use storage::SealingKey;
use zeroize::Zeroizing;

use crate::trust::{TrustError, make_folder, write_new_secret};

/// Whoever else may read a file.
const OTHERS: u32 = 0o077;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be read.
    #[error("vault.master_key: cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is not 32 bytes long.
    #[error(
        "vault.master_key: {} does not hold {} bytes; put the right file there, or move it away to \
         begin anew, when every board has to shake hands again",
        file.display(), SealingKey::LEN
    )]
    NotAKey {
        /// The file.
        file: PathBuf,
    },
    /// Others may read the file.
    #[error("vault.master_key: {file} can be read by others; `chmod 600 {file}`", file = file.display())]
    Open {
        /// The file.
        file: PathBuf,
    },
    /// No new key could be written.
    #[error("vault.master_key: no key can be made")]
    Unwritable(#[source] TrustError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

/// The master key in `file`; a new one where there is no such file.
///
/// # Errors
/// [`VaultError`].
pub fn master_key(file: &Path) -> Result<SealingKey, VaultError> {
    let unreadable = |source| VaultError::Unreadable { file: file.to_owned(), source };
    let mut open = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return new_key(file),
        opened => opened.map_err(unreadable)?,
    };
    let mode = open.metadata().map_err(unreadable)?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(VaultError::Open { file: file.to_owned() });
    }
    let mut key = Zeroizing::new([0; SealingKey::LEN + 1]);
    let mut length = 0;
    while let Some(rest) = key.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match open.read(rest).map_err(unreadable)? {
            0 => break,
            more => length += more,
        }
    }
    match key.first_chunk() {
        Some(whole) if length == SealingKey::LEN => Ok(SealingKey::new(*whole)),
        Some(_) | None => Err(VaultError::NotAKey { file: file.to_owned() }),
    }
}

fn new_key(file: &Path) -> Result<SealingKey, VaultError> {
    let mut key = Zeroizing::new([0; SealingKey::LEN]);
    getrandom::fill(key.as_mut()).map_err(|_| VaultError::Random)?;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !fs::exists(folder).unwrap_or(false)
    {
        make_folder(folder).map_err(VaultError::Unwritable)?;
    }
    write_new_secret(file, key.as_slice()).map_err(VaultError::Unwritable)?;
    tracing::info!(file = %file.display(), "a new master key; keep a copy of it apart from the store");
    Ok(SealingKey::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(test: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        test(&folder.path().join("vault/master.key"));
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        in_folder(|file| {
            let made = master_key(file).unwrap();
            let sealed = made.seal(&[b"place"], b"secret").unwrap();
            let found = master_key(file).unwrap();
            assert_eq!(**found.open(&[b"place"], &sealed).unwrap(), *b"secret");
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        });
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_way_out() {
        in_folder(|file| {
            master_key(file).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o640)).unwrap();
            let refused = master_key(file).unwrap_err().to_string();
            assert!(refused.contains("can be read by others; `chmod 600 "), "{refused}");
        });
    }

    #[test]
    fn a_file_of_another_length_is_no_key() {
        in_folder(|file| {
            for length in [0, 31, 33, 4096] {
                let _ = fs::remove_file(file);
                make_folder(file.parent().unwrap()).unwrap();
                write_new_secret(file, &vec![1; length]).unwrap();
                let refused = master_key(file).unwrap_err();
                assert!(matches!(refused, VaultError::NotAKey { .. }), "{length}: {refused}");
            }
        });
    }
}
