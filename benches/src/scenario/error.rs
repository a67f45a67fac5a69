//! Why a scenario could not run; a target that is missed is a verdict, not an error.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::load::error::LoadError;

/// Why a scenario ended without a verdict.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The generator could not go on.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A store that is asked without a hub failed.
    #[error(transparent)]
    Store(#[from] storage::StoreError),
    /// A name that the scenario made is none.
    #[error(transparent)]
    Name(#[from] storage::InvalidName),
    /// The system refused something.
    #[error("cannot {doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The hub is not where the scenarios are built.
    #[error("there is no {}; scripts/scenario builds it", .0.display())]
    NoProgram(PathBuf),
    /// A command of the hub failed.
    #[error("the hub's command `{command}` failed: {words}")]
    Command {
        /// Which.
        command: &'static str,
        /// Its last words.
        words: String,
    },
    /// The hub ended, or did not get ready.
    #[error("the hub is not ready after {after:?}: {words}")]
    NotReady {
        /// How long it had.
        after: Duration,
        /// Its last words.
        words: String,
    },
    /// The configuration has no such key.
    #[error("the hub's configuration has no key {key} in [{section}]")]
    NoKey {
        /// Section.
        section: &'static str,
        /// Key.
        key: &'static str,
    },
    /// The boards were not answered before the scenario itself began.
    #[error("{silent} of {boards} boards were not answered before the scenario began")]
    Silent {
        /// How many.
        silent: usize,
        /// Of how many.
        boards: usize,
    },
}

/// A closure that names what the system refused.
pub(super) fn system(doing: &'static str) -> impl Fn(io::Error) -> ScenarioError {
    move |source| ScenarioError::System { doing, source }
}
