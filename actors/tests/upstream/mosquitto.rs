//! A mosquitto of the test's own: TLS, a folder, a port that was free.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use storage::{MqttUpstream, MqttVersion};

use super::adapter::{eventually, plain};
use super::pki::Authority;

/// Who may connect.
pub(crate) enum Admits {
    Anyone,
    /// User `hub` with password `open sesame`.
    Password,
    /// Whoever has a certificate of the authority.
    Certificate,
}

pub(crate) struct Mosquitto {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Authority,
    pub(crate) port: u16,
    broker: Child,
}

impl Mosquitto {
    /// A broker that listens, with a certificate for `localhost`.
    pub(crate) async fn start(admits: Admits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let (certificate, key) = authority.issue("localhost");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = folder.path().to_str().unwrap();
        let admission = match admits {
            Admits::Anyone => "allow_anonymous true".to_owned(),
            Admits::Password => {
                let file = format!("{at}/passwords");
                let made = Command::new("mosquitto_passwd")
                    .args(["-b", "-c", &file, "hub", "open sesame"])
                    .status();
                assert!(made.unwrap().success());
                format!("allow_anonymous false\npassword_file {file}")
            }
            Admits::Certificate => "allow_anonymous true\nrequire_certificate true".to_owned(),
        };
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout);
        let configuration = format!(
            "user {}\nlistener {port} 127.0.0.1\ncafile {}\ncertfile {certificate}\n\
             keyfile {key}\n{admission}\npersistence true\npersistence_location {at}/\n\
             autosave_interval 0\nmax_inflight_messages 0\nmax_queued_messages 0\nlog_dest none\n",
            user.unwrap().trim(),
            authority.file(),
        );
        std::fs::write(folder.path().join("mosquitto.conf"), configuration).unwrap();
        let broker = spawn(folder.path().join("mosquitto.conf"));
        let started = Self { folder, authority, port, broker };
        started.listens().await;
        started
    }

    /// How an adapter connects to it.
    pub(crate) fn upstream(&self, version: MqttVersion) -> MqttUpstream {
        MqttUpstream {
            host: "localhost".to_owned(),
            tls: true,
            ca_file: Some(self.authority.file()),
            ..plain(self.port, version)
        }
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Writes sessions and subscriptions down, as a broker that has run for long has.
    pub(crate) async fn save(&self) {
        let pid = self.broker.id().to_string();
        assert!(Command::new("kill").args(["-USR1", &pid]).status().unwrap().success());
        let saved = self.folder.path().join("mosquitto.db");
        eventually("saved", || saved.exists()).await;
    }

    /// `kill -9`, and the same broker again.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.broker.kill().unwrap();
        self.broker.wait().unwrap();
        self.broker = spawn(self.folder.path().join("mosquitto.conf"));
        self.listens().await;
    }

    async fn listens(&self) {
        let at = ("127.0.0.1", self.port);
        eventually("listening", || std::net::TcpStream::connect(at).is_ok()).await;
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.broker.kill();
        let _ = self.broker.wait();
    }
}

fn spawn(configuration: PathBuf) -> Child {
    Command::new("/usr/sbin/mosquitto")
        .arg("-c")
        .arg(configuration)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the Debian package mosquitto is installed")
}
