//! Confirmable POSTs over open sessions for a time: how many a second, how long each took, and
//! what one costs the server.

use std::time::{Duration, Instant};

use super::coap::Post;
use super::error::LoadError;
use super::fixture::Fixture;
use super::fleet::{Fleet, Link, State};
use super::progress;
use super::report::Report;
use super::server::Server;
use super::session::Finished;

/// Between looking for what has to be repeated.
const LOOK: Duration = Duration::from_millis(250);
/// Traffic before the clock starts.
const WARM_UP: Duration = Duration::from_secs(1);

/// What to run.
#[derive(Clone, Debug)]
pub struct Posts {
    /// How many boards.
    pub sessions: usize,
    /// Handshakes at a time while they are opened.
    pub parallel: usize,
    /// Where to post.
    pub resource: String,
    /// Bytes of a reading.
    pub payload: usize,
    /// For how long.
    pub time: Duration,
    /// Requests in flight a board.
    pub window: usize,
    /// Whose processor time to read.
    pub server: Option<Server>,
}

#[derive(Default)]
struct Counted {
    took: Vec<Duration>,
    refused: u32,
    repeated: u32,
    lost: u32,
}

/// Runs it.
///
/// # Errors
/// [`LoadError`].
pub fn run(mut fleet: Fleet, fixture: &Fixture, run: &Posts) -> Result<Report, LoadError> {
    fixture.require(run.sessions)?;
    let bar = progress::counting("sessions", run.sessions);
    fleet.open(fixture, run.sessions, run.parallel, &bar)?;
    bar.finish_and_clear();

    let post = Post::new(&run.resource, run.payload);
    let ourselves = Server::ourselves();
    let processor = |server: &Option<Server>| server.as_ref().map(Server::processor_time);
    let bar = progress::running("readings", run.time);
    let mut counted = Counted::default();
    let mut buffer = [0; 2048];
    let (mut ready, mut datagram) = (Vec::new(), Vec::new());
    for link in &mut fleet.links {
        refill(link, run.window, &post, &mut datagram);
    }
    let mut began = Instant::now();
    let mut looked = began;
    let mut before = None;
    let mut own_before = Duration::ZERO;
    let mut warm = false;
    loop {
        let now = Instant::now();
        if !warm && now >= began + WARM_UP {
            (before, own_before) =
                (processor(&run.server).transpose()?, ourselves.processor_time()?);
            (warm, began, counted) = (true, now, Counted::default());
        }
        if warm && now >= began + run.time {
            break;
        }
        fleet.wait(LOOK, &mut ready)?;
        let hub = fleet.hub();
        for slot in &ready {
            let Some(link) = fleet.links.get_mut(*slot) else { continue };
            while let Some(received) = link.receive(&mut buffer, hub)? {
                let State::Open(session) = &mut link.state else { break };
                session.handle_datagram(
                    Instant::now(),
                    received,
                    Some(&post),
                    &mut datagram,
                    |finished| {
                        counted.count(finished);
                    },
                );
                if !datagram.is_empty() {
                    link.send(&datagram);
                }
            }
            refill(link, run.window, &post, &mut datagram);
        }
        if now >= looked + LOOK {
            looked = now;
            for link in &mut fleet.links {
                counted.repeat(link, now, &post);
                refill(link, run.window, &post, &mut datagram);
            }
            if warm {
                bar.set_position(u64::try_from((now - began).as_millis()).unwrap_or(u64::MAX));
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let (after, own_after) = (processor(&run.server).transpose()?, ourselves.processor_time()?);
    bar.finish_and_clear();

    let count = f64::from(u32::try_from(counted.took.len()).unwrap_or(u32::MAX));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count.max(1.0);
    let mut report = Report::new();
    report.row("requests", count / took, "1/s");
    report.row("refused", f64::from(counted.refused), "");
    report.row("retransmissions", f64::from(counted.repeated), "");
    report.row("lost", f64::from(counted.lost), "");
    if let (Some(before), Some(after)) = (before, after) {
        let used = after.saturating_sub(before);
        report.row("server_cpu", each(used), "us/message");
        report.row("server_cores", used.as_secs_f64() / took, "");
    }
    report.row("generator_cpu", each(own_after.saturating_sub(own_before)), "us/message");
    report.latencies(counted.took);
    Ok(report)
}

impl Counted {
    /// Only a success counts as a request served; its class is 2.
    fn count(&mut self, finished: Finished) {
        if finished.code >> 5 == 2 {
            self.took.push(finished.took);
        } else {
            self.refused += 1;
        }
    }

    fn repeat(&mut self, link: &mut Link, now: Instant, post: &Post) {
        let mut due = Vec::new();
        if let State::Open(session) = &mut link.state {
            let overdue = session.handle_timeout(now, post, |datagram| due.push(datagram.to_vec()));
            self.repeated += overdue.repeated;
            self.lost += overdue.lost;
        }
        due.iter().for_each(|datagram| link.send(datagram));
    }
}

/// Keeps the board's window full.
fn refill(link: &mut Link, window: usize, post: &Post, datagram: &mut Vec<u8>) {
    loop {
        match &mut link.state {
            State::Open(session) if session.in_flight() < window => {
                if session.post(Instant::now(), post, datagram).is_err() {
                    return;
                }
            }
            State::Open(_) | State::Handshaking(_) | State::Failed => return,
        }
        link.send(datagram);
    }
}
