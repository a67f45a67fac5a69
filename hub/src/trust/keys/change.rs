//! Another passphrase for the sealed keys.
//!
//! The new one lies beside the old one (`<file>.new`) while the keys are sealed anew, one file after
//! the other, and takes its place at the end; whoever opens a key meanwhile tries both. So every key
//! opens wherever this breaks off, and the same command goes on from there.
//!
//! Invariant: a key's file is replaced by one that was read back and opened, in one step of the file
//! system.

use std::fs;
use std::io;
use std::path::PathBuf;

use openssl::error::ErrorStack;
use zeroize::Zeroizing;

use super::file::derive;
use super::passphrase::{SecretFile, first_line, in_words};
use super::sealed::{Derived, Sealed};
use super::{FileStore, KeyError, KeyLabel};
use crate::trust::files::{put_in_place, write_new_secret};

/// What a change of the passphrase did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// The keys that are sealed under the new one.
    pub keys: Vec<KeyLabel>,
    /// Where the new one is.
    pub file: PathBuf,
    /// A systemd credential that still holds the old one.
    pub credential: Option<PathBuf>,
}

/// Called before each change of a file; an error is where it breaks off.
type Step<'a> = &'a mut dyn FnMut() -> Result<(), KeyError>;

impl FileStore {
    /// Seals all keys under another passphrase: the first line of `new`, or one of 256 random bits. A
    /// change that broke off is finished, and takes no other.
    pub fn change_passphrase(&self, new: Option<&[u8]>) -> Result<Changed, KeyError> {
        self.change_passphrase_by(new, &mut || Ok(()))
    }

    pub(super) fn change_passphrase_by(
        &self,
        new: Option<&[u8]>,
        step: Step<'_>,
    ) -> Result<Changed, KeyError> {
        let mut open = self.open();
        let current = &self.passphrase;
        let next = current.next();
        let passphrase = self.begin(&next, new, step)?;
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| KeyError::Random)?;
        let derived = derive(&passphrase, self.cost, salt)?;
        // Those of a try before this one.
        let mut others: Vec<Derived> = Vec::new();
        let keys = self.sealed_labels()?;
        for label in &keys {
            let Some(sealed) = self.sealed(label)? else { continue };
            let known = others.iter().find(|other| other.opens(&sealed)).cloned();
            let is_known = known.is_some();
            let other = match known {
                Some(other) => other,
                None => derive(&passphrase, sealed.cost, sealed.salt)?,
            };
            if other.open(&sealed).is_some() {
                if !is_known {
                    others.push(other);
                }
                continue;
            }
            let scalar = self.scalar(&mut open, &sealed)?;
            self.replace(&sealed, &derived, &scalar, step)?;
        }
        step()?;
        put_in_place(&next.file, &current.file).map_err(in_words)?;
        open.derived = vec![derived];
        let credential = current.credential.clone().filter(|credential| credential.exists());
        Ok(Changed { keys, file: current.file.clone(), credential })
    }

    /// The new passphrase, on the disk beside the old one.
    fn begin(
        &self,
        next: &SecretFile,
        new: Option<&[u8]>,
        step: Step<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match (next.read()?, new) {
            (Some(begun), None) => Ok(begun),
            (Some(_), Some(_)) => Err(KeyError::Unfinished { file: next.file.clone() }),
            (None, Some(new)) => {
                let unfit = |problem| KeyError::UnfitSecret {
                    key: next.key,
                    file: next.file.clone(),
                    problem,
                };
                let new = first_line(Zeroizing::new(new.to_vec())).map_err(unfit)?;
                step()?;
                next.write(&new)?;
                Ok(new)
            }
            (None, None) => {
                step()?;
                next.read_or_make()
            }
        }
    }

    fn replace(
        &self,
        sealed: &Sealed,
        derived: &Derived,
        scalar: &[u8; 32],
        step: Step<'_>,
    ) -> Result<(), KeyError> {
        let refused = |doing| KeyError::Cryptography { doing, source: ErrorStack::get() };
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce).map_err(|_| KeyError::Random)?;
        let bytes = derived
            .seal(&sealed.label, &sealed.public, scalar, nonce)
            .ok_or_else(|| refused("seal a key"))?;
        let file = self.sealed_file(&sealed.label);
        let mut beside = file.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        step()?;
        match fs::remove_file(&beside) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(KeyError::File { doing: "remove", file: beside, source });
            }
            _ => {}
        }
        step()?;
        write_new_secret(&beside, &bytes).map_err(in_words)?;
        let written = fs::read(&beside).map_err(|source| KeyError::File {
            doing: "read",
            file: beside.clone(),
            source,
        })?;
        let back = Sealed::parse(&written).ok().and_then(|back| derived.open(&back));
        if back.as_deref() != Some(scalar) {
            let problem = String::from("does not hold what was written");
            return Err(KeyError::Damaged { file: beside, problem });
        }
        step()?;
        put_in_place(&beside, &file).map_err(in_words)
    }
}
