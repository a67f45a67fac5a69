//! mosquitto with TLS, without persistence, that a test starts, stops and kills.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::pki::Authority;
use super::process::Process;
use super::{PATIENCE, eventually, free_tcp, own_address};

/// A broker with one TLS listener for hubs and one plain one for the test's subscriber.
pub struct Broker {
    pub tls: SocketAddr,
    pub plain: SocketAddr,
    folder: TempDir,
    users: Option<TempDir>,
    process: Option<Process>,
}

impl Broker {
    pub fn start() -> Self {
        Self::with("allow_anonymous true")
    }

    /// One that lets in nobody but the user `hub` with this password.
    pub fn with_password(password: &str) -> Self {
        let users = TempDir::new().unwrap();
        let file = users.path().join("users");
        let text = file.to_string_lossy();
        let made =
            Command::new("mosquitto_passwd").args(["-b", "-c", &text, "hub", password]).status();
        assert!(made.unwrap().success(), "mosquitto_passwd");
        let mut broker = Self::with(&format!("allow_anonymous false\npassword_file {text}"));
        broker.users = Some(users);
        broker
    }

    fn with(admits: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut broker =
            Self { tls: free_tcp(), plain: free_tcp(), folder, users: None, process: None };
        let authority = Authority::new("broker authority");
        authority.write_certificate(&broker.ca());
        let file = |name: &str| broker.folder.path().join(name);
        authority.server(own_address().into()).write(&file("server.pem"), &file("server.key.pem"));
        let configuration = format!(
            "user root\npersistence false\n{admits}\nset_tcp_nodelay true\n\
             max_queued_messages 0\nmax_inflight_messages 0\nlog_dest stderr\n\
             listener {} {}\ncertfile {}\nkeyfile {}\n\
             listener {} {}\n",
            broker.tls.port(),
            broker.tls.ip(),
            file("server.pem").display(),
            file("server.key.pem").display(),
            broker.plain.port(),
            broker.plain.ip(),
        );
        std::fs::write(file("mosquitto.conf"), configuration).unwrap();
        broker.restart();
        broker
    }

    /// The certificate a hub has to be given.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn restart(&mut self) {
        let mut command = Command::new("/usr/sbin/mosquitto");
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        let mut process = Process::spawn(&mut command);
        for address in [self.tls, self.plain] {
            eventually("mosquitto listens", PATIENCE, || {
                assert!(process.has_ended().is_none(), "mosquitto: {}", process.stderr.text());
                std::net::TcpStream::connect(address).ok()
            });
        }
        self.process = Some(process);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it as a hung machine stops: connections stay, nothing answers.
    pub fn freeze(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    pub fn thaw(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }
}
