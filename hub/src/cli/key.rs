//! `cellular-hub key`.

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{Failure, Invocation};
use crate::trust::TrustError;
use crate::trust::keys::{KeyError, KeyLabel, PublicKey, Purpose};

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
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::New { key } => new(hub, &key),
            Self::List => list(hub),
            Self::Show { key } => show(hub, &key),
        }
    }
}

fn new(hub: &Invocation, key: &KeyLabel) -> Result<(), Failure> {
    if *key.purpose() == Purpose::Server {
        return Err(Failure::Refused(String::from(
            "the server's key is no key of the key store, for handshakes need it in the process; \
             `cellular-hub ca init` makes it",
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
