//! One handshake from the verified cookie on: first the whole ClientHello, should it come in
//! fragments, then an abbreviated handshake where there is a session to resume, or else the engine.
//! Invariant: no clock, socket or actor is reachable from here; only [`Resumptions`] may block.

use std::sync::Arc;

use storage::BoardId;

use crate::link::abbreviated::{Abbreviated, Terms};
use crate::link::connection_id::{self, ConnectionId};
use crate::link::cookie::COOKIE_LEN;
use crate::link::engine::{self, Engine, Progress};
use crate::link::hello::{ClientHello, HelloAssembly};
use crate::link::offer::Offer;
use crate::link::profile::Profile;
use crate::link::record;
use crate::link::resumptions::Resumptions;
use crate::refusal::Refusal;

/// What is new for each handshake.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// The Connection ID the session would get.
    pub ours: ConnectionId,
    /// The server random of an abbreviated handshake; the engine draws its own.
    pub random: [u8; 32],
}

/// A handshake in progress.
pub struct Handshake {
    profile: Arc<Profile>,
    resumptions: Arc<dyn Resumptions>,
    random: [u8; 32],
    cookie: [u8; COOKIE_LEN],
    fresh: Fresh,
    stage: Stage,
}

enum Stage {
    Assembling(HelloAssembly),
    Full(Box<Engine>),
    Abbreviated(Box<Abbreviated>),
    /// Refused before either began; perhaps with an alert to send.
    Refused(Option<Vec<u8>>),
}

impl Handshake {
    /// Begins at a ClientHello, or its first fragment, whose cookie has verified; `None` if the
    /// cookie has not even our length. The datagram itself is still to be handled.
    #[must_use]
    pub fn begin(
        profile: &Arc<Profile>,
        resumptions: &Arc<dyn Resumptions>,
        hello: &ClientHello<'_>,
        fresh: Fresh,
    ) -> Option<Self> {
        Some(Self {
            profile: Arc::clone(profile),
            resumptions: Arc::clone(resumptions),
            random: *hello.random,
            cookie: hello.cookie.try_into().ok()?,
            fresh,
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
            Stage::Assembling(_) => return self.handle_datagram(datagram),
            Stage::Full(engine) => engine.send_flight(),
            Stage::Abbreviated(handshake) => handshake.send_flight(),
            Stage::Refused(_) => {}
        }
        Progress::Pending
    }

    /// Takes any other datagram of the peer.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Progress {
        let assembly = match &mut self.stage {
            Stage::Full(engine) => return engine.handle_datagram(datagram),
            Stage::Abbreviated(handshake) => return handshake.handle_datagram(datagram),
            Stage::Refused(_) => return Progress::Pending,
            Stage::Assembling(assembly) => assembly,
        };
        for record in record::records(datagram, connection_id::LENGTH).flatten() {
            // What is no fragment of this hello changes nothing.
            let Ok(Some(message)) = assembly.handle_record(&record) else { continue };
            let begun = self.resume(&message, record.sequence);
            let (stage, progress) = begun.unwrap_or_else(|| self.full(&message, record.sequence));
            self.stage = stage;
            return progress;
        }
        Progress::Pending
    }

    /// An abbreviated handshake, if the whole hello in `message` names a session that may be resumed.
    fn resume(&self, message: &[u8], sequence: u64) -> Option<(Stage, Progress)> {
        let offer = Offer::parse(message)?;
        let resumable = self.resumptions.find(offer.session_id)?;
        if !offer.offers(resumable.suite) {
            return None;
        }
        if !offer.extended_master_secret {
            // RFC 7627 5.3: the session had it, so a client without it is not the one that made it.
            let refusal = Refusal::Protocol;
            let alert = engine::alert(refusal, sequence);
            return Some((Stage::Refused(alert), Progress::Refused(refusal)));
        }
        let terms = Terms {
            ours: self.fresh.ours,
            random: self.fresh.random,
            next_plain_sequence: sequence,
            mtu: self.profile.mtu(),
        };
        let handshake = Abbreviated::begin(&offer, resumable, terms);
        Some((Stage::Abbreviated(Box::new(handshake)), Progress::Pending))
    }

    fn full(&self, message: &[u8], sequence: u64) -> (Stage, Progress) {
        match Engine::begin(&self.profile, message, sequence, self.cookie, self.fresh.ours) {
            Ok(engine) => (Stage::Full(Box::new(engine)), Progress::Pending),
            Err((Some(engine), refusal)) => (Stage::Full(engine), Progress::Refused(refusal)),
            Err((None, refusal)) => (Stage::Refused(None), Progress::Refused(refusal)),
        }
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
