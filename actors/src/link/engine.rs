//! One DTLS 1.2 handshake from the hub's side: OpenSSL in memory, alive only while it lasts.
//!
//! It begins where the stateless front door ends, at a ClientHello whose cookie has verified, and ends
//! with the keys of an [`Established`] association. The client drives: whatever it repeats is answered
//! by the same flight again, under new record sequence numbers (RFC 6347 4.2.4). The two Finished
//! records that already carry a Connection ID (RFC 9146) are re-framed here: OpenSSL knows none.
//! Invariant: no clock, socket, store or actor is reachable from here but through admission.

use std::collections::VecDeque;
use std::sync::Arc;

use openssl::error::{Error, ErrorStack};
use openssl::ssl::{ErrorCode, SslRef, SslStream};
use storage::BoardId;
use zeroize::Zeroizing;

use crate::link::cipher::{DirectionKey, Suite};
use crate::link::connection_id::{self, ConnectionId};
use crate::link::cookie::COOKIE_LEN;
use crate::link::established::{Established, FinalFlight};
use crate::link::hello;
use crate::link::keys;
use crate::link::profile::{Pipe, Profile};
use crate::link::record::{self, ContentType, Record};
use crate::link::resumptions::Resumption;
use crate::link::window::ReplayWindow;
use crate::refusal::Refusal;

/// Everything one handshake may receive, in bytes; a certificate chain of a board is far below.
const RECEIVED_MAX: usize = 32 * 1024;
/// The longest message of a handshake that is taken: OpenSSL sets aside at once what a first fragment
/// says is coming.
const MESSAGE_MAX: usize = 8 * 1024;
/// How often the hub's flight is sent: DTLS timers double, and nobody waits for more.
const FLIGHTS_MAX: u8 = 16;
/// Values of `ERR_LIB_*`, err.h.
const ERR_LIB_ASN1: i32 = 13;
const ERR_LIB_SSL: i32 = 20;
const CLIENT_HELLO: u8 = 1;
const CERTIFICATE: u8 = 11;
const MASTER_SECRET_LENGTH: usize = 48;
const RANDOM_LENGTH: usize = 32;

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
    flights: u8,
    /// The newest record of epoch 1 that OpenSSL was given.
    newest_protected: Option<u64>,
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
        let stream = profile.stream(cookie, ours).map_err(|_| (None, Refusal::Internal))?;
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
            flights: 0,
            newest_protected: None,
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

    /// Sends the last flight again: the client repeated its own. A client that repeats itself more
    /// often than any patience explains is not answered any more.
    pub fn send_flight(&mut self) {
        if self.flights >= FLIGHTS_MAX {
            return;
        }
        self.flights += 1;
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

    /// The board that a refused certificate names, where it could be read.
    #[must_use]
    pub fn claimed(&self) -> Option<BoardId> {
        self.profile.claimed(self.stream.ssl())
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
            (0, ContentType::Handshake) => {
                within_bounds(record.fragment)?;
                self.feed(record.bytes.to_vec())?;
            }
            (0, ContentType::ChangeCipherSpec) => self.feed(record.bytes.to_vec())?,
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
        if record.epoch == 1 {
            self.newest_protected = self.newest_protected.max(Some(record.sequence));
        }
        if self.stream.ssl().is_init_finished() {
            return self.finish().map(Some);
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
        if let Some(refusal) = self.profile.refusal(self.stream.ssl()) {
            return refusal;
        }
        let codes = errors.map(ErrorStack::errors).unwrap_or_default();
        let of_tls = codes.iter().filter(|error| error.library_code() == ERR_LIB_SSL);
        // Values of SSL_R_*, sslerr.h.
        let known = of_tls.map(Error::reason_code).find_map(|reason| match reason {
            193 | 295 | 376 | 101 | 258 => Some(Refusal::NothingInCommon),
            199 => Some(Refusal::NoCertificate),
            123 => Some(Refusal::BadSignature),
            149 => Some(Refusal::BadFinished),
            135 | 162 | 378 => Some(Refusal::UnsupportedCertificate),
            _ => None,
        });
        // Of all that a client sends, certificates and signatures alone are ASN.1.
        let is_asn1 = |error: &Error| error.library_code() == ERR_LIB_ASN1;
        match known {
            Some(refusal) => refusal,
            None if codes.iter().any(is_asn1) => Refusal::UnsupportedCertificate,
            None => Refusal::Protocol,
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Progress {
        self.outbox.clear();
        self.outbox.extend(alert(refusal, self.next_sequence));
        Progress::Refused(refusal)
    }

    fn uses_connection_id(&self) -> bool {
        self.profile.has_connection_id(self.stream.ssl())
    }

    /// As soon as the master secret exists, so that a Finished with a Connection ID can be read.
    fn derive_keys(&mut self) -> Result<(), Refusal> {
        if self.keys.is_some() {
            return Ok(());
        }
        let ssl = self.stream.ssl();
        let Some(master) = master_secret(ssl) else { return Ok(()) };
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
    fn finish(&mut self) -> Result<Box<Established>, Refusal> {
        self.derive_keys()?;
        let KeyPair { client, server } = self.keys.take().ok_or(Refusal::Internal)?;
        let (admitted, ours, theirs) =
            self.profile.outcome(self.stream.ssl()).ok_or(Refusal::NoCertificate)?;
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
        if let Some(sequence) = self.newest_protected {
            window.accept(sequence);
        }
        Ok(Box::new(Established {
            admitted,
            read: client,
            write: server,
            read_cid: theirs.is_some().then_some(ours),
            write_cid,
            window,
            write_sequence,
            final_flight: Some(FinalFlight { finished, next_plain_sequence: self.next_sequence }),
            datagrams,
            early: Vec::new(),
            offered: None,
            resumption: resumption(self.stream.ssl()),
        }))
    }
}

/// Refuses what is longer than any board's message, by what the fragments' own heads say (RFC 6347
/// 4.2.2). What is cut short is OpenSSL's to refuse.
fn within_bounds(mut fragments: &[u8]) -> Result<(), Refusal> {
    let number = |bytes: [u8; 3]| bytes.iter().fold(0, |n, byte| (n << 8) | usize::from(*byte));
    while let Some((&[kind, a, b, c, _, _, _, _, _, x, y, z], rest)) =
        fragments.split_first_chunk::<12>()
    {
        if number([a, b, c]) > MESSAGE_MAX {
            return Err(match kind {
                CERTIFICATE => Refusal::ChainTooLong,
                _ => Refusal::Protocol,
            });
        }
        fragments = rest.get(number([x, y, z])..).unwrap_or_default();
    }
    Ok(())
}

/// The session's master secret, once it exists.
fn master_secret(ssl: &SslRef) -> Option<Zeroizing<[u8; MASTER_SECRET_LENGTH]>> {
    let session = ssl.session()?;
    let mut master = Zeroizing::new([0; MASTER_SECRET_LENGTH]);
    let exists = session.master_key_len() == MASTER_SECRET_LENGTH;
    exists.then(|| session.master_key(master.as_mut()))?;
    Some(master)
}

/// What the next handshake may begin with. Without the extended master secret a session could be
/// synchronised with another (RFC 7627 1), so then nothing.
fn resumption(ssl: &SslRef) -> Option<Resumption> {
    if ssl.extms_support() != Some(true) {
        return None;
    }
    let session_id = ssl.session()?.id().try_into().ok()?;
    Some(Resumption { session_id, master: master_secret(ssl)?, authenticated: None })
}

/// The datagram that tells a client why it is refused, before there are keys; `None` for silence.
pub(super) fn alert(refusal: Refusal, sequence: u64) -> Option<Vec<u8>> {
    const FATAL: u8 = 2;
    let alert = [FATAL, refusal.alert()?];
    let mut datagram = Vec::new();
    record::write_plaintext(ContentType::Alert, sequence, &alert, &mut datagram).ok()?;
    Some(datagram)
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
            && let (Some(place), [_, _, number @ ..]) = (rest.get_mut(SEQUENCE), next.to_be_bytes())
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
