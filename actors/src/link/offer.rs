//! What a whole ClientHello offers to an abbreviated handshake (RFC 5246 7.3): the session it wants
//! to resume, and the extensions that matter for that.
//!
//! Invariant: parsing allocates nothing and copies nothing. Whatever is unusual about a hello makes
//! no [`Offer`] of it: the full handshake, which knows every rule, answers it.

use super::cipher::Suite;
use super::hello::ClientHello;
use super::record::{ContentType, Record, VERSION_1_2};

/// Bytes of every session id that the hub hands out.
pub const SESSION_ID_LEN: usize = 32;

/// `extended_master_secret` (RFC 7627).
pub(super) const EXTENDED_MASTER_SECRET: u16 = 23;
/// `connection_id` (RFC 9146).
pub(super) const CONNECTION_ID: u16 = 54;
/// `renegotiation_info` (RFC 5746).
pub(super) const RENEGOTIATION_INFO: u16 = 0xFF01;
/// The cipher suite that says the same (RFC 5746 3.3).
const RENEGOTIATION_SCSV: u16 = 0x00FF;
const NULL_COMPRESSION: u8 = 0;
/// Message number of a hello that answers a HelloVerifyRequest.
const WITH_COOKIE: u16 = 1;

/// A client's wish to resume a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The handshake message as the transcript has it, header included.
    pub message: &'a [u8],
    /// The client random.
    pub random: &'a [u8; 32],
    /// The session to resume.
    pub session_id: &'a [u8; SESSION_ID_LEN],
    /// Whether the session is to be bound to its transcript (RFC 7627).
    pub extended_master_secret: bool,
    /// Whether the client wants to hear that renegotiation is secure here.
    pub renegotiation_info: bool,
    /// The Connection ID that the hub's records are to carry; empty for ordinary ones.
    pub connection_id: Option<&'a [u8]>,
    suites: &'a [u8],
}

impl<'a> Offer<'a> {
    /// Reads the offer out of a whole ClientHello with its cookie, a `message` with its header;
    /// `None` where there is nothing to resume, or anything that only a full handshake can answer.
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let record = Record {
            content_type: ContentType::Handshake,
            version: VERSION_1_2,
            epoch: 0,
            sequence: 0,
            cid: &[],
            fragment: message,
            bytes: message,
        };
        let hello = ClientHello::parse(&record).ok()?;
        // Versions count down: a larger number is an older one.
        if !hello.is_whole() || hello.message_seq != WITH_COOKIE || hello.version > VERSION_1_2 {
            return None;
        }
        let session_id = hello.session_id.try_into().ok()?;
        let (suites, rest) = vector16(hello.after_cookie)?;
        let (compressions, rest) = vector8(rest)?;
        if suites.len() % 2 != 0 || !compressions.contains(&NULL_COMPRESSION) {
            return None;
        }
        let mut offer = Self {
            message,
            random: hello.random,
            session_id,
            extended_master_secret: false,
            renegotiation_info: false,
            connection_id: None,
            suites,
        };
        offer.renegotiation_info = offer.has_suite(RENEGOTIATION_SCSV);
        let extensions = if rest.is_empty() { rest } else { last(vector16(rest)?)? };
        offer.read_extensions(extensions)?;
        Some(offer)
    }

    /// Whether this suite is among those offered.
    #[must_use]
    pub fn offers(&self, suite: Suite) -> bool {
        self.has_suite(suite.iana())
    }

    fn has_suite(&self, number: u16) -> bool {
        self.suites.as_chunks::<2>().0.contains(&number.to_be_bytes())
    }

    fn read_extensions(&mut self, mut rest: &'a [u8]) -> Option<()> {
        let mut explicit_renegotiation = false;
        while !rest.is_empty() {
            let (kind, after) = rest.split_first_chunk::<2>()?;
            let (body, after) = vector16(after)?;
            rest = after;
            let repeated = match (u16::from_be_bytes(*kind), body) {
                (EXTENDED_MASTER_SECRET, []) => {
                    std::mem::replace(&mut self.extended_master_secret, true)
                }
                (RENEGOTIATION_INFO, [0]) => {
                    self.renegotiation_info = true;
                    std::mem::replace(&mut explicit_renegotiation, true)
                }
                (CONNECTION_ID, body) => {
                    let id = last(vector8(body)?)?;
                    self.connection_id.replace(id).is_some()
                }
                (EXTENDED_MASTER_SECRET | RENEGOTIATION_INFO, _) => return None,
                (_, _) => false,
            };
            if repeated {
                return None;
            }
        }
        Some(())
    }
}

fn vector8(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(length))
}

fn vector16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// A vector with nothing behind it.
fn last<'a>((vector, rest): (&'a [u8], &'a [u8])) -> Option<&'a [u8]> {
    rest.is_empty().then_some(vector)
}

#[cfg(test)]
mod tests;
