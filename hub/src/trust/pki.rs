//! The folder of the hub's certificates, over the key store that has the authorities' keys.
//!
//! ```text
//! root.pem  tenants/<tenant>.pem  tenants/<tenant>.2.pem ...  server.pem  keys/server.key
//! ```
//! What a tenant's authorities are the store knows, with their certificates; the files beside are for
//! people and other programs.
//!
//! Invariant: what is there is kept; certificates are readable. The server's key is always in a sealed
//! file, for a handshake needs it in the process; where there is a plain one, `server.key.pem`, that
//! is used until it is sealed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actors::metrics::Metrics;
use openssl::x509::X509;
use storage::{TenantId, UnixSeconds};

use super::files::{make_folder, put_in_place, write_new, write_new_secret};
use super::keys::{
    self, FileStore, KeyError, KeyLabel, KeyStore, MeasuredStore, PublicKey, Purpose,
};
use super::profile;
use super::{Authority, Issued, Places, ServerName, TrustError, new_key, pem, private_key_pem};
use crate::config::Trust;

/// The folder of the hub's certificates, and its keys.
#[derive(Clone, Debug)]
pub struct Pki {
    dir: PathBuf,
    keys: Arc<dyn KeyStore>,
    /// Where the server's key is sealed; without it, it is a plain file.
    files: Option<Arc<FileStore>>,
    /// What boards' certificates name.
    places: Option<Places>,
}

/// A certificate's file and its key's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPairFiles {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM (PKCS#8).
    pub key: PathBuf,
}

/// Whether something was made now or was there before.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Made {
    /// It is new.
    Made,
    /// It was there and is as it was.
    Kept,
}

/// A plain key that was taken into the key store.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Imported {
    /// Its name there.
    pub key: KeyLabel,
    /// Where the plain key is now, for its owner to destroy.
    pub plain: PathBuf,
}

/// What [`Pki::init`] did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Initialised {
    /// With the root.
    pub root: Made,
    /// With the server's certificate.
    pub server: Made,
    /// With plain keys of a former hub.
    pub imported: Vec<Imported>,
}

impl Pki {
    /// The folder `dir`, which need not be there yet, with its authorities' keys in `keys`.
    pub fn new(dir: &Path, keys: Arc<dyn KeyStore>) -> Self {
        Self { dir: dir.to_path_buf(), keys, files: None, places: None }
    }

    /// The folder and the key store of a configuration; the key store is opened on first use.
    #[must_use]
    pub fn of(trust: &Trust) -> Self {
        let files = Arc::new(keys::files(trust));
        let keys = keys::open(trust, &files);
        Self { dir: trust.dir.clone(), keys, files: Some(files), places: None }
    }

    /// The sealed files, in which the server's key is at least; `None` for a fixture.
    pub fn files(&self) -> Option<&Arc<FileStore>> {
        self.files.as_ref()
    }

    /// The same, with what its keys sign counted.
    #[must_use]
    pub fn measured(self, metrics: &Arc<Metrics>) -> Self {
        let keys = Arc::new(MeasuredStore::new(self.keys, Arc::clone(metrics)));
        Self { keys, ..self }
    }

    /// The same, with boards' certificates that name these places.
    #[must_use]
    pub fn naming(self, places: Option<Places>) -> Self {
        Self { places, ..self }
    }

    /// What boards' certificates are to name.
    pub(super) const fn places(&self) -> Option<&Places> {
        self.places.as_ref()
    }

    /// The key store.
    pub fn keys(&self) -> &Arc<dyn KeyStore> {
        &self.keys
    }

    /// Makes what is missing: folder, root, and a server certificate for `names`; takes in the
    /// plain keys of a former hub.
    pub fn init(&self, names: &[ServerName], now: UnixSeconds) -> Result<Initialised, TrustError> {
        make_folder(&self.tenants())?;
        let mut imported = Vec::new();
        for key in self.keys.labels()? {
            let plain = self.keys.import_plain(&key)?;
            imported.extend(plain.map(|plain| Imported { key, plain }));
        }
        let (authority, root) = match self.root_file().exists() {
            true => (self.root()?, Made::Kept),
            false => (self.new_root(now)?, Made::Made),
        };
        imported.extend(self.import_server_key()?);
        let files = self.server_files();
        let sealed = self.files.as_ref().filter(|_| files.key == self.sealed_server_key());
        let public = match sealed {
            Some(_) if files.certificate.exists() && files.key.exists() => {
                return Ok(Initialised { root, server: Made::Kept, imported });
            }
            // A sealed key serves its next certificate as well.
            Some(store) if files.key.exists() => store.public_key(&KeyLabel::SERVER)?,
            Some(store) if !files.certificate.exists() => store.generate(&KeyLabel::SERVER)?,
            Some(_) | None if files.both_there()? => {
                return Ok(Initialised { root, server: Made::Kept, imported });
            }
            Some(_) | None => {
                let key = new_key()?;
                write_new_secret(&files.key, &private_key_pem(&key)?)?;
                PublicKey::of(&key).ok_or(TrustError::RequestKeyUnsuited)?
            }
        };
        let certificate = authority.issue_server(names, &public, now)?;
        write_new(&files.certificate, certificate.to_pem().as_bytes())?;
        Ok(Initialised { root, server: Made::Made, imported })
    }

    /// Another certificate for the server, with the key that it has, and with the names of the one before
    /// where none are given. It takes that one's place; that one is kept beside it, as
    /// `server.previous.pem`.
    ///
    /// # Errors
    /// [`TrustError`]; then the one before is where it was.
    pub fn renew_server(
        &self,
        names: &[ServerName],
        now: UnixSeconds,
    ) -> Result<Issued, TrustError> {
        let file = self.server_files().certificate;
        let before = fs::read(&file).map_err(|source| TrustError::File {
            doing: "read",
            file: file.clone(),
            source,
        })?;
        let unread = || TrustError::NotA { what: "certificate", file: file.clone() };
        let certificate = X509::from_pem(&before).map_err(|_| unread())?;
        let key = certificate.public_key().ok().and_then(|key| PublicKey::of(&key));
        let key = key.ok_or(TrustError::RequestKeyUnsuited)?;
        let names = match names {
            [] => profile::server_names(&certificate),
            given => given.to_vec(),
        };
        let issued = self.root()?.issue_server(&names, &key, now)?;
        let replace = |name: &str, to: &Path, pem: &[u8]| {
            let new = self.dir.join(name);
            // What a former call left that was killed.
            let _ = fs::remove_file(&new);
            write_new(&new, pem)?;
            put_in_place(&new, to)
        };
        replace("server.previous.new", &self.dir.join("server.previous.pem"), &before)?;
        replace("server.new", &file, &self.server_chain(issued.to_pem().as_bytes())?)?;
        Ok(issued)
    }

    /// Seals the plain key of the server that a former hub left; one that is not on P-256 stays.
    fn import_server_key(&self) -> Result<Option<Imported>, TrustError> {
        let Some(files) = &self.files else { return Ok(None) };
        let key = KeyLabel::SERVER;
        match files.import_plain(&key) {
            Err(KeyError::NotAKey { .. }) => Ok(None),
            imported => Ok(imported?.map(|plain| Imported { key, plain })),
        }
    }

    /// The root.
    pub fn root(&self) -> Result<Authority, TrustError> {
        let label = match self.root_certificate() {
            Ok(certificate) => self.root_label(&certificate)?,
            Err(_) => None,
        };
        self.read(&self.root_file(), label.unwrap_or(KeyLabel::ROOT), "root", || {
            String::from("`cellular-hub ca init` makes one")
        })
    }

    /// The DER of the root's certificate; its key may be elsewhere.
    pub fn root_certificate(&self) -> Result<Vec<u8>, TrustError> {
        let file = self.root_file();
        let pem = fs::read(&file).map_err(|source| TrustError::File {
            doing: "read",
            file: file.clone(),
            source,
        })?;
        let read = X509::from_pem(&pem).and_then(|certificate| certificate.to_der());
        read.map_err(|_| TrustError::NotA { what: "certificate", file })
    }

    /// A tenant's first authority, made under the root unless it is there.
    pub fn add_tenant(
        &self,
        tenant: &TenantId,
        now: UnixSeconds,
    ) -> Result<(Authority, Made), TrustError> {
        let (file, label) = (self.tenant_file(tenant, 1), KeyLabel::tenant(tenant));
        if file.exists() {
            let authority = self.read(&file, label, "authority of the tenant", || {
                format!("`cellular-hub tenant add {tenant}` makes one with the tenant")
            })?;
            return Ok((authority, Made::Kept));
        }
        Ok((self.new_authority(tenant, label, now)?, Made::Made))
    }

    /// Another authority of a tenant that has one, with a new key, and the key's name.
    pub fn succeed_tenant(
        &self,
        tenant: &TenantId,
        now: UnixSeconds,
    ) -> Result<(Authority, KeyLabel), TrustError> {
        let mut unused = (2..=u16::MAX).filter(|it| !self.tenant_file(tenant, *it).exists());
        let label = unused
            .next()
            .and_then(|generation| KeyLabel::nth(Purpose::Tenant(tenant.clone()), generation));
        let label = label.ok_or_else(|| TrustError::Unissuable {
            doing: "make another authority",
            problem: format!("{tenant} has had all there can be"),
        })?;
        Ok((self.new_authority(tenant, label.clone(), now)?, label))
    }

    fn new_authority(
        &self,
        tenant: &TenantId,
        label: KeyLabel,
        now: UnixSeconds,
    ) -> Result<Authority, TrustError> {
        let root = self.root()?;
        let key = self.key_for(&label)?;
        let issued: Issued = root.issue_tenant(tenant, label.generation(), &key, now)?;
        make_folder(&self.tenants())?;
        let file = self.tenant_file(tenant, label.generation());
        write_new(&file, issued.to_pem().as_bytes())?;
        Authority::new(issued.into_der(), Arc::clone(&self.keys), label)
    }

    /// The authority of a certificate (DER) whose key is here under this name; `None` where it is
    /// not, or is another's.
    pub fn authority(&self, der: &[u8], label: KeyLabel) -> Result<Option<Authority>, TrustError> {
        let public = match self.keys.public_key(&label) {
            Err(KeyError::Missing { .. }) => return Ok(None),
            found => found?,
        };
        let certificate =
            X509::from_der(der).map_err(TrustError::cryptography("read an authority"))?;
        let belongs = certificate.public_key().is_ok_and(|key| PublicKey::of(&key) == Some(public));
        if !belongs {
            return Ok(None);
        }
        Authority::new(der.to_vec(), Arc::clone(&self.keys), label).map(Some)
    }

    /// Where the root's certificate is.
    pub fn root_file(&self) -> PathBuf {
        self.dir.join("root.pem")
    }

    /// Where the server's certificate and key are. The key is sealed, unless there is a plain one.
    pub fn server_files(&self) -> KeyPairFiles {
        let plain = self.dir.join("server.key.pem");
        let key = match self.files.is_some() && !plain.exists() {
            true => self.sealed_server_key(),
            false => plain,
        };
        KeyPairFiles { certificate: self.dir.join("server.pem"), key }
    }

    fn sealed_server_key(&self) -> PathBuf {
        self.dir.join("keys/server.key")
    }

    /// Where the certificate of the tenant's authority is that has its so-manieth key.
    pub fn tenant_file(&self, tenant: &TenantId, generation: u16) -> PathBuf {
        self.tenants().join(match generation {
            1 => format!("{tenant}.pem"),
            // No tenant's name has a dot.
            later => format!("{tenant}.{later}.pem"),
        })
    }

    /// A file of the folder's own.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn tenants(&self) -> PathBuf {
        self.dir.join("tenants")
    }

    fn new_root(&self, now: UnixSeconds) -> Result<Authority, TrustError> {
        self.key_for(&KeyLabel::ROOT)?;
        let root = Authority::new_root(Arc::clone(&self.keys), KeyLabel::ROOT, now)?;
        write_new(&self.root_file(), pem("CERTIFICATE", root.certificate()).as_bytes())?;
        Ok(root)
    }

    /// The key by this name; a new one where there is none. A key whose certificate was never
    /// written is one too.
    pub(super) fn key_for(&self, label: &KeyLabel) -> Result<PublicKey, TrustError> {
        match self.keys.public_key(label) {
            Err(KeyError::Missing { .. }) => Ok(self.keys.generate(label)?),
            found => Ok(found?),
        }
    }

    fn read(
        &self,
        file: &Path,
        label: KeyLabel,
        what: &'static str,
        way_out: impl Fn() -> String,
    ) -> Result<Authority, TrustError> {
        let pem = match fs::read(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let file = file.to_path_buf();
                return Err(TrustError::Missing { what, file, way_out: way_out() });
            }
            read => read.map_err(|source| TrustError::File {
                doing: "read",
                file: file.into(),
                source,
            })?,
        };
        let certificate = X509::from_pem(&pem)
            .map_err(|_| TrustError::NotA { what: "certificate", file: file.to_path_buf() })?;
        let elsewhere = || TrustError::KeyElsewhere {
            certificate: file.to_path_buf(),
            store: self.keys.describe(),
        };
        let public = match self.keys.public_key(&label) {
            Err(KeyError::Missing { .. }) => return Err(elsewhere()),
            found => found?,
        };
        let belongs = certificate.public_key().is_ok_and(|key| PublicKey::of(&key) == Some(public));
        if !belongs {
            return Err(elsewhere());
        }
        let der = certificate.to_der().map_err(TrustError::cryptography("encode a certificate"))?;
        Authority::new(der, Arc::clone(&self.keys), label)
    }
}

impl KeyPairFiles {
    fn both_there(&self) -> Result<bool, TrustError> {
        let half = |there: &PathBuf, missing: &PathBuf| {
            Err(TrustError::HalfAPair { there: there.clone(), missing: missing.clone() })
        };
        match (self.certificate.exists(), self.key.exists()) {
            (true, true) => Ok(true),
            (false, false) => Ok(false),
            (true, false) => half(&self.certificate, &self.key),
            (false, true) => half(&self.key, &self.certificate),
        }
    }
}

/// The last second of validity of the certificate in a file, where there is one.
pub fn certificate_end(file: &Path) -> Option<UnixSeconds> {
    let der = X509::from_pem(&fs::read(file).ok()?).ok()?.to_der().ok()?;
    Some(super::anchor_facts(&der).ok()?.not_after)
}
