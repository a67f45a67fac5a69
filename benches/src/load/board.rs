//! One board of a swarm: keys, ids and at most one request under way (CoAP's NSTART is 1), in as
//! few bytes as a million of them need. Invariant: no clock and no socket is reachable from here.

use std::time::Instant;

use actors::link::cipher::DirectionKey;
use actors::link::connection_id::LENGTH;
use actors::link::record::{ContentType, Record, Unsealable};

use super::client::Established;
use super::coap::{self, Answer, Post};

const EPOCH: u16 = 1;

/// Bytes of the id that a board offers: its number.
pub const ID_LEN: usize = 4;

/// A board with an open session.
#[derive(Debug)]
pub struct Board {
    read: DirectionKey,
    write: DirectionKey,
    cid: [u8; LENGTH],
    next_sequence: u64,
    reading: u32,
    message_id: u16,
    request: Option<Request>,
}

/// A request without its answer.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When the reading was first sent.
    pub first_sent: Instant,
    /// How many datagrams have carried the reading.
    pub datagrams: u16,
    /// Where the last of them stands in the swarm's list of what is to be repeated.
    pub ticket: u64,
}

/// What a record of the hub was to a board.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    /// The answer it waited for, with its code as on the wire.
    Answer {
        /// Class and detail.
        code: u8,
        /// The request.
        request: Request,
    },
    /// An answer nobody waits for, to the request with this id.
    Unasked(u16),
    /// It does not open with the board's key, or its nonce is not its number.
    Unopened,
    /// Authentic, and nothing to do.
    Nothing,
}

impl Board {
    /// Takes over from the handshake; none where no Connection ID was agreed.
    #[must_use]
    pub fn new(number: u32, keys: Established) -> Option<Self> {
        let cid = keys.cid.as_slice().try_into().ok()?;
        Some(Self::with_keys(number, keys.read, keys.write, cid, keys.next_sequence))
    }

    /// A board whose session is known without a handshake.
    #[must_use]
    pub fn with_keys(
        number: u32,
        read: DirectionKey,
        write: DirectionKey,
        cid: [u8; LENGTH],
        next_sequence: u64,
    ) -> Self {
        let [.., a, b] = number.wrapping_mul(7919).to_be_bytes();
        let message_id = u16::from_be_bytes([a, b]);
        Self { read, write, cid, next_sequence, reading: 0, message_id, request: None }
    }

    /// The reading under way, or the last one: counted from 1.
    #[must_use]
    pub const fn reading(&self) -> u32 {
        self.reading
    }

    /// The message id of the request under way, if there is one.
    #[must_use]
    pub fn waits_for(&self) -> Option<u16> {
        self.request.map(|_| self.message_id)
    }

    /// The id that the hub knows the session by.
    #[must_use]
    pub const fn cid(&self) -> &[u8; LENGTH] {
        &self.cid
    }

    /// A new reading under a new message id.
    pub fn begin(&mut self, now: Instant) {
        self.reading = self.reading.wrapping_add(1);
        self.message_id = self.message_id.wrapping_add(1);
        self.request = Some(Request { first_sent: now, datagrams: 0, ticket: 0 });
    }

    /// The same reading under a new message id, after a refusal.
    pub fn begin_again(&mut self, before: Request) {
        self.message_id = self.message_id.wrapping_add(1);
        self.request = Some(before);
    }

    /// Writes the request's next datagram into `out`; the message id, and how many there were.
    ///
    /// # Errors
    /// [`Unsealable`] when the record cannot be written.
    pub fn write(
        &mut self,
        number: u32,
        ticket: u64,
        post: &Post,
        message: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Option<(u16, u16)>, Unsealable> {
        let Some(request) = &mut self.request else { return Ok(None) };
        request.datagrams = request.datagrams.saturating_add(1);
        request.ticket = ticket;
        let counted = (self.message_id, request.datagrams);
        post.write_reading(self.message_id, number, self.reading, message);
        self.seal(message, out).map(|()| Some(counted))
    }

    /// Goes on waiting after all.
    pub const fn keep_on(&mut self, request: Request) {
        self.request = Some(request);
    }

    /// Gives the request up.
    pub fn give_up(&mut self) -> Option<Request> {
        self.request.take()
    }

    /// Takes a record of the hub; `out` then holds an acknowledgement to send, or nothing.
    pub fn handle_record(
        &mut self,
        record: &Record<'_>,
        plaintext: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Meaning {
        out.clear();
        let opened = self.read.open(record, plaintext);
        let Ok(content_type) = opened else { return Meaning::Unopened };
        if nonce(record) != Some(u64::from(record.epoch) << 48 | record.sequence) {
            return Meaning::Unopened;
        }
        if content_type != ContentType::ApplicationData {
            return Meaning::Nothing;
        }
        let Answer::Response { request, code, acknowledge } = coap::answer(plaintext) else {
            return Meaning::Nothing;
        };
        if let Some(message_id) = acknowledge {
            // Sequence numbers do not run out in a measurement.
            let _ = self.seal(&coap::acknowledgement(message_id), out);
        }
        if self.waits_for() != Some(request) {
            return Meaning::Unasked(request);
        }
        match self.request.take() {
            Some(request) => Meaning::Answer { code, request },
            None => Meaning::Unasked(request),
        }
    }

    /// A record under the board's name that does not authenticate.
    ///
    /// # Errors
    /// [`Unsealable`] when the record cannot be written.
    pub fn forge(&mut self, out: &mut Vec<u8>) -> Result<(), Unsealable> {
        self.seal(&coap::acknowledgement(0), out)?;
        if let Some(last) = out.last_mut() {
            *last ^= 1;
        }
        Ok(())
    }

    fn seal(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Unsealable> {
        out.clear();
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.write.seal(ContentType::ApplicationData, EPOCH, sequence, &self.cid, message, out)
    }
}

/// The explicit nonce of a protected record.
#[must_use]
pub fn nonce(record: &Record<'_>) -> Option<u64> {
    record.fragment.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}
