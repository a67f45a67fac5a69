//! Files beside the database: images and what they are made of, each under its SHA-256 and once;
//! rollouts' boards; and boards' histories ([`super::histories`]).
//!
//! ```text
//! files/blobs/<sha-256>   files/rollouts/<number>   files/history
//! ```
//! Invariant: a file is there before a record names it, whole and on the disk; a blob never changes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::file::FILE_BYTES_MAX;
use crate::{FileDigest, Store, StoreError};

/// The folder in the store's.
pub(crate) const FOLDER: &str = "files";
const BLOBS: &str = "blobs";
const ROLLOUTS: &str = "rollouts";
/// What an unfinished file's name ends with.
pub(crate) const UNFINISHED: &str = ".new";

/// The files of a [`Store`].
#[derive(Clone, Copy)]
pub struct Files<'a> {
    dir: &'a Path,
}

impl Store {
    /// Files beside the database.
    #[must_use]
    pub fn files(&self) -> Files<'_> {
        Files::of(self.dir())
    }
}

impl<'a> Files<'a> {
    /// Those of the store in this folder.
    pub(crate) const fn of(dir: &'a Path) -> Self {
        Self { dir }
    }
}

impl Files<'_> {
    /// Keeps these bytes; durable on return.
    ///
    /// # Errors
    /// [`StoreError::Unusable`], also for more than [`FILE_BYTES_MAX`].
    pub fn put(self, bytes: &[u8]) -> Result<FileDigest, StoreError> {
        let digest = FileDigest::of(bytes);
        let path = self.path(&digest);
        let unusable = |source| StoreError::Unusable { dir: path.clone(), source };
        if bytes.len() > FILE_BYTES_MAX {
            return Err(unusable(io::ErrorKind::FileTooLarge.into()));
        }
        if self.read(&digest).is_ok_and(|found| found.is_some()) {
            return Ok(digest);
        }
        let dir = self.folder(BLOBS)?;
        let unfinished = dir.join(format!("{digest}{UNFINISHED}"));
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished).map_err(unusable)?;
        file.write_all(bytes).map_err(unusable)?;
        file.sync_all().map_err(unusable)?;
        fs::rename(&unfinished, &path).map_err(unusable)?;
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(unusable)?;
        Ok(digest)
    }

    /// The whole file; nothing where there is none, or it is not what its name says.
    ///
    /// # Errors
    /// [`StoreError::Unusable`].
    pub fn read(self, digest: &FileDigest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes).filter(|bytes| FileDigest::of(bytes) == *digest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Unusable { dir: path, source }),
        }
    }

    /// Where the file is, for those who read parts of it.
    #[must_use]
    pub fn path(self, digest: &FileDigest) -> PathBuf {
        self.dir.join(FOLDER).join(BLOBS).join(digest.to_string())
    }

    /// Where a rollout's boards are.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where its folder cannot be made.
    pub fn rollout(self, number: u64) -> Result<PathBuf, StoreError> {
        Ok(self.folder(ROLLOUTS)?.join(number.to_string()))
    }

    /// Removes the files that nobody names: what an upload left that broke off, and images before
    /// they were signed.
    ///
    /// # Errors
    /// [`StoreError::Unusable`].
    pub fn sweep(self, is_named: impl Fn(&FileDigest) -> bool) -> Result<(), StoreError> {
        let dir = self.folder(BLOBS)?;
        let unusable = |source| StoreError::Unusable { dir: dir.clone(), source };
        for entry in fs::read_dir(&dir).map_err(unusable)? {
            let entry = entry.map_err(unusable)?;
            let name = entry.file_name();
            let named = name.to_str().and_then(|name| name.parse().ok());
            let is_unfinished = name.to_str().is_some_and(|name| name.ends_with(UNFINISHED));
            if is_unfinished || named.is_some_and(|digest| !is_named(&digest)) {
                fs::remove_file(entry.path()).map_err(unusable)?;
            }
        }
        Ok(())
    }

    fn folder(self, name: &str) -> Result<PathBuf, StoreError> {
        let dir = self.dir.join(FOLDER).join(name);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|source| StoreError::Unusable { dir: dir.clone(), source })?;
        Ok(dir)
    }
}

/// Every file in a store's folder, by its path behind [`FOLDER`], in order; those that are unfinished
/// are none.
pub(crate) fn all(dir: &Path) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for folder in [BLOBS, ROLLOUTS] {
        let entries = match fs::read_dir(dir.join(FOLDER).join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            if let Some(name) = entry?.file_name().to_str().filter(|it| !it.ends_with(UNFINISHED)) {
                all.push(format!("{folder}/{name}"));
            }
        }
    }
    all.sort();
    Ok(all)
}

/// Where a file of a backup is put; nothing for a name that no hub has given out.
pub(crate) fn place(dir: &Path, name: &str) -> Option<PathBuf> {
    let (folder, name) = name.split_once('/')?;
    let is_known = match folder {
        BLOBS => name.parse::<FileDigest>().is_ok(),
        ROLLOUTS => name.parse::<u64>().is_ok_and(|number| number.to_string() == name),
        _ => false,
    };
    is_known.then(|| dir.join(FOLDER).join(folder).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_once_and_only_while_somebody_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (one, two) = (store.files().put(b"one").unwrap(), store.files().put(b"two").unwrap());
        assert_eq!(store.files().put(b"one").unwrap(), one);
        assert_eq!(store.files().read(&one).unwrap().as_deref(), Some(&b"one"[..]));
        store.files().sweep(|digest| *digest == two).unwrap();
        assert_eq!(store.files().read(&one).unwrap(), None);
        assert_eq!(all(dir.path()).unwrap(), [format!("blobs/{two}")]);
        fs::write(store.files().path(&two), b"damaged").unwrap();
        assert_eq!(store.files().read(&two).unwrap(), None, "never what it is not");
        assert_eq!(store.files().put(b"two").unwrap(), two);
        assert_eq!(store.files().read(&two).unwrap().as_deref(), Some(&b"two"[..]));
        assert!(store.files().put(&vec![0; FILE_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn a_backup_puts_files_nowhere_else() {
        let digest = FileDigest::of(b"");
        assert!(place(Path::new("/s"), &format!("blobs/{digest}")).is_some());
        assert!(place(Path::new("/s"), "rollouts/7").is_some());
        for name in ["blobs/../../x", "rollouts/07", "rollouts/-1", "x/7", "rollouts/7/8", "blobs/"]
        {
            assert_eq!(place(Path::new("/s"), name), None, "{name}");
        }
    }
}
