//! One handshake from the verified cookie on: first the whole ClientHello, should it come in
//! fragments, then the engine. Invariant: no clock, socket or actor is reachable from here.

use std::sync::Arc;

use storage::BoardId;

use crate::link::connection_id::{self, ConnectionId};
use crate::link::cookie::COOKIE_LEN;
use crate::link::engine::{Engine, Progress};
use crate::link::hello::{ClientHello, HelloAssembly};
use crate::link::profile::Profile;
use crate::link::record;
use crate::refusal::Refusal;

/// A handshake in progress.
pub struct Handshake {
    profile: Arc<Profile>,
    random: [u8; 32],
    cookie: [u8; COOKIE_LEN],
    ours: ConnectionId,
    stage: Stage,
}

enum Stage {
    Assembling(HelloAssembly),
    Running(Box<Engine>),
}

impl Handshake {
    /// Begins at a ClientHello, or its first fragment, whose cookie has verified; `None` if the
    /// cookie has not even our length. The datagram itself is still to be handled.
    #[must_use]
    pub fn begin(
        profile: &Arc<Profile>,
        hello: &ClientHello<'_>,
        ours: ConnectionId,
    ) -> Option<Self> {
        Some(Self {
            profile: Arc::clone(profile),
            random: *hello.random,
            cookie: hello.cookie.try_into().ok()?,
            ours,
            stage: Stage::Assembling(HelloAssembly::new(hello)),
        })
    }

    /// Whether a ClientHello with this random began this handshake.
    #[must_use]
    pub fn began_with(&self, random: &[u8; 32]) -> bool {
        self.random == *random
    }

    /// Takes a datagram that begins with this handshake's own ClientHello, for the first time or again.
    pub fn handle_hello(&mut self, datagram: &[u8]) -> Progress {
        match &mut self.stage {
            Stage::Assembling(_) => self.handle_datagram(datagram),
            Stage::Running(engine) => {
                engine.send_flight();
                Progress::Pending
            }
        }
    }

    /// Takes any other datagram of the peer.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Progress {
        let assembly = match &mut self.stage {
            Stage::Running(engine) => return engine.handle_datagram(datagram),
            Stage::Assembling(assembly) => assembly,
        };
        for record in record::records(datagram, connection_id::LENGTH).flatten() {
            // What is no fragment of this hello changes nothing.
            let Ok(Some(message)) = assembly.handle_record(&record) else { continue };
            let sequence = record.sequence;
            return match Engine::begin(&self.profile, &message, sequence, self.cookie, self.ours) {
                Ok(engine) => {
                    self.stage = Stage::Running(Box::new(engine));
                    Progress::Pending
                }
                Err((engine, refusal)) => {
                    if let Some(engine) = engine {
                        self.stage = Stage::Running(engine);
                    }
                    Progress::Refused(refusal)
                }
            };
        }
        Progress::Pending
    }

    /// The next datagram to send, if any.
    pub fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        match &mut self.stage {
            Stage::Assembling(_) => None,
            Stage::Running(engine) => engine.poll_datagram(),
        }
    }

    /// The board that a refused certificate names, where it could be read.
    #[must_use]
    pub fn claimed(&self) -> Option<BoardId> {
        match &self.stage {
            Stage::Assembling(_) => None,
            Stage::Running(engine) => engine.claimed(),
        }
    }

    /// Why this handshake came to nothing, where its time ran out.
    #[must_use]
    pub fn expired(&self) -> Refusal {
        match &self.stage {
            Stage::Assembling(_) => Refusal::TimedOut,
            Stage::Running(engine) => engine.expired(),
        }
    }
}
