//! What the demo runs on: a fixture for the hub, and for the broker a certificate authority of its
//! own and a password for each tenant.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKeyRef, Private};
use openssl::rand::rand_bytes;
use openssl::x509::X509Ref;
use storage::{Store, TenantId, UpstreamKind};
use tempfile::TempDir;

use super::{DemoError, Options, fleet, ports};
use crate::broker_url::BrokerUrl;
use crate::fixture;
use crate::trust::keys::{KeyLabel, KeyStore as _, MemoryStore, PublicKey};
use crate::trust::{
    Authority, ServerName, TrustError, make_folder, new_key, pem, write_new, write_new_secret,
};

/// Who subscribes at the broker; sees every tenant.
pub(super) const VIEWER: &str = "viewer";

const HUB_PORT: u16 = 5684;
const BROKER_PORT: u16 = 8883;
const MONITORING_PORT: u16 = 9464;
const HTTPS_PORT: u16 = 8443;

/// The folder, the addresses and the secrets of one demo.
pub(super) struct Site {
    folder: Folder,
    pub(super) config: PathBuf,
    pub(super) hub: SocketAddr,
    pub(super) monitoring: SocketAddr,
    pub(super) https: SocketAddr,
    pub(super) broker: SocketAddr,
    /// Documented ports that another program has.
    pub(super) taken: Vec<u16>,
    /// PEM of what issued the broker's certificate.
    pub(super) broker_ca: PathBuf,
    /// The broker's certificate and key, and what opens the file.
    pub(super) broker_identity: (PathBuf, String),
    /// User name and password of each tenant, and of [`VIEWER`].
    pub(super) logins: Vec<(String, String)>,
    /// Each board with its tenant.
    pub(super) boards: Vec<(String, String)>,
}

enum Folder {
    Temporary(Option<TempDir>),
    Named(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.as_ref().map_or(Path::new(""), TempDir::path),
            Self::Named(folder) => folder,
        }
    }
}

impl Site {
    pub(super) fn make(options: &Options) -> Result<Self, DemoError> {
        let port = DemoError::system("find a port");
        let hub = ports::udp(HUB_PORT).map_err(&port)?;
        let monitoring = ports::tcp(MONITORING_PORT).map_err(&port)?;
        let https = ports::tcp(HTTPS_PORT).map_err(&port)?;
        let broker = ports::tcp(BROKER_PORT).map_err(&port)?;
        let documented = [
            (hub, HUB_PORT),
            (monitoring, MONITORING_PORT),
            (https, HTTPS_PORT),
            (broker, BROKER_PORT),
        ];
        let taken = documented.iter().filter(|(at, port)| at.port() != *port);
        let taken = taken.map(|(_, port)| *port).collect();

        let folder = make_dir(options.dir.as_deref())?;
        let dir = folder.path();
        let (broker_ca, broker_identity) = broker_certificates(options, &dir.join("broker"))?;
        let fixture = fixture::Options {
            dir: dir.join("hub"),
            boards: options.boards,
            sleeping: 0,
            tenants: options.tenants,
            broker: Some(BrokerUrl {
                tls: true,
                host: broker.ip().to_string(),
                port: broker.port(),
            }),
            broker_authority: Some(broker_ca.clone()),
            listen: Some(hub),
            monitoring: Some(monitoring),
            https: Some(https),
            server_names: Vec::new(),
            threads: 1,
            now: options.now,
        };
        fixture::make(&fixture, &|_| {})?;
        let boards = read_boards(&fixture.dir)?;
        let logins = {
            let store = Store::open(&fixture.dir.join("store"))?;
            fleet::furnish(&store, &boards, options)?;
            give_logins(options, &store, &dir.join("broker"))?
        };
        let config = fixture.dir.join("hub.toml");
        Ok(Self {
            folder,
            config,
            hub,
            monitoring,
            https,
            broker,
            taken,
            broker_ca,
            broker_identity,
            logins,
            boards,
        })
    }

    pub(super) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn fixture(&self) -> PathBuf {
        self.dir().join("hub")
    }

    pub(super) fn is_temporary(&self) -> bool {
        matches!(self.folder, Folder::Temporary(_))
    }

    pub(super) fn password(&self, user: &str) -> &str {
        let login = self.logins.iter().find(|(name, _)| name == user);
        login.map_or("", |(_, password)| password)
    }

    /// Removes the folder if it is a temporary one; the folder that is left, if any.
    pub(super) fn remove(&mut self) -> Option<PathBuf> {
        match &mut self.folder {
            Folder::Named(dir) => Some(dir.clone()),
            Folder::Temporary(folder) => {
                let folder = folder.take()?;
                let dir = folder.path().to_path_buf();
                folder.close().is_err().then_some(dir)
            }
        }
    }
}

fn make_dir(named: Option<&Path>) -> Result<Folder, DemoError> {
    let Some(dir) = named else {
        let made = tempfile::Builder::new().prefix("cellular-hub-demo-").tempdir();
        return Ok(Folder::Temporary(Some(made.map_err(DemoError::system("make a folder"))?)));
    };
    make_folder(dir)?;
    let whole = fs::canonicalize(dir).map_err(DemoError::system("find its folder"))?;
    Ok(Folder::Named(whole))
}

/// The broker belongs to the customer: its certificate is none of the hub's PKI.
fn broker_certificates(
    options: &Options,
    dir: &Path,
) -> Result<(PathBuf, (PathBuf, String)), DemoError> {
    make_folder(dir)?;
    let keys = Arc::new(MemoryStore::default());
    keys.generate(&KeyLabel::ROOT).map_err(TrustError::from)?;
    let authority = Authority::new_root(keys, KeyLabel::ROOT, options.now)?;
    let names =
        [ServerName::Dns(String::from("localhost")), ServerName::Ip(Ipv4Addr::LOCALHOST.into())];
    let key = new_key()?;
    let public = PublicKey::of(&key).ok_or(TrustError::RequestKeyUnsuited)?;
    let certificate = authority.issue_server(&names, &public, options.now)?.to_openssl()?;
    let encode = DemoError::cryptography("encode the broker's certificate");
    let ca = dir.join("ca.pem");
    write_new(&ca, pem("CERTIFICATE", authority.certificate()).as_bytes())?;
    let password = secret()?;
    let bundle = bundle(&certificate, &key, &password).map_err(&encode)?;
    let identity = dir.join("server.p12");
    write_new_secret(&identity, &bundle)?;
    Ok((ca, (identity, password)))
}

fn bundle(
    certificate: &X509Ref,
    key: &PKeyRef<Private>,
    password: &str,
) -> Result<Vec<u8>, openssl::error::ErrorStack> {
    let mut bundle = Pkcs12::builder();
    bundle.name("broker").cert(certificate).pkey(key);
    bundle.build2(password)?.to_der()
}

/// A user for each tenant, told to its upstream, and the viewer.
fn give_logins(
    options: &Options,
    store: &Store,
    broker: &Path,
) -> Result<Vec<(String, String)>, DemoError> {
    let mut logins = vec![(String::from(VIEWER), secret()?)];
    for index in 0..options.tenants {
        let tenant: TenantId = format!("tenant-{index}").parse()?;
        let password = secret()?;
        let file = broker.join(format!("{tenant}.password"));
        write_new_secret(&file, password.as_bytes())?;
        if let Some(mut upstream) = store.upstreams().find(&tenant, &"broker".parse()?)? {
            if let UpstreamKind::Mqtt(mqtt) = &mut upstream.kind {
                mqtt.username = Some(tenant.to_string());
                mqtt.password_file = Some(file.to_string_lossy().into_owned());
            }
            store.upstreams().put(&upstream)?;
        }
        logins.push((tenant.to_string(), password));
    }
    Ok(logins)
}

fn read_boards(fixture: &Path) -> Result<Vec<(String, String)>, DemoError> {
    let list = fs::read_to_string(fixture.join("boards.csv"));
    let list = list.map_err(DemoError::system("read its list of boards"))?;
    let board = |line: &str| {
        let mut fields = line.split(',').map(String::from);
        Some((fields.next()?, fields.next()?))
    };
    Ok(list.lines().skip(1).filter_map(board).collect())
}

fn secret() -> Result<String, DemoError> {
    let mut bytes = [0; 12];
    rand_bytes(&mut bytes).map_err(DemoError::cryptography("make a password"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
