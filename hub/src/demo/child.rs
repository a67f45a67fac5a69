//! A program that the demo runs beside itself, its output in a file.
//!
//! Invariant: it never outlives its `Child`.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::DemoError;

/// Lines of a log that a failure quotes.
const LAST_WORDS: usize = 3;

/// A running program.
pub(super) struct Child {
    name: &'static str,
    child: std::process::Child,
    log: PathBuf,
    ended_at: Option<Instant>,
}

/// The program of this name in the folder of the running one.
pub(super) fn beside_this(name: &str) -> Result<PathBuf, DemoError> {
    let this = std::env::current_exe().map_err(DemoError::system("find its own program"))?;
    let file = this.with_file_name(name);
    if file.exists() { Ok(file) } else { Err(DemoError::NoProgram { file }) }
}

impl Child {
    pub(super) fn start(
        mut command: Command,
        name: &'static str,
        log: &Path,
    ) -> Result<Self, DemoError> {
        let failed = DemoError::system("start a program");
        let output = OpenOptions::new().create(true).append(true).open(log).map_err(&failed)?;
        let again = output.try_clone().map_err(&failed)?;
        // A group of its own: Ctrl-C is for the demo, which ends the programs in order.
        command.process_group(0).stdin(Stdio::null()).stdout(output).stderr(again);
        let child = command.spawn().map_err(&failed)?;
        Ok(Self { name, child, log: log.to_path_buf(), ended_at: None })
    }

    pub(super) fn has_ended(&mut self) -> Result<bool, DemoError> {
        let ended = self.child.try_wait().map_err(DemoError::system("wait for a program"))?;
        if ended.is_some() && self.ended_at.is_none() {
            self.ended_at = Some(Instant::now());
        }
        Ok(ended.is_some())
    }

    /// When the end was noticed; now, while there was none.
    pub(super) fn ended_at(&self) -> Instant {
        self.ended_at.unwrap_or_else(Instant::now)
    }

    /// Asks it to end, as Ctrl-C would, and kills it when it does not.
    pub(super) async fn end(&mut self, within: Duration) -> Result<(), DemoError> {
        let deadline = Instant::now() + within;
        if !self.has_ended()? {
            // It may have ended since: then there is nobody to tell.
            let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        }
        while !self.has_ended()? {
            if Instant::now() >= deadline {
                return self.child.kill().map_err(DemoError::system("kill a program"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(super) fn failure(&self) -> DemoError {
        DemoError::Child { name: self.name, last_words: self.last_words().join(" / ") }
    }

    /// The first line of its output with this in it.
    pub(super) fn said(&self, part: &str) -> Option<String> {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().find(|line| line.contains(part)).map(|line| line.trim().to_owned())
    }

    pub(super) fn last_words(&self) -> Vec<String> {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(LAST_WORDS);
        lines.into_iter().skip(from).map(str::to_owned).collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail for one that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
