//! A board's side of the handshake: OpenSSL in memory, then the keys for our record layer.
//!
//! The server's chain is not verified: the generator measures the server and leaves out what would
//! only cost the client. Lost flights are repeated by OpenSSL itself, whose timer is looked at
//! whenever it is driven. Invariant: no socket is reachable from here.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actors::link::cipher::{DirectionKey, Suite};
use actors::link::keys;
use actors::link::record::{ContentType, records};
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    ErrorCode, ExtensionContext, Ssl, SslContext, SslMethod, SslOptions, SslRef, SslSession,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use thiserror::Error;

use super::error::LoadError;
use super::fixture::Credentials;

const CONNECTION_ID: u16 = 54;
const MTU: u32 = 1200;

/// The Connection IDs of one handshake.
#[derive(Default)]
struct Ids {
    /// What the hub is to put on its records; empty for ordinary ones.
    ours: Vec<u8>,
    /// What the hub wants on ours.
    theirs: Vec<u8>,
}

/// What all boards of a run have in common.
#[derive(Clone)]
pub struct Profile {
    context: SslContext,
    ids: Index<Ssl, Mutex<Ids>>,
}

impl Profile {
    /// A profile for one suite; `connection_id` offers RFC 9146.
    ///
    /// # Errors
    /// [`LoadError::OpenSsl`].
    pub fn new(suite: Suite, connection_id: ConnectionIds) -> Result<Self, LoadError> {
        Self::build(suite, connection_id).map_err(LoadError::openssl("the client context"))
    }

    fn build(suite: Suite, connection_id: ConnectionIds) -> Result<Self, ErrorStack> {
        let ids = Ssl::new_ex_index::<Mutex<Ids>>()?;
        let mut builder = SslContext::builder(SslMethod::dtls_client())?;
        builder.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        builder.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
        // CCM-8 is below OpenSSL's default level; the lists here say all that is offered.
        builder.set_security_level(0);
        builder.set_cipher_list(suite.openssl_name())?;
        builder.set_groups_list("P-256")?;
        builder.set_sigalgs_list("ECDSA+SHA256")?;
        builder.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_TICKET);
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        builder.set_verify(SslVerifyMode::NONE);
        if connection_id == ConnectionIds::Offered {
            builder.add_custom_ext(
                CONNECTION_ID,
                ExtensionContext::CLIENT_HELLO | ExtensionContext::TLS1_2_SERVER_HELLO,
                move |ssl, _, _| Ok(Some(offered(ssl, ids))),
                move |ssl, _, bytes, _| {
                    remember(ssl, ids, bytes);
                    Ok(())
                },
            )?;
        }
        Ok(Self { context: builder.build(), ids })
    }
}

/// Whether boards offer Connection IDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionIds {
    /// As the boards' modem does.
    Offered,
    /// Ordinary records only.
    Absent,
}

/// Our id as the extension's body: a length octet, then the id.
fn offered(ssl: &SslRef, index: Index<Ssl, Mutex<Ids>>) -> Vec<u8> {
    let ours = ssl.ex_data(index).map(|ids| locked(ids).ours.clone()).unwrap_or_default();
    let mut body = vec![u8::try_from(ours.len()).unwrap_or(0)];
    body.extend(ours);
    body
}

fn remember(ssl: &SslRef, index: Index<Ssl, Mutex<Ids>>, extension: &[u8]) {
    if let (Some(ids), Some((_, id))) = (ssl.ex_data(index), extension.split_first()) {
        locked(ids).theirs = id.to_vec();
    }
}

fn locked(ids: &Mutex<Ids>) -> MutexGuard<'_, Ids> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a handshake did not succeed.
#[derive(Clone, Debug, Error)]
pub enum HandshakeFailed {
    /// OpenSSL ended it: an alert of the server, or bytes it does not take.
    #[error("{0}")]
    Refused(Arc<str>),
    /// No end within half a minute.
    #[error("timed out")]
    TimedOut,
    /// The server agreed to something we did not offer.
    #[error("unexpected suite or secrets")]
    Unexpected,
}

/// A finished handshake: all that a session needs.
#[derive(Debug)]
pub struct Established {
    /// What the hub seals with.
    pub read: DirectionKey,
    /// What the board seals with.
    pub write: DirectionKey,
    /// The first sequence number not used yet.
    pub next_sequence: u64,
    /// The id the hub wants on our records; empty for none.
    pub cid: Vec<u8>,
    /// What an abbreviated handshake begins with, where the hub gave a session id.
    pub resumption: Option<Resumption>,
    /// Sequence numbers of the hub's protected records so far.
    pub received: Vec<u64>,
}

/// A session to resume.
#[derive(Clone, Debug)]
pub struct Resumption {
    /// The hub's name for it.
    pub session_id: [u8; 32],
    /// Its master secret.
    pub master: [u8; 48],
}

/// A handshake under way.
pub struct Handshake {
    stream: SslStream<Pipe>,
    ids: Index<Ssl, Mutex<Ids>>,
    /// Bytes of the id that the hub's records carry.
    ours_len: usize,
    keys: Option<(DirectionKey, DirectionKey)>,
    next_sequence: u64,
    received: Vec<u64>,
}

impl Handshake {
    /// Begins one; the ClientHello is there to transmit after the first [`Self::drive`].
    ///
    /// # Errors
    /// [`LoadError::OpenSsl`].
    pub fn new(profile: &Profile, board: &Credentials) -> Result<Self, LoadError> {
        Self::named(profile, board, &[])
    }

    /// Begins one in which the board offers an id of its own, so that the hub's records name it.
    ///
    /// # Errors
    /// [`LoadError::OpenSsl`].
    pub fn named(profile: &Profile, board: &Credentials, ours: &[u8]) -> Result<Self, LoadError> {
        let stream = Self::stream(profile, board, ours).map_err(LoadError::openssl("a client"))?;
        let (ids, ours_len) = (profile.ids, ours.len());
        Ok(Self { stream, ids, ours_len, keys: None, next_sequence: 0, received: Vec::new() })
    }

    fn stream(
        profile: &Profile,
        board: &Credentials,
        ours: &[u8],
    ) -> Result<SslStream<Pipe>, ErrorStack> {
        let mut ssl = Ssl::new(&profile.context)?;
        ssl.set_ex_data(profile.ids, Mutex::new(Ids { ours: ours.to_vec(), theirs: Vec::new() }));
        ssl.set_certificate(&board.certificate)?;
        ssl.set_private_key(&board.key)?;
        ssl.set_connect_state();
        ssl.set_mtu(MTU)?;
        SslStream::new(ssl, Pipe::default())
    }

    /// Takes a datagram of the hub.
    ///
    /// # Errors
    /// [`HandshakeFailed`]: this handshake is over.
    pub fn handle_datagram(
        &mut self,
        datagram: &[u8],
    ) -> Result<Option<Established>, HandshakeFailed> {
        let ordinary = self.ordinary(datagram)?;
        self.stream.get_mut().inbound = Some(ordinary);
        self.drive()
    }

    /// The datagram as OpenSSL knows it: records that carry our id opened and sealed without it.
    fn ordinary(&mut self, datagram: &[u8]) -> Result<Vec<u8>, HandshakeFailed> {
        let mut ordinary = Vec::with_capacity(datagram.len());
        for record in records(datagram, self.ours_len).map_while(Result::ok) {
            if record.epoch > 0 {
                self.received.push(record.sequence);
            }
            if record.content_type != ContentType::ConnectionId {
                ordinary.extend_from_slice(record.bytes);
                continue;
            }
            let mut plaintext = Vec::new();
            let (_, read) = self.keys()?;
            let content_type =
                read.open(&record, &mut plaintext).map_err(|_| HandshakeFailed::Unexpected)?;
            read.seal(content_type, record.epoch, record.sequence, &[], &plaintext, &mut ordinary)
                .map_err(|_| HandshakeFailed::Unexpected)?;
        }
        Ok(ordinary)
    }

    /// Goes on as far as possible: at the start, and now and then for what has to be repeated.
    ///
    /// # Errors
    /// [`HandshakeFailed`]: this handshake is over.
    pub fn drive(&mut self) -> Result<Option<Established>, HandshakeFailed> {
        match self.stream.do_handshake() {
            Ok(()) => self.established().map(Some),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(None),
            Err(error) => Err(HandshakeFailed::Refused(error.to_string().into())),
        }
    }

    /// The next datagram to send.
    ///
    /// # Errors
    /// [`HandshakeFailed::Unexpected`] when its records cannot be given the hub's Connection ID.
    pub fn poll_transmit(&mut self) -> Result<Option<Vec<u8>>, HandshakeFailed> {
        let Some(datagram) = self.stream.get_mut().outbound.pop_front() else {
            return Ok(None);
        };
        let cid = self.cid();
        let mut framed = Vec::with_capacity(datagram.len() + 16);
        for record in records(&datagram, 0) {
            let record = record.map_err(|_| HandshakeFailed::Unexpected)?;
            if record.epoch > 0 {
                self.next_sequence = self.next_sequence.max(record.sequence + 1);
            }
            if record.epoch == 0 || cid.is_empty() {
                framed.extend_from_slice(record.bytes);
                continue;
            }
            // OpenSSL knows no Connection ID, so its Finished is opened and sealed again with it.
            let mut plaintext = Vec::new();
            let (write, _) = self.keys()?;
            let content_type: ContentType =
                write.open(&record, &mut plaintext).map_err(|_| HandshakeFailed::Unexpected)?;
            write
                .seal(content_type, record.epoch, record.sequence, &cid, &plaintext, &mut framed)
                .map_err(|_| HandshakeFailed::Unexpected)?;
        }
        Ok(Some(framed))
    }

    fn established(&mut self) -> Result<Established, HandshakeFailed> {
        let cid = self.cid();
        let (write, read) = self.keys()?.clone();
        let resumption = resumption(self.stream.ssl());
        let (next_sequence, received) =
            (self.next_sequence.max(1), std::mem::take(&mut self.received));
        Ok(Established { read, write, next_sequence, cid, received, resumption })
    }

    fn cid(&self) -> Vec<u8> {
        let ids = self.stream.ssl().ex_data(self.ids);
        ids.map(|ids| locked(ids).theirs.clone()).unwrap_or_default()
    }

    fn keys(&mut self) -> Result<&(DirectionKey, DirectionKey), HandshakeFailed> {
        if self.keys.is_none() {
            self.keys = derived(self.stream.ssl());
        }
        self.keys.as_ref().ok_or(HandshakeFailed::Unexpected)
    }
}

fn resumption(ssl: &SslRef) -> Option<Resumption> {
    let session = ssl.session()?;
    let mut master = [0; 48];
    let whole = session.master_key(&mut master) == master.len();
    whole.then_some(Resumption { session_id: session.id().try_into().ok()?, master })
}

fn derived(ssl: &SslRef) -> Option<(DirectionKey, DirectionKey)> {
    let suite = Suite::from_openssl_name(ssl.current_cipher()?.name())?;
    let (mut master, mut client, mut server) = ([0; 48], [0; 32], [0; 32]);
    let session: &SslSession = &ssl.session()?.to_owned();
    let complete = session.master_key(&mut master) == master.len()
        && ssl.client_random(&mut client) == client.len()
        && ssl.server_random(&mut server) == server.len();
    complete.then(|| keys::derive(suite, &master, &client, &server))
}

/// Datagrams in place of a socket.
#[derive(Default)]
struct Pipe {
    inbound: Option<Vec<u8>>,
    outbound: VecDeque<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.inbound.take().ok_or(io::ErrorKind::WouldBlock)?;
        datagram.as_slice().read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outbound.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
