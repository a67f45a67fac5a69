//! One abbreviated handshake from the hub's side (RFC 5246 7.3, RFC 6347 4.2): the session of an
//! earlier one goes on under new keys, without a certificate and without a signature.
//!
//! ```text
//! board                                        hub
//!   ClientHello (cookie, session id) -------->
//!                                    <-------- ServerHello, ChangeCipherSpec, Finished
//!   ChangeCipherSpec, Finished       -------->
//! ```
//!
//! The board speaks last, and it may send data right behind its Finished. So a lost Finished shows
//! as data before it: the data is kept, and the hub's flight, sent again, makes the board repeat its
//! own (RFC 6347 4.2.4). For a board that waits instead there is a slow timer. Once established the
//! hub has nothing to repeat: an answer to a repeated Finished would go round for ever.
//!
//! ChangeCipherSpec says nothing that a record's epoch does not: the board's may be lost.
//! Invariant: no clock, socket, store or actor is reachable from here, and nothing but a Finished
//! that verifies makes a session.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};
use storage::BoardId;
use subtle::ConstantTimeEq;

use crate::link::cipher::DirectionKey;
use crate::link::connection_id::{self, ConnectionId};
use crate::link::engine::Progress;
use crate::link::established::Established;
use crate::link::keys::{self, prf_sha256};
use crate::link::offer::{
    CONNECTION_ID, EXTENDED_MASTER_SECRET, Offer, RENEGOTIATION_INFO, SESSION_ID_LEN,
};
use crate::link::record::{self, ContentType, Record, VERSION_1_2};
use crate::link::resumptions::{Resumable, Resumption};
use crate::link::window::ReplayWindow;
use crate::refusal::Refusal;

/// How often the hub's flight is sent, whoever asks for it.
const FLIGHTS_MAX: u8 = 16;
/// The first tick at which the flight is repeated unasked (RFC 7925 11: 9 s); then the 16th, 32nd.
const PATIENCE: u32 = 8;
/// Data before the Finished: records kept, and their bytes in all.
const EARLY_MAX: usize = 4;
const EARLY_BYTES_MAX: usize = 4096;

const EPOCH: u16 = 1;
const SERVER_HELLO: u8 = 2;
const FINISHED: u8 = 20;
/// Message numbers: the HelloVerifyRequest had 0, the client's second hello 1.
const SERVER_HELLO_SEQ: u8 = 1;
const FINISHED_SEQ: u8 = 2;
const HEADER_LEN: usize = 12;
const VERIFY_DATA_LEN: usize = 12;
const FINISHED_LEN: usize = HEADER_LEN + VERIFY_DATA_LEN;

/// What the hub brings to an abbreviated handshake.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The Connection ID to hand out, should the client want one.
    pub ours: ConnectionId,
    /// The server random: unpredictable and new, because the keys are new by it.
    pub random: [u8; 32],
    /// The first record sequence of epoch 0: that of the ClientHello's record.
    pub next_plain_sequence: u64,
    /// The largest datagram, in bytes.
    pub mtu: u16,
}

/// One abbreviated handshake in progress.
pub struct Abbreviated {
    resumable: Resumable,
    session_id: [u8; SESSION_ID_LEN],
    read: DirectionKey,
    write: DirectionKey,
    /// Ours and theirs, where Connection IDs were negotiated.
    ids: Option<(ConnectionId, Box<[u8]>)>,
    server_hello: Vec<u8>,
    finished: [u8; FINISHED_LEN],
    /// What the board's Finished has to be.
    expected: [u8; FINISHED_LEN],
    next_plain_sequence: u64,
    next_sequence: u64,
    mtu: usize,
    flights: u8,
    ticks: u32,
    early: Vec<Vec<u8>>,
    peer_alert: bool,
    outbox: VecDeque<Vec<u8>>,
}

impl Abbreviated {
    /// Answers an `offer` that fits `resumable`: its suite is offered, and the extended master secret
    /// (RFC 7627 5.3). The hub's flight waits in [`Abbreviated::poll_datagram`].
    #[must_use]
    pub fn begin(offer: &Offer<'_>, resumable: Resumable, terms: Terms) -> Self {
        let master = &resumable.master;
        let (read, write) = keys::derive(resumable.suite, master, offer.random, &terms.random);
        let server_hello = server_hello(offer, &resumable, &terms);
        let mut transcript = Sha256::new();
        transcript.update(offer.message);
        transcript.update(&server_hello);
        let finished = finished(&master[..], b"server finished", transcript.clone());
        transcript.update(finished);
        let expected = self::finished(&master[..], b"client finished", transcript);
        let mut handshake = Self {
            session_id: *offer.session_id,
            read,
            write,
            ids: offer.connection_id.map(|theirs| (terms.ours, theirs.into())),
            server_hello,
            finished,
            expected,
            next_plain_sequence: terms.next_plain_sequence,
            next_sequence: 0,
            mtu: usize::from(terms.mtu),
            flights: 0,
            ticks: 0,
            early: Vec::new(),
            peer_alert: false,
            outbox: VecDeque::new(),
            resumable,
        };
        handshake.send_flight();
        handshake
    }

    /// Sends the hub's flight again, under new record sequence numbers; at most [`FLIGHTS_MAX`] times.
    pub fn send_flight(&mut self) {
        if self.flights >= FLIGHTS_MAX {
            return;
        }
        self.flights += 1;
        let mut hello = Vec::with_capacity(256);
        for (kind, message) in [
            (ContentType::Handshake, &self.server_hello[..]),
            (ContentType::ChangeCipherSpec, &[1]),
        ] {
            let written =
                record::write_plaintext(kind, self.next_plain_sequence, message, &mut hello);
            debug_assert!(written.is_ok(), "a message of ours always fits");
            self.next_plain_sequence = self.next_plain_sequence.saturating_add(1);
        }
        let mut finished = Vec::with_capacity(128);
        self.seal(ContentType::Handshake, &self.finished.clone(), &mut finished);
        if hello.len() + finished.len() <= self.mtu {
            hello.append(&mut finished);
        }
        self.outbox.push_back(hello);
        if !finished.is_empty() {
            self.outbox.push_back(finished);
        }
    }

    /// A second has passed.
    pub fn handle_tick(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
        if self.ticks >= PATIENCE && self.ticks.is_power_of_two() {
            self.send_flight();
        }
    }

    /// Takes one datagram from the peer.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Progress {
        let mut finished = None;
        let early_before = self.early.len();
        for record in record::records(datagram, connection_id::LENGTH).map_while(Result::ok) {
            match self.handle_record(&record) {
                Ok(None) => {}
                Ok(Some(sequence)) => finished = Some(sequence),
                Err(refusal) => return self.refuse(refusal),
            }
        }
        match finished {
            Some(sequence) => Progress::Established(Box::new(self.established(sequence))),
            None => {
                if self.early.len() > early_before {
                    self.send_flight();
                }
                Progress::Pending
            }
        }
    }

    /// The board whose session the client asks for; proven only by its Finished.
    #[must_use]
    pub const fn board(&self) -> &BoardId {
        &self.resumable.admitted.board
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

    /// The sequence number of the board's Finished, if this record was it.
    fn handle_record(&mut self, record: &Record<'_>) -> Result<Option<u64>, Refusal> {
        let ours = self.ids.as_ref().map_or(&[][..], |(ours, _)| ours.as_bytes());
        if record.epoch != EPOCH || record.cid != ours {
            // Anybody can forge an alert of epoch 0: it is remembered as a reason, and ends nothing.
            self.peer_alert |= record.epoch == 0 && record.content_type == ContentType::Alert;
            return Ok(None);
        }
        let mut plaintext = Vec::with_capacity(record.fragment.len());
        match self.read.open(record, &mut plaintext) {
            Ok(ContentType::Handshake) if plaintext.len() == FINISHED_LEN => {
                if bool::from(plaintext.ct_eq(&self.expected)) {
                    Ok(Some(record.sequence))
                } else {
                    Err(Refusal::BadFinished)
                }
            }
            Ok(ContentType::ApplicationData) => {
                self.keep(record);
                Ok(None)
            }
            Ok(ContentType::Alert) => {
                self.peer_alert = true;
                Ok(None)
            }
            Ok(
                ContentType::Handshake | ContentType::ChangeCipherSpec | ContentType::ConnectionId,
            )
            | Err(_) => Ok(None),
        }
    }

    /// Keeps a record of data, still sealed, for the session to be.
    fn keep(&mut self, record: &Record<'_>) {
        let kept: usize = self.early.iter().map(Vec::len).sum();
        if self.early.len() < EARLY_MAX && kept + record.bytes.len() <= EARLY_BYTES_MAX {
            self.early.push(record.bytes.to_vec());
        }
    }

    fn established(&mut self, sequence: u64) -> Established {
        let mut window = ReplayWindow::new();
        window.accept(sequence);
        let (read_cid, write_cid) = self.ids.take().unzip();
        Established {
            admitted: self.resumable.admitted.clone(),
            read: self.read.clone(),
            write: self.write.clone(),
            read_cid,
            write_cid: write_cid.unwrap_or_default(),
            window,
            write_sequence: self.next_sequence,
            final_flight: None,
            datagrams: Vec::new(),
            early: std::mem::take(&mut self.early),
            offered: None,
            resumption: Some(Resumption {
                session_id: self.session_id,
                master: self.resumable.master.clone(),
                authenticated: Some(self.resumable.authenticated),
            }),
        }
    }

    /// Ends it with an alert, under the new keys: the hub has announced them (RFC 5246 7.1).
    fn refuse(&mut self, refusal: Refusal) -> Progress {
        const FATAL: u8 = 2;
        self.outbox.clear();
        if let Some(description) = refusal.alert() {
            let mut datagram = Vec::new();
            self.seal(ContentType::Alert, &[FATAL, description], &mut datagram);
            self.outbox.push_back(datagram);
        }
        Progress::Refused(refusal)
    }

    fn seal(&mut self, content_type: ContentType, plaintext: &[u8], datagram: &mut Vec<u8>) {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.saturating_add(1);
        let cid = self.ids.as_ref().map_or(&[][..], |(_, theirs)| theirs);
        let sealed = self.write.seal(content_type, EPOCH, sequence, cid, plaintext, datagram);
        debug_assert!(sealed.is_ok(), "a record of ours always fits");
    }
}

/// The ServerHello message: the same session, with the extensions that were asked for.
fn server_hello(offer: &Offer<'_>, resumable: &Resumable, terms: &Terms) -> Vec<u8> {
    const NO_COMPRESSION: u8 = 0;
    let mut extensions = Vec::with_capacity(32);
    let mut extend = |kind: u16, body: &[u8]| {
        extensions.extend_from_slice(&kind.to_be_bytes());
        extensions.extend_from_slice(&length16(body));
        extensions.extend_from_slice(body);
    };
    extend(EXTENDED_MASTER_SECRET, &[]);
    if offer.renegotiation_info {
        extend(RENEGOTIATION_INFO, &[0]);
    }
    if offer.connection_id.is_some() {
        let id = terms.ours.as_bytes();
        let [_, length] = length16(id);
        extend(CONNECTION_ID, &[&[length], id].concat());
    }
    let [_, id_length] = length16(offer.session_id);
    let body = [
        &VERSION_1_2.to_be_bytes()[..],
        &terms.random,
        &[id_length],
        offer.session_id,
        &resumable.suite.iana().to_be_bytes(),
        &[NO_COMPRESSION],
        &length16(&extensions),
        &extensions,
    ]
    .concat();
    [&header(SERVER_HELLO, SERVER_HELLO_SEQ, length16(&body))[..], &body].concat()
}

/// A Finished message over the `transcript` so far (RFC 5246 7.4.9).
fn finished(master: &[u8], label: &[u8], transcript: Sha256) -> [u8; FINISHED_LEN] {
    const LENGTH: [u8; 2] = [0, 12];
    let mut message = [0; FINISHED_LEN];
    if let Some((head, verify_data)) = message.split_first_chunk_mut::<HEADER_LEN>() {
        *head = header(FINISHED, FINISHED_SEQ, LENGTH);
        prf_sha256(master, label, &transcript.finalize(), verify_data);
    }
    message
}

/// The header of a whole handshake message, as the transcript has it (RFC 6347 4.2.6).
const fn header(kind: u8, message_seq: u8, [l0, l1]: [u8; 2]) -> [u8; HEADER_LEN] {
    [kind, 0, l0, l1, 0, message_seq, 0, 0, 0, 0, l0, l1]
}

/// The length of a vector of ours, none of which is as long as 2^16.
fn length16(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
