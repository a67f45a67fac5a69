//! A hub in its own process, seen as an operator sees it: logs, metrics, signals.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::metrics::{self, Scrape};
use super::process::Process;
use super::site::CELLULAR_HUB;
use super::{PATIENCE, eventually};

/// A running hub; killed when dropped.
pub struct Hub {
    pub process: Process,
    pub listen: SocketAddr,
    monitoring: SocketAddr,
}

impl Hub {
    pub fn start(config: &Path, listen: SocketAddr, monitoring: SocketAddr) -> Self {
        let mut command = Command::new(CELLULAR_HUB);
        command.arg("serve").arg("--config").arg(config).env("NO_COLOR", "1");
        Self::of(Process::spawn(&mut command), listen, monitoring)
    }

    /// A hub that was just started, once it is ready.
    pub fn of(mut process: Process, listen: SocketAddr, monitoring: SocketAddr) -> Self {
        eventually("the hub is ready", PATIENCE, || {
            if let Some(status) = process.has_ended() {
                panic!(
                    "the hub ended with {status}:\n{}{}",
                    process.stdout.text(),
                    process.stderr.text()
                );
            }
            metrics::http(monitoring, "/readyz").filter(|(status, _)| *status == 200)
        });
        Self { process, listen, monitoring }
    }

    pub fn scrape(&self) -> Scrape {
        metrics::scrape(self.monitoring)
    }

    /// The sum of a metric's samples with these labels, now.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.scrape().metric(name, labels)
    }

    /// Waits until a metric is what the test expects of it.
    pub fn wait_for_metric(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        wanted: impl Fn(f64) -> bool,
    ) {
        eventually(
            &format!("{name}{labels:?}; now {}", self.metric(name, labels)),
            PATIENCE,
            || wanted(self.metric(name, labels)).then_some(()),
        );
    }

    pub fn sessions(&self) -> f64 {
        self.metric("hub_sessions", &[])
    }

    /// Everything the hub has logged so far.
    pub fn log(&self) -> String {
        self.process.stderr.text() + &self.process.stdout.text()
    }

    /// Waits for a line of the log that has every one of these words.
    pub fn wait_for_log(&self, words: &[&str]) -> String {
        let mut seen = String::new();
        eventually(&format!("a line of the log with {words:?}"), PATIENCE, || {
            seen = self.log();
            let mut lines = seen.lines();
            lines.find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        })
    }

    pub fn resident_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Asks the hub to end as systemd would.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.process.signal("TERM");
        self.process.wait(limit)
    }

    /// Whether the process still runs: a panic that took it down would show here.
    pub fn assert_alive(&mut self) {
        assert!(self.process.has_ended().is_none(), "the hub died:\n{}", self.log());
        assert!(!self.log().contains("panicked"), "something panicked:\n{}", self.log());
    }
}
