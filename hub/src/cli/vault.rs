//! `cellular-hub vault`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use storage::{KeyId, KeyPurpose, SealedUnder, UnixSeconds};

use super::{Failure, Files, Invocation, now, output};
use crate::vault::{Rewrapped, Rotated, Vault as OpenVault};

#[derive(Debug, Subcommand)]
pub(super) enum Vault {
    /// List the data keys: number, age, how much is sealed under each. No key and no secret is shown.
    Show,
    /// Make another data key and seal every secret under it, also while the hub runs.
    ///
    /// Sessions follow as they are written. An older key is removed when nothing is under it any
    /// more. No session is lost.
    Rotate,
    /// Wrap the data keys under another master key, also while the hub runs; what they seal stays.
    ///
    /// The other master key is made where there is none. Before its next start, the hub's
    /// configuration has to name it: put the [vault] section of FILE there.
    Rewrap {
        /// A configuration whose [vault], and [trust] for a token, names the other master key.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Forget all that is sealed: every session, and every password and key that was given.
    ///
    /// For a store whose master key is lost. The hub must be stopped. Boards shake hands again;
    /// passwords have to be given again.
    Reset {
        /// Also where the master key opens the vault, and nothing is lost.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Serialize)]
struct Line {
    key: KeyId,
    purpose: KeyPurpose,
    made: UnixSeconds,
    age_days: u64,
    current: bool,
    master: String,
    #[serde(flatten)]
    under: SealedUnder,
}

impl Vault {
    /// The files that it names; `None` for what a running hub does not do: it would lose its sessions.
    pub(super) fn files(&self) -> Option<Files> {
        match self {
            Self::Show | Self::Rotate => Some(Files::default()),
            Self::Rewrap { to } => Some(Files { read: vec![to.clone()], ..Files::default() }),
            Self::Reset { .. } => None,
        }
    }

    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Show => show(hub),
            Self::Rotate => rotate(hub),
            Self::Rewrap { to } => rewrap(hub, &to),
            Self::Reset { force } => reset(hub, force),
        }
    }
}

fn show(hub: &Invocation) -> Result<(), Failure> {
    let store = hub.store()?;
    let (keys, under) = (store.data_keys()?, store.sealed_under()?);
    let last = keys.iter().filter(|key| key.purpose == KeyPurpose::Records).map(|key| key.id).max();
    let lines = keys.into_iter().map(|key| {
        let age = now().0.saturating_sub(key.made.0);
        Ok(Line {
            key: key.id,
            purpose: key.purpose,
            made: key.made,
            age_days: age / (24 * 60 * 60),
            current: Some(key.id) == last || key.purpose == KeyPurpose::ConnectionIds,
            master: key.master,
            under: under.get(&key.id).copied().unwrap_or_default(),
        })
    });
    let head = format!(
        "{:<6} {:<15} {:<21} {:>9} {:>10} {:>10}  {:<8} WRAPPED UNDER",
        "KEY", "FOR", "MADE", "AGE, DAYS", "SECRETS", "SESSIONS", "STATE"
    );
    hub.output.list(&head, lines, |line| {
        let purpose = match line.purpose {
            KeyPurpose::Records => "records",
            KeyPurpose::ConnectionIds => "Connection IDs",
        };
        format!(
            "{:<6} {purpose:<15} {:<21} {:>9} {:>10} {:>10}  {:<8} {}",
            line.key,
            output::moment(line.made),
            line.age_days,
            line.under.secrets,
            line.under.sessions,
            if line.current { "current" } else { "older" },
            line.master,
        )
    })
}

fn rotate(hub: &Invocation) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let done = hub.vault(&admin)?.rotate(now())?;
    admin.record("vault.rotate", &format_args!("data key {}", done.key), json!(done))?;
    hub.output.answer(&done, || {
        let Rotated { key, secrets, retired } = &done;
        let retired = match retired.as_slice() {
            [] => String::from("sessions follow as they are written"),
            keys => {
                let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
                format!("nothing is under {} any more", keys.join(", "))
            }
        };
        format!("data key {key} made; {secrets} secrets are sealed under it; {retired}")
    })
}

fn rewrap(hub: &Invocation, to: &Path) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let other = hub.other_config(to)?;
    let done = hub.vault(&admin)?.rewrap(&other)?;
    admin.record("vault.rewrap", &done.to, json!(done))?;
    hub.output.answer(&done, || {
        let Rewrapped { from, to: master, keys } = &done;
        let file = to.display();
        format!(
            "{keys} data keys, until now under {from}, are wrapped under {master}; put [vault] of {file} \
             into the hub's configuration before its next start"
        )
    })
}

fn reset(hub: &Invocation, force: bool) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let store = admin.store();
    if !force && OpenVault::unlock(&hub.config()?, store, now()).is_ok() {
        return Err(Failure::Refused(String::from(
            "the master key opens the vault, and nothing is lost; --force forgets all the same",
        )));
    }
    store.forget_sealed()?;
    admin.record("vault.reset", &"vault", json!({}))?;
    hub.output.answer(&json!({ "forgotten": ["sessions", "secrets"] }), || {
        String::from(
            "every session, password and key in the store is forgotten; boards shake hands again, \
             and passwords have to be given again",
        )
    })
}
