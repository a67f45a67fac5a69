//! Keys in files, each sealed under a passphrase: the embedded default.
//!
//! `<folder>/<label>.key`, mode 0600: `keys/root.key`, `keys/tenant/acme.key`. Invariant: an opened
//! key stays in memory that is wiped when the store is dropped; nothing here gives one out or
//! overwrites a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fmt, fs, io};

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, PKeyRef, Private};
use zeroize::Zeroizing;

use super::memory::{new_key, public_half, sign_with};
use super::passphrase::{SecretFile, in_words};
use super::sealed::{Cost, Derived, LENGTH_MAX, Sealed};
use super::{KeyError, KeyLabel, KeyStore, PublicKey, Purpose};
use crate::trust::files::{make_folder, write_new_secret};
use crate::trust::key::CURVE;

/// Bytes of the longest PEM file that is read.
const PEM_MAX: u64 = 16 * 1024;

/// Where keys lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyFolders {
    /// The folder of the sealed keys.
    pub sealed: PathBuf,
    /// The pki folder, where hubs before sealed keys kept plain ones (`root.key.pem`,
    /// `tenants/<tenant>.key.pem`): they are used until they are imported.
    pub plain: PathBuf,
}

/// Keys in sealed files.
pub struct FileStore {
    folders: KeyFolders,
    pub(super) passphrase: SecretFile,
    pub(super) cost: Cost,
    open: Mutex<Open>,
}

#[derive(Default)]
pub(super) struct Open {
    pub(super) derived: Vec<Derived>,
    keys: BTreeMap<KeyLabel, PKey<Private>>,
}

impl FileStore {
    /// The store of these folders; they need not be there yet, and no passphrase is read before a
    /// key is used.
    pub fn new(folders: KeyFolders, passphrase: SecretFile) -> Self {
        Self::with_cost(folders, passphrase, Cost::DEFAULT)
    }

    /// The same, with new keys sealed at another cost: for tests.
    pub(super) fn with_cost(folders: KeyFolders, passphrase: SecretFile, cost: Cost) -> Self {
        Self { folders, passphrase, cost, open: Mutex::default() }
    }

    /// The plain key by this name that a former hub left, if there is one.
    pub fn plain_key(&self, label: &KeyLabel) -> Option<PathBuf> {
        let name = match (label.purpose(), label.generation()) {
            (Purpose::Root, 1) => String::from("root.key.pem"),
            (Purpose::Tenant(tenant), 1) => format!("tenants/{tenant}.key.pem"),
            (Purpose::Server, 1) => String::from("server.key.pem"),
            (Purpose::Root | Purpose::Tenant(_) | Purpose::Server, _)
            | (Purpose::Firmware | Purpose::Audit, _) => return None,
        };
        Some(self.folders.plain.join(name)).filter(|file| file.exists())
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Open> {
        // What is in there is complete at every moment.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sealed_file(&self, label: &KeyLabel) -> PathBuf {
        self.folders.sealed.join(format!("{label}.key"))
    }

    fn missing(&self, label: &KeyLabel) -> KeyError {
        KeyError::Missing { label: label.clone(), store: self.describe() }
    }

    /// The sealed file of a key; `None` where there is none.
    pub(super) fn sealed(&self, label: &KeyLabel) -> Result<Option<Sealed>, KeyError> {
        let file = self.sealed_file(label);
        let bytes = match read(&file, LENGTH_MAX as u64) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            read => read?,
        };
        let damaged = |problem| KeyError::Damaged { file: file.clone(), problem };
        let sealed = Sealed::parse(&bytes).map_err(damaged)?;
        match sealed.label == *label {
            true => Ok(Some(sealed)),
            false => Err(damaged(format!("is the key {}, not {label}", sealed.label))),
        }
    }

    /// A key, opened now or before.
    fn key(&self, open: &mut Open, label: &KeyLabel) -> Result<PKey<Private>, KeyError> {
        if let Some(key) = open.keys.get(label) {
            return Ok(key.clone());
        }
        let key = match self.sealed(label)? {
            Some(sealed) => self.unseal(open, &sealed)?,
            None => read_plain(&self.plain_key(label).ok_or_else(|| self.missing(label))?)?,
        };
        open.keys.insert(label.clone(), key.clone());
        Ok(key)
    }

    fn unseal(&self, open: &mut Open, sealed: &Sealed) -> Result<PKey<Private>, KeyError> {
        let scalar = self.scalar(open, sealed)?;
        key_of(&sealed.public, &scalar).map_err(KeyError::cryptography("rebuild a key"))
    }

    /// The number that a private key is.
    pub(super) fn scalar(
        &self,
        open: &mut Open,
        sealed: &Sealed,
    ) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let known = open.derived.iter().find(|derived| derived.opens(sealed));
        if let Some(scalar) = known.and_then(|derived| derived.open(sealed)) {
            return Ok(scalar);
        }
        let mut tried = false;
        for place in self.passphrase.candidates() {
            let Some(passphrase) = place.read()? else { continue };
            tried = true;
            let derived = derive(&passphrase, sealed.cost, sealed.salt)?;
            if let Some(scalar) = derived.open(sealed) {
                open.derived.push(derived);
                return Ok(scalar);
            }
        }
        match tried {
            true => Err(KeyError::WrongPassphrase {
                file: self.sealed_file(&sealed.label),
                passphrase: self.passphrase.source().to_owned(),
            }),
            false => Err(self.no_passphrase()),
        }
    }

    /// The server's key in a sealed file: handshakes need it in the process, and it is the one key
    /// that is given out.
    pub fn server_key(&self, file: &Path) -> Result<PKey<Private>, KeyError> {
        let bytes = read(file, LENGTH_MAX as u64)?;
        let damaged = |problem| KeyError::Damaged { file: file.to_owned(), problem };
        let sealed = Sealed::parse(&bytes).map_err(damaged)?;
        match sealed.label.purpose() {
            Purpose::Server => self.unseal(&mut self.open(), &sealed),
            Purpose::Root | Purpose::Tenant(_) | Purpose::Firmware | Purpose::Audit => {
                Err(damaged(format!("is the key {}, and no server's", sealed.label)))
            }
        }
    }

    fn no_passphrase(&self) -> KeyError {
        KeyError::NoSecret {
            key: self.passphrase.key,
            file: self.passphrase.source().to_owned(),
            way_out: "the sealed keys do not open without it: put back the copy that was kept of it",
        }
    }

    /// Seals a key into its file, and keeps it open.
    fn put(
        &self,
        open: &mut Open,
        label: &KeyLabel,
        key: &PKeyRef<Private>,
        public: &PublicKey,
    ) -> Result<(), KeyError> {
        let failed = KeyError::cryptography("encode a key");
        let mut number =
            key.ec_key().and_then(|key| key.private_key().to_owned()).map_err(&failed)?;
        let bytes = Zeroizing::new(number.to_vec_padded(32).map_err(&failed)?);
        number.clear();
        let mut scalar = Zeroizing::new([0; 32]);
        scalar.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);

        let derived = self.derived_for_new(open)?;
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce).map_err(|_| KeyError::Random)?;
        let file = self.sealed_file(label);
        let sealed = derived.seal(label, public, &scalar, nonce).ok_or_else(|| {
            KeyError::Cryptography { doing: "seal a key", source: ErrorStack::get() }
        })?;
        make_folder(file.parent().unwrap_or(&self.folders.sealed)).map_err(in_words)?;
        write_new_secret(&file, &sealed).map_err(in_words)?;
        open.keys.insert(label.clone(), key.to_owned());
        Ok(())
    }

    /// What a new key is sealed under. All keys have one passphrase: a key that is there must open
    /// first, and a passphrase is made only where there is none.
    fn derived_for_new(&self, open: &mut Open) -> Result<Derived, KeyError> {
        if open.derived.is_empty() {
            for label in self.sealed_labels()? {
                if let Some(sealed) = self.sealed(&label)? {
                    self.unseal(open, &sealed)?;
                    break;
                }
            }
        }
        if let Some(derived) = open.derived.iter().find(|derived| derived.has_cost(self.cost)) {
            return Ok(derived.clone());
        }
        let passphrase = match open.derived.is_empty() {
            true => self.passphrase.read_or_make()?,
            false => self.passphrase.read()?.ok_or_else(|| self.no_passphrase())?,
        };
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| KeyError::Random)?;
        let derived = derive(&passphrase, self.cost, salt)?;
        open.derived.push(derived.clone());
        Ok(derived)
    }

    pub(super) fn sealed_labels(&self) -> Result<Vec<KeyLabel>, KeyError> {
        let mut labels = Vec::new();
        for file in files_below(&self.folders.sealed, 3)? {
            let name = file.strip_prefix(&self.folders.sealed).ok().and_then(Path::to_str);
            let name = name.and_then(|name| name.strip_suffix(".key"));
            labels.extend(name.and_then(|name| name.parse::<KeyLabel>().ok()));
        }
        labels.sort();
        Ok(labels)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl KeyStore for FileStore {
    fn generate(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        let mut open = self.open();
        if self.sealed_file(label).exists() || self.plain_key(label).is_some() {
            return Err(KeyError::Exists { label: label.clone(), store: self.describe() });
        }
        let key = new_key()?;
        let public = public_half(&key)?;
        self.put(&mut open, label, &key, &public)?;
        Ok(public)
    }

    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        match self.sealed(label)? {
            Some(sealed) => Ok(sealed.public),
            None => public_half(self.key(&mut self.open(), label)?.as_ref()),
        }
    }

    fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.key(&mut self.open(), label)?;
        sign_with(&key, message)
    }

    fn labels(&self) -> Result<Vec<KeyLabel>, KeyError> {
        let mut labels = self.sealed_labels()?;
        let plain = &self.folders.plain;
        for file in files_below(plain, 2)? {
            let name = file.strip_prefix(plain).ok().and_then(Path::to_str);
            let label = match name.and_then(|name| name.strip_suffix(".key.pem")) {
                Some("root") => Some(KeyLabel::ROOT),
                Some(other) => other
                    .strip_prefix("tenants/")
                    .and_then(|tenant| tenant.parse().ok())
                    .map(|tenant| KeyLabel::tenant(&tenant)),
                None => None,
            };
            labels.extend(label);
        }
        labels.sort();
        labels.dedup();
        Ok(labels)
    }

    /// Sealed, and read back; the plain key is kept as `<file>.imported`, for its owner to destroy.
    fn import_plain(&self, label: &KeyLabel) -> Result<Option<PathBuf>, KeyError> {
        let Some(file) = self.plain_key(label) else { return Ok(None) };
        if self.sealed_file(label).exists() {
            return Ok(None);
        }
        let key = read_plain(&file)?;
        let public = public_half(&key)?;
        let mut open = self.open();
        self.put(&mut open, label, &key, &public)?;
        open.keys.remove(label);
        let back = public_half(self.key(&mut open, label)?.as_ref())?;
        drop(open);
        if back != public {
            let problem = String::from("does not hold what was written");
            return Err(KeyError::Damaged { file: self.sealed_file(label), problem });
        }
        let mut kept = file.clone().into_os_string();
        kept.push(".imported");
        let kept = PathBuf::from(kept);
        let renamed = fs::rename(&file, &kept);
        renamed.map_err(|source| KeyError::File { doing: "rename", file, source })?;
        Ok(Some(kept))
    }

    fn describe(&self) -> String {
        format!("the key files in {}", self.folders.sealed.display())
    }
}

pub(super) fn derive(passphrase: &[u8], cost: Cost, salt: [u8; 16]) -> Result<Derived, KeyError> {
    let refused = || KeyError::Cryptography { doing: "derive a key", source: ErrorStack::get() };
    Derived::new(passphrase, cost, salt).ok_or_else(refused)
}

fn key_of(public: &PublicKey, scalar: &[u8; 32]) -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(CURVE)?;
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, public.point(), &mut context)?;
    let mut number = BigNum::from_slice(scalar)?;
    let key = EcKey::from_private_components(&group, &number, &point);
    number.clear();
    let key = key?;
    key.check_key()?;
    PKey::from_ec_key(key)
}

fn read_plain(file: &Path) -> Result<PKey<Private>, KeyError> {
    let pem = read(file, PEM_MAX)?;
    let key = PKey::private_key_from_pem(&pem).ok().filter(|key| PublicKey::of(key).is_some());
    key.ok_or_else(|| KeyError::NotAKey { file: file.to_owned() })
}

/// A file's content, as far as `most` bytes.
fn read(file: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    use std::io::Read as _;
    let refused = |source| KeyError::File { doing: "read", file: file.to_owned(), source };
    let open = fs::File::open(file).map_err(refused)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(most).unwrap_or(0) + 1));
    open.take(most).read_to_end(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

/// Every file in a folder and `depth - 1` levels of folders in it; none where there is no folder.
fn files_below(folder: &Path, depth: u8) -> Result<Vec<PathBuf>, KeyError> {
    let refused = |source| KeyError::File { doing: "read", file: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(refused)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(refused)?;
        match entry.file_type().map_err(refused)?.is_dir() {
            true if depth > 1 => files.extend(files_below(&entry.path(), depth - 1)?),
            true => {}
            false => files.push(entry.path()),
        }
    }
    Ok(files)
}
