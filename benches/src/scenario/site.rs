//! What a scenario runs on: a temporary folder with a fixture, free ports of loopback, and the hub
//! that was built beside this program. Invariant: the folder goes when the site does.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::error::{ScenarioError, system};
use super::hub::{Hub, last_words};
use crate::load::fixture::Fixture;

/// A folder, and where its hub listens.
#[derive(Debug)]
pub struct Site {
    dir: TempDir,
    program: PathBuf,
    /// CoAPS.
    pub listen: SocketAddr,
    /// Metrics.
    pub monitoring: SocketAddr,
}

/// What the fixture has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Boards with certificates and keys.
    pub boards: usize,
    /// Boards with sleeping sessions, and nothing else.
    pub sleeping: usize,
    /// An MQTT broker without TLS for the readings of `t`.
    pub broker: Option<SocketAddr>,
}

impl Site {
    /// Makes the folder and the fixture in it.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn make(wanted: &Wanted) -> Result<Self, ScenarioError> {
        let this = std::env::current_exe().map_err(system("find this program"))?;
        let program = this.with_file_name("cellular-hub");
        if !program.exists() {
            return Err(ScenarioError::NoProgram(program));
        }
        let dir = tempfile::Builder::new()
            .prefix("hub-scenario-")
            .tempdir()
            .map_err(system("make a temporary folder"))?;
        let (listen, monitoring) = free_ports().map_err(system("find free ports"))?;
        let site = Self { dir, program, listen, monitoring };
        site.fixture(wanted)?;
        site.set("https", "enabled", "false")?;
        // What boards do wrong in a flood is counted, not told line by line.
        site.set("log", "level", "\"error\"")?;
        Ok(site)
    }

    fn fixture(&self, wanted: &Wanted) -> Result<(), ScenarioError> {
        let mut command = Command::new(&self.program);
        command.arg("fixture").arg("--dir").arg(self.folder());
        command.args(["--boards", &wanted.boards.to_string()]);
        command.args(["--listen", &self.listen.to_string()]);
        command.args(["--monitoring", &self.monitoring.to_string()]);
        if wanted.sleeping > 0 {
            command.args(["--sleeping", &wanted.sleeping.to_string()]);
        }
        if let Some(broker) = wanted.broker {
            command.args(["--mqtt", &format!("mqtt://{broker}")]);
        }
        let made = command.output().map_err(system("run the hub's program"))?;
        if made.status.success() {
            return Ok(());
        }
        let words = last_words(&made.stderr);
        Err(ScenarioError::Command { command: "fixture", words })
    }

    /// Changes a key of the hub's configuration; `value` is TOML.
    ///
    /// # Errors
    /// [`ScenarioError::NoKey`], or the system's.
    pub fn set(
        &self,
        section: &'static str,
        key: &'static str,
        value: &str,
    ) -> Result<(), ScenarioError> {
        let file = self.config();
        let before = fs::read_to_string(&file).map_err(system("read the configuration"))?;
        let (mut here, mut found) = (false, false);
        let mut after = String::new();
        for line in before.lines() {
            if line.starts_with('[') {
                here = line == format!("[{section}]");
            }
            if here && line.split('=').next().is_some_and(|name| name.trim() == key) {
                found = true;
                after.push_str(&format!("{key} = {value}\n"));
            } else {
                after.push_str(line);
                after.push('\n');
            }
        }
        if !found {
            return Err(ScenarioError::NoKey { section, key });
        }
        fs::write(&file, after).map_err(system("write the configuration"))
    }

    /// Has the hub serve HTTPS on a free port of loopback, which is returned.
    ///
    /// # Errors
    /// The system's.
    pub fn enable_https(&self) -> Result<SocketAddr, ScenarioError> {
        let (_, https) = free_ports().map_err(system("find free ports"))?;
        self.set("https", "enabled", "true")?;
        self.set("https", "listen", &format!("\"{https}\""))?;
        self.set("https", "requests_per_source_s", "0")?;
        Ok(https)
    }

    /// The hub's program with a command.
    #[must_use]
    pub fn program(&self, command: &str) -> Command {
        let mut program = Command::new(&self.program);
        program.args(command.split(' '));
        program
    }

    /// Runs a command on this site to its end.
    ///
    /// # Errors
    /// [`ScenarioError::Command`] with its last words.
    pub fn command(&self, command: &'static str, with: &[&str]) -> Result<(), ScenarioError> {
        self.said(command, with).map(drop)
    }

    /// The same, with what it says.
    ///
    /// # Errors
    /// As [`Site::command`].
    pub fn said(&self, command: &'static str, with: &[&str]) -> Result<Vec<u8>, ScenarioError> {
        let mut program = self.program(command);
        program.args(with).arg("--config").arg(self.config());
        let done = program.output().map_err(system("run the hub's program"))?;
        match done.status.success() {
            true => Ok(done.stdout),
            false => Err(ScenarioError::Command { command, words: last_words(&done.stderr) }),
        }
    }

    /// A file of the fixture's folder, as text.
    #[must_use]
    pub fn in_folder(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }

    /// Starts the hub; it may not be ready yet.
    ///
    /// # Errors
    /// The system's.
    pub fn start(&self) -> Result<Hub, ScenarioError> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.config());
        Hub::start(command, &self.dir.path().join("hub.log"), self.monitoring)
    }

    /// The boards.
    ///
    /// # Errors
    /// [`ScenarioError::Load`].
    pub fn boards(&self) -> Result<Fixture, ScenarioError> {
        Ok(Fixture::open(&self.folder())?)
    }

    /// Bytes of the store on the disk.
    #[must_use]
    pub fn store_bytes(&self) -> u64 {
        bytes_of(&self.folder().join("store"))
    }

    /// The fixture's folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("hub")
    }

    fn config(&self) -> PathBuf {
        self.folder().join("hub.toml")
    }
}

fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => bytes_of(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Ports that nobody has at the moment; another program may take them before the hub does.
fn free_ports() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    Ok((udp, tcp))
}
