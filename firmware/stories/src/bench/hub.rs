//! A hub in a process of its own, with a store of its own: what an operator does at its command line.
//!
//! Never waits for ever: a hub that does not come to what is expected has failed.
#![allow(clippy::disallowed_methods, reason = "a bench has no arbiter: nobody waits for it")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use board::Identity;
use tempfile::TempDir;

use super::{Failure, Pair, Told};

/// How long the hub may take to come to what is expected of it; it takes a second.
const PATIENCE: Duration = Duration::from_secs(120);
/// Ports that were free may be taken before the hub takes them.
const STARTS_MAX: usize = 5;
/// What boards of this bench call themselves.
const PRODUCT: &str = "lamp";

pub(crate) struct Hub {
    process: Child,
    program: PathBuf,
    folder: TempDir,
    pub(crate) listen: SocketAddr,
    monitoring: SocketAddr,
}

impl Hub {
    /// A hub that is ready, with one board, and the first key for firmware.
    pub(crate) fn start(program: &Path) -> Told<Self> {
        for _ in 0..STARTS_MAX {
            if let Some(hub) = Self::try_start(program)? {
                hub.trust("first", &Pair::First.pem()?)?;
                return Ok(hub);
            }
        }
        Err(Failure::Tool("the hub found no ports".to_owned()))
    }

    fn try_start(program: &Path) -> Told<Option<Self>> {
        let folder = TempDir::new().map_err(Failure::bench("a folder"))?;
        let failed = || Failure::bench("a free port");
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
        let listen = udp.local_addr().map_err(failed())?;
        let monitoring = tcp.local_addr().map_err(failed())?;
        drop((udp, tcp));
        let dir = folder.path().join("hub");
        let made = Command::new(program)
            .args(["fixture", "--boards", "1", "--dir"])
            .arg(&dir)
            .args(["--listen", &listen.to_string(), "--monitoring", &monitoring.to_string()])
            .output()
            .map_err(Failure::bench("cellular-hub"))?;
        if !made.status.success() {
            return Err(Failure::Tool(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        without_https(&dir.join("hub.toml"))?;
        let log = fs::File::create(folder.path().join("log")).map_err(Failure::bench("a log"))?;
        let process = Command::new(program)
            .args(["serve", "--config"])
            .arg(dir.join("hub.toml"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(Failure::bench("cellular-hub"))?;
        let mut hub = Self { process, program: program.to_owned(), folder, listen, monitoring };
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if hub.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Ok(None);
            }
            if http(monitoring, "/readyz").is_some_and(|said| said.starts_with("HTTP/1.1 200")) {
                return Ok(Some(hub));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::Tool(format!("the hub is never ready: {}", hub.log())))
    }

    /// Runs a command at the hub's host; what it said, or that it was refused.
    pub(crate) fn run(&self, arguments: &[&str]) -> Told<String> {
        let ran = Command::new(&self.program)
            .args(arguments)
            .arg("--config")
            .arg(self.dir().join("hub.toml"))
            .env("NO_COLOR", "1")
            .output()
            .map_err(Failure::bench("cellular-hub"))?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        if ran.status.success() {
            return Ok(said);
        }
        let why = String::from_utf8_lossy(&ran.stderr);
        Err(Failure::Tool(format!("{}: {said}{why}", arguments.join(" "))))
    }

    /// Makes a key known with which firmware may be signed.
    pub(crate) fn trust(&self, name: &str, public_key: &str) -> Told {
        let path = self.folder.path().join(format!("{name}.pem"));
        fs::write(&path, public_key).map_err(Failure::bench("a file with a key"))?;
        let path = path.display().to_string();
        self.run(&["firmware", "trust", name, "--public-key", &path]).map(drop)
    }

    /// Takes a release into the library; it gets the next number.
    pub(crate) fn add(&self, image: &[u8]) -> Told<String> {
        let path = self.folder.path().join("image.bin");
        fs::write(&path, image).map_err(Failure::bench("a file with an image"))?;
        self.run(&["firmware", "add", &path.display().to_string(), "--product", PRODUCT])
    }

    /// Gives a release to all boards, none of which may fail.
    pub(crate) fn roll_out(&self, release: &str) -> Told {
        let group = "all:rest:100%:0";
        self.run(&["rollout", "add", "r", "--release", release, "--group", group])?;
        self.run(&["rollout", "start", "1"]).map(drop)
    }

    /// Waits until a command says this.
    pub(crate) fn says(&self, arguments: &[&str], words: &str) -> Told {
        let mut said = String::new();
        self.wait(|hub| {
            said = hub.run(arguments)?;
            Ok(said.contains(words))
        })
        .map_err(|failure| match failure {
            Failure::Hub(_) => {
                Failure::Hub(format!("{} never says {words:?}: {said}", arguments.join(" ")))
            }
            other => other,
        })
    }

    /// Waits until a metric, over all its labels, is as large as this.
    pub(crate) fn counts(&self, metric: &str, at_least: f64) -> Told {
        self.wait(|hub| hub.metric(metric).map(|value| value >= at_least))
            .map_err(|_| Failure::Hub(format!("{metric} never reaches {at_least}")))
    }

    /// A metric over those of its labels that contain this.
    pub(crate) fn metric(&self, metric: &str) -> Told<f64> {
        let said = http(self.monitoring, "/metrics")
            .ok_or_else(|| Failure::Hub("the hub tells no metrics".to_owned()))?;
        let values = said.lines().filter(|line| line.starts_with(metric));
        let values = values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// What production writes into the hub's board; it reaches the hub through this port.
    pub(crate) fn identity(&self, port: u16) -> Told<Vec<u8>> {
        let read = |name: &str| {
            let path = self.dir().join(name);
            fs::read(&path).map_err(Failure::bench(path.display().to_string()))
        };
        let seed = random_seed()?;
        let made = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let identity = Identity {
            // As QEMU calls its host.
            hub: [10, 0, 2, 2],
            port,
            made_s: made.as_secs(),
            seed: &seed,
            hub_name: "localhost",
            key: &read("boards/0000/CB-00000000.key.der")?,
            certificate: &read("boards/0000/CB-00000000.cert.der")?,
            root: &der(&read("pki/root.pem")?)?,
        };
        identity.to_bytes().ok_or_else(|| Failure::Tool("an identity that is too long".into()))
    }

    /// Changes a byte of every image in the library, as a disk that fails would.
    pub(crate) fn damage_images(&self) -> Told {
        let blobs = self.dir().join("store/files/blobs");
        let failed = || Failure::bench(blobs.display().to_string());
        for entry in fs::read_dir(&blobs).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let mut bytes = fs::read(&path).map_err(failed())?;
            if let Some(byte) = bytes.get_mut(0x4321) {
                *byte ^= 1;
            }
            fs::write(&path, bytes).map_err(failed())?;
        }
        Ok(())
    }

    fn wait(&self, mut is_so: impl FnMut(&Self) -> Told<bool>) -> Told {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if is_so(self)? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Err(Failure::Hub(String::new()))
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Nobody here uses the API, and its port need not be found.
fn without_https(config: &Path) -> Told {
    let failed = || Failure::bench("the hub's configuration");
    let text = fs::read_to_string(config).map_err(failed())?;
    let (before, after) = text.split_once("[https]").unwrap_or((&text, ""));
    let after = after.replacen("enabled = true", "enabled = false", 1);
    fs::write(config, format!("{before}[https]{after}")).map_err(failed())
}

fn http(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n").ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// From the host's generator, as production would take it.
fn random_seed() -> Told<[u8; 32]> {
    let mut seed = [0; 32];
    let mut source = fs::File::open("/dev/urandom").map_err(Failure::bench("/dev/urandom"))?;
    source.read_exact(&mut seed).map_err(Failure::bench("/dev/urandom"))?;
    Ok(seed)
}

/// The first certificate of a PEM file.
fn der(pem: &[u8]) -> Told<Vec<u8>> {
    let text = std::str::from_utf8(pem).unwrap_or_default();
    p256::pkcs8::der::pem::decode_vec(text.as_bytes())
        .map(|(_, der)| der)
        .map_err(|_| Failure::Tool("the hub's root is no PEM".to_owned()))
}
