//! What keeps a measurement from being made, each with the way out where there is one.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use thiserror::Error;

/// Why a run ended without a figure.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file of the fixture is missing or unreadable.
    #[error("cannot read {file}; make a fixture with `cellular-hub fixture --boards N --dir D`")]
    Fixture {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A certificate, a key or a context that OpenSSL does not take.
    #[error("openssl refused {what}")]
    OpenSsl {
        /// What was being made.
        what: &'static str,
        /// Its own words.
        #[source]
        source: ErrorStack,
    },
    /// The fixture is smaller than the run.
    #[error("the fixture has {found} boards, {wanted} are needed")]
    TooFewBoards {
        /// Boards in the fixture.
        found: usize,
        /// Boards the run asks for.
        wanted: usize,
    },
    /// The process may not open one more socket.
    #[error("no more sockets: each board has one; raise the limit, for example `ulimit -n 20000`")]
    Descriptors(#[source] io::Error),
    /// A socket or the poll failed.
    #[error("network towards {hub} failed")]
    Network {
        /// Where the boards speak to.
        hub: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nothing listens there.
    #[error("nothing answers at {0}")]
    NothingThere(SocketAddr),
    /// Its sessions have no id to resume them by.
    #[error("{0} gave too few sessions an id; nothing can be resumed")]
    NotResumable(SocketAddr),
    /// Handshakes fail one after the other: the fixture is not this hub's.
    #[error("{failed} handshakes failed and {done} succeeded; the last reason: {reason}")]
    Handshakes {
        /// How many failed.
        failed: u64,
        /// How many succeeded.
        done: u64,
        /// The last failure in words.
        reason: String,
    },
    /// `/proc` has nothing about the server.
    #[error("cannot read {file} of the server")]
    Server {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The report could not be written.
    #[error("cannot write the report")]
    Report(#[source] io::Error),
}

impl LoadError {
    /// What reading a file of the fixture came to.
    pub(crate) fn reading(file: &Path, source: io::Error) -> Self {
        if is_out_of_descriptors(&source) {
            return Self::Descriptors(source);
        }
        Self::Fixture { file: file.to_owned(), source }
    }

    /// What a socket or the poll came to.
    pub(crate) fn network(hub: SocketAddr, source: io::Error) -> Self {
        if is_out_of_descriptors(&source) {
            return Self::Descriptors(source);
        }
        Self::Network { hub, source }
    }

    /// A closure that names what OpenSSL was doing.
    pub(crate) fn openssl(what: &'static str) -> impl Fn(ErrorStack) -> Self {
        move |source| Self::OpenSsl { what, source }
    }
}

/// EMFILE or ENFILE.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
