//! A DTLS client on OpenSSL whose every datagram passes through the test's hands.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslMethod, SslOptions, SslRef, SslStream, SslVerifyMode, SslVersion,
};

use super::PATIENCE;
use super::coap::Carrier;
use super::pki::Identity;
use super::records::{ClientKey, Record};

/// What a test does to a datagram before it is sent: nothing, something, or never send it.
pub type Tamper<'a> = dyn FnMut(&SslRef, Vec<u8>) -> Vec<Vec<u8>> + 'a;

/// How a client shakes hands; `Default` is what a board does.
pub struct Settings {
    pub mtu: u32,
    pub ciphers: &'static str,
    pub patience: Duration,
    /// What the client shows behind its own certificate.
    pub chain: Vec<openssl::x509::X509>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mtu: 1200,
            ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256",
            patience: PATIENCE,
            chain: vec![],
        }
    }
}

/// A handshake that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The hub sent this AlertDescription.
    Alert(i32),
    /// The hub said nothing more.
    Silence,
    /// Our own side gave up.
    Failed(String),
}

/// An established session.
pub struct Client {
    stream: SslStream<Wire>,
    pub socket: UdpSocket,
    /// Every datagram sent, as it left after tampering.
    pub sent: Vec<Vec<u8>>,
    sequence: u64,
}

#[derive(Default)]
struct Wire {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Client {
    pub fn connect(hub: SocketAddr, root: &Path, identity: &Identity) -> Result<Self, Refused> {
        let socket = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::connect_with(socket, hub, root, Some(identity), &Settings::default(), &mut untouched)
    }

    pub fn connect_with(
        socket: UdpSocket,
        hub: SocketAddr,
        root: &Path,
        identity: Option<&Identity>,
        settings: &Settings,
        tamper: &mut Tamper<'_>,
    ) -> Result<Self, Refused> {
        socket.connect(hub).unwrap();
        let stream = SslStream::new(ssl(root, identity, settings), Wire::default()).unwrap();
        let mut client = Self { stream, socket, sent: vec![], sequence: 0 };
        let deadline = Instant::now() + settings.patience;
        loop {
            let state = client.stream.connect();
            client.flush(tamper);
            match state {
                Ok(()) => break,
                Err(error) if error.code() == ErrorCode::WANT_READ => {}
                Err(error) => return Err(refused(&error)),
            }
            if Instant::now() > deadline {
                return Err(Refused::Silence);
            }
            // Short, so that OpenSSL looks at its retransmission timer.
            client.pull(Duration::from_millis(50));
        }
        let own = client.sent.iter().flat_map(|datagram| Record::split(datagram));
        let last = own.filter(|record| record.epoch == 1).map(|record| record.sequence).max();
        client.sequence = last.unwrap_or(0) + 1;
        Ok(client)
    }

    /// The first datagram of a handshake, never sent.
    pub fn first_hello(root: &Path) -> Vec<u8> {
        let mut stream =
            SslStream::new(ssl(root, None, &Settings::default()), Wire::default()).unwrap();
        let _ = stream.connect();
        stream.get_mut().outgoing.pop_front().unwrap()
    }

    pub fn ssl(&self) -> &SslRef {
        self.stream.ssl()
    }

    pub fn key(&self) -> ClientKey {
        ClientKey::of(self.stream.ssl()).unwrap()
    }

    /// The next record of this session with this content, made but not sent. OpenSSL's own
    /// counter does not know of it: a test that writes records by hand writes all of them so.
    pub fn record(&mut self, content_type: u8, content: &[u8]) -> Vec<u8> {
        let record = self.key().seal(content_type, 1, self.sequence, content);
        self.sequence += 1;
        record
    }

    /// Sends bytes as they are.
    pub fn send_raw(&self, datagram: &[u8]) {
        self.socket.send(datagram).unwrap();
    }

    fn flush(&mut self, tamper: &mut Tamper<'_>) {
        while let Some(datagram) = self.stream.get_mut().outgoing.pop_front() {
            for datagram in tamper(self.stream.ssl(), datagram) {
                let _ = self.socket.send(&datagram); // a hub that is gone answers with ICMP
                self.sent.push(datagram);
            }
        }
    }

    fn pull(&mut self, limit: Duration) {
        let mut buffer = [0; 4096];
        self.socket.set_read_timeout(Some(limit)).unwrap();
        if let Ok(length) = self.socket.recv(&mut buffer) {
            self.stream.get_mut().incoming.push_back(buffer[..length].to_vec());
        }
    }
}

impl Carrier for Client {
    fn send(&mut self, datagram: &[u8]) {
        self.stream.ssl_write(datagram).unwrap();
        self.flush(&mut untouched);
    }

    fn receive(&mut self, limit: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + limit;
        let mut buffer = [0; 4096];
        loop {
            match self.stream.ssl_read(&mut buffer) {
                Ok(length) => return Some(buffer[..length].to_vec()),
                Err(error) if error.code() == ErrorCode::WANT_READ => {}
                Err(error) => panic!("the session ended: {error}"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.pull(left);
        }
    }
}

pub fn untouched(_: &SslRef, datagram: Vec<u8>) -> Vec<Vec<u8>> {
    vec![datagram]
}

fn ssl(root: &Path, identity: Option<&Identity>, settings: &Settings) -> Ssl {
    let mut context = SslContext::builder(SslMethod::dtls_client()).unwrap();
    context.set_min_proto_version(Some(SslVersion::DTLS1_2)).unwrap();
    // What is too weak the hub is to refuse, not the client.
    context.set_security_level(0);
    context.set_cipher_list(settings.ciphers).unwrap();
    context.set_ca_file(root).unwrap();
    context.set_verify(SslVerifyMode::PEER);
    context.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET);
    if let Some(identity) = identity {
        context.set_certificate(&identity.certificate).unwrap();
        for certificate in &settings.chain {
            context.add_extra_chain_cert(certificate.clone()).unwrap();
        }
        context.set_private_key(&identity.key).unwrap();
    }
    let mut ssl = Ssl::new(&context.build()).unwrap();
    ssl.set_mtu(settings.mtu).unwrap();
    ssl.param_mut().set_host("localhost").unwrap();
    ssl.set_hostname("localhost").unwrap();
    ssl
}

fn refused(error: &openssl::ssl::Error) -> Refused {
    const ALERTS_FROM: i32 = 1000; // SSL_AD_REASON_OFFSET
    let reasons = error.ssl_error().map(|stack| stack.errors().iter().map(|e| e.reason_code()));
    let alert = reasons.into_iter().flatten().find(|reason| (1000..1256).contains(reason));
    alert.map_or_else(
        || Refused::Failed(error.to_string()),
        |reason| Refused::Alert(reason - ALERTS_FROM),
    )
}
