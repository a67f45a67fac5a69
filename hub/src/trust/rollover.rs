//! The root's rollover: another root with a key of its own, which the one before vouches for, and which
//! vouches for that one, so that whoever knows either believes the hub's servers all the while.
//!
//! | file | from `begin` | from `switch` | after `finish` |
//! | --- | --- | --- | --- |
//! | `root.pem` | the first root | the next | the next |
//! | `root.next.pem` | the next root | | |
//! | `root.previous.pem` | | the first root | |
//! | `server.cross.pem` | the first by the next | the next by the first | |
//! | `server.pem` | by the first root, then the cross | by the next, then the cross | by the next |
//!
//! Invariant: each step can be called again after it was cut off, and ends as if it had not been; at every
//! moment what `server.pem` holds leads to both roots, from the first file of `begin` to `finish`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::x509::X509;
use storage::UnixSeconds;

use super::files::{put_in_place, write_new};
use super::keys::{KeyError, KeyLabel, PublicKey, Purpose};
use super::{Authority, Issued, Made, Pki, TrustError, anchor_facts, pem, profile};

/// Seconds by which certificates begin early.
const BACK_DATED_S: u64 = 24 * 60 * 60;

/// How far the rollover is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloverStage {
    /// There is one root.
    None,
    /// There is a next one, which boards are given; the one before signs.
    Announced,
    /// The next one signs; boards that know the one before alone still believe the servers.
    Switched,
}

/// What a rollover did last.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Rollover {
    /// How far it is.
    pub stage: RolloverStage,
    /// The root that signs.
    pub root: PathBuf,
    /// The other one, where there are two.
    pub other: Option<PathBuf>,
    /// From when on boards that asked were given the next root, where there is one.
    pub announced: Option<UnixSeconds>,
}

impl Pki {
    /// How far the root's rollover is.
    ///
    /// # Errors
    /// [`TrustError`] where a root's certificate cannot be read.
    pub fn rollover(&self) -> Result<Rollover, TrustError> {
        let (root, next, previous) = (self.root_file(), self.next_root(), self.previous_root());
        let (stage, newer, other) = match (next.exists(), previous.exists()) {
            (false, false) => {
                let (stage, other, announced) = (RolloverStage::None, None, None);
                return Ok(Rollover { stage, root, other, announced });
            }
            (true, _) => (RolloverStage::Announced, next.clone(), next),
            (false, true) => (RolloverStage::Switched, root.clone(), previous),
        };
        let begins = anchor_facts(&read_der(&newer)?).map_err(|_| not_a_certificate(&newer))?;
        let announced = UnixSeconds(begins.not_before.0.saturating_add(BACK_DATED_S));
        Ok(Rollover { stage, root, other: Some(other), announced: Some(announced) })
    }

    /// The DER of every root that is to be believed, the newest first.
    ///
    /// # Errors
    /// [`TrustError`] where one cannot be read.
    pub fn root_certificates(&self) -> Result<Vec<Vec<u8>>, TrustError> {
        let files = [self.next_root(), self.root_file(), self.previous_root()];
        let mut all: Vec<Vec<u8>> = Vec::new();
        for file in files.into_iter().filter(|file| file.exists() || *file == self.root_file()) {
            let root = read_der(&file)?;
            // A switch that was cut off has left one twice.
            if !all.contains(&root) {
                all.push(root);
            }
        }
        Ok(all)
    }

    /// Makes the next root, with a key of its own in the key store; the servers' chain leads to both.
    ///
    /// # Errors
    /// [`TrustError::OutOfTurn`] while a rollover is not finished.
    pub fn begin_rollover(&self, now: UnixSeconds) -> Result<(Made, Rollover), TrustError> {
        if self.previous_root().exists() && !self.next_root().exists() {
            return Err(refused(
                "the rollover before is not finished; `cellular-hub ca root finish`",
            ));
        }
        let root = self.root()?;
        let label = self.label_behind(root.label())?;
        let made = if self.next_root().exists() { Made::Kept } else { Made::Made };
        let next = match made {
            Made::Kept => {
                Authority::new(read_der(&self.next_root())?, Arc::clone(self.keys()), label)?
            }
            Made::Made => {
                self.key_for(&label)?;
                let next = Authority::new_root(Arc::clone(self.keys()), label, now)?;
                write_new(&self.next_root(), pem("CERTIFICATE", next.certificate()).as_bytes())?;
                next
            }
        };
        let cross = next.cross_sign(&root, now)?;
        let server = self.server_certificate()?;
        self.show(
            &server.to_pem().map_err(TrustError::cryptography("encode a certificate"))?,
            Some(&cross),
        )?;
        Ok((made, self.rollover()?))
    }

    /// Has the next root sign from now on; the server has a certificate by it, with the key that it has, and
    /// its chain leads to both.
    ///
    /// # Errors
    /// [`TrustError::OutOfTurn`] where there is no next root.
    pub fn switch_root(&self, now: UnixSeconds) -> Result<(Issued, Rollover), TrustError> {
        if !self.next_root().exists() {
            return Err(refused("there is no next root; `cellular-hub ca root new` makes one"));
        }
        let root = self.root()?;
        let next = read_der(&self.next_root())?;
        let (next, root) = match root.certificate() == next {
            // Cut off when the next was in its place already.
            true => (root, self.authority_of(&self.previous_root())?),
            false => (self.authority_of(&self.next_root())?, root),
        };
        let cross = root.cross_sign(&next, now)?;
        let server = self.server_certificate()?;
        let key = server.public_key().ok().and_then(|key| PublicKey::of(&key));
        let key = key.ok_or(TrustError::RequestKeyUnsuited)?;
        let issued = next.issue_server(&profile::server_names(&server), &key, now)?;
        self.replace(&self.previous_root(), pem("CERTIFICATE", root.certificate()).as_bytes())?;
        self.show(issued.to_pem().as_bytes(), Some(&cross))?;
        self.replace(&self.root_file(), pem("CERTIFICATE", next.certificate()).as_bytes())?;
        fs::remove_file(self.next_root()).map_err(|source| unremoved(self.next_root(), source))?;
        Ok((issued, self.rollover()?))
    }

    /// Believes the root before no more: boards are not given it, and the servers' chain ends without it. Its
    /// certificate is kept as `root.retired.pem`.
    ///
    /// # Errors
    /// [`TrustError::OutOfTurn`] where the next root does not sign yet.
    pub fn finish_rollover(&self) -> Result<Rollover, TrustError> {
        if self.next_root().exists() || !self.previous_root().exists() {
            return Err(refused(
                "there is no root before the one that signs; `cellular-hub ca root show` says how far it is",
            ));
        }
        let server = self.server_certificate()?;
        self.show(
            &server.to_pem().map_err(TrustError::cryptography("encode a certificate"))?,
            None,
        )?;
        put_in_place(&self.previous_root(), &self.beside("root.retired.pem"))?;
        self.rollover()
    }

    /// What stands behind the server's own certificate in its file.
    pub(super) fn server_chain(&self, certificate: &[u8]) -> Result<Vec<u8>, TrustError> {
        let cross = match fs::read(self.cross_file()) {
            Ok(cross) => cross,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                return Err(TrustError::File { doing: "read", file: self.cross_file(), source });
            }
        };
        Ok([certificate, cross.as_slice()].concat())
    }

    /// Has the server show this certificate (PEM), and between it and the other root that one.
    fn show(&self, certificate: &[u8], cross: Option<&Issued>) -> Result<(), TrustError> {
        match cross {
            Some(cross) => self.replace(&self.cross_file(), cross.to_pem().as_bytes())?,
            None => match fs::remove_file(self.cross_file()) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(unremoved(self.cross_file(), error));
                }
                Ok(()) | Err(_) => {}
            },
        }
        self.replace(&self.server_files().certificate, &self.server_chain(certificate)?)
    }

    fn server_certificate(&self) -> Result<X509, TrustError> {
        let file = self.server_files().certificate;
        let bytes = fs::read(&file).map_err(|source| TrustError::File {
            doing: "read",
            file: file.clone(),
            source,
        })?;
        X509::from_pem(&bytes).map_err(|_| not_a_certificate(&file))
    }

    fn authority_of(&self, file: &Path) -> Result<Authority, TrustError> {
        let der = read_der(file)?;
        let label = self.root_label(&der)?.ok_or_else(|| TrustError::KeyElsewhere {
            certificate: file.to_path_buf(),
            store: self.keys().describe(),
        })?;
        Authority::new(der, Arc::clone(self.keys()), label)
    }

    /// The key of a root's certificate, where it is here.
    pub(super) fn root_label(&self, der: &[u8]) -> Result<Option<KeyLabel>, TrustError> {
        let certificate = X509::from_der(der).map_err(TrustError::cryptography("read a root"))?;
        let key = certificate.public_key().ok().and_then(|key| PublicKey::of(&key));
        for generation in 1..=u16::MAX {
            let Some(label) = KeyLabel::nth(Purpose::Root, generation) else { continue };
            match self.keys().public_key(&label) {
                Ok(public) if Some(public) == key => return Ok(Some(label)),
                Ok(_) => {}
                Err(KeyError::Missing { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    fn label_behind(&self, label: &KeyLabel) -> Result<KeyLabel, TrustError> {
        let next = label.generation().checked_add(1);
        let next = next.and_then(|generation| KeyLabel::nth(Purpose::Root, generation));
        next.ok_or_else(|| refused("there have been all roots that there can be"))
    }

    fn replace(&self, file: &Path, bytes: &[u8]) -> Result<(), TrustError> {
        let new = self.beside("rollover.new");
        // What a former call left that was killed.
        let _ = fs::remove_file(&new);
        write_new(&new, bytes)?;
        put_in_place(&new, file)
    }

    fn next_root(&self) -> PathBuf {
        self.beside("root.next.pem")
    }

    fn previous_root(&self) -> PathBuf {
        self.beside("root.previous.pem")
    }

    fn cross_file(&self) -> PathBuf {
        self.beside("server.cross.pem")
    }
}

fn read_der(file: &Path) -> Result<Vec<u8>, TrustError> {
    let read = fs::read(file);
    let bytes =
        read.map_err(|source| TrustError::File { doing: "read", file: file.into(), source })?;
    let read = X509::from_pem(&bytes).and_then(|certificate| certificate.to_der());
    read.map_err(|_| not_a_certificate(file))
}

fn not_a_certificate(file: &Path) -> TrustError {
    TrustError::NotA { what: "certificate", file: file.to_path_buf() }
}

fn unremoved(file: PathBuf, source: std::io::Error) -> TrustError {
    TrustError::File { doing: "remove", file, source }
}

const fn refused(why: &'static str) -> TrustError {
    TrustError::OutOfTurn(why)
}

#[cfg(test)]
mod tests {
    use openssl::stack::Stack;
    use openssl::x509::X509StoreContext;
    use openssl::x509::store::X509StoreBuilder;
    use tempfile::TempDir;

    use super::*;
    use crate::trust::keys::MemoryStore;

    const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

    fn initialised() -> (TempDir, Pki) {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new(folder.path(), Arc::new(MemoryStore::default()));
        pki.init(&["localhost".parse().unwrap()], NOW).unwrap();
        (folder, pki)
    }

    /// Whether what the server shows leads to this root, dates apart.
    fn leads_to(pki: &Pki, root: &[u8]) -> bool {
        let shown = fs::read(pki.server_files().certificate).unwrap();
        let mut shown = X509::stack_from_pem(&shown).unwrap().into_iter();
        let (server, mut chain) = (shown.next().unwrap(), Stack::new().unwrap());
        shown.for_each(|above| chain.push(above).unwrap());
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(X509::from_der(root).unwrap()).unwrap();
        store.set_flags(openssl::x509::verify::X509VerifyFlags::NO_CHECK_TIME).unwrap();
        let store = store.build();
        let mut context = X509StoreContext::new().unwrap();
        context.init(&store, &server, &chain, |context| context.verify_cert()).unwrap()
    }

    #[test]
    fn what_is_shown_leads_to_both_roots_from_the_first_step_to_the_last() {
        let (_folder, pki) = initialised();
        let old = pki.root_certificate().unwrap();
        pki.begin_rollover(NOW).unwrap();
        let new = pki.root_certificates().unwrap().swap_remove(0);
        let lead = |old_as_well: bool| {
            assert_eq!((leads_to(&pki, &old), leads_to(&pki, &new)), (old_as_well, true));
        };
        lead(true);
        pki.renew_server(&[], NOW).unwrap();
        lead(true);
        pki.switch_root(NOW).unwrap();
        assert_eq!(pki.root_certificates().unwrap(), [new.clone(), old.clone()]);
        lead(true);
        pki.renew_server(&[], NOW).unwrap();
        lead(true);
        pki.finish_rollover().unwrap();
        lead(false);
        assert_eq!(pki.root_certificates().unwrap(), std::slice::from_ref(&new));
        // What it signs from now on is by the new one.
        let (_, label) = pki.succeed_tenant(&"acme".parse().unwrap(), NOW).unwrap();
        assert_eq!(label.to_string(), "tenant/acme/2");
        pki.begin_rollover(NOW).unwrap();
        lead(false);
        assert_eq!(pki.rollover().unwrap().stage, RolloverStage::Announced);
    }

    #[test]
    fn a_switch_that_was_cut_off_anywhere_is_called_again() {
        for cut in 0..4 {
            let (_folder, pki) = initialised();
            pki.begin_rollover(NOW).unwrap();
            let names = ["root.previous.pem", "server.cross.pem", "server.pem", "root.pem"];
            let kept = |name: &str| fs::read(pki.beside(name)).ok();
            let before = names.map(kept);
            let next = kept("root.next.pem").unwrap();
            pki.switch_root(NOW).unwrap();
            let (old, new) =
                (pki.root_certificates().unwrap()[1].clone(), read_der(&pki.root_file()).unwrap());
            // As if it had been cut off before the cut-th file: those behind it are as they were.
            fs::write(pki.beside("root.next.pem"), &next).unwrap();
            for (name, bytes) in names.into_iter().zip(before).skip(cut + 1) {
                match bytes {
                    Some(bytes) => fs::write(pki.beside(name), bytes).unwrap(),
                    None => fs::remove_file(pki.beside(name)).unwrap(),
                }
            }
            assert_eq!(pki.root_certificates().unwrap(), [new.clone(), old.clone()], "{cut}");
            pki.switch_root(NOW).unwrap();
            assert_eq!(pki.rollover().unwrap().stage, RolloverStage::Switched, "{cut}");
            assert!(leads_to(&pki, &old) && leads_to(&pki, &new), "{cut}");
            pki.finish_rollover().unwrap();
        }
    }

    #[test]
    fn steps_are_taken_in_their_order() {
        let (_folder, pki) = initialised();
        let out_of_turn = |done: Result<Rollover, TrustError>| {
            assert!(matches!(done, Err(TrustError::OutOfTurn(_))), "{done:?}");
        };
        out_of_turn(pki.switch_root(NOW).map(|(_, rollover)| rollover));
        out_of_turn(pki.finish_rollover());
        assert_eq!(pki.begin_rollover(NOW).unwrap().0, Made::Made);
        assert_eq!(pki.begin_rollover(NOW).unwrap().0, Made::Kept);
        out_of_turn(pki.finish_rollover());
        pki.switch_root(NOW).unwrap();
        out_of_turn(pki.begin_rollover(NOW).map(|(_, rollover)| rollover));
    }
}
