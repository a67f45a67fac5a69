//! A place for one hub: a folder with configuration, PKI, store and the files of its boards.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use storage::{Acknowledge, Board, Route, UnixSeconds, UpstreamKind};
use tempfile::TempDir;

use super::hub::Hub;
use super::pki::{Authority, Identity};
use super::process::Process;
use super::{PATIENCE, free_tcp, free_udp};

/// The hub's program.
pub const CELLULAR_HUB: &str = env!("CARGO_BIN_EXE_cellular-hub");

/// What a site is to be; `start` or `build` makes it so.
pub struct Plan {
    boards: usize,
    tenants: usize,
    mqtt: Option<(String, PathBuf)>,
    settings: Vec<(&'static str, &'static str, toml::Value)>,
}

impl Plan {
    pub fn boards(boards: usize) -> Self {
        // Two sockets whatever the machine: what goes from one arbiter to another is tested as well.
        let settings = vec![("link", "sockets", toml::Value::Integer(2))];
        Self { boards, tenants: 1, mqtt: None, settings }
    }

    pub fn tenants(mut self, tenants: usize) -> Self {
        self.tenants = tenants;
        self
    }

    /// Route `t` of every tenant goes to the broker at `address`, whose certificate `ca` issued.
    pub fn broker(mut self, address: SocketAddr, ca: &Path) -> Self {
        self.mqtt = Some((format!("mqtts://{address}"), ca.to_owned()));
        self
    }

    /// Changes one key of the configuration.
    pub fn set(
        mut self,
        section: &'static str,
        key: &'static str,
        value: impl Into<toml::Value>,
    ) -> Self {
        self.settings.push((section, key, value.into()));
        self
    }

    pub fn build(self) -> Site {
        let folder = TempDir::new().unwrap();
        let site = folder.path().join("site");
        let mut command = Command::new(CELLULAR_HUB);
        command.arg("fixture").arg("--dir").arg(&site);
        command.args([
            "--boards",
            &self.boards.to_string(),
            "--tenants",
            &self.tenants.to_string(),
        ]);
        command.args(["--server-name", &super::own_address().to_string()]);
        if let Some((url, ca)) = &self.mqtt {
            command.args(["--mqtt", url]).arg("--mqtt-ca").arg(ca);
        }
        let made = Process::run(&mut command, PATIENCE);
        assert!(made.status.success(), "fixture: {made:?}");
        let mut site = Site {
            site,
            _folder: folder,
            listen: free_udp(),
            monitoring: free_tcp(),
            boards: vec![],
        };
        site.boards = site.read_boards();
        site.configure("link", "listen", site.listen.to_string());
        site.configure("monitoring", "listen", site.monitoring.to_string());
        // Who tests what is served there names a port of its own.
        site.configure("https", "enabled", false);
        for (section, key, value) in self.settings {
            site.configure(section, key, value);
        }
        site
    }

    pub fn start(self) -> (Site, Hub) {
        let site = self.build();
        let hub = site.start();
        (site, hub)
    }
}

/// A hub's folder.
pub struct Site {
    site: PathBuf,
    _folder: TempDir,
    pub listen: SocketAddr,
    pub monitoring: SocketAddr,
    pub boards: Vec<BoardFiles>,
}

/// The files of one registered board.
#[derive(Debug, Clone)]
pub struct BoardFiles {
    pub id: String,
    pub tenant: String,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl BoardFiles {
    pub fn identity(&self) -> Identity {
        Identity::read(&self.certificate, &self.key)
    }
}

impl Site {
    pub fn path(&self, name: &str) -> PathBuf {
        self.site.join(name)
    }

    /// The certificate that every client checks the hub's against.
    pub fn root(&self) -> PathBuf {
        self.path("pki/root.pem")
    }

    /// The authority that issues this tenant's boards.
    pub fn authority(&self, tenant: &str) -> Authority {
        let folder = self.path("pki/tenants");
        Authority::read(
            &folder.join(format!("{tenant}.pem")),
            &folder.join(format!("{tenant}.key.pem")),
        )
    }

    /// The boards of one tenant.
    pub fn of_tenant(&self, tenant: &str) -> Vec<BoardFiles> {
        self.boards.iter().filter(|board| board.tenant == tenant).cloned().collect()
    }

    /// The store, while no hub has it open.
    pub fn store(&self) -> storage::Store {
        storage::Store::open(&self.path("store")).unwrap()
    }

    pub fn start(&self) -> Hub {
        Hub::start(&self.path("hub.toml"), self.listen, self.monitoring)
    }

    /// Starts a hub with `socket` handed over as a service manager hands over sockets.
    pub fn start_with_socket(&self, socket: UdpSocket) -> Hub {
        Hub::of(self.spawn_with_socket(socket), self.listen, self.monitoring)
    }

    pub fn spawn_with_socket(&self, socket: UdpSocket) -> Process {
        // LISTEN_PID names the process that is to have the sockets, which begin at descriptor 3.
        const HAND_OVER: &str = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", HAND_OVER, CELLULAR_HUB, "serve", "--config"]);
        command.arg(self.path("hub.toml")).env("NO_COLOR", "1");
        Process::spawn_reading(&mut command, Stdio::from(OwnedFd::from(socket)))
    }

    pub fn configure(&self, section: &str, key: &str, value: impl Into<toml::Value>) {
        let path = self.path("hub.toml");
        let mut table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let section = table
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .unwrap();
        section.insert(key.to_owned(), value.into());
        std::fs::write(&path, table.to_string()).unwrap();
    }

    fn read_boards(&self) -> Vec<BoardFiles> {
        let list = std::fs::read_to_string(self.path("boards.csv")).unwrap();
        let lines = list.lines().filter(|line| !line.starts_with("board,") && !line.is_empty());
        lines
            .enumerate()
            .map(|(number, line)| {
                let columns: Vec<_> = line.split(',').collect();
                let (id, tenant) = (columns[0], columns[1]);
                let shard = self.path("boards").join(format!("{:04}", number / 1000));
                BoardFiles {
                    id: id.to_owned(),
                    tenant: tenant.to_owned(),
                    certificate: shard.join(format!("{id}.cert.pem")),
                    key: shard.join(format!("{id}.key.pem")),
                }
            })
            .collect()
    }
}

/// Changes to what is registered, while no hub has the store open.
impl Site {
    pub fn change_board(&self, id: &str, change: impl FnOnce(&mut Board)) {
        let store = self.store();
        let mut board = store.boards().find(&id.parse().unwrap()).unwrap().unwrap();
        change(&mut board);
        store.boards().put(&board).unwrap();
    }

    /// Registers one more board of `tenant` with the certificate of `identity`.
    pub fn register(&self, id: &str, tenant: &str, identity: &Identity) {
        let created = UnixSeconds(1);
        let mut board = Board::new(id.parse().unwrap(), tenant.parse().unwrap(), created);
        board.fingerprint = Some(identity.fingerprint().parse().unwrap());
        self.store().boards().put(&board).unwrap();
    }

    /// Gives one tenant's upstream `broker` another address.
    pub fn move_upstream(&self, tenant: &str, address: SocketAddr) {
        let (store, tenant) = (self.store(), tenant.parse().unwrap());
        let name = "broker".parse().unwrap();
        let mut upstream = store.upstreams().find(&tenant, &name).unwrap().unwrap();
        let UpstreamKind::Mqtt(mqtt) = &mut upstream.kind else { panic!("{upstream:?}") };
        mqtt.host = address.ip().to_string();
        mqtt.port = address.port();
        store.upstreams().put(&upstream).unwrap();
    }

    /// Adds a route of `tenant` from `resource` to an upstream of its.
    pub fn route(&self, tenant: &str, resource: &str, upstream: &str, acknowledge: Acknowledge) {
        let route = Route {
            tenant: tenant.parse().unwrap(),
            resource: resource.parse().unwrap(),
            upstream: upstream.parse().unwrap(),
            topic: "{tenant}/{board}/{resource}".parse().unwrap(),
            acknowledge,
        };
        self.store().routes().put(&route).unwrap();
    }
}
