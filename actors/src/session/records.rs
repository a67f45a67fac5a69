//! What a session does with a datagram's records, up to the messages in them; and what it has the
//! store told of that.
//!
//! Invariant: nothing that a record led to is performed before the session's slot has it.

use std::net::SocketAddr;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::secured::Proof;
use super::{DeviceSession, Transport};
use crate::keeper::{Change, Changed, Raise};
use crate::link::association::{Dropped, Received};
use crate::link::connection_id;
use crate::link::forgeries::Origin;
use crate::link::record;
use crate::link::shard::Datagram;
use crate::link::table::Millis;
use crate::metrics::{RecordDrop, SessionEnd};

impl DeviceSession {
    /// Opens every record of a datagram; what that leads to waits in the endpoint, and may be
    /// performed unless the session is over.
    pub(super) fn receive_records(
        &mut self,
        now: Millis,
        datagram: &Datagram,
        plaintext: &mut Vec<u8>,
        ctx: &mut Context<Self>,
    ) -> Option<SessionEnd> {
        let Transport::Dtls(secured) = &self.transport else { return None };
        let before = secured.peer();
        let origin = if before == datagram.from { Origin::ItsAddress } else { Origin::Elsewhere };
        if !self.shard.forgeries.borrow().allow(self.serial, origin, now) {
            self.shard.metrics.record_dropped(RecordDrop::ForgedFlood);
            return None;
        }
        let (mut end, mut authentic, mut repeat_flight) = (None, false, false);
        for record in record::records(&datagram.bytes, connection_id::LENGTH) {
            let Ok(record) = record else {
                self.shard.metrics.record_dropped(RecordDrop::Malformed);
                break;
            };
            let Transport::Dtls(secured) = &mut self.transport else { break };
            let received = secured.open(&record, datagram.from, plaintext);
            authentic |= received.is_ok();
            match received {
                Ok(Received::Data) => self.handle_message(now, plaintext),
                Ok(Received::Unproven) => {
                    self.handle_unproven(now, record.sequence, datagram.from, plaintext);
                }
                Ok(Received::FlightRepeated) => repeat_flight = true,
                Ok(Received::Closed) => end = Some(SessionEnd::CloseNotify),
                Ok(Received::Aborted) => end = Some(SessionEnd::PeerAlert),
                Ok(Received::Nothing) => {}
                // The other records of a repeated handshake flight.
                Err(Dropped::Epoch) if record.epoch == 0 => {}
                Err(dropped) => {
                    if dropped == Dropped::Forged {
                        self.shard.forgeries.borrow_mut().forged(self.serial, origin, now);
                    }
                    self.shard.metrics.record_dropped(reason(dropped));
                }
            }
        }
        if !authentic {
            return None;
        }
        self.heard = now;
        let Transport::Dtls(secured) = &mut self.transport else { return None };
        secured.pass(datagram.bytes.len());
        if let Err(error) = secured.remember() {
            tracing::error!(board = %self.board, %error, "the session's slot cannot be written; what came has no effect");
            return Some(SessionEnd::StoreFailed);
        }
        if repeat_flight && let Some(flight) = secured.final_flight() {
            self.shard.sender.send(secured.peer(), &flight);
        }
        let peer = secured.peer();
        if peer != before {
            tracing::debug!(board = %self.board, from = %before, to = %peer, "board moved");
            self.change(Changed::Moved(peer));
        }
        self.raise_floor(ctx);
        end
    }

    /// A request that may be from before the machine failed: the board is asked to prove that it
    /// is not.
    fn handle_unproven(&mut self, now: Millis, sequence: u64, from: SocketAddr, message: &[u8]) {
        let [.., high, low] = self.shard.next_message().to_be_bytes();
        let Transport::Dtls(secured) = &mut self.transport else { return };
        match secured.prove(message, sequence, from, u16::from_be_bytes([high, low])) {
            Proof::Proven => self.handle_message(now, message),
            Proof::Asked(question) => {
                let mut datagram = Vec::new();
                if secured.seal(&question, &mut datagram).is_ok() {
                    self.shard.sender.send(from, &datagram);
                }
            }
            Proof::Silence => {}
        }
    }

    /// The stored session follows, a little later.
    fn change(&self, to: Changed) {
        let Transport::Dtls(secured) = &self.transport else { return };
        let (slot, generation) = secured.place();
        if let Some(keeping) = &self.shard.keeping {
            // Full: the stored session lags behind; its next change tells the same.
            let _ = keeping.keeper.try_send(Change { slot, generation, to });
        }
    }

    /// The stored session is told when far more was sent than it knows of.
    fn raise_floor(&mut self, ctx: &mut Context<Self>) {
        let Transport::Dtls(secured) = &mut self.transport else { return };
        let Some(keeping) = &self.shard.keeping else { return };
        let Some(floor) = secured.floor_due() else { return };
        let (slot, generation) = secured.place();
        let raising = keeping.keeper.send(Raise { slot, generation, floor }).into_actor(self);
        ctx.spawn(raising.map(move |raised, session, _| {
            if let Transport::Dtls(secured) = &mut session.transport {
                secured.floor_raised(raised.unwrap_or(false).then_some(floor));
            }
        }));
    }

    /// The board has ended the session, or somebody has, or the store.
    pub(super) fn over(&mut self, end: SessionEnd, ctx: &mut Context<Self>) {
        match end {
            SessionEnd::CloseNotify => self.change(Changed::Closed),
            SessionEnd::PeerAlert | SessionEnd::Ended => self.change(Changed::Gone),
            SessionEnd::Denied
            | SessionEnd::Replaced
            | SessionEnd::Panicked
            | SessionEnd::Capacity
            | SessionEnd::Asleep
            | SessionEnd::StoreFailed
            | SessionEnd::Shutdown => {}
        }
        self.stop(end, ctx);
    }
}

fn reason(dropped: Dropped) -> RecordDrop {
    match dropped {
        Dropped::Epoch => RecordDrop::WrongEpoch,
        Dropped::ConnectionId => RecordDrop::UnexpectedType,
        Dropped::Replay => RecordDrop::Replayed,
        Dropped::Forged => RecordDrop::Forged,
    }
}
