//! A command's side of the control socket.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::run::Run;
use super::{LINE_MAX, Request, address};

/// How long the hub may say nothing: a check of a million boards takes a while before its answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the hub answered; its body is still to be read.
pub struct Answer {
    /// How many records are coming, for a progress bar.
    pub records: u64,
    /// The body, to its end.
    pub body: BufReader<UnixStream>,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens at the socket: what has the store open is no hub, or one that just stops.
    #[error("no hub answers")]
    Nobody,
    /// The hub will not.
    #[error("the running hub refuses: {0}")]
    Refused(String),
    /// The connection broke.
    #[error("the running hub cannot be asked: {0}")]
    Broken(#[from] io::Error),
}

/// Asks the hub that has the store in `dir` open.
///
/// # Errors
/// [`AskError`].
pub fn ask(dir: &Path, request: Request) -> Result<Answer, AskError> {
    ask_with(dir, request, &[])
}

/// Asks the hub that has the store in `dir` open to run a command; the answer's body is pieces.
///
/// # Errors
/// [`AskError`].
pub fn ask_to_run(dir: &Path, run: &Run) -> Result<Answer, AskError> {
    ask_with(dir, Request::Run, &run.body()?)
}

fn ask_with(dir: &Path, request: Request, more: &[u8]) -> Result<Answer, AskError> {
    let (_folder, path) = address(dir)?;
    let mut stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::Nobody,
        _ => AskError::Broken(error),
    })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let said = Zeroizing::new([format!("{request}\n").as_bytes(), more].concat());
    match stream.write_all(&said).and_then(|()| stream.shutdown(Shutdown::Write)) {
        // It has heard enough, and says why.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    let mut body = BufReader::with_capacity(256 * 1024, stream);
    let mut head = Vec::new();
    body.by_ref().take(LINE_MAX as u64).read_until(b'\n', &mut head)?;
    let head = String::from_utf8_lossy(&head);
    match head.trim_end().split_once(' ') {
        Some(("ok", records)) => Ok(Answer { records: records.parse().unwrap_or(0), body }),
        Some(("no", reason)) => Err(AskError::Refused(reason.to_owned())),
        _ => Err(AskError::Refused(String::from("it hung up; its log may say why"))),
    }
}
