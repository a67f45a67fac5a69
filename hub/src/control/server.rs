//! The hub's side of the control socket: a thread of its own, and one more for each request.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use storage::backup::BackupError;
use storage::{Store, UnixSeconds};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::run::{Answering, BODY_MAX, End, HEAD_MAX, Run, body_len};
use super::{LINE_MAX, Request, address};

/// Requests that are served at once.
const CLIENTS_MAX: usize = 4;

/// How long a client may take to ask, or to take the next piece of an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Something else is in its place.
    #[error("{} is not a socket; move it away", path.display())]
    Occupied {
        /// The socket's path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot make the control socket {}: {source}", path.display())]
    Unusable {
        /// The socket's path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a command's answer is written to.
pub type Reply = Arc<Mutex<Answering<BufWriter<BlockingStream>>>>;

/// Runs commands, each on a thread that may wait.
pub type Runner = Arc<dyn Fn(Run, &Reply) -> End + Send + Sync>;

/// A control socket; closed, and its file removed, when dropped.
pub struct Control {
    path: PathBuf,
    _folder: Option<File>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens in the store's folder. A socket that is there was left by a hub that
    /// was killed: whoever has the store open is alone with it.
    ///
    /// # Errors
    /// [`ControlError`]; the hub can do without.
    pub fn start(store: &Store, runner: Runner) -> Result<Self, ControlError> {
        let dir = store.dir();
        let path = dir.join(super::SOCKET);
        let unusable = |source| ControlError::Unusable { path: path.clone(), source };
        let (folder, address) = address(dir).map_err(unusable)?;
        match fs::symlink_metadata(&address) {
            Ok(there) if there.file_type().is_socket() => {
                fs::remove_file(&address).map_err(unusable)?;
            }
            Ok(_) => return Err(ControlError::Occupied { path }),
            Err(_) => {}
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(unusable)?;
        let listener = {
            let _entered = runtime.enter();
            UnixListener::bind(&address).map_err(unusable)?
        };
        // Until here the folder's own mode, 0700, keeps others away.
        fs::set_permissions(&address, Permissions::from_mode(0o600)).map_err(unusable)?;
        let (stop, stopped) = oneshot::channel();
        let store = store.clone();
        let thread = std::thread::Builder::new().name(String::from("control")).spawn(move || {
            runtime.block_on(listen(listener, store, runner, stopped));
            // An answer under way is cut off; its client notices.
            runtime.shutdown_background();
        });
        let thread = thread.map_err(unusable)?;
        Ok(Self { path: address, _folder: folder, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Removed first: a command that finds no socket says that no hub answers.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the control socket could not be removed");
        }
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(
    listener: UnixListener,
    store: Store,
    runner: Runner,
    mut stopped: oneshot::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        // Whoever comes while there is no place waits in the socket's backlog.
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, _)| (stream, place))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            _ = &mut stopped => return,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the control socket cannot accept");
                tokio::time::sleep(PATIENCE).await;
                continue;
            }
        };
        if !is_ours(&stream) {
            tracing::warn!("another user's process was turned away from the control socket");
            continue;
        }
        let (store, runner) = (store.clone(), Arc::clone(&runner));
        tokio::spawn(async move {
            serve(stream, store, runner).await;
            drop(place);
        });
    }
}

/// Whether the process at the other end is the hub's own user's.
fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

async fn serve(mut stream: UnixStream, store: Store, runner: Runner) {
    let Ok(Some((line, body))) = timeout(PATIENCE, listen_to(&mut stream)).await else { return };
    let answered = tokio::task::spawn_blocking(move || {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        answer(&line, &body, &store, &runner, stream)
    });
    match answered.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a client of the control socket went away"),
        Err(error) => tracing::error!(%error, "a request at the control socket failed"),
    }
}

/// The line of a request, and what comes behind it to the end where the request has a body.
async fn listen_to(stream: &mut UnixStream) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let (mut line, mut body) = (Vec::new(), Zeroizing::new(Vec::new()));
    let mut from = BufReader::new(stream.take((LINE_MAX + BODY_MAX + 1) as u64));
    (&mut from).take(LINE_MAX as u64).read_until(b'\n', &mut line).await.ok()?;
    if line.pop() != Some(b'\n') {
        return None;
    }
    if Request::parse(&line) == Ok(Request::Run) {
        let mut head = Vec::new();
        (&mut from).take(HEAD_MAX as u64).read_until(b'\n', &mut head).await.ok()?;
        // It may hold secrets, and a buffer that grows leaves copies behind.
        body.reserve(body_len(&head) + 1);
        body.extend_from_slice(&head);
        from.read_to_end(&mut body).await.ok()?;
    }
    Some((line, body))
}

fn answer(
    line: &[u8],
    body: &[u8],
    store: &Store,
    runner: &Runner,
    stream: BlockingStream,
) -> io::Result<()> {
    let mut to = BufWriter::new(stream);
    let request = match Request::parse(line) {
        Ok(request) => request,
        Err(reason) => return refuse(&mut to, &reason),
    };
    // Even reading may want to write then: the database rearranges pages that it passes.
    if let Some(failure) = store.failure() {
        return refuse(&mut to, failure);
    }
    if request == Request::Run {
        return carry_out(body, runner, to);
    }
    let started = std::time::Instant::now();
    let records = match store.count_for_backup() {
        Ok(records) => records,
        Err(error) => return refuse(&mut to, &error.to_string()),
    };
    match request {
        Request::Backup => {
            writeln!(to, "ok {records}")?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let made = store.backup(
                UnixSeconds(now.as_secs()),
                env!("CARGO_PKG_VERSION"),
                &mut to,
                |_| {},
            );
            match made {
                Ok(made) => {
                    let took_ms = started.elapsed().as_millis();
                    tracing::info!(made.records, made.bytes, took_ms, "a backup was made");
                }
                Err(BackupError::BrokenOff(error)) => return Err(io::Error::other(error)),
                // The client has a backup without an end.
                Err(error) => tracing::error!(%error, "a backup failed"),
            }
        }
        Request::Check => match store.check(|_| {}) {
            Ok(report) => {
                tracing::info!(problems = report.problems_total, "the store was checked");
                writeln!(to, "ok {records}")?;
                serde_json::to_writer(&mut to, &report)?;
            }
            Err(error) => return refuse(&mut to, &error.to_string()),
        },
        // Carried out above.
        Request::Run => {}
    }
    to.flush()
}

fn carry_out(body: &[u8], runner: &Runner, mut to: BufWriter<BlockingStream>) -> io::Result<()> {
    let run = match Run::parse(body) {
        Ok(run) => run,
        Err(reason) => return refuse(&mut to, &reason),
    };
    writeln!(to, "ok 0")?;
    let reply = Arc::new(Mutex::new(Answering::new(to)));
    let end = runner(run, &reply);
    reply.lock().unwrap_or_else(PoisonError::into_inner).end(&end)
}

fn refuse(to: &mut impl Write, reason: &str) -> io::Result<()> {
    writeln!(to, "no {}", reason.replace('\n', " "))?;
    to.flush()
}
