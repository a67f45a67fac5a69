//! Why a command failed, and what it exits with: 1 for what was refused, 2 for what could not
//! even be tried (bad configuration, missing file, taken port, locked store, unknown name).

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use storage::StoreError;

use crate::admin::AdminError;
use crate::config::ConfigError;
use crate::fixture::FixtureError;
use crate::trust::keys::KeyError;
use crate::trust::{TrustError, Unlisted, Unopened};
use crate::vault::VaultError;

/// Why a command failed, in one line.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command was understood and could be tried, and the hub's rules forbid it.
    #[error("{0}")]
    Refused(String),
    /// The command could not be tried.
    #[error("{0}")]
    Unusable(String),
    /// A hub or another command has the store open.
    #[error(
        "the hub, or another command, is running on the store {}; stop it first, or name another \
         configuration with --config",
        .0.display()
    )]
    InUse(PathBuf),
    /// Standard output is gone.
    #[error("cannot write the answer: {0}")]
    Unheard(#[from] io::Error),
}

impl Failure {
    /// A name that the store does not have.
    pub(super) fn unknown(what: &str, name: impl std::fmt::Display, way_out: &str) -> Self {
        Self::Unusable(format!("there is no {what} {name}; {way_out}"))
    }

    /// What a running hub does for nobody.
    pub(super) fn not_in_a_hub() -> Self {
        let why = "a running hub does not carry this command out; stop it first";
        Self::Unusable(String::from(why))
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            // `| head` has read enough.
            Self::Unheard(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Refused(_) => 1,
            Self::Unusable(_) | Self::InUse(_) | Self::Unheard(_) => 2,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Unheard(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// An error and what caused it, in one line.
pub(crate) fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause in their own words.
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Refused(why) => Self::Refused(why),
            AdminError::Store(error) => error.into(),
            AdminError::Vault(error) => error.into(),
            AdminError::Unknown { .. }
            | AdminError::NotRecorded { .. }
            | AdminError::NotLive(_) => Self::Unusable(in_one_line(&error)),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Unusable(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Locked { dir } => Self::InUse(dir.clone()),
            StoreError::TenantHasBoards { .. } => {
                Self::Refused(format!("{error}; remove those first"))
            }
            StoreError::AddressTaken { .. } | StoreError::AuthorityTaken { .. } => {
                Self::Refused(error.to_string())
            }
            _ => Self::Unusable(in_one_line(&error)),
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            other => Self::Unusable(in_one_line(&other)),
        }
    }
}

impl From<Unlisted> for Failure {
    fn from(error: Unlisted) -> Self {
        match error {
            Unlisted::UnknownTenant(id) => {
                Self::unknown("tenant", id, "`cellular-hub tenant list` shows all")
            }
            Unlisted::UnknownAuthority(name) => {
                Self::unknown("authority", name, "`cellular-hub authority list` shows all")
            }
            Unlisted::OtherAuthority(_) => Self::Refused(error.to_string()),
            Unlisted::Store(error) => error.into(),
            Unlisted::Trust(error) => error.into(),
        }
    }
}

impl From<Unopened> for Failure {
    fn from(error: Unopened) -> Self {
        match error {
            Unopened::Store(error) => error.into(),
            Unopened::Trust(error) => error.into(),
        }
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        let line = error.to_string();
        match error {
            TrustError::HalfAPair { .. }
            | TrustError::Exists { .. }
            | TrustError::OutlivesIssuer { .. }
            | TrustError::NoAuthority { .. }
            | TrustError::UnfitAuthority { .. }
            | TrustError::UnfitBoard { .. }
            | TrustError::RequestNotSigned
            | TrustError::RequestKeyUnsuited
            | TrustError::OutOfTurn(_)
            | TrustError::Key(KeyError::Exists { .. }) => Self::Refused(line),
            TrustError::Missing { .. }
            | TrustError::File { .. }
            | TrustError::NotA { .. }
            | TrustError::KeyElsewhere { .. }
            | TrustError::Key(_)
            | TrustError::Unissuable { .. }
            | TrustError::Cryptography { .. } => Self::Unusable(line),
        }
    }
}

impl From<FixtureError> for Failure {
    fn from(error: FixtureError) -> Self {
        match error {
            FixtureError::NotEmpty { .. } => Self::Refused(error.to_string()),
            FixtureError::Trust(error) => error.into(),
            FixtureError::Store(error) => error.into(),
            FixtureError::File { .. }
            | FixtureError::Name(_)
            | FixtureError::Vault(_)
            | FixtureError::Key(_)
            | FixtureError::Encoding { .. } => Self::Unusable(error.to_string()),
        }
    }
}
