//! Abbreviated handshakes for a time: a full one for each board first, then each resumes its session
//! from a new socket, over and over. How many a second, and what one costs the server.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actors::link::cipher::Suite;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use super::abbreviated::{Abbreviated, Step};
use super::client::{ConnectionIds, Resumption};
use super::coap::Post;
use super::error::LoadError;
use super::fixture::Fixture;
use super::fleet::{Fleet, State};
use super::progress;
use super::report::Report;
use super::server::Server;
use super::session::Session;

/// How soon a hello is repeated, and how often the slots are looked over for that.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);
/// Repetitions before a handshake counts as failed.
const REPEATED_MAX: u32 = 8;
const DATAGRAM_MAX: usize = 2048;

/// What to run.
#[derive(Clone, Debug)]
pub struct Resumes {
    /// Boards, each with a session to resume.
    pub sessions: usize,
    /// For how long.
    pub time: Duration,
    /// How many at a time.
    pub parallel: usize,
    /// The suite of the sessions.
    pub suite: Suite,
    /// Whether Connection IDs are offered.
    pub ids: ConnectionIds,
    /// Sent right behind each handshake, whose end is its answer then.
    pub reading: Option<Post>,
    /// Whose processor time to read.
    pub server: Option<Server>,
}

/// One handshake at a time, each from a new socket.
struct Slot {
    socket: UdpSocket,
    board: Resumption,
    stage: Stage,
    began: Instant,
    sent: Instant,
    repeated: u32,
}

enum Stage {
    Hello(Abbreviated),
    Reading(Box<Session>),
}

#[derive(Default)]
struct Counted {
    took: Vec<Duration>,
    failed: u32,
    repeated: u32,
}

/// Runs it.
///
/// # Errors
/// [`LoadError`].
pub fn run(mut fleet: Fleet, fixture: &Fixture, run: &Resumes) -> Result<Report, LoadError> {
    fixture.require(run.sessions.max(run.parallel))?;
    let bar = progress::counting("sessions", run.sessions);
    fleet.open(fixture, run.sessions, run.parallel, &bar)?;
    bar.finish_and_clear();
    let hub = fleet.hub();
    let mut boards: VecDeque<Resumption> = fleet
        .links
        .drain(..)
        .filter_map(|link| match link.state {
            State::Open(session) => session.resumption().cloned(),
            State::Handshaking(_) | State::Failed => None,
        })
        .collect();
    if boards.len() < run.parallel {
        return Err(LoadError::NotResumable(hub));
    }

    let mut crowd = Crowd::new(hub, run)?;
    let ourselves = Server::ourselves();
    let processor = |server: &Option<Server>| server.as_ref().map(Server::processor_time);
    let bar = progress::running("abbreviated handshakes", run.time);
    let (before, own_before) = (processor(&run.server).transpose()?, ourselves.processor_time()?);
    let began = Instant::now();
    for board in boards.drain(..run.parallel) {
        crowd.begin(usize::MAX, board)?;
    }
    let mut looked = began;
    while began.elapsed() < run.time {
        for slot in crowd.wait()? {
            if crowd.advance(slot)? {
                crowd.go_on(slot, &mut boards)?;
            }
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            for slot in crowd.overdue() {
                crowd.go_on(slot, &mut boards)?;
            }
            bar.set_position(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
    }
    let took = began.elapsed().as_secs_f64();
    let (after, own_after) = (processor(&run.server).transpose()?, ourselves.processor_time()?);
    bar.finish_and_clear();

    let counted = crowd.counted;
    let count = f64::from(u32::try_from(counted.took.len()).unwrap_or(u32::MAX));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count.max(1.0);
    let mut report = Report::new();
    report.row("resumed", count / took, "1/s");
    report.row("failed", f64::from(counted.failed), "");
    report.row("repeated", f64::from(counted.repeated), "");
    if let (Some(before), Some(after)) = (before, after) {
        let used = after.saturating_sub(before);
        report.row("server_cpu", each(used), "us/handshake");
        report.row("server_cores", used.as_secs_f64() / took, "");
    }
    report.row("generator_cpu", each(own_after.saturating_sub(own_before)), "us/handshake");
    report.latencies(counted.took);
    Ok(report)
}

/// All slots, on one poll.
struct Crowd<'r> {
    run: &'r Resumes,
    hub: SocketAddr,
    poll: Poll,
    events: Events,
    slots: Vec<Slot>,
    counted: Counted,
    /// Client randoms only have to differ here.
    number: u64,
}

impl<'r> Crowd<'r> {
    fn new(hub: SocketAddr, run: &'r Resumes) -> Result<Self, LoadError> {
        let poll = Poll::new().map_err(|source| LoadError::network(hub, source))?;
        let events = Events::with_capacity(1024);
        let (slots, counted) = (Vec::new(), Counted::default());
        Ok(Self { run, hub, poll, events, slots, counted, number: 0 })
    }

    /// Begins a board's next handshake in a slot; a new one when it is past the end.
    fn begin(&mut self, slot: usize, board: Resumption) -> Result<(), LoadError> {
        let slot = slot.min(self.slots.len());
        let failed = |source| LoadError::network(self.hub, source);
        let any: SocketAddr = match self.hub {
            SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let mut socket = UdpSocket::bind(any).map_err(failed)?;
        socket.connect(self.hub).map_err(failed)?;
        self.poll
            .registry()
            .register(&mut socket, Token(slot), Interest::READABLE)
            .map_err(failed)?;
        self.number += 1;
        let mut random = [0x5C; 32];
        if let Some(head) = random.first_chunk_mut::<8>() {
            *head = self.number.to_be_bytes();
        }
        let handshake = Abbreviated::new(board.clone(), self.run.suite, self.run.ids, random);
        let _ = socket.send(&handshake.hello());
        let now = Instant::now();
        let stage = Stage::Hello(handshake);
        let new = Slot { socket, board, stage, began: now, sent: now, repeated: 0 };
        match self.slots.get_mut(slot) {
            Some(place) => *place = new,
            None => self.slots.push(new),
        }
        Ok(())
    }

    /// Gives the slot to the board that has waited longest.
    fn go_on(&mut self, slot: usize, boards: &mut VecDeque<Resumption>) -> Result<(), LoadError> {
        let Some(before) = self.slots.get(slot) else { return Ok(()) };
        boards.push_back(before.board.clone());
        match boards.pop_front() {
            Some(board) => self.begin(slot, board),
            None => Ok(()),
        }
    }

    fn wait(&mut self) -> Result<Vec<usize>, LoadError> {
        match self.poll.poll(&mut self.events, Some(LOOK)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result.map_err(|source| LoadError::network(self.hub, source))?,
        }
        Ok(self.events.iter().map(|event| event.token().0).collect())
    }

    /// Lets a slot take what has come, and says whether it is done.
    fn advance(&mut self, at: usize) -> Result<bool, LoadError> {
        let Some(slot) = self.slots.get_mut(at) else { return Ok(false) };
        let mut buffer = [0; DATAGRAM_MAX];
        loop {
            let length = match slot.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err(LoadError::NothingThere(self.hub));
                }
                Err(_) => return Ok(false),
            };
            let Some(datagram) = buffer.get(..length) else { continue };
            let done = match &mut slot.stage {
                Stage::Reading(session) => {
                    let (mut done, mut acknowledgement) = (false, Vec::new());
                    let ended = |_| done = true;
                    let reading = self.run.reading.as_ref();
                    let now = Instant::now();
                    session.handle_datagram(now, datagram, reading, &mut acknowledgement, ended);
                    if !acknowledgement.is_empty() {
                        let _ = slot.socket.send(&acknowledgement);
                    }
                    done
                }
                Stage::Hello(handshake) => match handshake.handle_datagram(datagram) {
                    Step::Send(answer) => {
                        let _ = slot.socket.send(&answer);
                        slot.sent = Instant::now();
                        false
                    }
                    Step::Done(last, established) => {
                        let _ = slot.socket.send(&last);
                        match &self.run.reading {
                            None => true,
                            Some(post) => {
                                let mut session = Session::new(*established, 1);
                                let mut datagram = Vec::new();
                                if session.post(Instant::now(), post, &mut datagram).is_ok() {
                                    let _ = slot.socket.send(&datagram);
                                }
                                slot.sent = Instant::now();
                                slot.stage = Stage::Reading(Box::new(session));
                                false
                            }
                        }
                    }
                    Step::Nothing => false,
                    Step::Failed => {
                        self.counted.failed += 1;
                        return Ok(true);
                    }
                },
            };
            if done {
                self.counted.took.push(slot.began.elapsed());
                return Ok(true);
            }
        }
    }

    /// Repeats what has no answer yet; the slots that have waited in vain.
    fn overdue(&mut self) -> Vec<usize> {
        let mut given_up = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.sent.elapsed() < PATIENCE {
                continue;
            }
            if slot.repeated >= REPEATED_MAX {
                self.counted.failed += 1;
                given_up.push(at);
                continue;
            }
            (slot.sent, slot.repeated) = (Instant::now(), slot.repeated + 1);
            self.counted.repeated += 1;
            match (&mut slot.stage, &self.run.reading) {
                (Stage::Hello(handshake), _) => {
                    let _ = slot.socket.send(&handshake.hello());
                }
                (Stage::Reading(session), Some(post)) => {
                    let socket = &slot.socket;
                    session.handle_timeout(Instant::now(), post, |datagram| {
                        let _ = socket.send(datagram);
                    });
                }
                (Stage::Reading(_), None) => {}
            }
        }
        given_up
    }
}
