//! Boards with a socket each, on one poll: the shell around handshakes and sessions.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use super::client::{Handshake, HandshakeFailed, Profile};
use super::error::LoadError;
use super::fixture::{Credentials, Fixture};
use super::session::Session;

/// OpenSSL's first timer is a second; looking four times as often is soon enough.
const LOOK: Duration = Duration::from_millis(250);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
const DATAGRAM_MAX: usize = 2048;
const EVENTS: usize = 1024;
/// Failures that end a run in which nothing else happens.
const HOPELESS: u64 = 64;

/// One board's socket and how far it is.
pub struct Link {
    socket: UdpSocket,
    /// What it is doing.
    pub state: State,
    began: Instant,
}

/// A board's way: handshake, session, end.
pub enum State {
    /// Shaking hands.
    Handshaking(Box<Handshake>),
    /// Open.
    Open(Box<Session>),
    /// The handshake failed.
    Failed,
}

/// How a handshake ended.
pub type Ended = Result<Duration, HandshakeFailed>;

/// Handshakes counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Time each successful one took.
    pub took: Vec<Duration>,
    /// How many failed.
    pub failed: u64,
    reason: String,
}

impl Tally {
    /// Counts one.
    ///
    /// # Errors
    /// [`LoadError::Handshakes`] when they only fail.
    pub fn count(&mut self, ended: Ended) -> Result<(), LoadError> {
        match ended {
            Ok(took) => self.took.push(took),
            Err(failed) => {
                self.failed += 1;
                self.reason = failed.to_string();
            }
        }
        let done = u64::try_from(self.took.len()).unwrap_or(u64::MAX);
        if self.failed >= HOPELESS && self.failed > done {
            let reason = self.reason.clone();
            return Err(LoadError::Handshakes { failed: self.failed, done, reason });
        }
        Ok(())
    }
}

/// All boards of a run.
pub struct Fleet {
    poll: Poll,
    events: Events,
    hub: SocketAddr,
    profile: Profile,
    /// The boards' links, by slot.
    pub links: Vec<Link>,
    looked: Instant,
}

impl Fleet {
    /// A fleet without boards, for the hub at this address.
    ///
    /// # Errors
    /// [`LoadError::Network`] when the system gives no poll.
    pub fn new(hub: SocketAddr, profile: Profile) -> Result<Self, LoadError> {
        let poll = Poll::new().map_err(|source| LoadError::network(hub, source))?;
        let (events, looked) = (Events::with_capacity(EVENTS), Instant::now());
        Ok(Self { poll, events, hub, profile, links: Vec::new(), looked })
    }

    /// Gives a slot to a board, from a new socket; the next free slot when it is past the end.
    ///
    /// # Errors
    /// [`LoadError`]; [`LoadError::Descriptors`] when sockets run out.
    pub fn begin(&mut self, slot: usize, board: &Credentials) -> Result<(), LoadError> {
        let slot = slot.min(self.links.len());
        let mut socket = self.socket().map_err(self.network())?;
        self.poll
            .registry()
            .register(&mut socket, Token(slot), Interest::READABLE)
            .map_err(self.network())?;
        let mut handshake = Handshake::new(&self.profile, board)?;
        // Nothing can fail before the first answer.
        let _ = handshake.drive();
        let state = State::Handshaking(Box::new(handshake));
        let mut link = Link { socket, state, began: Instant::now() };
        link.transmit();
        match self.links.get_mut(slot) {
            Some(place) => *place = link,
            None => self.links.push(link),
        }
        Ok(())
    }

    /// Waits for datagrams, at most this long, and says which slots have some.
    ///
    /// # Errors
    /// [`LoadError::Network`].
    pub fn wait(&mut self, at_most: Duration, ready: &mut Vec<usize>) -> Result<(), LoadError> {
        ready.clear();
        match self.poll.poll(&mut self.events, Some(at_most)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result.map_err(self.network())?,
        }
        ready.extend(self.events.iter().map(|event| event.token().0));
        Ok(())
    }

    /// Lets a handshaking board take what has come; how its handshake ended, if it has.
    ///
    /// # Errors
    /// [`LoadError::NothingThere`] when the hub's machine says so.
    pub fn advance(&mut self, slot: usize) -> Result<Option<Ended>, LoadError> {
        let Some(link) = self.links.get_mut(slot) else { return Ok(None) };
        let mut buffer = [0; DATAGRAM_MAX];
        while let State::Handshaking(handshake) = &mut link.state {
            let datagram = match receive(&link.socket, &mut buffer, self.hub)? {
                Some(datagram) => datagram,
                None => break,
            };
            let result = handshake.handle_datagram(datagram);
            if let Some(ended) = link.take(result, slot) {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// Repeats what handshakes lost, four times a second; the slots whose time is over.
    pub fn handle_timeout(&mut self, now: Instant, mut ended: impl FnMut(usize, Ended)) {
        if now < self.looked + LOOK {
            return;
        }
        self.looked = now;
        for (slot, link) in self.links.iter_mut().enumerate() {
            let State::Handshaking(handshake) = &mut link.state else { continue };
            let result = if now > link.began + HANDSHAKE_TIMEOUT {
                Err(HandshakeFailed::TimedOut)
            } else {
                handshake.drive()
            };
            if let Some(end) = link.take(result, slot) {
                ended(slot, end);
            }
        }
    }

    /// Opens sessions for the fixture's first `count` boards, `parallel` at a time.
    ///
    /// # Errors
    /// [`LoadError`], also when a handshake failed: then the sessions wanted are not there.
    pub fn open(
        &mut self,
        fixture: &Fixture,
        count: usize,
        parallel: usize,
        bar: &ProgressBar,
    ) -> Result<Tally, LoadError> {
        let mut tally = Tally::default();
        let mut ready = Vec::new();
        let mut ended = Vec::new();
        let (mut under_way, mut done, first) = (0, 0, self.links.len());
        while done < count {
            while under_way < parallel && self.links.len() - first < count {
                let board = fixture.credentials(self.links.len())?;
                self.begin(usize::MAX, &board)?;
                under_way += 1;
            }
            self.wait(LOOK, &mut ready)?;
            for slot in &ready {
                ended.extend(self.advance(*slot)?);
            }
            self.handle_timeout(Instant::now(), |_, end| ended.push(end));
            for end in ended.drain(..) {
                (under_way, done) = (under_way - 1, done + 1);
                tally.count(end)?;
                bar.inc(1);
            }
        }
        Ok(tally)
    }

    /// A closure that names the hub.
    fn network(&self) -> impl Fn(io::Error) -> LoadError + use<> {
        let hub = self.hub;
        move |source| LoadError::network(hub, source)
    }

    /// Where the boards speak to.
    #[must_use]
    pub const fn hub(&self) -> SocketAddr {
        self.hub
    }

    fn socket(&self) -> io::Result<UdpSocket> {
        let any: SocketAddr = match self.hub {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(self.hub)?;
        Ok(socket)
    }
}

impl Link {
    /// The next datagram that has come, if any.
    ///
    /// # Errors
    /// [`LoadError::NothingThere`] when the hub is gone.
    pub fn receive<'b>(
        &self,
        buffer: &'b mut [u8],
        hub: SocketAddr,
    ) -> Result<Option<&'b [u8]>, LoadError> {
        receive(&self.socket, buffer, hub)
    }

    /// Sends a datagram; one the system has no room for is lost, as on any network.
    pub fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send(datagram);
    }

    /// Sends what the handshake wants to.
    fn transmit(&mut self) -> Option<HandshakeFailed> {
        let State::Handshaking(handshake) = &mut self.state else { return None };
        loop {
            match handshake.poll_transmit() {
                Ok(None) => return None,
                Ok(Some(datagram)) => {
                    let _ = self.socket.send(&datagram);
                }
                Err(failed) => return Some(failed),
            }
        }
    }

    /// Performs what a step of the handshake came to.
    fn take(
        &mut self,
        result: Result<Option<super::client::Established>, HandshakeFailed>,
        slot: usize,
    ) -> Option<Ended> {
        let unsent = self.transmit();
        let result = unsent.map_or(result, Err);
        match result {
            Ok(None) => None,
            Ok(Some(keys)) => {
                let seed = u16::try_from(slot.wrapping_mul(7919) & 0xFFFF).unwrap_or(0);
                self.state = State::Open(Box::new(Session::new(keys, seed)));
                Some(Ok(self.began.elapsed()))
            }
            Err(failed) => {
                self.state = State::Failed;
                Some(Err(failed))
            }
        }
    }
}

fn receive<'b>(
    socket: &UdpSocket,
    buffer: &'b mut [u8],
    hub: SocketAddr,
) -> Result<Option<&'b [u8]>, LoadError> {
    match socket.recv(buffer) {
        Ok(length) => Ok(buffer.get(..length)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
            io::ErrorKind::ConnectionRefused => Err(LoadError::NothingThere(hub)),
            _ => Err(LoadError::network(hub, error)),
        },
    }
}
