//! `cellular-hub key`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{Failure, Files, Invocation};
use crate::trust::TrustError;
use crate::trust::keys::{Changed, KeyError, KeyLabel, KeyStore as _, PublicKey, Purpose};

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make a key in the key store: firmware, audit, or a successor such as root/2.
    ///
    /// The private key is made inside the store and never leaves it. The first keys of the root and
    /// of tenants are made by `ca init` and `tenant add`.
    New {
        /// Its name: firmware, audit, root/2, tenant/<tenant>/2 ...
        key: KeyLabel,
    },
    /// List the keys of the key store.
    List,
    /// Seal the key files under another passphrase.
    ///
    /// Without --new, one of 256 random bits is made. The new one takes the place of the old one in
    /// trust.passphrase_file. Where this breaks off, run it again: all keys open meanwhile. Older copies
    /// of the key files still open under the older passphrase, and only under that.
    Passphrase {
        /// File whose first line is the new passphrase, or - for standard input.
        #[arg(long, value_name = "FILE")]
        new: Option<PathBuf>,
    },
    /// Show a key: its public half, PEM.
    Show {
        /// Its name.
        key: KeyLabel,
    },
}

#[derive(Serialize)]
struct Line {
    key: KeyLabel,
    identifier: String,
}

impl Key {
    /// The files that it hands to a running hub.
    pub(super) fn files(&self) -> Files {
        let secret = match self {
            Self::Passphrase { new } => new.iter().cloned().collect(),
            Self::New { .. } | Self::List | Self::Show { .. } => Vec::new(),
        };
        Files { secret, ..Files::default() }
    }

    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::New { key } => new(hub, &key),
            Self::List => list(hub),
            Self::Passphrase { new } => passphrase(hub, new.as_deref()),
            Self::Show { key } => show(hub, &key),
        }
    }
}

fn new(hub: &Invocation, key: &KeyLabel) -> Result<(), Failure> {
    if *key.purpose() == Purpose::Server {
        return Err(Failure::Refused(String::from(
            "the server's key is made with its certificate: `cellular-hub ca init`",
        )));
    }
    // First, so that nothing is made that cannot be recorded.
    let admin = hub.admin_or_new()?;
    let pki = hub.pki()?;
    let public = pki.keys().generate(key).map_err(TrustError::from)?;
    let (identifier, place) = (identifier(&public), pki.keys().describe());
    admin.record("key.new", key, json!({ "identifier": identifier, "store": place }))?;
    let pem = public.to_pem().map_err(TrustError::from)?;
    let answer = json!({ "key": key, "identifier": identifier, "store": place, "public": pem });
    hub.output.answer(&answer, || format!("key {key} made in {place}\n{pem}"))
}

fn passphrase(hub: &Invocation, new: Option<&Path>) -> Result<(), Failure> {
    // First, so that nothing is made that cannot be recorded.
    let admin = hub.admin_or_new()?;
    let pki = hub.pki()?;
    let none = || Failure::Refused(String::from("there are no sealed key files"));
    let new = new.map(|file| hub.read_secret(file)).transpose()?;
    let files = pki.files().ok_or_else(none)?;
    let new = new.as_deref().map(Vec::as_slice);
    let Changed { keys, file, credential } =
        files.change_passphrase(new).map_err(TrustError::from)?;
    admin.record("key.passphrase", &files.describe(), json!({ "keys": keys }))?;
    let answer = json!({ "keys": keys, "file": file, "credential": credential });
    hub.output.answer(&answer, || {
        let mut text = format!(
            "{} keys are sealed under another passphrase: {}; keep a copy of it apart from the keys",
            keys.len(),
            file.display()
        );
        if let Some(credential) = &credential {
            text += &format!(
                "\nthe credential {} holds the old one: make another of that file, then destroy it",
                credential.display()
            );
        }
        text
    })
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let pki = hub.pki()?;
    let labels = pki.keys().labels().map_err(TrustError::from)?;
    let lines = labels.into_iter().map(|key| {
        let public = pki.keys().public_key(&key).map_err(TrustError::from)?;
        Ok(Line { key, identifier: identifier(&public) })
    });
    let head = format!("{:<40} IDENTIFIER", "KEY");
    hub.output
        .list(&head, lines, |line| format!("{:<40} {}", line.key.to_string(), line.identifier))
}

fn show(hub: &Invocation, key: &KeyLabel) -> Result<(), Failure> {
    let pki = hub.pki()?;
    let public = match pki.keys().public_key(key) {
        Err(error @ KeyError::Missing { .. }) => return Err(Failure::Unusable(error.to_string())),
        found => found.map_err(TrustError::from)?,
    };
    let pem = public.to_pem().map_err(TrustError::from)?;
    let answer = json!({
        "key": key, "identifier": identifier(&public), "store": pki.keys().describe(), "public": pem,
    });
    hub.output.answer(&answer, || pem.clone())
}

/// As certificates have it (RFC 5280, 4.2.1.2), in hexadecimal.
fn identifier(public: &PublicKey) -> String {
    public.identifier().iter().map(|byte| format!("{byte:02x}")).collect()
}
