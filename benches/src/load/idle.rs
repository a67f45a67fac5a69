//! Sessions that send one reading and fall silent: what an idle one costs the server in memory.

use std::time::{Duration, Instant};

use super::coap::Post;
use super::error::LoadError;
use super::fixture::Fixture;
use super::fleet::{Fleet, State};
use super::progress;
use super::report::Report;
use super::server::Server;

/// The part of the sessions that is opened before memory is first read, so that what a server
/// allocates once is not counted against the sessions: one in ten.
const FIRST: usize = 10;
/// Silence before memory is read.
const SETTLE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

/// What to run.
#[derive(Clone, Debug)]
pub struct Idle {
    /// How many boards.
    pub sessions: usize,
    /// Handshakes at a time.
    pub parallel: usize,
    /// Where the one reading goes.
    pub resource: String,
    /// Its bytes.
    pub payload: usize,
    /// Whose memory to read.
    pub server: Option<Server>,
}

/// Runs it.
///
/// # Errors
/// [`LoadError`].
pub fn run(mut fleet: Fleet, fixture: &Fixture, run: &Idle) -> Result<Report, LoadError> {
    fixture.require(run.sessions)?;
    let resident = || run.server.as_ref().map(Server::resident_kib).transpose();
    let at_start = resident()?;
    let first = run.sessions.div_ceil(FIRST);
    let rest = run.sessions - first;
    let began = Instant::now();
    let mut answered = open_and_report(&mut fleet, fixture, first, run)?;
    let at_first = resident()?;
    answered += open_and_report(&mut fleet, fixture, rest, run)?;
    let at_end = resident()?;

    let mut report = Report::new();
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    report.row("sessions", count(run.sessions), "");
    report.row("readings_answered", count(answered), "");
    report.row("opening", began.elapsed().as_secs_f64(), "s");
    if let (Some(start), Some(first_kib), Some(end)) = (at_start, at_first, at_end) {
        let kib = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        report.row("server_resident_before", kib(start), "KiB");
        report.row("server_resident_after", kib(end), "KiB");
        let each = |grown: f64, sessions: usize| grown * 1024.0 / count(sessions).max(1.0);
        report.row("memory", each(kib(end) - kib(first_kib), rest), "B/session");
        report.row("memory_from_start", each(kib(end) - kib(start), run.sessions), "B/session");
    }
    Ok(report)
}

/// Opens `count` more sessions, sends one reading from each, then lets the server settle; how
/// many readings were answered 2.xx.
fn open_and_report(
    fleet: &mut Fleet,
    fixture: &Fixture,
    count: usize,
    run: &Idle,
) -> Result<usize, LoadError> {
    let before = fleet.links.len();
    let bar = progress::counting("sessions", count);
    fleet.open(fixture, count, run.parallel, &bar)?;
    bar.finish_and_clear();

    let bar = progress::counting("readings", count);
    let post = Post::new(&run.resource, run.payload);
    let (mut answered, mut ended) = (0, 0);
    let mut buffer = [0; 2048];
    let (mut ready, mut datagram, mut unsent) = (Vec::new(), Vec::new(), before);
    let deadline = Instant::now() + PATIENCE;
    let mut under_way = 0;
    while ended < count && Instant::now() < deadline {
        while under_way < run.parallel {
            let Some(link) = fleet.links.get_mut(unsent) else { break };
            if let State::Open(session) = &mut link.state
                && session.post(Instant::now(), &post, &mut datagram).is_ok()
            {
                link.send(&datagram);
                under_way += 1;
            }
            unsent += 1;
        }
        fleet.wait(Duration::from_millis(250), &mut ready)?;
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
                        (under_way, ended) = (under_way - 1, ended + 1);
                        answered += usize::from(finished.code >> 5 == 2);
                        bar.inc(1);
                    },
                );
                if !datagram.is_empty() {
                    link.send(&datagram);
                }
            }
        }
    }
    bar.finish_and_clear();
    let settled = Instant::now() + SETTLE;
    while Instant::now() < settled {
        fleet.wait(settled.saturating_duration_since(Instant::now()), &mut ready)?;
    }
    Ok(answered)
}
