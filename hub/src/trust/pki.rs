//! The folder of the hub's certificates and keys.
//!
//! ```text
//! root.pem  root.key.pem  server.pem  server.key.pem  tenants/<tenant>.pem  tenants/<tenant>.key.pem
//! ```
//! Invariant: what is there is kept; certificates are readable, keys have mode 0600.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::{X509, X509Ref};
use storage::{TenantId, UnixSeconds};

use super::files::{make_folder, write_new, write_new_secret};
use super::{Authority, ServerName, TrustError, new_key, private_key_pem};

/// The folder of the hub's certificates and keys.
#[derive(Clone, Debug)]
pub struct Pki {
    dir: PathBuf,
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

/// What [`Pki::init`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Initialised {
    /// With the root.
    pub root: Made,
    /// With the server's certificate.
    pub server: Made,
}

impl Pki {
    /// The folder `dir`, which need not be there yet.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    /// Makes what is missing: folder, root, and a server certificate for `names`.
    pub fn init(&self, names: &[ServerName], now: UnixSeconds) -> Result<Initialised, TrustError> {
        make_folder(&self.tenants())?;
        let (authority, root) = match self.root_files().both_there()? {
            true => (self.root()?, Made::Kept),
            false => {
                let authority = Authority::new_root(now)?;
                self.root_files().write(authority.certificate(), authority.key())?;
                (authority, Made::Made)
            }
        };
        if self.server_files().both_there()? {
            return Ok(Initialised { root, server: Made::Kept });
        }
        let key = new_key()?;
        let certificate = authority.issue_server(names, &key, now)?;
        self.server_files().write(&certificate, &key)?;
        Ok(Initialised { root, server: Made::Made })
    }

    /// The root with its key.
    pub fn root(&self) -> Result<Authority, TrustError> {
        self.root_files().read("root", || String::from("`cellular-hub ca init` makes one"))
    }

    /// A tenant's authority with its key.
    pub fn tenant(&self, tenant: &TenantId) -> Result<Authority, TrustError> {
        self.tenant_files(tenant).read("authority of the tenant", || {
            format!("`cellular-hub tenant add {tenant}` makes one with the tenant")
        })
    }

    /// A tenant's authority, made under the root unless it is there.
    pub fn add_tenant(&self, tenant: &TenantId, now: UnixSeconds) -> Result<Authority, TrustError> {
        let files = self.tenant_files(tenant);
        if files.both_there()? {
            return self.tenant(tenant);
        }
        let authority = self.root()?.issue_tenant(tenant, now)?;
        make_folder(&self.tenants())?;
        files.write(authority.certificate(), authority.key())?;
        Ok(authority)
    }

    /// Where the root is.
    pub fn root_files(&self) -> KeyPairFiles {
        KeyPairFiles::named(&self.dir, "root")
    }

    /// Where the server's certificate is.
    pub fn server_files(&self) -> KeyPairFiles {
        KeyPairFiles::named(&self.dir, "server")
    }

    /// Where a tenant's authority is.
    pub fn tenant_files(&self, tenant: &TenantId) -> KeyPairFiles {
        KeyPairFiles::named(&self.tenants(), tenant.as_str())
    }

    fn tenants(&self) -> PathBuf {
        self.dir.join("tenants")
    }
}

impl KeyPairFiles {
    fn named(dir: &Path, name: &str) -> Self {
        Self {
            certificate: dir.join(format!("{name}.pem")),
            key: dir.join(format!("{name}.key.pem")),
        }
    }

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

    fn write(&self, certificate: &X509Ref, key: &PKeyRef<Private>) -> Result<(), TrustError> {
        let encoding = TrustError::cryptography("encode a certificate");
        let certificate = certificate.to_pem().map_err(encoding)?;
        write_new_secret(&self.key, &private_key_pem(key)?)?;
        write_new(&self.certificate, &certificate)
    }

    fn read(
        &self,
        what: &'static str,
        way_out: impl Fn() -> String,
    ) -> Result<Authority, TrustError> {
        if !self.both_there()? {
            let file = self.certificate.clone();
            return Err(TrustError::Missing { what, file, way_out: way_out() });
        }
        let certificate = X509::from_pem(&read(&self.certificate)?).map_err(|_| {
            TrustError::NotA { what: "certificate", file: self.certificate.clone() }
        })?;
        let key = PKey::private_key_from_pem(&zeroize::Zeroizing::new(read(&self.key)?))
            .map_err(|_| TrustError::NotA { what: "private key", file: self.key.clone() })?;
        let belongs = certificate.public_key().is_ok_and(|public| public.public_eq(&key));
        if !belongs {
            return Err(TrustError::AnotherKey {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            });
        }
        Authority::new(certificate, key)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TrustError> {
    fs::read(file).map_err(|source| TrustError::File { doing: "read", file: file.into(), source })
}
