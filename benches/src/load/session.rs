//! A board's session after its handshake: our record layer in the client's role, and a window of
//! confirmable requests with CoAP's retransmission (RFC 7252 section 4.2, without its random factor).
//! Invariant: no clock and no socket is reachable from here.

use std::time::{Duration, Instant};

use actors::link::record::{ContentType, Unsealable, records};
use actors::link::window::ReplayWindow;

use super::client::{Established, Resumption};
use super::coap::{self, Answer, Post};
use super::echo;

const EPOCH: u16 = 1;
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_RETRANSMIT: u32 = 4;
const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// One board's open session.
#[derive(Debug)]
pub struct Session {
    keys: Established,
    window: ReplayWindow,
    next_message_id: u16,
    waiting: Vec<Waiting>,
    message: Vec<u8>,
    plaintext: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    message_id: u16,
    first_sent: Instant,
    repeat_at: Instant,
    repeated: u32,
    acknowledged: bool,
}

/// A request's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// From the first transmission.
    pub took: Duration,
    /// The answer's code as on the wire.
    pub code: u8,
}

/// What has to be sent again, or was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Requests to send again, each with [`Session::repeat`].
    pub repeated: u32,
    /// Requests without an answer after all repetitions.
    pub lost: u32,
}

impl Session {
    /// Takes over from the handshake; `seed` spreads the message ids.
    #[must_use]
    pub fn new(keys: Established, seed: u16) -> Self {
        Self {
            keys,
            window: ReplayWindow::new(),
            next_message_id: seed,
            waiting: Vec::new(),
            message: Vec::new(),
            plaintext: Vec::new(),
        }
    }

    /// What an abbreviated handshake begins with.
    #[must_use]
    pub const fn resumption(&self) -> Option<&Resumption> {
        self.keys.resumption.as_ref()
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Writes the next request's datagram into `out`.
    ///
    /// # Errors
    /// [`Unsealable`] when the record cannot be written.
    pub fn post(&mut self, now: Instant, post: &Post, out: &mut Vec<u8>) -> Result<(), Unsealable> {
        let message_id = self.next_message_id;
        self.next_message_id = message_id.wrapping_add(1);
        self.waiting.push(Waiting {
            message_id,
            first_sent: now,
            repeat_at: now + ACK_TIMEOUT,
            repeated: 0,
            acknowledged: false,
        });
        post.write(message_id, &mut self.message);
        self.seal(ContentType::ApplicationData, out)
    }

    /// Takes a datagram; `out` holds what to send afterwards, or nothing: an acknowledgement, or
    /// the request again with the Echo option that was asked for. `post` is what requests are.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &[u8],
        post: Option<&Post>,
        out: &mut Vec<u8>,
        mut finished: impl FnMut(Finished),
    ) {
        out.clear();
        // Our id is empty, so the hub's records are ordinary ones.
        for record in records(datagram, 0).map_while(Result::ok) {
            if record.epoch != EPOCH || !self.window.is_fresh(record.sequence) {
                continue;
            }
            let opened = self.keys.read.open(&record, &mut self.plaintext);
            let Ok(ContentType::ApplicationData) = opened else { continue };
            self.window.accept(record.sequence);
            match coap::answer(&self.plaintext) {
                Answer::Response { request, code, acknowledge } => {
                    if let Some(message_id) = acknowledge {
                        self.message.clear();
                        self.message.extend_from_slice(&coap::acknowledgement(message_id));
                        // Sequence numbers do not run out in a measurement.
                        let _ = self.seal(ContentType::ApplicationData, out);
                    }
                    if let Some(at) = self.position(request) {
                        let waiting = self.waiting.swap_remove(at);
                        let echo = echo::asked(&self.plaintext).map(<[u8]>::to_vec);
                        if let (Some(echo), Some(post)) = (echo, post) {
                            self.post_fresh(now, &echo, post, waiting.first_sent, out);
                            continue;
                        }
                        finished(Finished { took: now - waiting.first_sent, code });
                    }
                }
                Answer::Acknowledged { request } => {
                    let waiting = self.waiting.iter_mut();
                    if let Some(waiting) = waiting.into_iter().find(|w| w.message_id == request) {
                        waiting.acknowledged = true;
                    }
                }
                Answer::Other => {}
            }
        }
    }

    /// Gives up what was repeated often enough, and writes what is due again, one datagram each.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        post: &Post,
        mut transmit: impl FnMut(&[u8]),
    ) -> Overdue {
        let mut overdue = Overdue::default();
        let before = self.waiting.len();
        self.waiting.retain(|waiting| {
            let patience = ACK_TIMEOUT * (1 << (MAX_RETRANSMIT + 1));
            now < waiting.first_sent + patience
        });
        overdue.lost = u32::try_from(before - self.waiting.len()).unwrap_or(u32::MAX);
        let mut due = Vec::new();
        for waiting in &mut self.waiting {
            if now >= waiting.repeat_at
                && !waiting.acknowledged
                && waiting.repeated < MAX_RETRANSMIT
            {
                waiting.repeated += 1;
                waiting.repeat_at = now + ACK_TIMEOUT * (1 << waiting.repeated);
                due.push(waiting.message_id);
            }
        }
        for message_id in due {
            post.write(message_id, &mut self.message);
            let mut datagram = Vec::new();
            if self.seal(ContentType::ApplicationData, &mut datagram).is_ok() {
                transmit(&datagram);
                overdue.repeated += 1;
            }
        }
        overdue
    }

    /// Writes the close notification: the hub forgets the session.
    ///
    /// # Errors
    /// [`Unsealable`] when the record cannot be written.
    pub fn close(&mut self, out: &mut Vec<u8>) -> Result<(), Unsealable> {
        self.message.clear();
        self.message.extend_from_slice(&CLOSE_NOTIFY);
        self.seal(ContentType::Alert, out)
    }

    /// The same reading under a new message id, counted from when it was first sent. Lost, it is
    /// repeated without the option, and asked for again.
    fn post_fresh(
        &mut self,
        now: Instant,
        echo: &[u8],
        post: &Post,
        first_sent: Instant,
        out: &mut Vec<u8>,
    ) {
        let message_id = self.next_message_id;
        self.next_message_id = message_id.wrapping_add(1);
        let repeat_at = now + ACK_TIMEOUT;
        let waiting =
            Waiting { message_id, first_sent, repeat_at, repeated: 0, acknowledged: false };
        self.waiting.push(waiting);
        post.write(message_id, &mut self.message);
        echo::give(echo, &mut self.message);
        // Sequence numbers do not run out in a measurement.
        let _ = self.seal(ContentType::ApplicationData, out);
    }

    fn position(&self, message_id: u16) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.message_id == message_id)
    }

    fn seal(&mut self, content_type: ContentType, out: &mut Vec<u8>) -> Result<(), Unsealable> {
        out.clear();
        let sequence = self.keys.next_sequence;
        self.keys.next_sequence += 1;
        let Established { write, cid, .. } = &self.keys;
        write.seal(content_type, EPOCH, sequence, cid, &self.message, out)
    }
}
