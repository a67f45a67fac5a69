//! What the measured server used, read from `/proc`: processor time and resident memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::LoadError;

/// A process to be watched.
#[derive(Clone, Debug)]
pub struct Server {
    proc: PathBuf,
}

impl Server {
    /// Watches the process with this id.
    ///
    /// # Errors
    /// [`LoadError::Server`] when there is none.
    pub fn new(pid: u32) -> Result<Self, LoadError> {
        let server = Self { proc: PathBuf::from(format!("/proc/{pid}")) };
        server.processor_time()?;
        Ok(server)
    }

    /// Ourselves, to see that generating is cheaper than serving.
    #[must_use]
    pub fn ourselves() -> Self {
        Self { proc: PathBuf::from("/proc/self") }
    }

    /// Time on a processor so far, all threads that live together.
    ///
    /// # Errors
    /// [`LoadError::Server`].
    pub fn processor_time(&self) -> Result<Duration, LoadError> {
        let tasks = self.proc.join("task");
        let list = fs::read_dir(&tasks).map_err(|source| unreadable(&tasks, source))?;
        let mut nanoseconds = 0;
        for task in list.flatten() {
            let file = task.path().join("schedstat");
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(&file) else { continue };
            nanoseconds += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// [`LoadError::Server`].
    pub fn resident_kib(&self) -> Result<u64, LoadError> {
        let file = self.proc.join("status");
        let text = fs::read_to_string(&file).map_err(|source| unreadable(&file, source))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0))
    }
}

fn unreadable(file: &Path, source: std::io::Error) -> LoadError {
    LoadError::Server { file: file.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_has_time_and_memory() {
        let server = Server::new(std::process::id()).unwrap();
        assert!(server.processor_time().unwrap() > Duration::ZERO);
        assert!(server.resident_kib().unwrap() > 100);
    }
}
