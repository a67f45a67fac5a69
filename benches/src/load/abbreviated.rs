//! A board's side of the abbreviated handshake, written for its price: two hellos, one flight to
//! check, one to send. Whatever it does not expect is a failure; it knows no full handshake.
//!
//! Invariant: no clock and no socket is reachable from here.

use actors::link::cipher::{DirectionKey, Suite};
use actors::link::keys::{self, prf_sha256};
use actors::link::record::{ContentType, Record, VERSION_1_2, records, write_plaintext};
use sha2::{Digest, Sha256};

use super::client::{ConnectionIds, Established, Resumption};

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
const FINISHED: u8 = 20;
const HEADER_LEN: usize = 12;
const FINISHED_LEN: usize = HEADER_LEN + 12;
const CONNECTION_ID: [u8; 2] = [0, 54];

/// What the hub's datagram came to.
#[derive(Debug)]
pub enum Step {
    /// Send this, and wait for an answer to it.
    Send(Vec<u8>),
    /// Send this; the session is there.
    Done(Vec<u8>, Box<Established>),
    /// Nothing that belongs to this handshake.
    Nothing,
    /// The hub does not resume, or not as it should.
    Failed,
}

/// One abbreviated handshake.
#[derive(Debug)]
pub struct Abbreviated {
    resumption: Resumption,
    suite: Suite,
    ids: ConnectionIds,
    random: [u8; 32],
    /// The hello with its cookie, once there is one.
    hello: Option<Vec<u8>>,
}

impl Abbreviated {
    /// Begins one with a new `random`; the first datagram is [`Abbreviated::hello`].
    #[must_use]
    pub fn new(resumption: Resumption, suite: Suite, ids: ConnectionIds, random: [u8; 32]) -> Self {
        Self { resumption, suite, ids, random, hello: None }
    }

    /// The hello to send at first, and to repeat while nothing comes.
    #[must_use]
    pub fn hello(&self) -> Vec<u8> {
        let (sequence, message) = match &self.hello {
            Some(message) => (1, message.clone()),
            None => (0, self.message(0, &[])),
        };
        plain(sequence, &message)
    }

    /// Takes a datagram of the hub.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Step {
        let mut parts = records(datagram, 0).map_while(Result::ok);
        let Some(first) = parts.next() else { return Step::Nothing };
        if first.content_type != ContentType::Handshake || first.epoch != 0 {
            return Step::Nothing;
        }
        match (first.fragment.first(), &self.hello) {
            (Some(&HELLO_VERIFY_REQUEST), None) => {
                let Some(cookie) = first.fragment.get(HEADER_LEN + 3..) else {
                    return Step::Failed;
                };
                self.hello = Some(self.message(1, cookie));
                Step::Send(self.hello())
            }
            (Some(&SERVER_HELLO), Some(hello)) => {
                let finished = parts.find(|record| record.epoch == 1);
                let done = finished.and_then(|record| self.finish(hello, first.fragment, &record));
                done.unwrap_or(Step::Failed)
            }
            _ => Step::Nothing,
        }
    }

    fn finish(&self, hello: &[u8], server_hello: &[u8], finished: &Record<'_>) -> Option<Step> {
        let (_, body) = server_hello.split_at_checked(HEADER_LEN + 2)?;
        let (server_random, rest) = body.split_first_chunk::<32>()?;
        let (&[length], rest) = rest.split_first_chunk::<1>()?;
        let (session_id, rest) = rest.split_at_checked(usize::from(length))?;
        let (suite, rest) = rest.split_first_chunk::<2>()?;
        let (_, extensions) = rest.split_at_checked(3)?;
        if session_id != self.resumption.session_id || *suite != self.suite.iana().to_be_bytes() {
            return None;
        }
        let cid = connection_id(extensions);
        let master = &self.resumption.master;
        let (write, read) = keys::derive(self.suite, master, &self.random, server_random);

        let mut transcript = Sha256::new();
        transcript.update(hello);
        transcript.update(server_hello);
        let mut told = Vec::with_capacity(FINISHED_LEN);
        read.open(finished, &mut told).ok()?;
        if told != verified(&master[..], b"server finished", transcript.clone()) {
            return None;
        }
        transcript.update(&told);
        let ours = verified(&master[..], b"client finished", transcript);
        let mut last = Vec::with_capacity(128);
        write_plaintext(ContentType::ChangeCipherSpec, 2, &[1], &mut last).ok()?;
        seal(&write, cid, &ours, &mut last)?;
        let cid = cid.to_vec();
        let resumption = Some(self.resumption.clone());
        let established =
            Established { read, write, next_sequence: 1, cid, resumption, received: Vec::new() };
        Some(Step::Done(last, Box::new(established)))
    }

    /// The ClientHello message, with what a board's modem puts into it.
    fn message(&self, message_seq: u8, cookie: &[u8]) -> Vec<u8> {
        const P256_AND_ECDSA: [u8; 24] = [
            0, 10, 0, 4, 0, 2, 0, 23, // supported_groups
            0, 11, 0, 2, 1, 0, // ec_point_formats
            0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms
            0, 23, // extended_master_secret, without its length
        ];
        const NO_ID: [u8; 5] = [0, 54, 0, 1, 0];
        const SCSV: [u8; 2] = [0, 0xFF];
        let [cookie_len, id_len] = [cookie.len(), self.resumption.session_id.len()]
            .map(|length| u8::try_from(length).unwrap_or(0));
        let mut extensions = [&P256_AND_ECDSA[..], &[0, 0]].concat();
        if self.ids == ConnectionIds::Offered {
            extensions.extend(NO_ID);
        }
        let body = [
            &VERSION_1_2.to_be_bytes()[..],
            &self.random,
            &[id_len],
            &self.resumption.session_id,
            &[cookie_len],
            cookie,
            &[0, 4],
            &self.suite.iana().to_be_bytes(),
            &SCSV,
            &[1, 0],
            &u16::try_from(extensions.len()).unwrap_or(0).to_be_bytes(),
            &extensions,
        ]
        .concat();
        let length = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
        [&header(CLIENT_HELLO, message_seq, length)[..], &body].concat()
    }
}

/// The id the hub wants on our records; empty for none.
fn connection_id(mut extensions: &[u8]) -> &[u8] {
    while let Some((&[k0, k1, l0, l1], rest)) = extensions.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        if [k0, k1] == CONNECTION_ID {
            return body.get(1..).unwrap_or_default();
        }
        extensions = rest;
    }
    &[]
}

fn verified(master: &[u8], label: &[u8], transcript: Sha256) -> Vec<u8> {
    let mut message = header(FINISHED, 2, [0, 12]).to_vec();
    let mut verify_data = [0; 12];
    prf_sha256(master, label, &transcript.finalize(), &mut verify_data);
    message.extend(verify_data);
    message
}

fn seal(write: &DirectionKey, cid: &[u8], message: &[u8], out: &mut Vec<u8>) -> Option<()> {
    write.seal(ContentType::Handshake, 1, 0, cid, message, out).ok()
}

fn plain(sequence: u64, message: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(message.len() + 16);
    // A hello is far shorter than a record may be.
    let _ = write_plaintext(ContentType::Handshake, sequence, message, &mut datagram);
    datagram
}

const fn header(kind: u8, message_seq: u8, [l0, l1]: [u8; 2]) -> [u8; HEADER_LEN] {
    [kind, 0, l0, l1, 0, message_seq, 0, 0, 0, 0, l0, l1]
}
