//! One handshake from the verified cookie on: an abbreviated one, or first the whole ClientHello,
//! should it come in fragments, and then the engine.
//! Invariant: no clock, socket, store or actor is reachable from here.

use std::sync::Arc;

use storage::BoardId;

use crate::admission::SessionMark;
use crate::link::abbreviated::{Abbreviated, Terms};
use crate::link::connection_id::{self, ConnectionId};
use crate::link::cookie::COOKIE_LEN;
use crate::link::engine::{self, Engine, Progress};
use crate::link::hello::{ClientHello, HelloAssembly};
use crate::link::profile::Profile;
use crate::link::record;
use crate::link::resumptions::Wish;
use crate::refusal::Refusal;

/// A handshake in progress.
pub struct Handshake {
    random: [u8; 32],
    /// The session that its hello offers to resume.
    offered: Option<SessionMark>,
    stage: Stage,
}

enum Stage {
    Assembling(Box<Assembling>),
    Full(Box<Engine>),
    Abbreviated(Box<Abbreviated>),
    /// Refused before either began; perhaps with an alert to send.
    Refused(Option<Vec<u8>>),
}

/// A hello that is not whole yet, and what the engine begins with once it is.
struct Assembling {
    assembly: HelloAssembly,
    profile: Arc<Profile>,
    cookie: [u8; COOKIE_LEN],
    ours: ConnectionId,
}

impl Handshake {
    /// A full one, for a session that would have the Connection ID `ours`: begins with a `datagram` at
    /// whose head is a ClientHello, or its first fragment, whose cookie has verified. `None` if the
    /// cookie has not even our length.
    #[must_use]
    pub fn full(
        profile: &Arc<Profile>,
        hello: &ClientHello<'_>,
        ours: ConnectionId,
        datagram: &[u8],
    ) -> Option<(Self, Progress)> {
        let assembling = Assembling {
            assembly: HelloAssembly::new(hello),
            profile: Arc::clone(profile),
            cookie: hello.cookie.try_into().ok()?,
            ours,
        };
        let stage = Stage::Assembling(Box::new(assembling));
        let offered = hello.session_id.first_chunk().copied();
        let mut handshake = Self { random: *hello.random, offered, stage };
        let progress = handshake.handle_datagram(datagram);
        Some((handshake, progress))
    }

    /// An abbreviated one, of a client that wants it and on the hub's `terms`.
    #[must_use]
    pub fn abbreviated(wish: Wish<'_>, terms: Terms) -> (Self, Progress) {
        let Wish { offer, resumable } = wish;
        let (stage, progress) = if offer.extended_master_secret {
            let handshake = Abbreviated::begin(&offer, resumable, terms);
            (Stage::Abbreviated(Box::new(handshake)), Progress::Pending)
        } else {
            // RFC 7627 5.3: the session had it, so a client without it is not the one that made it.
            let refusal = Refusal::Protocol;
            let alert = engine::alert(refusal, terms.next_plain_sequence);
            (Stage::Refused(alert), Progress::Refused(refusal))
        };
        (Self { random: *offer.random, offered: None, stage }, progress)
    }

    /// Whether a ClientHello with this random began this handshake.
    #[must_use]
    pub fn began_with(&self, random: &[u8; 32]) -> bool {
        self.random == *random
    }

    /// Takes a datagram that begins with this handshake's own ClientHello once more.
    pub fn handle_hello(&mut self, datagram: &[u8]) -> Progress {
        match &mut self.stage {
            Stage::Assembling(_) => return self.handle_datagram(datagram),
            Stage::Full(engine) => engine.send_flight(),
            Stage::Abbreviated(handshake) => handshake.send_flight(),
            Stage::Refused(_) => {}
        }
        Progress::Pending
    }

    /// Takes any other datagram of the peer.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Progress {
        let assembling = match &mut self.stage {
            Stage::Full(engine) => {
                let mut progress = engine.handle_datagram(datagram);
                if let Progress::Established(established) = &mut progress {
                    established.offered = self.offered;
                }
                return progress;
            }
            Stage::Abbreviated(handshake) => return handshake.handle_datagram(datagram),
            Stage::Refused(_) => return Progress::Pending,
            Stage::Assembling(assembling) => assembling,
        };
        for record in record::records(datagram, connection_id::LENGTH).flatten() {
            // What is no fragment of this hello changes nothing.
            let Ok(Some(message)) = assembling.assembly.handle_record(&record) else { continue };
            let (stage, progress) = assembling.engine(&message, record.sequence);
            self.stage = stage;
            return progress;
        }
        Progress::Pending
    }

    /// A second has passed.
    pub fn handle_tick(&mut self) {
        match &mut self.stage {
            Stage::Abbreviated(handshake) => handshake.handle_tick(),
            Stage::Assembling(_) | Stage::Full(_) | Stage::Refused(_) => {}
        }
    }

    /// The next datagram to send, if any.
    pub fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        match &mut self.stage {
            Stage::Assembling(_) => None,
            Stage::Full(engine) => engine.poll_datagram(),
            Stage::Abbreviated(handshake) => handshake.poll_datagram(),
            Stage::Refused(alert) => alert.take(),
        }
    }

    /// The board that a refused certificate names, where it could be read.
    #[must_use]
    pub fn claimed(&self) -> Option<BoardId> {
        match &self.stage {
            Stage::Full(engine) => engine.claimed(),
            Stage::Abbreviated(handshake) => Some(handshake.board().clone()),
            Stage::Assembling(_) | Stage::Refused(_) => None,
        }
    }

    /// Why this handshake came to nothing, where its time ran out.
    #[must_use]
    pub fn expired(&self) -> Refusal {
        match &self.stage {
            Stage::Full(engine) => engine.expired(),
            Stage::Abbreviated(handshake) => handshake.expired(),
            Stage::Assembling(_) | Stage::Refused(_) => Refusal::TimedOut,
        }
    }
}

impl Assembling {
    fn engine(&self, message: &[u8], sequence: u64) -> (Stage, Progress) {
        match Engine::begin(&self.profile, message, sequence, self.cookie, self.ours) {
            Ok(engine) => (Stage::Full(Box::new(engine)), Progress::Pending),
            Err((Some(engine), refusal)) => (Stage::Full(engine), Progress::Refused(refusal)),
            Err((None, refusal)) => (Stage::Refused(None), Progress::Refused(refusal)),
        }
    }
}
