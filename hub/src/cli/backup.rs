//! `cellular-hub backup`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;
use storage::backup::format::{FormatError, Frame, Reader};
use storage::backup::{BackupError, Contents};
use storage::{Store, StoreError, UnixSeconds};

use super::failure::in_one_line;
use super::{Failure, Invocation, now, output};
use crate::control::{self, AskError, Request};

/// Write everything the store holds into one file, also while the hub runs.
///
/// The file is one moment of the store, ends with a checksum, and appears when it is complete. It
/// holds tenants, boards, upstreams and routes, but no sessions: they would go on from where they
/// were, with numbers they have used since. After a restore, boards shake hands anew. Keep it like
/// the store itself: its mode is 0600, and it may name files that hold passwords, or hold what the
/// store holds of them. Certificates and keys are in the pki folder, and not in it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  cellular-hub backup /var/backups/hub-monday.backup
  cellular-hub store check /var/backups/hub-monday.backup")]
pub(super) struct Backup {
    /// The file to write [default: cellular-hub-<time>.backup].
    file: Option<PathBuf>,
    /// Replace the file when it is there.
    #[arg(long)]
    force: bool,
}

impl Backup {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let created = now();
        let file = self.file.unwrap_or_else(|| {
            PathBuf::from(format!("cellular-hub-{}.backup", output::compact(created)))
        });
        if file.exists() && !self.force {
            let file = file.display();
            return Err(Failure::Refused(format!("{file} is there already; --force replaces it")));
        }
        let started = Instant::now();
        let unfinished = Unfinished::create(&file)?;
        let (contents, from) = match hub.store() {
            Ok(store) => (of_store(&store, created, &unfinished)?, "store"),
            Err(Failure::InUse(dir)) => (of_hub(&dir, &unfinished)?, "hub"),
            Err(other) => return Err(other),
        };
        unfinished.finish()?;
        let seconds = started.elapsed().as_secs_f64();
        let answer = json!({
            "file": file, "from": from, "seconds": seconds, "records": contents.records,
            "bytes": contents.bytes, "schema": contents.schema, "created": contents.created,
            "hub": contents.hub,
        });
        hub.output.answer(&answer, || {
            format!(
                "{} records, {}, of the {} in {seconds:.1} s: {}",
                HumanCount(contents.records),
                HumanBytes(contents.bytes),
                if from == "hub" { "running hub" } else { "stopped hub" },
                file.display()
            )
        })
    }
}

fn of_store(store: &Store, now: UnixSeconds, to: &Unfinished) -> Result<Contents, Failure> {
    let bar = records_bar(store.count_for_backup()?);
    let made = store.backup(now, env!("CARGO_PKG_VERSION"), &to.file, |count| bar.inc(count));
    bar.finish_and_clear();
    Ok(made?)
}

/// Takes the backup of a running hub, and reads it to see that it is whole.
fn of_hub(dir: &Path, to: &Unfinished) -> Result<Contents, Failure> {
    let answer = control::ask(dir, Request::Backup).map_err(|error| not_asked(error, dir))?;
    let bar = records_bar(answer.records);
    let mut tee = Tee { from: answer.body, to: BufWriter::with_capacity(1 << 18, &to.file) };
    let contents = (|| {
        let mut reader = Reader::new(&mut tee)?;
        loop {
            match reader.next()? {
                Frame::Tree(_) => {}
                Frame::Record { .. } => bar.inc(1),
                Frame::End { count: records } => {
                    let head = reader.head().clone();
                    return Ok(Contents {
                        schema: head.schema,
                        created: UnixSeconds(head.created),
                        hub: head.hub,
                        records,
                        bytes: reader.position(),
                    });
                }
            }
        }
    })();
    bar.finish_and_clear();
    tee.to.flush().map_err(|error| to.failed(&error))?;
    contents.map_err(|error: FormatError| {
        let reason = match error {
            FormatError::Truncated { .. } => String::from("the hub stopped, or its store failed"),
            other => in_one_line(&other),
        };
        Failure::Unusable(format!("the backup broke off: {reason}"))
    })
}

/// Why a running hub did not help.
pub(super) fn not_asked(error: AskError, dir: &Path) -> Failure {
    Failure::Unusable(match error {
        AskError::Nobody => format!(
            "another command is working on the store {}, or a hub is just starting or stopping; \
             try again",
            dir.display()
        ),
        AskError::Refused(_) | AskError::Broken(_) => error.to_string(),
    })
}

/// Gives on what is read.
struct Tee<R, W> {
    from: R,
    to: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(bytes)?;
        self.to.write_all(bytes.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

/// The file until it is complete, beside where it will be; removed when it never is.
struct Unfinished {
    file: File,
    path: PathBuf,
    becomes: PathBuf,
}

impl Unfinished {
    fn create(becomes: &Path) -> Result<Self, Failure> {
        let mut path = becomes.as_os_str().to_owned();
        path.push(format!(".{}.part", std::process::id()));
        let path = PathBuf::from(path);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let failed = |error| cannot_write(&path, &error);
        Ok(Self { file: file.map_err(failed)?, becomes: becomes.to_owned(), path })
    }

    /// Gives it its name, when the disk has it.
    fn finish(self) -> Result<(), Failure> {
        let folder = self.becomes.parent().filter(|folder| !folder.as_os_str().is_empty());
        let done = self
            .file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.path, &self.becomes))
            .and_then(|()| File::open(folder.unwrap_or(Path::new(".")))?.sync_all());
        done.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        cannot_write(&self.becomes, error)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Renamed, it is not there any more.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Unusable(format!("cannot write {}: {error}", path.display()))
}

/// Drawn on standard error, and only where that is a terminal.
pub(super) fn records_bar(records: u64) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} records, {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(records).with_style(style)
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Store(StoreError::Locked { dir }) => Self::InUse(dir),
            BackupError::Store(error) => error.into(),
            BackupError::Occupied { dir } => Self::Refused(format!(
                "there is a store in {} already; --replace moves it aside, --into names another \
                 folder",
                dir.display()
            )),
            BackupError::Unfit { .. }
            | BackupError::File { .. }
            | BackupError::BrokenOff(_)
            | BackupError::UnknownSchema { .. } => Self::Unusable(in_one_line(&error)),
        }
    }
}
