//! One DTLS 1.2 handshake from the hub's side: OpenSSL in memory, alive only while it lasts.
//!
//! It begins where the stateless front door ends, at a ClientHello whose cookie has verified, and ends
//! with the keys of an [`Established`] association. The client drives: whatever it repeats is answered
//! by the same flight again, under new record sequence numbers (RFC 6347 4.2.4).
//! Connection IDs (RFC 9146) are negotiated by a custom extension inside OpenSSL's transcript; the two
//! Finished records that already carry one are re-framed here, because OpenSSL knows none.
//! Invariant: no clock, socket, store or actor is reachable from here but through [`Admission`].

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    ErrorCode, ExtensionContext, Ssl, SslAlert, SslContext, SslMethod, SslOptions, SslRef,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509StoreContext, X509StoreContextRef, X509VerifyResult};

use crate::admission::{Admission, Admitted};
use crate::link::association::FinalFlight;
use crate::link::cipher::{DirectionKey, Suite};
use crate::link::connection_id::{self, ConnectionId};
use crate::link::cookie::COOKIE_LEN;
use crate::link::hello;
use crate::link::keys;
use crate::link::record::{self, ContentType, Record};
use crate::link::window::ReplayWindow;
use crate::refusal::Refusal;

/// Everything one handshake may receive, in bytes; a certificate chain of a board is far below.
const RECEIVED_MAX: usize = 32 * 1024;
const CONNECTION_ID_EXTENSION: u16 = 54;
const CLIENT_HELLO: u8 = 1;
const MASTER_SECRET_LENGTH: usize = 48;
const RANDOM_LENGTH: usize = 32;

/// What every handshake shares: the hub's certificate and key, the tenants' authorities, admission.
pub struct Profile {
    context: SslContext,
    exchange: Index<Ssl, Mutex<Exchange>>,
    mtu: u16,
}

/// One handshake's facts that OpenSSL's callbacks write and read.
struct Exchange {
    cookie: [u8; COOKIE_LEN],
    ours: ConnectionId,
    theirs: Option<Box<[u8]>>,
    verdict: Option<Result<Admitted, Refusal>>,
}

/// How a handshake stands after a datagram.
#[derive(Debug)]
pub enum Progress {
    /// More is to come.
    Pending,
    /// Both Finished messages are exchanged; the engine can be dropped.
    Established(Box<Established>),
    /// It is over; an alert, if one is due, waits in [`Engine::poll_datagram`].
    Refused(Refusal),
}

/// What a finished handshake leaves behind.
#[derive(Debug)]
pub struct Established {
    /// Who the peer is.
    pub admitted: Admitted,
    /// Opens what the board sends.
    pub read: DirectionKey,
    /// Seals what the hub sends.
    pub write: DirectionKey,
    /// The Connection ID the board must use, if negotiated.
    pub read_cid: Option<ConnectionId>,
    /// The Connection ID the hub must use; empty for ordinary records.
    pub write_cid: Box<[u8]>,
    /// The board's sequence numbers seen in epoch 1.
    pub window: ReplayWindow,
    /// The next sequence number to write in epoch 1.
    pub write_sequence: u64,
    /// What a repeated Finished of the board is answered with.
    pub final_flight: FinalFlight,
    /// The datagrams of that flight, to be sent now.
    pub datagrams: Vec<Vec<u8>>,
}

impl Profile {
    /// A profile from the hub's `certificate` and `key`, trusting `authorities` to issue boards'
    /// certificates; datagrams stay within `mtu` bytes of UDP payload.
    ///
    /// # Errors
    /// OpenSSL's, where a certificate and key do not match or a part is not supported.
    pub fn new(
        certificate: &X509,
        key: &PKey<Private>,
        authorities: &[X509],
        admission: Arc<dyn Admission>,
        mtu: u16,
    ) -> Result<Arc<Self>, ErrorStack> {
        let exchange = Ssl::new_ex_index::<Mutex<Exchange>>()?;
        let mut builder = SslContext::builder(SslMethod::dtls_server())?;
        builder.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        builder.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
        // CCM-8 is below OpenSSL's default level; the lists here say all that is allowed.
        builder.set_security_level(0);
        builder.set_cipher_list(
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-CCM8",
        )?;
        builder.set_groups_list("P-256")?;
        builder.set_sigalgs_list("ECDSA+SHA256")?;
        builder.set_options(
            SslOptions::COOKIE_EXCHANGE
                | SslOptions::NO_QUERY_MTU
                | SslOptions::NO_RENEGOTIATION
                | SslOptions::NO_TICKET
                | SslOptions::CIPHER_SERVER_PREFERENCE,
        );
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        builder.set_certificate(certificate)?;
        builder.set_private_key(key)?;
        builder.check_private_key()?;

        let mut trusted = X509StoreBuilder::new()?;
        for authority in authorities {
            trusted.add_cert(authority.clone())?;
        }
        builder.set_cert_store(trusted.build());
        // A tenant's authority is an anchor itself: one signature to verify, not the whole chain.
        builder.verify_param_mut().set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
        builder.set_verify_depth(2);
        let ssl_index = X509StoreContext::ssl_idx()?;
        builder.set_verify_callback(
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            move |verified, chain| {
                let verdict = judge(verified, chain, admission.as_ref());
                let refused = verdict.as_ref().is_some_and(Result::is_err);
                if let Some(verdict) = verdict {
                    let Some(ssl) = chain.ex_data(ssl_index) else { return false };
                    let Some(shared) = ssl.ex_data(exchange) else { return false };
                    locked(shared).verdict = Some(verdict);
                }
                if refused && verified {
                    chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
                }
                !refused
            },
        );

        builder.set_cookie_generate_cb(move |ssl, out| {
            let Some(shared) = ssl.ex_data(exchange) else { return Err(ErrorStack::get()) };
            let cookie = locked(shared).cookie;
            match out.get_mut(..COOKIE_LEN) {
                Some(place) => {
                    place.copy_from_slice(&cookie);
                    Ok(COOKIE_LEN)
                }
                None => Err(ErrorStack::get()),
            }
        });
        // The front door has verified it before this engine existed.
        builder.set_cookie_verify_cb(|_, _| true);

        builder.add_custom_ext(
            CONNECTION_ID_EXTENSION,
            ExtensionContext::CLIENT_HELLO | ExtensionContext::TLS1_2_SERVER_HELLO,
            move |ssl, _, _| Ok(offered_id(ssl, exchange)),
            move |ssl, _, bytes, _| accept_id(ssl, exchange, bytes),
        )?;
        Ok(Arc::new(Self { context: builder.build(), exchange, mtu }))
    }

    fn stream(&self, exchange: Exchange) -> Result<SslStream<Pipe>, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        ssl.set_ex_data(self.exchange, Mutex::new(exchange));
        ssl.set_accept_state();
        ssl.set_mtu(u32::from(self.mtu))?;
        SslStream::new(ssl, Pipe::default())
    }
}

fn locked(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Our id as the extension's body: a length octet, then the id.
fn offered_id(ssl: &SslRef, exchange: Index<Ssl, Mutex<Exchange>>) -> Option<Vec<u8>> {
    let exchange = locked(ssl.ex_data(exchange)?);
    exchange.theirs.as_ref()?;
    let id = exchange.ours;
    let mut body = vec![u8::try_from(connection_id::LENGTH).ok()?];
    body.extend_from_slice(id.as_bytes());
    Some(body)
}

fn accept_id(
    ssl: &SslRef,
    exchange: Index<Ssl, Mutex<Exchange>>,
    body: &[u8],
) -> Result<(), SslAlert> {
    let Some((&length, id)) = body.split_first() else { return Err(SslAlert::DECODE_ERROR) };
    if usize::from(length) != id.len() {
        return Err(SslAlert::DECODE_ERROR);
    }
    let Some(exchange) = ssl.ex_data(exchange) else { return Err(SslAlert::INTERNAL_ERROR) };
    locked(exchange).theirs = Some(id.into());
    Ok(())
}

/// The verdict on the certificate at hand; `None` while OpenSSL is still on its way to the leaf.
fn judge(
    verified: bool,
    chain: &mut X509StoreContextRef,
    admission: &dyn Admission,
) -> Option<Result<Admitted, Refusal>> {
    if !verified {
        return Some(Err(Refusal::from_verdict(chain.error())));
    }
    if chain.error_depth() != 0 {
        return None;
    }
    let admitted = (|| {
        let certificates = chain.chain().ok_or(Refusal::Internal)?;
        let leaf = certificates.get(0).ok_or(Refusal::NoCertificate)?;
        let issuer = certificates.get(1).ok_or(Refusal::UnknownAuthority)?;
        let leaf = leaf.to_der().map_err(|_| Refusal::UnsupportedCertificate)?;
        let issuer = issuer.to_der().map_err(|_| Refusal::UnsupportedCertificate)?;
        admission.admit(&leaf, &issuer)
    })();
    Some(admitted)
}

/// One handshake in progress.
pub struct Engine {
    stream: SslStream<Pipe>,
    profile: Arc<Profile>,
    suite: Suite,
    keys: Option<KeyPair>,
    flight: Vec<Vec<u8>>,
    outbox: VecDeque<Vec<u8>>,
    next_sequence: u64,
    received: usize,
    peer_alert: bool,
}

struct KeyPair {
    client: DirectionKey,
    server: DirectionKey,
}

impl Engine {
    /// Takes the whole ClientHello handshake `message` whose `cookie` the front door has verified;
    /// `record_sequence` is its record's, `ours` the Connection ID the session would get.
    ///
    /// # Errors
    /// The reason there is nothing to negotiate; the alert, if one is due, waits in
    /// [`Engine::poll_datagram`].
    pub fn begin(
        profile: &Arc<Profile>,
        message: &[u8],
        record_sequence: u64,
        cookie: [u8; COOKIE_LEN],
        ours: ConnectionId,
    ) -> Result<Self, (Option<Box<Self>>, Refusal)> {
        let exchange = Exchange { cookie, ours, theirs: None, verdict: None };
        let stream = profile.stream(exchange).map_err(|_| (None, Refusal::Internal))?;
        let mut engine = Self {
            stream,
            profile: Arc::clone(profile),
            // Until the ServerHello says.
            suite: Suite::EcdheEcdsaAes128GcmSha256,
            keys: None,
            flight: Vec::new(),
            outbox: VecDeque::new(),
            // Above the sequence of every HelloVerifyRequest, which echoed an earlier hello's.
            next_sequence: record_sequence,
            received: 0,
            peer_alert: false,
        };
        match engine.take_hello(message) {
            Ok(()) => Ok(engine),
            Err(refusal) => {
                engine.refuse(refusal);
                Err((Some(Box::new(engine)), refusal))
            }
        }
    }

    fn take_hello(&mut self, message: &[u8]) -> Result<(), Refusal> {
        // OpenSSL asks for the cookie itself: it gets the hello without, then the real one.
        let without = hello::without_cookie(message, 1).map_err(|_| Refusal::Protocol)?;
        self.feed(without)?;
        self.stream.get_mut().outbound.clear();
        let mut hello = Vec::with_capacity(message.len() + record::HEADER_LEN);
        record::write_plaintext(ContentType::Handshake, 1, message, &mut hello)
            .map_err(|_| Refusal::Protocol)?;
        self.feed(hello)?;
        self.flight = std::mem::take(&mut self.stream.get_mut().outbound);
        self.suite = chosen_suite(&self.flight).ok_or(Refusal::Internal)?;
        self.send_flight();
        Ok(())
    }

    /// Sends the last flight again: the client repeated its own.
    pub fn send_flight(&mut self) {
        for datagram in &mut self.flight {
            renumber(datagram, &mut self.next_sequence);
            self.outbox.push_back(datagram.clone());
        }
    }

    /// Takes one datagram from the peer.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Progress {
        self.received = self.received.saturating_add(datagram.len());
        if self.received > RECEIVED_MAX {
            return self.refuse(Refusal::Protocol);
        }
        for record in record::records(datagram, connection_id::LENGTH) {
            let Ok(record) = record else { break };
            match self.handle_record(&record) {
                Ok(None) => {}
                Ok(Some(established)) => return Progress::Established(established),
                Err(refusal) => return self.refuse(refusal),
            }
        }
        Progress::Pending
    }

    /// The next datagram to send, if any.
    pub fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop_front()
    }

    /// Why this handshake came to nothing, where its time ran out.
    #[must_use]
    pub fn expired(&self) -> Refusal {
        if self.peer_alert { Refusal::PeerAlert } else { Refusal::TimedOut }
    }

    fn handle_record(&mut self, record: &Record<'_>) -> Result<Option<Box<Established>>, Refusal> {
        match (record.epoch, record.content_type) {
            (0, ContentType::Handshake) if record.fragment.first() == Some(&CLIENT_HELLO) => {
                return Ok(None); // a repeated one is the front door's and the handshaker's concern
            }
            (0, ContentType::Handshake | ContentType::ChangeCipherSpec) => {
                self.feed(record.bytes.to_vec())?;
            }
            (0, ContentType::Alert) => {
                // Anybody can forge it: it is remembered as a reason, and ends nothing.
                self.peer_alert = true;
                return Ok(None);
            }
            (1, ContentType::Handshake) if !self.uses_connection_id() => {
                self.feed(record.bytes.to_vec())?;
            }
            (1, ContentType::ConnectionId) if self.uses_connection_id() => {
                let Some(ordinary) = self.reframe_incoming(record) else { return Ok(None) };
                self.feed(ordinary)?;
            }
            _ => return Ok(None),
        }
        if self.stream.ssl().is_init_finished() {
            return self.finish(record.sequence).map(Some);
        }
        self.derive_keys()?;
        // OpenSSL's own timer may have repeated the flight: ours repeats on the client's demand.
        self.stream.get_mut().outbound.clear();
        Ok(None)
    }

    /// Gives OpenSSL one record and lets it go as far as it can.
    fn feed(&mut self, record: Vec<u8>) -> Result<(), Refusal> {
        self.stream.get_mut().inbound = Some(record);
        match self.stream.accept() {
            Ok(()) => Ok(()),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(()),
            Err(error) => Err(self.reason(error.ssl_error())),
        }
    }

    fn reason(&self, errors: Option<&ErrorStack>) -> Refusal {
        let exchange = self.stream.ssl().ex_data(self.profile.exchange);
        if let Some(Err(refusal)) = exchange.and_then(|e| locked(e).verdict.clone()) {
            return refusal;
        }
        let codes = errors.map(ErrorStack::errors).unwrap_or_default();
        // Values of SSL_R_*, sslerr.h.
        codes
            .iter()
            .find_map(|error| match error.reason_code() {
                193 | 295 | 376 | 101 | 258 => Some(Refusal::NothingInCommon),
                199 => Some(Refusal::NoCertificate),
                123 => Some(Refusal::BadSignature),
                149 => Some(Refusal::BadFinished),
                162 | 378 => Some(Refusal::UnsupportedCertificate),
                _ => None,
            })
            .unwrap_or(Refusal::Protocol)
    }

    fn refuse(&mut self, refusal: Refusal) -> Progress {
        self.outbox.clear();
        if let Some(description) = refusal.alert() {
            const FATAL: u8 = 2;
            let mut datagram = Vec::new();
            let alert = [FATAL, description];
            let sequence = self.next_sequence;
            if record::write_plaintext(ContentType::Alert, sequence, &alert, &mut datagram).is_ok() {
                self.outbox.push_back(datagram);
            }
        }
        Progress::Refused(refusal)
    }

    fn uses_connection_id(&self) -> bool {
        self.stream
            .ssl()
            .ex_data(self.profile.exchange)
            .is_some_and(|exchange| locked(exchange).theirs.is_some())
    }

    /// As soon as the master secret exists, so that a Finished with a Connection ID can be read.
    fn derive_keys(&mut self) -> Result<(), Refusal> {
        if self.keys.is_some() {
            return Ok(());
        }
        let ssl = self.stream.ssl();
        let Some(session) = ssl.session() else { return Ok(()) };
        if session.master_key_len() != MASTER_SECRET_LENGTH {
            return Ok(());
        }
        let mut master = zeroize::Zeroizing::new([0; MASTER_SECRET_LENGTH]);
        session.master_key(master.as_mut());
        let (mut client, mut server) = ([0; RANDOM_LENGTH], [0; RANDOM_LENGTH]);
        ssl.client_random(&mut client);
        ssl.server_random(&mut server);
        let (client, server) = keys::derive(self.suite, &master, &client, &server);
        self.keys = Some(KeyPair { client, server });
        Ok(())
    }

    /// The client's `tls12_cid` Finished as the ordinary record OpenSSL expects.
    fn reframe_incoming(&self, record: &Record<'_>) -> Option<Vec<u8>> {
        let keys = self.keys.as_ref()?;
        let mut plaintext = Vec::new();
        let content_type = keys.client.open(record, &mut plaintext).ok()?;
        let mut ordinary = Vec::new();
        keys.client.seal(content_type, 1, record.sequence, &[], &plaintext, &mut ordinary).ok()?;
        Some(ordinary)
    }

    /// Both sides are done: takes the final flight apart and the association's state out of OpenSSL.
    fn finish(&mut self, finished_sequence: u64) -> Result<Box<Established>, Refusal> {
        self.derive_keys()?;
        let KeyPair { client, server } = self.keys.take().ok_or(Refusal::Internal)?;
        let (admitted, ours, theirs) = {
            let exchange =
                self.stream.ssl().ex_data(self.profile.exchange).ok_or(Refusal::Internal)?;
            let mut exchange = locked(exchange);
            let Some(Ok(admitted)) = exchange.verdict.take() else {
                return Err(Refusal::NoCertificate);
            };
            (admitted, exchange.ours, exchange.theirs.take())
        };
        let write_cid: Box<[u8]> = theirs.clone().unwrap_or_default();
        let mut write_sequence = 0;
        let mut finished = Vec::new();
        let mut datagrams = Vec::new();
        for mut sent in std::mem::take(&mut self.stream.get_mut().outbound) {
            renumber(&mut sent, &mut self.next_sequence);
            let mut datagram = Vec::with_capacity(sent.len() + write_cid.len() + 1);
            for record in record::records(&sent, 0) {
                let record = record.map_err(|_| Refusal::Internal)?;
                if record.epoch == 0 {
                    datagram.extend_from_slice(record.bytes);
                    continue;
                }
                server.open(&record, &mut finished).map_err(|_| Refusal::Internal)?;
                write_sequence = record.sequence.saturating_add(1);
                let number = record.sequence;
                server
                    .seal(ContentType::Handshake, 1, number, &write_cid, &finished, &mut datagram)
                    .map_err(|_| Refusal::Internal)?;
            }
            datagrams.push(datagram);
        }
        let mut window = ReplayWindow::default();
        window.accept(finished_sequence);
        Ok(Box::new(Established {
            admitted,
            read: client,
            write: server,
            read_cid: theirs.is_some().then_some(ours),
            write_cid,
            window,
            write_sequence,
            final_flight: FinalFlight::new(finished, self.next_sequence),
            datagrams,
        }))
    }
}

/// The cipher suite of the ServerHello that begins `flight` (RFC 5246 7.4.1.3): OpenSSL tells it only
/// when its own cipher changes, and a Finished with a Connection ID has to be read before.
fn chosen_suite(flight: &[Vec<u8>]) -> Option<Suite> {
    const HANDSHAKE_HEADER_AND_VERSION: usize = 14;
    let record = record::records(flight.first()?, 0).next()?.ok()?;
    let session_id = record.fragment.get(HANDSHAKE_HEADER_AND_VERSION + RANDOM_LENGTH..)?;
    let (&length, rest) = session_id.split_first()?;
    let number = rest.get(usize::from(length)..)?.first_chunk::<2>()?;
    Suite::from_iana(u16::from_be_bytes(*number))
}

/// Gives every epoch-0 record of `datagram` the next sequence number: no repetition of a flight may
/// look like a replay, and OpenSSL's own numbers do not know what the front door has sent.
fn renumber(datagram: &mut [u8], next: &mut u64) {
    const EPOCH: std::ops::Range<usize> = 3..5;
    const SEQUENCE: std::ops::Range<usize> = 5..11;
    const LENGTH: std::ops::Range<usize> = 11..13;
    let mut rest = datagram;
    while let Some(length) = rest.get(LENGTH) {
        let length = length.iter().fold(0, |n, byte| (n << 8) | usize::from(*byte));
        if rest.get(EPOCH) == Some(&[0, 0])
            && let (Some(place), [_, _, number @ ..]) =
                (rest.get_mut(SEQUENCE), next.to_be_bytes())
        {
            place.copy_from_slice(&number);
            *next = next.saturating_add(1);
        }
        let Some((_, following)) = rest.split_at_mut_checked(record::HEADER_LEN + length) else {
            return;
        };
        rest = following;
    }
}

/// OpenSSL's two ends of the wire: at most one record to read, every datagram written.
#[derive(Debug, Default)]
struct Pipe {
    inbound: Option<Vec<u8>>,
    outbound: Vec<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(datagram) = self.inbound.take() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let length = datagram.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), datagram.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outbound.push(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
