//! The ClientHello as the stateless front door sees it (RFC 6347 section 4.2), the
//! HelloVerifyRequest that answers it, and the bounded assembly of one that came in fragments.
//! Invariant: parsing allocates nothing; only [`HelloAssembly`], made after a cookie was verified,
//! holds memory, and at most [`HELLO_MAX`] bytes of message.

use thiserror::Error;

use super::record::{ContentType, Record, Unsealable, VERSION_1_0, write_header, write_plaintext};

/// The longest ClientHello message taken, its handshake header not counted.
pub const HELLO_MAX: usize = 2048;
/// The longest cookie a client may hold (RFC 6347 section 4.2.1).
pub const COOKIE_MAX: usize = 255;

const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;
const HANDSHAKE_HEADER_LEN: usize = 12;
const SESSION_ID_MAX: usize = 32;

/// Why a record was not taken as a ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadHello {
    /// Not a handshake record of epoch 0.
    #[error("not an unprotected handshake record")]
    NotHandshake,
    /// Another handshake message than a ClientHello.
    #[error("handshake message of type {0} is no client hello")]
    NotHello(u8),
    /// A fragment that does not begin the message: it has to wait for an assembly.
    #[error("not the first fragment of a client hello")]
    NotFirst,
    /// The record ends inside the fields up to the cookie, or inside its own fragment.
    #[error("client hello cut short")]
    Truncated,
    /// Bytes after the fragment: one record carries one fragment here.
    #[error("{0} bytes after the client hello")]
    Trailing(usize),
    /// Longer than [`HELLO_MAX`].
    #[error("client hello of {0} bytes is too long")]
    TooLong(usize),
    /// A fragment that reaches past its message.
    #[error("fragment reaches past its message")]
    Outside,
    /// A session id longer than 32 bytes.
    #[error("session id of {0} bytes is too long")]
    SessionId(usize),
    /// Older than DTLS 1.0, or TLS.
    #[error("unknown client version {0:#06x}")]
    Version(u16),
    /// A fragment of another message than the one being assembled.
    #[error("fragment of another client hello")]
    OtherMessage,
    /// Not what a client sends second: message number 1 in a record after its first.
    #[error("unexpected numbers on a client hello with a cookie")]
    Numbers,
    /// It holds no cookie to take away.
    #[error("client hello without a cookie")]
    NoCookie,
}

/// A whole ClientHello or its first fragment: everything up to the cookie is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The sequence number of its record; the answer carries the same.
    pub record_sequence: u64,
    /// 0 for a client's first hello, 1 for that with a cookie.
    pub message_seq: u16,
    /// Bytes of the whole message's body.
    pub length: usize,
    /// Bytes of it that are here.
    pub fragment_length: usize,
    /// The version the client offers; DTLS 1.2 is 0xFEFD.
    pub version: u16,
    /// The client random.
    pub random: &'a [u8; 32],
    /// Up to 32 bytes.
    pub session_id: &'a [u8],
    /// Empty in a first hello.
    pub cookie: &'a [u8],
    /// What of the body follows the cookie and is here.
    pub after_cookie: &'a [u8],
    /// The body as far as it is here.
    pub body: &'a [u8],
}

impl<'a> ClientHello<'a> {
    /// Reads a ClientHello's head from an unprotected handshake record.
    ///
    /// # Errors
    /// [`BadHello`]; [`BadHello::NotFirst`] is what a later fragment gives.
    pub fn parse(record: &Record<'a>) -> Result<Self, BadHello> {
        let fragment = Fragment::parse(record)?;
        if fragment.offset != 0 {
            return Err(BadHello::NotFirst);
        }
        let (version, rest) = take::<2>(fragment.bytes)?;
        let version = u16::from_be_bytes(*version);
        if version >> 8 != 0xFE || version > VERSION_1_0 {
            return Err(BadHello::Version(version));
        }
        let (random, rest) = take::<32>(rest)?;
        let (session_id, rest) = take_vector(rest)?;
        if session_id.len() > SESSION_ID_MAX {
            return Err(BadHello::SessionId(session_id.len()));
        }
        let (cookie, after_cookie) = take_vector(rest)?;
        Ok(Self {
            record_sequence: record.sequence,
            message_seq: fragment.message_seq,
            length: fragment.length,
            fragment_length: fragment.bytes.len(),
            version,
            random,
            session_id,
            cookie,
            after_cookie,
            body: fragment.bytes,
        })
    }

    /// Whether the whole message is here.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.fragment_length == self.length
    }
}

/// A fragment of a ClientHello, wherever in the message it lies.
struct Fragment<'a> {
    message_seq: u16,
    length: usize,
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn parse(record: &Record<'a>) -> Result<Self, BadHello> {
        if record.content_type != ContentType::Handshake || record.epoch != 0 {
            return Err(BadHello::NotHandshake);
        }
        let (&[message_type, l0, l1, l2, m0, m1, o0, o1, o2, f0, f1, f2], rest) =
            take::<HANDSHAKE_HEADER_LEN>(record.fragment)?;
        if message_type != CLIENT_HELLO {
            return Err(BadHello::NotHello(message_type));
        }
        let length = uint24([l0, l1, l2]);
        let offset = uint24([o0, o1, o2]);
        let fragment_length = uint24([f0, f1, f2]);
        if length > HELLO_MAX {
            return Err(BadHello::TooLong(length));
        }
        if offset.saturating_add(fragment_length) > length {
            return Err(BadHello::Outside);
        }
        let (bytes, trailing) =
            rest.split_at_checked(fragment_length).ok_or(BadHello::Truncated)?;
        if !trailing.is_empty() {
            return Err(BadHello::Trailing(trailing.len()));
        }
        Ok(Self { message_seq: u16::from_be_bytes([m0, m1]), length, offset, bytes })
    }
}

/// Appends the record that asks a client to come back with `cookie`. It is shorter than any hello,
/// and echoes the hello's record sequence and message number, so that nothing is remembered.
///
/// # Errors
/// [`Unsealable`] when the cookie is longer than [`COOKIE_MAX`]; nothing is appended.
pub fn hello_verify_request(
    hello: &ClientHello<'_>,
    cookie: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Unsealable> {
    let cookie_len = u8::try_from(cookie.len()).map_err(|_| Unsealable::Plaintext(cookie.len()))?;
    let body_len = 3 + u16::from(cookie_len);
    let [b0, b1] = body_len.to_be_bytes();
    let [m0, m1] = hello.message_seq.to_be_bytes();
    // Version 1.0 whatever will be agreed (RFC 6347 section 4.2.1); some clients insist.
    let [v0, v1] = VERSION_1_0.to_be_bytes();
    let length = HANDSHAKE_HEADER_LEN + usize::from(body_len);
    write_header(ContentType::Handshake, VERSION_1_0, 0, hello.record_sequence, &[], length, out)?;
    out.extend_from_slice(&[HELLO_VERIFY_REQUEST, 0, b0, b1, m0, m1, 0, 0, 0, 0, b0, b1]);
    out.extend_from_slice(&[v0, v1, cookie_len]);
    out.extend_from_slice(cookie);
    Ok(())
}

/// A fragmented ClientHello being put together. Make one only for a first fragment whose cookie
/// was verified; bytes that were received once are never changed by a later fragment.
#[derive(Clone, Debug)]
pub struct HelloAssembly {
    message_seq: u16,
    record_sequence: u64,
    body: Vec<u8>,
    received: Vec<bool>,
    missing: usize,
}

impl HelloAssembly {
    /// Starts with the first fragment.
    #[must_use]
    pub fn new(hello: &ClientHello<'_>) -> Self {
        let mut assembly = Self {
            message_seq: hello.message_seq,
            record_sequence: hello.record_sequence,
            body: vec![0; hello.length],
            received: vec![false; hello.length],
            missing: hello.length,
        };
        assembly.place(0, hello.body);
        assembly
    }

    /// Takes a further fragment; the whole handshake message (header and body, as if it had come
    /// in one piece) once nothing is missing.
    ///
    /// # Errors
    /// [`BadHello`] when the record is no fragment of this very hello; the assembly goes on.
    pub fn handle_record(&mut self, record: &Record<'_>) -> Result<Option<Vec<u8>>, BadHello> {
        let fragment = Fragment::parse(record)?;
        if fragment.message_seq != self.message_seq || fragment.length != self.body.len() {
            return Err(BadHello::OtherMessage);
        }
        self.place(fragment.offset, fragment.bytes);
        Ok(self.message())
    }

    /// The whole message if nothing is missing.
    #[must_use]
    pub fn message(&self) -> Option<Vec<u8>> {
        (self.missing == 0).then(|| whole_message(self.message_seq, &self.body))
    }

    /// The sequence number of the first fragment's record.
    #[must_use]
    pub const fn record_sequence(&self) -> u64 {
        self.record_sequence
    }

    fn place(&mut self, offset: usize, bytes: &[u8]) {
        let slots = self.body.iter_mut().zip(&mut self.received).skip(offset);
        for ((slot, received), byte) in slots.zip(bytes) {
            if !*received {
                *received = true;
                *slot = *byte;
                self.missing = self.missing.saturating_sub(1);
            }
        }
    }
}

/// The handshake message of a whole hello, header included.
fn whole_message(message_seq: u16, body: &[u8]) -> Vec<u8> {
    let [.., l0, l1, l2] = body.len().to_be_bytes();
    let [m0, m1] = message_seq.to_be_bytes();
    let mut message = Vec::with_capacity(HANDSHAKE_HEADER_LEN + body.len());
    message.extend_from_slice(&[CLIENT_HELLO, l0, l1, l2, m0, m1, 0, 0, 0, l0, l1, l2]);
    message.extend_from_slice(body);
    message
}

/// The record of the first ClientHello that `message`, a whole one with a cookie, must have had
/// before it: the same without cookie, message number 0, one record earlier. An engine that never
/// saw the first flight takes it, and its transcript is right, because a first hello is not in it.
///
/// # Errors
/// [`BadHello`] when `message` is not whole, has no cookie, or its numbers are not a second hello's.
pub fn without_cookie(message: &[u8], record_sequence: u64) -> Result<Vec<u8>, BadHello> {
    let record = Record {
        content_type: ContentType::Handshake,
        version: VERSION_1_0,
        epoch: 0,
        sequence: record_sequence,
        cid: &[],
        fragment: message,
        bytes: message,
    };
    let hello = ClientHello::parse(&record)?;
    if !hello.is_whole() {
        return Err(BadHello::Truncated);
    }
    if hello.cookie.is_empty() {
        return Err(BadHello::NoCookie);
    }
    let earlier = record_sequence.checked_sub(1).ok_or(BadHello::Numbers)?;
    if hello.message_seq != 1 {
        return Err(BadHello::Numbers);
    }
    let session_id_len =
        u8::try_from(hello.session_id.len()).map_err(|_| BadHello::SessionId(usize::MAX))?;
    let mut body = Vec::with_capacity(hello.length);
    body.extend_from_slice(&hello.version.to_be_bytes());
    body.extend_from_slice(hello.random);
    body.push(session_id_len);
    body.extend_from_slice(hello.session_id);
    body.push(0);
    body.extend_from_slice(hello.after_cookie);
    let mut out = Vec::with_capacity(hello.length + 64);
    write_plaintext(ContentType::Handshake, earlier, &whole_message(0, &body), &mut out)
        .map_err(|_| BadHello::TooLong(body.len()))?;
    Ok(out)
}

fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), BadHello> {
    bytes.split_first_chunk().ok_or(BadHello::Truncated)
}

/// A vector with a one-byte length.
fn take_vector(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadHello> {
    let (&length, rest) = bytes.split_first().ok_or(BadHello::Truncated)?;
    rest.split_at_checked(usize::from(length)).ok_or(BadHello::Truncated)
}

fn uint24([a, b, c]: [u8; 3]) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}

#[cfg(test)]
mod tests;
