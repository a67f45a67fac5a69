//! A hub's profile, a board's certificate, and OpenSSL as the board: one handshake in memory.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, LazyLock};

use actors::admission::{Admission, Admitted, NotAdmitted};
use actors::credentials::Credentials;
use actors::link::abbreviated::Terms;
use actors::link::connection_id::ConnectionId;
use actors::link::engine::Progress;
use actors::link::handshake::Handshake;
use actors::link::hello::{self, ClientHello};
use actors::link::offer::Offer;
use actors::link::profile::Profile;
use actors::link::record;
use actors::link::resumptions::{Resumptions, Wish};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{ShutdownState, Ssl, SslContext, SslMethod, SslOptions, SslSession, SslStream};
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509, X509NameBuilder};
use storage::{Fingerprint, UnixSeconds};

/// Every suite the hub speaks, as OpenSSL names them.
pub const SUITES: &str =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-CCM8";
pub const COOKIE: [u8; 16] = [7; 16];

struct Everybody;

impl Admission for Everybody {
    fn admit(&self, _: &[u8], _: &[u8]) -> Result<Admitted, NotAdmitted> {
        Ok(Admitted {
            board: "CB-1".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            fingerprint: Fingerprint([0; 32]),
            not_after: UnixSeconds(u64::MAX),
            at: std::time::Instant::now(),
            serial: None,
            issuer: storage::AuthorityNumber::FIRST,
            standing: actors::admission::Standing::Known,
        })
    }
}

pub struct Pair {
    pub certificate: X509,
    pub key: PKey<Private>,
}

impl Pair {
    fn issued_by(issuer: Option<&Self>, name: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder
            .set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap())
            .unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder
            .set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name()))
            .unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        if issuer.is_none() {
            builder
                .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
                .unwrap();
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        builder.sign(signer, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }
}

pub struct World {
    pub profile: Arc<Profile>,
    pub board: Pair,
}

pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let authority = Pair::issued_by(None, "authority");
    let hub = Pair::issued_by(Some(&authority), "hub");
    let board = Pair::issued_by(Some(&authority), "board");
    let authorities = [authority.certificate.clone()];
    let Pair { certificate, key } = hub;
    let credentials = Credentials { certificate, chain: Vec::new(), key };
    let profile = Profile::new(&credentials, &authorities, Arc::new(Everybody), 512).unwrap();
    World { profile, board }
});

#[derive(Default)]
pub struct Wire {
    pub incoming: VecDeque<Vec<u8>>,
    pub outgoing: Vec<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Wire {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub struct Client(pub SslStream<Wire>);

impl Client {
    pub fn new() -> Self {
        Self::offering(SUITES, None)
    }

    /// A client that offers these suites, and to go on with a session it has.
    pub fn offering(suites: &str, session: Option<&SslSession>) -> Self {
        let mut context = SslContext::builder(SslMethod::dtls_client()).unwrap();
        context.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET);
        context.set_security_level(0);
        context.set_cipher_list(suites).unwrap();
        context.set_certificate(&WORLD.board.certificate).unwrap();
        context.set_private_key(&WORLD.board.key).unwrap();
        let mut ssl = Ssl::new(&context.build()).unwrap();
        ssl.set_mtu(512).unwrap();
        if let Some(session) = session {
            resume(&mut ssl, session);
        }
        Self(SslStream::new(ssl, Wire::default()).unwrap())
    }

    /// What the client says next to what it was sent.
    pub fn step(&mut self, datagrams: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        self.0.get_mut().incoming.extend(datagrams);
        let _ = self.0.connect();
        std::mem::take(&mut self.0.get_mut().outgoing)
    }

    pub fn is_done(&self) -> bool {
        self.0.ssl().is_init_finished()
    }

    /// Its first ClientHello, answered as the front door does: the second, with a cookie.
    pub fn hello_with_cookie(&mut self) -> Vec<u8> {
        let first = self.step([]).remove(0);
        let record = record::records(&first, 0).next().unwrap().unwrap();
        let mut verify = Vec::new();
        let hello = ClientHello::parse(&record).unwrap();
        hello::hello_verify_request(&hello, &COOKIE, &mut verify).unwrap();
        self.step([verify]).remove(0)
    }

    /// Seals `data` and returns the datagram.
    pub fn write(&mut self, data: &[u8]) -> Vec<u8> {
        self.0.ssl_write(data).unwrap();
        self.0.get_mut().outgoing.pop().unwrap()
    }

    /// Opens what one datagram carries.
    pub fn read(&mut self, datagram: Vec<u8>) -> Vec<u8> {
        self.0.get_mut().incoming.push_back(datagram);
        let mut buffer = [0; 1024];
        let length = self.0.ssl_read(&mut buffer).unwrap();
        buffer[..length].to_vec()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // OpenSSL resumes no session whose connection was dropped without a word.
        self.0.set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
    }
}

/// A handshake of the hub's side that begins with a client's `datagram`, and what it came to so far:
/// abbreviated where that may be, as at the front door.
pub fn hub(datagram: &[u8], resumptions: &dyn Resumptions, random: u8) -> (Handshake, Progress) {
    let record = record::records(datagram, 0).next().unwrap().unwrap();
    let ours = ConnectionId::new(0, 0, [1; 4]);
    let offer = Offer::parse(record.fragment);
    if let Some(wish) = offer.and_then(|offer| Wish::of(offer, resumptions)) {
        let (random, next_plain_sequence) = ([random; 32], record.sequence);
        return Handshake::abbreviated(wish, Terms { ours, random, next_plain_sequence, mtu: 512 });
    }
    let hello = ClientHello::parse(&record).unwrap();
    Handshake::full(&WORLD.profile, &hello, ours, datagram).unwrap()
}

#[expect(unsafe_code, reason = "the crate has no safe way; no product code resumes with OpenSSL")]
fn resume(ssl: &mut Ssl, session: &SslSession) {
    // SAFETY: the session is one of a client's context with the same method, and is counted.
    unsafe { ssl.set_session(session) }.unwrap();
}
