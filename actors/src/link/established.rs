//! What a finished handshake hands over to the association that follows it.

use crate::admission::Admitted;
use crate::link::cipher::DirectionKey;
use crate::link::connection_id::ConnectionId;
use crate::link::window::ReplayWindow;

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

/// The hub's last handshake flight, kept until the board shows by data that it has arrived.
#[derive(Debug)]
pub struct FinalFlight {
    /// The Finished message in plaintext.
    pub finished: Vec<u8>,
    /// The next sequence number of epoch 0.
    pub next_plain_sequence: u64,
}
