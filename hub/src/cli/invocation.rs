//! What a command works on: this process's own surroundings, or a running hub that carries the
//! command out for another process of its user.
//!
//! Invariant: a running hub opens none of the files that its clients' commands name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use openssl::pkey::PKey;
use storage::Store;
use zeroize::Zeroizing;

use super::output::{Output, To};
use super::{Failure, now, secret};
use crate::admin::{Admin, Author};
use crate::config::{Config, Source};
use crate::control::run::Handed;
use crate::trust::keys::PublicKey;
use crate::trust::{
    Pki, Places, TrustError, new_key, private_key_pem, write_new, write_new_secret,
};
use crate::vault::Vault;

/// What a command works on and how it answers.
pub(super) struct Invocation {
    pub(super) place: Place,
    pub(super) output: Output,
}

/// Where a command is carried out.
pub(super) enum Place {
    /// In the process that was asked.
    Here(Source),
    /// In a running hub.
    Hub(Box<InHub>),
}

/// What a running hub carries a command out with.
pub(super) struct InHub {
    pub(super) config: Config,
    pub(super) admin: Admin,
    pub(super) pki: Pki,
    pub(super) vault: Vault,
    pub(super) folder: PathBuf,
    pub(super) files: BTreeMap<PathBuf, Handed>,
}

impl InHub {
    /// What a file of the command line holds: its client has handed it over.
    fn handed(&self, file: &Path) -> std::io::Result<&Zeroizing<Vec<u8>>> {
        self.files.get(file).map(|handed| &handed.0).ok_or_else(|| {
            std::io::Error::other("the command did not hand it over; use the hub's own version")
        })
    }
}

impl Invocation {
    pub(super) fn config(&self) -> Result<Config, Failure> {
        match &self.place {
            Place::Here(source) => Ok(Config::load(source)?),
            Place::Hub(hub) => Ok(hub.config.clone()),
        }
    }

    /// The configuration in a file of the command line.
    pub(super) fn other_config(&self, file: &Path) -> Result<Config, Failure> {
        match &self.place {
            Place::Here(_) => Ok(Config::load(&Source::File(file.to_owned()))?),
            Place::Hub(hub) => {
                let text = String::from_utf8_lossy(hub.handed(file)?).into_owned();
                let place = hub.folder.join(file);
                let config = Config::parse(&text, file)?;
                Ok(config.relative_to(place.parent().unwrap_or(&hub.folder)))
            }
        }
    }

    /// Where the configuration is.
    pub(super) fn source(&self) -> Result<Source, Failure> {
        match &self.place {
            Place::Here(source) => Ok(source.clone()),
            Place::Hub(_) => Err(Failure::not_in_a_hub()),
        }
    }

    /// The store's admin; the store is made when there is none.
    pub(super) fn admin_or_new(&self) -> Result<Admin, Failure> {
        match &self.place {
            Place::Here(_) => Ok(Admin::stopped(Store::open(&self.config()?.store.dir)?, author())),
            Place::Hub(hub) => Ok(hub.admin.clone()),
        }
    }

    /// The store's admin; it must be there: a mistyped --config makes no empty store.
    pub(super) fn admin(&self) -> Result<Admin, Failure> {
        match &self.place {
            Place::Here(_) => {
                Ok(Admin::stopped(self.store()?, author()).signing_with(self.pki()?.keys()))
            }
            Place::Hub(hub) => Ok(hub.admin.clone()),
        }
    }

    /// The store, which must be there.
    pub(super) fn store(&self) -> Result<Store, Failure> {
        match &self.place {
            Place::Here(_) => Ok(Store::open(&self.store_dir()?)?),
            Place::Hub(hub) => Ok(hub.admin.store().clone()),
        }
    }

    /// The store's folder, which must be there.
    pub(super) fn store_dir(&self) -> Result<PathBuf, Failure> {
        let dir = self.config()?.store.dir;
        if !dir.exists() {
            let way_out = "`cellular-hub tenant add` makes one, or name another with --config";
            return Err(Failure::unknown("store at", dir.display(), way_out));
        }
        Ok(dir)
    }

    pub(super) fn pki(&self) -> Result<Pki, Failure> {
        match &self.place {
            Place::Here(_) => {
                let config = self.config()?;
                Ok(Pki::of(&config.trust).naming(Places::of(&config)))
            }
            Place::Hub(hub) => Ok(hub.pki.clone()),
        }
    }

    /// The vault of the store that `admin` changes.
    pub(super) fn vault(&self, admin: &Admin) -> Result<Vault, Failure> {
        match &self.place {
            Place::Here(_) => Ok(Vault::unlock(&self.config()?, admin.store(), now())?),
            Place::Hub(hub) => Ok(hub.vault.clone()),
        }
    }

    /// What a file of the command line holds.
    pub(super) fn read(&self, file: &Path) -> Result<Vec<u8>, Failure> {
        let read = match &self.place {
            Place::Here(_) => std::fs::read(file),
            Place::Hub(hub) => hub.handed(file).map(|bytes| bytes.to_vec()),
        };
        let failed = |source| TrustError::File { doing: "read", file: file.to_owned(), source };
        Ok(read.map_err(failed)?)
    }

    /// What a file of the command line holds that is a secret.
    pub(super) fn read_secret(&self, file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match &self.place {
            Place::Here(_) => secret::read(file),
            Place::Hub(hub) => Ok(hub.handed(file)?.clone()),
        }
    }

    /// The public half of a new key, whose private half is in a new file of the command line, PEM, mode
    /// 0600; in a hub, its client has made it and tells the public half alone.
    pub(super) fn new_key(&self, file: &Path) -> Result<PublicKey, Failure> {
        let key = match &self.place {
            Place::Here(_) => {
                let key = new_key()?;
                write_new_secret(file, &private_key_pem(&key)?)?;
                PublicKey::of(&key)
            }
            Place::Hub(_) => PKey::public_key_from_pem(&self.read(file)?)
                .ok()
                .and_then(|key| PublicKey::of(&key)),
        };
        Ok(key.ok_or(TrustError::RequestKeyUnsuited)?)
    }

    /// Removes what a command has made that came to nothing, so that the corrected one can make it
    /// again; in a hub, its client does.
    pub(super) fn forget<'a>(&self, made: impl IntoIterator<Item = &'a PathBuf>) {
        if matches!(self.place, Place::Here(_)) {
            for file in made {
                let _ = std::fs::remove_file(file);
            }
        }
    }

    /// Refuses a command that would write over what is there; in a hub, its client has looked.
    pub(super) fn must_be_new<'a>(
        &self,
        files: impl IntoIterator<Item = &'a PathBuf>,
    ) -> Result<(), Failure> {
        let is_here = matches!(self.place, Place::Here(_));
        match files.into_iter().find(|file| is_here && file.exists()) {
            Some(file) => Err(TrustError::Exists { file: file.clone() }.into()),
            None => Ok(()),
        }
    }

    /// Writes a file of the command line that must not be there; in a hub, its client does.
    pub(super) fn write_new(&self, file: &Path, bytes: &[u8]) -> Result<(), Failure> {
        match &self.output.to {
            To::Stdout => Ok(write_new(file, bytes)?),
            To::Client(reply) => {
                let mut reply = reply.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(reply.file(file, bytes)?)
            }
        }
    }

    /// A file of the command line, named so that a hub finds it that runs in another folder.
    pub(super) fn absolute(&self, file: &Path) -> Result<String, Failure> {
        let file = match &self.place {
            Place::Here(_) => file.to_owned(),
            Place::Hub(hub) => hub.folder.join(file),
        };
        let whole = file.canonicalize().map_err(|error| {
            Failure::Unusable(format!("cannot read {}: {error}", file.display()))
        })?;
        Ok(whole.to_string_lossy().into_owned())
    }
}

/// This process's user, at the command line or behind the control socket, which lets no other in.
pub(crate) fn author() -> Author {
    let who = format!("uid:{}", rustix::process::getuid().as_raw());
    Author { who, source: None, now }
}
