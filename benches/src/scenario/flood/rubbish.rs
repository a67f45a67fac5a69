//! What somebody sends who wants the hub to fail, as fast as one thread can.
//!
//! From a thousand sockets all over 127.0.0.0/8: first hellos, hellos with cookies of others and of
//! long ago, handshakes begun and left, records for sessions that exist and for none, datagrams
//! too long to be a record. Invariant: nothing of it authenticates.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actors::link::cipher::Suite;
use actors::link::connection_id::LENGTH;

use super::super::error::{ScenarioError, system};
use crate::load::chance::Chance;
use crate::load::client::{ConnectionIds, Handshake, Profile};
use crate::load::fixture::Credentials;

const SOCKETS: usize = 512;
/// One datagram in so many begins a handshake, which costs the attacker too.
const HALF_OPEN_EVERY: u64 = 256;
/// Where a record's random begins in a ClientHello datagram: record and handshake headers, version.
const RANDOM: std::ops::Range<usize> = 27..59;
const HEADER_WITH_ID: usize = 13 + LENGTH;
const OVERSIZE: usize = 4000;
const COOKIE_WITHIN: Duration = Duration::from_millis(2);

/// A flood under way.
pub(super) struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Sent>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) datagrams: u64,
    pub(super) half_open: u64,
    /// What came back.
    pub(super) answers: u64,
    pub(super) took: Duration,
}

struct Attacker {
    hub: SocketAddr,
    chance: Chance,
    ids: Vec<[u8; LENGTH]>,
    sockets: Vec<UdpSocket>,
    profile: Profile,
    credentials: Credentials,
    /// A first hello.
    hello: Vec<u8>,
    /// Hellos with cookies that were good for another address.
    cookies: Vec<Vec<u8>>,
    sent: Sent,
}

impl Flood {
    /// Floods until it is stopped.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub(super) fn start(
        hub: SocketAddr,
        seed: u64,
        ids: Vec<[u8; LENGTH]>,
        credentials: &Credentials,
    ) -> Result<Self, ScenarioError> {
        let profile = Profile::new(Suite::EcdheEcdsaAes128GcmSha256, ConnectionIds::Offered)?;
        let mut chance = Chance::new(seed);
        let sockets = (0..SOCKETS)
            .map(|_| somewhere(&mut chance))
            .collect::<io::Result<_>>()
            .map_err(system("open a socket"))?;
        let mut attacker = Attacker {
            hub,
            chance,
            ids,
            sockets,
            hello: first_hello(&profile, credentials)?,
            profile,
            credentials: credentials.clone(),
            cookies: Vec::new(),
            sent: Sent::default(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let began = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                attacker.send_one();
            }
            attacker.sent.took = began.elapsed();
            attacker.sent
        });
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub(super) fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

impl Attacker {
    fn send_one(&mut self) {
        let number = self.sent.datagrams;
        if number.is_multiple_of(HALF_OPEN_EVERY) {
            self.half_open();
        }
        let mut record = [0; 128];
        let datagram: &[u8] = match self.chance.below(16) {
            0..4 => {
                if let Some(random) = self.hello.get_mut(RANDOM) {
                    self.chance.fill(random);
                }
                &self.hello
            }
            4..6 => match self.cookies.get(self.chance.below(self.cookies.len())) {
                Some(hello) => hello,
                None => &self.hello,
            },
            kind @ 6..15 => {
                self.chance.fill(&mut record);
                let known = self.ids.get(self.chance.below(self.ids.len()));
                let id = known.filter(|_| kind < 11);
                protected(&mut record, id, number);
                &record
            }
            _ => &[0x19; OVERSIZE],
        };
        let from = self.chance.below(self.sockets.len());
        if let Some(socket) = self.sockets.get(from) {
            // What the system has no room for never was.
            let _ = socket.send_to(datagram, self.hub);
        }
        self.sent.datagrams += 1;
    }

    /// Begins a handshake from a new address and leaves it after the hello with its cookie.
    fn half_open(&mut self) {
        let begun = (|| {
            let socket = somewhere(&mut self.chance).ok()?;
            let mut handshake = Handshake::new(&self.profile, &self.credentials).ok()?;
            handshake.drive().ok()?;
            let hello = handshake.poll_transmit().ok()??;
            socket.send_to(&hello, self.hub).ok()?;
            socket.set_nonblocking(false).ok()?;
            socket.set_read_timeout(Some(COOKIE_WITHIN)).ok()?;
            let mut answer = [0; 2048];
            let length = socket.recv(&mut answer).ok()?;
            handshake.handle_datagram(answer.get(..length)?).ok()?;
            let with_cookie = handshake.poll_transmit().ok()??;
            socket.send_to(&with_cookie, self.hub).ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, with_cookie))
        })();
        let Some((socket, with_cookie)) = begun else { return };
        self.sent.half_open += 1;
        self.sent.answers += 1;
        let place = self.chance.below(self.sockets.len());
        if let Some(place) = self.sockets.get_mut(place) {
            *place = socket;
        }
        if self.cookies.len() < SOCKETS {
            self.cookies.push(with_cookie);
        }
    }
}

/// Makes a protected record with a Connection ID of random bytes; with `id` it names a session.
fn protected(record: &mut [u8; 128], id: Option<&[u8; LENGTH]>, number: u64) {
    let length = u16::try_from(record.len() - HEADER_WITH_ID).unwrap_or(0).to_be_bytes();
    let [_, _, sequence @ ..] = number.to_be_bytes();
    let head = [25, 0xFE, 0xFD, 0, 1].into_iter().chain(sequence);
    for (to, from) in record.iter_mut().zip(head) {
        *to = from;
    }
    let at_id = record.iter_mut().skip(11);
    match id {
        Some(id) => at_id.zip(id).for_each(|(to, from)| *to = *from),
        // The node and the arbiter of a real one; the rest stays random.
        None => at_id.zip([0, 0]).for_each(|(to, from)| *to = from),
    }
    for (to, from) in record.iter_mut().skip(11 + LENGTH).zip(length) {
        *to = from;
    }
}

fn first_hello(profile: &Profile, credentials: &Credentials) -> Result<Vec<u8>, ScenarioError> {
    let mut handshake = Handshake::new(profile, credentials)?;
    // Nothing can fail before the first answer.
    let _ = handshake.drive();
    Ok(handshake.poll_transmit().ok().flatten().unwrap_or_default())
}

/// A socket at some address of 127.0.0.0/8.
fn somewhere(chance: &mut Chance) -> io::Result<UdpSocket> {
    let [a, b, c, ..] = chance.bytes();
    let socket = UdpSocket::bind((Ipv4Addr::new(127, a, b, c.clamp(2, 253)), 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
