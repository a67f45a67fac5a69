//! What a finished handshake hands over to the association that follows it.

use crate::admission::{Admitted, SessionMark};
use crate::link::cipher::DirectionKey;
use crate::link::connection_id::ConnectionId;
use crate::link::resumptions::Resumption;
use crate::link::window::ReplayWindow;
use crate::metrics::HandshakeEnd;

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
    /// What a repeated Finished of the board is answered with; nothing after an abbreviated
    /// handshake, where the board spoke last.
    pub final_flight: Option<FinalFlight>,
    /// The datagrams of that flight, to be sent now.
    pub datagrams: Vec<Vec<u8>>,
    /// Records of data that came before the handshake was over, still sealed: the session's first.
    pub early: Vec<Vec<u8>>,
    /// The session that a full handshake was offered to resume, and did not.
    pub offered: Option<SessionMark>,
    /// What the next handshake may begin with; `None` without the extended master secret (RFC 7627).
    pub resumption: Option<Resumption>,
}

impl Established {
    /// Whether the handshake was an abbreviated one.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.final_flight.is_none()
    }

    /// What the handshake is counted as, once its session is stored.
    #[must_use]
    pub const fn end(&self) -> HandshakeEnd {
        if self.is_resumed() { HandshakeEnd::Resumed } else { HandshakeEnd::Completed }
    }
}

/// The hub's last handshake flight, kept until the board shows by data that it has arrived.
#[derive(Debug)]
pub struct FinalFlight {
    /// The Finished message in plaintext.
    pub finished: Vec<u8>,
    /// The next sequence number of epoch 0.
    pub next_plain_sequence: u64,
}
