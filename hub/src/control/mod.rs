//! The control socket: how a command asks a running hub for what only it can do, because it has the
//! store open and the boards' sessions in its hands.
//!
//! `control.sock` in the store's folder, mode 0600, for processes of the hub's own user alone. One
//! request a connection, one line of text; then the answer's head, one line; then its body, to the
//! connection's end.
//!
//! ```text
//! hub-control 1 backup            ok 3012        the backup (`storage::backup::format`)
//! hub-control 1 check             ok 3012        the report, JSON
//! hub-control 1 run, then a body  ok 0           what the command says (see [`run`])
//!                                 no REASON
//! ```
//! The number behind `ok` is how many records are coming, for a progress bar. Invariant: a request
//! runs on no arbiter, is served to a few clients at a time, and what it changes, `admin` changes.

mod client;
pub mod run;
mod server;

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::{fmt, io};

pub use self::client::{Answer, AskError, ask, ask_to_run};
pub use self::server::{Control, ControlError, Reply, Runner};

/// Its name in the store's folder.
pub const SOCKET: &str = "control.sock";

/// The version of the protocol.
const VERSION: &str = "1";

/// Bytes of the longest line in either direction.
const LINE_MAX: usize = 512;

/// Bytes of a path that a socket's address has room for.
const PATH_MAX: usize = 100;

/// What a hub can be asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// A backup of the store, made now.
    Backup,
    /// A check of the store.
    Check,
    /// A command of the command line.
    Run,
}

impl Request {
    const ALL: [Self; 3] = [Self::Backup, Self::Check, Self::Run];

    const fn verb(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Check => "check",
            Self::Run => "run",
        }
    }

    /// The request in a line without its end; an error is the reason to answer with.
    fn parse(line: &[u8]) -> Result<Self, String> {
        let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
        let (version, verb) = match *words.as_slice() {
            [b"hub-control", version, verb] => (version, verb),
            _ => return Err(String::from("this is a hub's control socket")),
        };
        if version != VERSION.as_bytes() {
            return Err(format!(
                "the running hub is {} and speaks control {VERSION}; use its own command",
                env!("CARGO_PKG_VERSION")
            ));
        }
        let known = Self::ALL.into_iter().find(|request| verb == request.verb().as_bytes());
        known.ok_or_else(|| {
            format!("the running hub is {} and knows no such request", env!("CARGO_PKG_VERSION"))
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hub-control {VERSION} {}", self.verb())
    }
}

/// A path to the socket that an address has room for, and what keeps it good.
fn address(dir: &Path) -> io::Result<(Option<File>, PathBuf)> {
    let path = dir.join(SOCKET);
    if path.as_os_str().len() <= PATH_MAX {
        return Ok((None, path));
    }
    let folder = File::open(dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(SOCKET);
    Ok((Some(folder), path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_read_back_and_others_are_told_why_not() {
        for request in Request::ALL {
            assert_eq!(Request::parse(request.to_string().as_bytes()), Ok(request));
        }
        for (line, reason) in [
            ("GET / HTTP/1.1", "control socket"),
            ("", "control socket"),
            ("hub-control 2 backup", "control 1"),
            ("hub-control 1 format", "no such request"),
            ("hub-control 1 backup now", "control socket"),
        ] {
            assert!(Request::parse(line.as_bytes()).unwrap_err().contains(reason), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_request_or_one_line_of_reason(line in any::<Vec<u8>>()) {
            if let Err(reason) = Request::parse(&line) {
                prop_assert!(!reason.contains('\n'));
            }
        }
    }
}
