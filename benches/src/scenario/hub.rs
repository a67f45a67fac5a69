//! A hub as a process of its own: started, watched, killed, asked for its metrics.
//! Invariant: it is ended by its process id, and never outlives its `Hub`.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::{ScenarioError, system};
use crate::load::server::Server;

const LOOK: Duration = Duration::from_millis(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A running hub.
#[derive(Debug)]
pub struct Hub {
    child: Child,
    log: PathBuf,
    monitoring: SocketAddr,
    /// When it was started.
    pub started: Instant,
}

impl Hub {
    pub(super) fn start(
        mut command: Command,
        log: &Path,
        monitoring: SocketAddr,
    ) -> Result<Self, ScenarioError> {
        let doing = system("start the hub");
        let output = OpenOptions::new().create(true).append(true).open(log).map_err(&doing)?;
        let again = output.try_clone().map_err(&doing)?;
        command.stdin(Stdio::null()).stdout(output).stderr(again);
        let started = Instant::now();
        let child = command.spawn().map_err(&doing)?;
        Ok(Self { child, log: log.to_owned(), monitoring, started })
    }

    /// Waits until boards can be served.
    ///
    /// # Errors
    /// [`ScenarioError::NotReady`] with what it said last.
    pub fn wait_ready(&mut self, within: Duration) -> Result<Duration, ScenarioError> {
        loop {
            if self.is_ready() {
                return Ok(self.started.elapsed());
            }
            let after = self.started.elapsed();
            if after > within || self.has_ended()? {
                let words = last_words(&fs::read(&self.log).unwrap_or_default());
                return Err(ScenarioError::NotReady { after, words });
            }
            pause(LOOK);
        }
    }

    /// Whether it says that boards can be served.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.page("/readyz").is_ok_and(|page| page.starts_with("HTTP/1.1 200"))
    }

    /// Whether the process is gone.
    ///
    /// # Errors
    /// The system's.
    pub fn has_ended(&mut self) -> Result<bool, ScenarioError> {
        let ended = self.child.try_wait().map_err(system("wait for the hub"))?;
        Ok(ended.is_some())
    }

    /// Its counters now.
    ///
    /// # Errors
    /// The system's, where it does not answer.
    pub fn metrics(&self) -> Result<Metrics, ScenarioError> {
        let page = self.page("/metrics").map_err(system("read the hub's metrics"))?;
        Ok(Metrics::parse(&page))
    }

    /// Its processor time and memory.
    ///
    /// # Errors
    /// [`ScenarioError::Load`] when it is gone.
    pub fn server(&self) -> Result<Server, ScenarioError> {
        Ok(Server::new(self.child.id())?)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// The system's.
    pub fn kill(mut self) -> Result<(), ScenarioError> {
        self.child.kill().map_err(system("kill the hub"))?;
        self.child.wait().map_err(system("wait for the hub"))?;
        Ok(())
    }

    /// SIGTERM, and waits for the end; how long it took.
    ///
    /// # Errors
    /// The system's; [`ScenarioError::NotReady`] when it does not end in time.
    pub fn terminate(mut self, within: Duration) -> Result<Duration, ScenarioError> {
        let asked = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .map_err(io::Error::from)
            .map_err(system("end the hub"))?;
        while !self.has_ended()? {
            if asked.elapsed() > within {
                let words = String::from("it does not end");
                return Err(ScenarioError::NotReady { after: within, words });
            }
            pause(LOOK);
        }
        Ok(asked.elapsed())
    }

    fn page(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.monitoring, ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Both fail for one that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counters and gauges by their series.
#[derive(Clone, Debug, Default)]
pub struct Metrics(HashMap<String, f64>);

impl Metrics {
    fn parse(page: &str) -> Self {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(series.collect())
    }

    /// The sum of a metric's series whose labels contain `label`.
    #[must_use]
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let of_it =
            |series: &&String| series.split('{').next() == Some(name) && series.contains(label);
        self.0.iter().filter(|(series, _)| of_it(series)).map(|(_, value)| value).sum()
    }
}

/// Lets time pass for another process.
#[expect(clippy::disallowed_methods, reason = "a scenario has no arbiter: nobody waits for it")]
pub(super) fn pause(time: Duration) {
    thread::sleep(time);
}

/// The last line that says something.
pub(super) fn last_words(log: &[u8]) -> String {
    let log = String::from_utf8_lossy(log);
    let line = log.lines().rev().find(|line| !line.trim().is_empty());
    line.unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_added_up_by_name_and_label() {
        let page = "HTTP/1.1 200 OK\r\n\r\n# HELP x y\nx_total{a=\"1\",b=\"2\"} 3\nx_total{a=\"2\"} 4\nx 9\n";
        let metrics = Metrics::parse(page);
        assert_eq!(metrics.sum("x_total", ""), 7.0);
        assert_eq!(metrics.sum("x_total", "a=\"2\""), 4.0);
        assert_eq!(metrics.sum("x", ""), 9.0);
        assert_eq!(metrics.sum("y", ""), 0.0);
    }
}
