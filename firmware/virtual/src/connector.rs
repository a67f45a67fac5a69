//! Handshakes with a hub: DTLS 1.2, ECDHE-ECDSA-AES128-GCM-SHA256, extended master secret.
//!
//! Invariant: a hub whose certificate does not lead to the given root, or carries another name,
//! is never talked to.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use webrtc_dtls::cipher_suite::CipherSuiteId;
use webrtc_dtls::config::{Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;

use crate::identity::{Identity, IdentityError, certificates, read};

/// Where the hub is and how to know it; shared by the boards of a process.
#[derive(Clone)]
pub struct Connector {
    hub: SocketAddr,
    server_name: String,
    roots: RootCertStore,
    timeout: Duration,
    handshakes: Arc<Semaphore>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The root certificate cannot be used.
    #[error(transparent)]
    Roots(#[from] IdentityError),
    /// The file holds no usable root.
    #[error("{0} is no certificate that could verify a hub")]
    Root(String),
    /// The name cannot be a server's.
    #[error("{0:?} is no server name")]
    ServerName(String),
    /// No socket.
    #[error("no udp socket to {hub}: {source}")]
    Socket {
        /// Where it should have led.
        hub: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The handshake failed.
    #[error("the handshake with {hub} failed: {source}")]
    Handshake {
        /// With whom.
        hub: SocketAddr,
        /// Why.
        source: webrtc_dtls::Error,
    },
    /// The hub did not answer in time.
    #[error("{hub} did not finish the handshake in {timeout_s} s")]
    Silent {
        /// Who.
        hub: SocketAddr,
        /// How long was waited.
        timeout_s: u64,
    },
}

impl Connector {
    /// A way to the hub at `hub`, which must present `server_name` under a root of `ca` (PEM or
    /// DER). At most `handshakes_max` boards shake hands at a time; the others wait their turn.
    pub fn new(
        hub: SocketAddr,
        server_name: &str,
        ca: &Path,
        handshakes_max: usize,
    ) -> Result<Self, ConnectError> {
        let mut roots = RootCertStore::empty();
        for root in certificates(&read(ca)?) {
            roots.add(root).map_err(|_| ConnectError::Root(ca.display().to_string()))?;
        }
        ServerName::try_from(server_name)
            .map_err(|_| ConnectError::ServerName(server_name.to_owned()))?;
        let handshakes = Arc::new(Semaphore::new(handshakes_max.max(1)));
        let timeout = Duration::from_secs(30);
        Ok(Self { hub, server_name: server_name.to_owned(), roots, timeout, handshakes })
    }

    /// A handshake as `identity` from a socket of its own.
    pub async fn connect(&self, identity: &Identity) -> Result<Connection, ConnectError> {
        let hub = self.hub;
        let _turn = self.handshakes.acquire().await;
        let socket = self.socket().await.map_err(|source| ConnectError::Socket { hub, source })?;
        let mut roots = self.roots.clone();
        if let Some(root) = &identity.root {
            let own = identity.files.root().display().to_string();
            roots.add(root.clone()).map_err(|_| ConnectError::Root(own))?;
        }
        let config = Config {
            certificates: vec![identity.certificate.clone()],
            cipher_suites: vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256],
            extended_master_secret: ExtendedMasterSecretType::Require,
            roots_cas: roots,
            server_name: self.server_name.clone(),
            ..Config::default()
        };
        let handshake = DTLSConn::new(Arc::new(socket), config, true, None);
        match tokio::time::timeout(self.timeout, handshake).await {
            Ok(Ok(dtls)) => Ok(Connection { dtls }),
            Ok(Err(source)) => Err(ConnectError::Handshake { hub, source }),
            Err(_) => Err(ConnectError::Silent { hub, timeout_s: self.timeout.as_secs() }),
        }
    }

    async fn socket(&self) -> std::io::Result<UdpSocket> {
        let local: SocketAddr = match self.hub {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(self.hub).await?;
        Ok(socket)
    }
}

/// An association with the hub.
pub struct Connection {
    dtls: DTLSConn,
}

impl Connection {
    /// Sends one datagram; an error means that the connection is of no more use.
    pub async fn send(&self, datagram: &[u8]) -> Result<(), webrtc_dtls::Error> {
        self.dtls.write(datagram, None).await.map(drop)
    }

    /// The next datagram's length in `buffer`. May be dropped and called again.
    pub async fn receive(&self, buffer: &mut [u8]) -> Result<usize, webrtc_dtls::Error> {
        self.dtls.read(buffer, None).await
    }

    /// Says goodbye; whether that arrives nobody knows.
    pub async fn close(self) {
        drop(self.dtls.close().await);
    }
}
