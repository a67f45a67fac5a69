//! One board: the shell that gives the core a clock, a socket and a sensor.
//!
//! Decides nothing about delivery; that is the core's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use board::{Board, Config, Event, Millis, Random, SubmitError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock::OwnClock;
use crate::connector::{Connection, Connector};
use crate::identity::Identity;
use crate::renewal::{self, Unused, Wanted};
use crate::sensor::Sensor;
use crate::tally::{Tally, add, take};

/// Blocks of 512 bytes for requests for certificates.
const BLOCK_EXPONENT: u8 = 5;
/// Of so many sessions that were tried with a new certificate, one is tried with the old one.
const OLD_EVERY: u32 = 8;

/// How often a board measures, and when it has done enough.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Between two readings, give or take a tenth; the first comes somewhere within it.
    pub interval: Duration,
    /// Readings to take; `None` goes on until stopped.
    pub readings: Option<u64>,
    /// The CoAP path to send to.
    pub resource: String,
    /// What the boards' own clocks say.
    pub clock: OwnClock,
    /// The core's limits and times.
    pub core: Config,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            readings: None,
            resource: wire::resource::TELEMETRY.to_owned(),
            clock: OwnClock::default(),
            core: Config::default(),
        }
    }
}

/// A board that has not started yet.
pub struct VirtualBoard {
    /// Who it is.
    pub identity: Identity,
    /// Where its hub is.
    pub connector: Arc<Connector>,
    /// What it does.
    pub plan: Arc<Plan>,
    /// Where it counts.
    pub tally: Arc<Tally>,
    /// Seed of everything random but the cryptography.
    pub seed: u64,
}

impl VirtualBoard {
    /// Runs until every reading of the plan is answered for good, or `stop` turns true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut running = Running::new(self);
        let mut buffer = [0_u8; 1280];
        while !*stop.borrow() && !running.is_done() {
            let now = running.now();
            running.measure(now);
            if !running.perform(&mut stop).await {
                break;
            }
            if running.is_done() {
                break;
            }
            let wake = running.wake();
            tokio::select! {
                () = wake => {
                    let now = running.now();
                    running.core.handle_timeout(now);
                }
                received = receive(running.connection.as_ref(), &mut buffer) => {
                    running.received(received.map(|n| buffer.get(..n).unwrap_or_default()));
                }
                () = stopped(&mut stop) => {}
            }
        }
        running.disconnect().await;
    }
}

struct Running {
    board: VirtualBoard,
    core: Board,
    connection: Option<Connection>,
    sensor: Sensor,
    random: Random,
    started: Instant,
    next_reading: Option<Instant>,
    seq: u64,
    answered: u64,
    /// A certificate that was asked for and not used yet, and how often that was tried.
    unused: Option<(Unused, u32)>,
    /// When each reading in the core's queue was taken; the core keeps their order.
    taken: VecDeque<Instant>,
}

impl Running {
    fn new(board: VirtualBoard) -> Self {
        let started = Instant::now();
        let mut random = Random::new(board.seed);
        let first = Duration::from_millis(random.up_to(millis(board.plan.interval)));
        add(&board.tally.boards);
        Self {
            core: Board::new(board.plan.core.clone(), random.bits()),
            connection: None,
            sensor: Sensor::new(random.bits()),
            random,
            started,
            next_reading: Some(started + first),
            seq: 0,
            answered: 0,
            unused: None,
            taken: VecDeque::new(),
            board,
        }
    }

    fn now(&self) -> Millis {
        millis(self.started.elapsed())
    }

    fn is_done(&self) -> bool {
        self.board.plan.readings.is_some_and(|readings| self.answered >= readings)
    }

    /// Takes a reading if one is due; one that finds the queue full is tried again next time.
    fn measure(&mut self, now: Millis) {
        let Some(due) = self.next_reading.filter(|due| Instant::now() >= *due) else { return };
        let mut pack = [0_u8; 256];
        let time = self.core.unix_ms(now).or_else(|| self.board.plan.clock.unix_ms());
        let time = time.and_then(|unix_ms| i64::try_from(unix_ms / 1000).ok());
        let name = &self.board.identity.board;
        let written = self.sensor.measure(name, self.seq, time, &mut pack);
        let resource = &self.board.plan.resource;
        let submitted = match written {
            Ok(length) => {
                let payload = pack.get(..length).unwrap_or_default().to_vec();
                let format = wire::CONTENT_FORMAT_SENML_CBOR;
                self.core.submit(now, resource, format, payload).map_err(|refused| {
                    if let SubmitError::QueueFull { .. } = refused {
                        add(&self.board.tally.refused_by_queue);
                    }
                    refused.to_string()
                })
            }
            Err(error) => Err(error.to_string()),
        };
        match submitted {
            Ok(_) => {
                self.seq += 1;
                self.taken.push_back(Instant::now());
                add(&self.board.tally.submitted);
            }
            Err(refused) => self.board.tally.note(name, &refused),
        }
        let interval = millis(self.board.plan.interval);
        let jittered = interval - interval / 10 + self.random.up_to(interval / 5);
        let next = (due + Duration::from_millis(jittered)).max(Instant::now());
        let is_last = self.board.plan.readings.is_some_and(|readings| self.seq >= readings);
        self.next_reading = (!is_last).then_some(next);
    }

    /// Does what the core wants done; false when stopped meanwhile.
    async fn perform(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        loop {
            while let Some(event) = self.core.poll_event() {
                match event {
                    Event::ConnectWanted => {
                        tokio::select! {
                            () = self.connect() => {}
                            () = stopped(stop) => return false,
                        }
                    }
                    Event::Acknowledged { .. } => {
                        let taken = self.taken.pop_front().unwrap_or_else(Instant::now);
                        self.board.tally.acknowledged(taken.elapsed());
                        self.answered += 1;
                    }
                    Event::Rejected { code, .. } => {
                        self.taken.pop_front();
                        self.answered += 1;
                        add(&self.board.tally.rejected);
                        self.note(&format_args!("a reading was rejected with {}", dotted(code)));
                    }
                    Event::RenewalWanted => {
                        tokio::select! {
                            () = self.renew() => {}
                            () = stopped(stop) => return false,
                        }
                    }
                    Event::TimeLearned { .. } => add(&self.board.tally.times_learned),
                    Event::Deferred { code, until, .. } => {
                        let seconds = until.saturating_sub(self.now()) / 1000;
                        add(&self.board.tally.deferred);
                        self.note(&format_args!("put off {seconds} s by {}", dotted(code)));
                    }
                }
            }
            let Some(datagram) = self.core.poll_transmit() else { return true };
            let Some(connection) = &self.connection else { continue };
            if let Err(error) = connection.send(&datagram).await {
                self.lost(&error);
            }
        }
    }

    async fn connect(&mut self) {
        self.disconnect().await;
        let unused = self.unused.as_mut().and_then(|(unused, tries)| {
            *tries += 1;
            // Should the hub not know it any more, the old one is good.
            (*tries % OLD_EVERY != 0).then(|| unused.identity.clone())
        });
        let is_new = unused.is_some();
        let identity = unused.unwrap_or_else(|| self.board.identity.clone());
        let connected = self.board.connector.connect(&identity).await;
        let now = self.now();
        match connected {
            Ok(connection) => {
                match self.unused.take() {
                    Some((unused, _)) if is_new => self.use_from_now_on(&unused),
                    Some(_) | None => {}
                }
                self.connection = Some(connection);
                add(&self.board.tally.handshakes);
                add(&self.board.tally.online);
                self.core.handle_connected(now);
            }
            Err(error) => {
                add(&self.board.tally.handshakes_failed);
                self.note(&error);
                self.core.handle_disconnected(now);
            }
        }
    }

    /// Asks over the session that there is for another certificate, and begins one with it.
    async fn renew(&mut self) {
        let Some(connection) = &self.connection else { return };
        let identity = &self.board.identity;
        match renewal::ask(connection, identity, Wanted::Renewal, BLOCK_EXPONENT).await {
            Ok(unused) => {
                self.unused = Some((unused, 0));
                self.connect().await;
            }
            Err(error) => {
                add(&self.board.tally.renewals_failed);
                self.note(&error);
            }
        }
    }

    fn use_from_now_on(&mut self, unused: &Unused) {
        match unused.take_place(&self.board.identity.files) {
            Ok(identity) => {
                self.board.identity = identity;
                add(&self.board.tally.renewed);
            }
            Err(error) => {
                self.board.identity = unused.identity.clone();
                self.note(&error);
            }
        }
    }

    async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            take(&self.board.tally.online);
            connection.close().await;
        }
    }

    fn received(&mut self, received: Result<&[u8], webrtc_dtls::Error>) {
        let now = self.now();
        match received {
            Ok(datagram) => self.core.handle_datagram(now, datagram),
            Err(webrtc_dtls::Error::ErrBufferTooSmall) => {}
            Err(error) => self.lost(&error),
        }
    }

    fn lost(&mut self, error: &webrtc_dtls::Error) {
        if self.connection.take().is_some() {
            take(&self.board.tally.online);
        }
        self.note(&format_args!("the connection was lost: {error}"));
        let now = self.now();
        self.core.handle_disconnected(now);
    }

    fn note(&self, trouble: &dyn std::fmt::Display) {
        self.board.tally.note(&self.board.identity.board, trouble);
    }

    /// Resolves when the core or the sensor is due.
    fn wake(&self) -> impl Future<Output = ()> + use<> {
        let core = self.core.poll_timeout().map(|at| self.started + Duration::from_millis(at));
        let due = [core, self.next_reading].into_iter().flatten().min();
        async move {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// The next datagram, or never while there is no connection.
async fn receive(
    connection: Option<&Connection>,
    buffer: &mut [u8],
) -> Result<usize, webrtc_dtls::Error> {
    match connection {
        Some(connection) => connection.receive(buffer).await,
        None => std::future::pending().await,
    }
}

/// Resolves when `stop` turns true; never when nobody is left to turn it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A code the way people write it; 0 stands for a reset.
fn dotted(code: u8) -> String {
    if code == 0 { "a reset".to_owned() } else { format!("{}.{:02}", code >> 5, code & 31) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
