//! A production station: reads signing requests, asks the hub for certificates over EST on several
//! connections, writes each beside the others, and keeps a result file from which it goes on after
//! having been killed.

mod forms;
mod hub;
mod journal;
mod source;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use openssl::x509::{X509, X509Req};
use storage::BoardId;

pub use self::forms::{FormError, Found, Reader};
pub use self::hub::{Address, Answer, Connection, Credential, Hub};
pub use self::journal::{Journal, Line, Outcome};
pub use self::source::{Asked, Item, Unfit, read, standard_input};
use crate::trust::{fingerprint, hardware_id};

/// Between two attempts for one board while the hub does not answer.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What a station does.
pub struct Options {
    /// The hub.
    pub hub: Hub,
    /// Where certificates go: `<id>.pem` each.
    pub out: PathBuf,
    /// The result file.
    pub result: PathBuf,
    /// Boards that are asked for at a time.
    pub connections: usize,
    /// How long the hub may be away.
    pub patience: Duration,
}

/// What a run came to.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Boards that were given a certificate.
    pub enrolled: u64,
    /// Boards that had theirs from a run before.
    pub done_before: u64,
    /// Boards that were refused, and requests that cannot be read.
    pub refused: u64,
    /// The first of the reasons.
    pub reasons: Vec<String>,
}

/// Why a station stops.
#[derive(Debug, thiserror::Error)]
pub enum FactoryError {
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The hub has not answered for too long.
    #[error("the hub has not answered for {} s: {reason}; start again to go on", patience.as_secs())]
    Away {
        /// For how long.
        patience: Duration,
        /// What happened last.
        reason: String,
    },
}

/// Where the boards come from.
pub enum Boards {
    /// All of them are known.
    Known(Vec<Item>),
    /// They come one by one over standard input.
    StandardInput,
}

/// Enrols all boards; `progress` is called for each that is done with, from several threads.
pub fn run(
    options: &Options,
    boards: Boards,
    progress: impl Fn() + Sync,
) -> Result<Summary, FactoryError> {
    let file = |file: &Path| {
        let file = file.to_owned();
        move |source| FactoryError::File { file, source }
    };
    fs::create_dir_all(&options.out).map_err(file(&options.out))?;
    let (journal, known) = Journal::open(&options.result).map_err(file(&options.result))?;
    let station = Station {
        options,
        known,
        journal: Mutex::new(journal),
        seen: Mutex::default(),
        summary: Mutex::default(),
        failed: Mutex::new(None),
        stops: AtomicBool::new(false),
        heard: Heard { since: Instant::now(), at_ms: AtomicU64::new(0) },
        progress: &progress,
    };
    let (send, receive) = sync_channel::<Item>(options.connections * 4);
    let receive = Mutex::new(receive);
    thread::scope(|scope| {
        for _ in 0..options.connections {
            scope.spawn(|| station.work(&receive));
        }
        match boards {
            Boards::Known(items) => items.into_iter().all(|item| send.send(item).is_ok()),
            Boards::StandardInput => {
                // An input that cannot be read has ended.
                standard_input(|item| drop(send.send(item))).is_ok()
            }
        };
        drop(send);
    });
    let synced = lock(&station.journal).sync();
    synced.map_err(file(&options.result))?;
    match station.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(station.summary.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

struct Station<'a, P> {
    options: &'a Options,
    known: HashMap<BoardId, Line>,
    journal: Mutex<Journal>,
    seen: Mutex<HashSet<BoardId>>,
    summary: Mutex<Summary>,
    failed: Mutex<Option<FactoryError>>,
    stops: AtomicBool,
    heard: Heard,
    progress: &'a P,
}

/// When the hub was last heard.
struct Heard {
    since: Instant,
    at_ms: AtomicU64,
}

impl Heard {
    fn now(&self) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_ms.fetch_max(ms, Ordering::Relaxed);
    }

    fn ago(&self) -> Duration {
        let at = Duration::from_millis(self.at_ms.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(at)
    }
}

/// Reasons that a summary repeats.
const REASONS: usize = 5;

impl<P: Fn() + Sync> Station<'_, P> {
    fn work(&self, boards: &Mutex<Receiver<Item>>) {
        let mut connection = self.options.hub.connection();
        loop {
            let next = lock(boards).recv();
            let Ok(item) = next else { return };
            // What is left is taken and dropped, so that nobody waits to send it.
            if self.stops.load(Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = self.one(&mut connection, item) {
                self.stops.store(true, Ordering::Relaxed);
                lock(&self.failed).get_or_insert(error);
            } else {
                (self.progress)();
            }
        }
    }

    fn one(&self, connection: &mut Connection<'_>, item: Item) -> Result<(), FactoryError> {
        let asked = match item {
            Ok(asked) => asked,
            Err(Unfit { place, reason }) => return self.refused(place, reason),
        };
        if !lock(&self.seen).insert(asked.id.clone()) {
            let reason = String::from("there is more than one request for this board in this run");
            return self.refused(asked.id.to_string(), reason);
        }
        if self.is_done(&asked) {
            lock(&self.summary).done_before += 1;
            return Ok(());
        }
        match self.ask(connection, &asked)? {
            Ok(certificate) => self.enrolled(&asked, &certificate),
            Err(reason) => self.refused(asked.id.to_string(), reason),
        }
    }

    /// Whether the result file has the board, and its certificate is there and is for this key.
    fn is_done(&self, asked: &Asked) -> bool {
        let known = self.known.get(&asked.id);
        let Some(line) = known.filter(|line| line.outcome == Outcome::Enrolled) else {
            return false;
        };
        let pem = fs::read(self.file_of(&asked.id)).unwrap_or_default();
        let Ok(certificate) = X509::from_pem(&pem) else { return false };
        fingerprint(&certificate).is_ok_and(|of| of.to_string() == line.fingerprint)
            && is_answer(asked, &certificate)
    }

    /// The certificate or the hub's reason.
    fn ask(
        &self,
        connection: &mut Connection<'_>,
        asked: &Asked,
    ) -> Result<Result<X509, String>, FactoryError> {
        let mut pause = PAUSE;
        loop {
            let reason = match connection.enrol(&asked.csr) {
                Ok(Answer::Certificate(certificate)) if is_answer(asked, &certificate) => {
                    self.heard.now();
                    return Ok(Ok(certificate));
                }
                Ok(Answer::Certificate(_)) => {
                    return Ok(Err(String::from(
                        "the hub answered with another board's certificate",
                    )));
                }
                Ok(Answer::Refused(reason)) => {
                    self.heard.now();
                    return Ok(Err(reason));
                }
                Ok(Answer::Later(reason)) => reason,
                Err(error) => error.to_string(),
            };
            if self.stops.load(Ordering::Relaxed) || self.heard.ago() > self.options.patience {
                return Err(FactoryError::Away { patience: self.options.patience, reason });
            }
            thread::park_timeout(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn enrolled(&self, asked: &Asked, certificate: &X509) -> Result<(), FactoryError> {
        let path = self.file_of(&asked.id);
        let pem = certificate.to_pem().map_err(io::Error::other);
        let print = fingerprint(certificate).map_err(io::Error::other);
        let written = pem.and_then(|pem| {
            let new = path.with_extension("pem.new");
            fs::write(&new, pem)?;
            fs::rename(&new, &path)
        });
        let print = written.and(print);
        let print = print.map_err(|source| FactoryError::File { file: path, source })?;
        let serial = certificate.serial_number().to_bn().and_then(|serial| serial.to_hex_str());
        self.note(&Line {
            id: asked.id.to_string(),
            outcome: Outcome::Enrolled,
            fingerprint: print.to_string(),
            serial: serial.map(|serial| serial.to_lowercase()).unwrap_or_default(),
            reason: String::new(),
        })?;
        lock(&self.summary).enrolled += 1;
        Ok(())
    }

    fn refused(&self, id: String, reason: String) -> Result<(), FactoryError> {
        let mut summary = lock(&self.summary);
        summary.refused += 1;
        if summary.reasons.len() < REASONS {
            summary.reasons.push(format!("{id}: {reason}"));
        }
        drop(summary);
        self.note(&Line { id, reason, ..Line::default() })
    }

    fn note(&self, line: &Line) -> Result<(), FactoryError> {
        let file = &self.options.result;
        let noted = lock(&self.journal).put(line);
        noted.map_err(|source| FactoryError::File { file: file.clone(), source })
    }

    fn file_of(&self, board: &BoardId) -> PathBuf {
        self.options.out.join(format!("{board}.pem"))
    }
}

/// Whether the certificate is for the board and the key of the request.
fn is_answer(asked: &Asked, certificate: &X509) -> bool {
    let same_key = X509Req::from_der(&asked.csr)
        .and_then(|request| request.public_key())
        .and_then(|key| Ok(certificate.public_key()?.public_eq(&key)));
    let names = certificate.to_der().ok().and_then(|der| hardware_id(&der).ok());
    same_key.unwrap_or(false) && names.as_ref() == Some(&asked.id)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
