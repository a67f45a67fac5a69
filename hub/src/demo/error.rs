//! Why a demo did not run.

use std::io;
use std::path::PathBuf;

use storage::{InvalidName, StoreError};

use crate::admin::AdminError;
use crate::fixture::FixtureError;
use crate::trust::TrustError;

/// Why a demo did not start, or ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The hub's folder cannot be made.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// The broker's certificates cannot be made.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The fleet cannot be made to look like one.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The hub's store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name is none.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The system refused something.
    #[error("the demo cannot {doing}")]
    System {
        /// What.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// OpenSSL refused something.
    #[error("the demo cannot {doing}")]
    Cryptography {
        /// What.
        doing: &'static str,
        /// Why.
        #[source]
        source: openssl::error::ErrorStack,
    },
    /// A program of the demo is not there.
    #[error("{} is not there; `cargo build -p cellular-hub -p virtual-board` makes it", file.display())]
    NoProgram {
        /// Where it should be.
        file: PathBuf,
    },
    /// The broker did not serve.
    #[error("the demo's broker did not take a subscription: {problem}")]
    Broker {
        /// What was seen last.
        problem: String,
    },
    /// A program ended, or did not start in time.
    #[error("{name} failed; its last words: {last_words}")]
    Child {
        /// Which.
        name: &'static str,
        /// The end of its log.
        last_words: String,
    },
}

impl DemoError {
    pub(super) fn system(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    pub(super) fn cryptography(doing: &'static str) -> impl Fn(openssl::error::ErrorStack) -> Self {
        move |source| Self::Cryptography { doing, source }
    }
}
