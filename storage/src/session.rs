//! What is remembered of a board's session: everything but its replay window and write sequence,
//! which change with every record and stand in the session's slot ([`crate::Window`]).

use std::net::SocketAddr;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::record::Record;
use crate::{BoardId, Fingerprint, TenantId, UnixSeconds};

/// One board's session, asleep or awake.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Session {
    /// Tells it from every other session that has the same slot, before or after; never 0. Made by
    /// [`generation_of`] where it can be resumed.
    pub generation: u32,
    /// The board.
    pub board: BoardId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The certificate it authenticated with.
    pub fingerprint: Fingerprint,
    /// When that certificate ends.
    pub not_after: UnixSeconds,
    /// When the certificate was checked, in a full handshake.
    pub authenticated: UnixSeconds,
    /// Whether records are still taken; a session that said goodbye can only be resumed.
    pub open: bool,
    /// What names it on the wire.
    pub name: SessionName,
    /// The Connection ID the hub's records carry; empty for none. At most 255 bytes.
    pub write_cid: Vec<u8>,
    /// Where the board was last heard from.
    pub peer: SocketAddr,
    /// Every write sequence of the session that was ever used is below this number and 2^20.
    pub write_floor: u64,
    /// The cipher suite's IANA number.
    pub suite: u16,
    /// Write keys and salts: client's key, server's key, client's salt, server's salt.
    pub keys: Secret<40>,
    /// What an abbreviated handshake begins with; `None` where the client was given no session id.
    pub resumption: Option<Resumption>,
}

/// What names a session on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum SessionName {
    /// The Connection ID the board's records carry.
    ConnectionId([u8; 6]),
    /// The board's address.
    Address(SocketAddr),
}

/// What an abbreviated handshake begins with (RFC 5246 F.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Resumption {
    /// What names it; the other half of the session id says nothing.
    pub id: ResumptionId,
    /// The master secret.
    pub master: Secret<48>,
}

/// The first 16 bytes of a DTLS session id: all random, and enough of them.
pub type ResumptionId = [u8; 16];

/// The generation of a session with this id: the id's first 24 bits, by which the session is found
/// again without an index of ids, and 8 bits of its own, not 0.
#[must_use]
pub const fn generation_of([a, b, c, ..]: &ResumptionId, own: u8) -> u32 {
    u32::from_be_bytes([*a, *b, *c, own])
}

/// Secret bytes: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>(pub [u8; N]);

impl<const N: usize> std::fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl<const N: usize> Encode for Secret<N> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<C, const N: usize> Decode<C> for Secret<N> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self(Decode::decode(decoder)?))
    }
}

impl<'de, C, const N: usize> BorrowDecode<'de, C> for Secret<N> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Decode::decode(decoder)
    }
}

impl Record for Session {
    const VERSION: u8 = 1;
}
