//! A master key of 32 bytes, from a file of its owner alone or from a systemd credential.
//!
//! Invariant: the key leaves this module only as a [`SealingKey`], which is wiped when dropped and
//! never printed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use storage::SealingKey;
use zeroize::Zeroizing;

use super::VaultError;
use super::master::{Master, Place, key_of};
use crate::trust::{make_folder, write_new_secret};

/// Whoever else may read a file.
const OTHERS: u32 = 0o077;

/// Where a master key of 32 bytes is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KeyFile {
    /// What names it in the configuration.
    pub(super) setting: &'static str,
    /// The file.
    pub(super) file: PathBuf,
    /// Whether it is ours: then it must be readable by its owner alone, and may be made.
    pub(super) is_ours: bool,
}

impl KeyFile {
    /// The key; `None` where there is no file.
    pub(super) fn read(&self) -> Result<Option<SealingKey>, VaultError> {
        let Self { setting, file, is_ours } = self;
        let unreadable = |source| VaultError::Unreadable { setting, file: file.to_owned(), source };
        let mut open = match File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unreadable)?,
        };
        let mode = open.metadata().map_err(unreadable)?.permissions().mode();
        if *is_ours && mode & OTHERS != 0 {
            return Err(VaultError::Open { setting, file: file.to_owned() });
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
            Some(whole) if length == SealingKey::LEN => Ok(Some(SealingKey::new(*whole))),
            Some(_) | None => Err(VaultError::NotAKey { setting, file: file.to_owned() }),
        }
    }

    /// A new key, in a file that must not be there.
    pub(super) fn make(&self) -> Result<SealingKey, VaultError> {
        let Self { setting, file, .. } = self;
        let unwritable = |source| VaultError::Unwritable { setting, source };
        let key = SealingKey::random()?;
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty())
            && !fs::exists(folder).unwrap_or(false)
        {
            make_folder(folder).map_err(unwritable)?;
        }
        write_new_secret(file, key.bytes()).map_err(unwritable)?;
        tracing::info!(file = %file.display(), "a new master key; keep a copy of it apart from the store");
        Ok(key)
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

/// A master key in this process's memory.
pub(super) struct KeyMaster {
    key: SealingKey,
    name: String,
}

impl KeyMaster {
    /// The master of this key, which is named by four bytes derived from it.
    pub(super) fn new(key: &SealingKey) -> Self {
        let [a, b, c, d, ..] = *key.derive("name").first_half();
        let name = format!("key {:08x}", u32::from_be_bytes([a, b, c, d]));
        Self { key: key.derive("data keys"), name }
    }
}

impl fmt::Debug for KeyMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMaster").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Master for KeyMaster {
    fn wrap(&self, place: Place, key: &SealingKey) -> Result<Vec<u8>, VaultError> {
        Ok(self.key.seal(&[&place.bytes()], key.bytes())?)
    }

    fn unwrap(&self, place: Place, wrapped: &[u8]) -> Result<Option<SealingKey>, VaultError> {
        let opened = self.key.open(&[&place.bytes()], wrapped).ok();
        Ok(opened.as_deref().and_then(|key| key_of(key)))
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(test: impl FnOnce(&KeyFile)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vault/master.key");
        test(&KeyFile { setting: "vault.master_key", file, is_ours: true });
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        in_folder(|file| {
            assert!(file.read().unwrap().is_none());
            let made = file.make().unwrap();
            assert_eq!(file.read().unwrap().unwrap().bytes(), made.bytes());
            assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(matches!(file.make(), Err(VaultError::Unwritable { .. })));
        });
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_way_out() {
        in_folder(|file| {
            file.make().unwrap();
            fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
            let refused = file.read().unwrap_err().to_string();
            assert!(refused.contains("can be read by others; `chmod 600 "), "{refused}");
            // systemd has its own ways with credentials.
            assert!(KeyFile { is_ours: false, ..file.clone() }.read().is_ok());
        });
    }

    #[test]
    fn a_file_of_another_length_is_no_key() {
        in_folder(|file| {
            make_folder(file.path().parent().unwrap()).unwrap();
            for length in [0, 31, 33, 4096] {
                let _ = fs::remove_file(file.path());
                write_new_secret(file.path(), &vec![1; length]).unwrap();
                let refused = file.read().unwrap_err();
                assert!(matches!(refused, VaultError::NotAKey { .. }), "{length}: {refused}");
            }
        });
    }

    #[test]
    fn the_bytes_of_a_wrapped_key_stay_as_they_are_and_open_in_their_place_alone() {
        use storage::{KeyId, KeyPurpose};
        let place = |id, purpose| Place { id: KeyId(id), purpose };
        let master = KeyMaster::new(&SealingKey::new([9; 32]));
        let golden = [
            1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 114, 139, 229, 32, 66, 68,
            84, 34, 102, 116, 108, 46, 220, 38, 88, 115, 183, 107, 51, 75, 183, 250, 156, 91, 233,
            149, 173, 32, 60, 200, 168, 156, 63, 190, 145, 38, 103, 148, 141, 64, 141, 144, 204,
            86, 217, 95, 91, 84,
        ];
        let opened = master.unwrap(place(1, KeyPurpose::Records), &golden).unwrap().unwrap();
        assert_eq!(opened.bytes(), &[5; 32]);
        let others = [place(2, KeyPurpose::Records), place(1, KeyPurpose::ConnectionIds)];
        for other in others {
            assert!(master.unwrap(other, &golden).unwrap().is_none());
        }
        assert_eq!(master.name(), "key 7fbe290b");
        assert_ne!(KeyMaster::new(&SealingKey::new([8; 32])).name(), "key 7fbe290b");
    }
}
