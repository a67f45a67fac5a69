//! What of each kind of talk goes over the air: bytes of UDP payload, as DTLS made them.
//!
//! Only counts. Kinds are told apart by the length of a message's token: 1 asks for the time, 2 is a reading,
//! 3 a report, an offer or a block.

use core::fmt;

/// The kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    Handshake,
    Time,
    Reading,
    Update,
    Other,
}

impl Talk {
    pub(crate) fn of(message: &[u8]) -> Self {
        match message.first().map(|first| first & 0xf) {
            Some(1) => Self::Time,
            Some(2) => Self::Reading,
            Some(3) => Self::Update,
            _ => Self::Other,
        }
    }
}

/// What one kind came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    datagrams: u32,
    sent: u32,
    received: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { datagrams, sent, received } = self;
        write!(f, "datagrams={datagrams} sent={sent} received={received}")
    }
}

/// All since the start; a handshake's since it began.
#[derive(Debug, Default)]
pub(crate) struct Air {
    handshake: Tally,
    time: Tally,
    reading: Tally,
    update: Tally,
    other: Tally,
}

impl Air {
    pub(crate) fn begin_handshake(&mut self) {
        self.handshake = Tally::default();
    }

    pub(crate) fn of(&self, talk: Talk) -> &Tally {
        match talk {
            Talk::Handshake => &self.handshake,
            Talk::Time => &self.time,
            Talk::Reading => &self.reading,
            Talk::Update => &self.update,
            Talk::Other => &self.other,
        }
    }

    pub(crate) fn sent(&mut self, talk: Talk, datagram: &[u8]) {
        let tally = self.tally(talk);
        tally.datagrams += 1;
        tally.sent += length(datagram);
    }

    pub(crate) fn received(&mut self, talk: Talk, datagram: &[u8]) {
        let tally = self.tally(talk);
        tally.datagrams += 1;
        tally.received += length(datagram);
    }

    fn tally(&mut self, talk: Talk) -> &mut Tally {
        match talk {
            Talk::Handshake => &mut self.handshake,
            Talk::Time => &mut self.time,
            Talk::Reading => &mut self.reading,
            Talk::Update => &mut self.update,
            Talk::Other => &mut self.other,
        }
    }
}

fn length(datagram: &[u8]) -> u32 {
    u32::try_from(datagram.len()).unwrap_or(u32::MAX)
}
