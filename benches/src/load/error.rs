//! What keeps a measurement from being made, each with the way out where there is one.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

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
    #[error("no more sockets after {opened}; raise the limit with `ulimit -n {wanted}`")]
    Descriptors {
        /// Sockets that were opened.
        opened: usize,
        /// A limit that suffices.
        wanted: usize,
        /// What the system said.
        #[source]
        source: io::Error,
    },
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
    /// A closure that names what OpenSSL was doing.
    pub(crate) fn openssl(what: &'static str) -> impl Fn(ErrorStack) -> Self {
        move |source| Self::OpenSsl { what, source }
    }
}
