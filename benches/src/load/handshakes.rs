//! Full mutual handshakes for a time: how many a second, and what one costs the server.

use std::time::{Duration, Instant};

use super::error::LoadError;
use super::fixture::{Credentials, Fixture};
use super::fleet::{Fleet, State, Tally};
use super::progress;
use super::report::Report;
use super::server::Server;

/// Boards whose keys are read before the clock starts; they take turns.
const BOARDS_MAX: usize = 2000;

/// What to run.
#[derive(Clone, Debug)]
pub struct Handshakes {
    /// For how long.
    pub time: Duration,
    /// How many at a time.
    pub parallel: usize,
    /// Whose processor time to read.
    pub server: Option<Server>,
    /// What happens to the sessions.
    pub afterwards: Afterwards,
}

/// What happens to a session once its handshake is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// Closed with an alert.
    Close,
    /// Left to be replaced by the board's next handshake.
    Keep,
}

/// Runs it.
///
/// # Errors
/// [`LoadError`].
pub fn run(mut fleet: Fleet, fixture: &Fixture, run: &Handshakes) -> Result<Report, LoadError> {
    fixture.require(run.parallel.max(1))?;
    let boards: Vec<Credentials> = (0..fixture.len().min(BOARDS_MAX))
        .map(|index| fixture.credentials(index))
        .collect::<Result<_, _>>()?;
    let mut boards = boards.iter().cycle();
    let bar = progress::running("handshakes", run.time);

    let mut tally = Tally::default();
    let (mut ready, mut free) = (Vec::new(), Vec::new());
    let (ourselves, mut datagram) = (Server::ourselves(), Vec::new());
    let processor = |server: &Option<Server>| server.as_ref().map(Server::processor_time);
    let (before, own_before) = (processor(&run.server).transpose()?, ourselves.processor_time()?);
    let began = Instant::now();
    free.extend(0..run.parallel);
    while began.elapsed() < run.time {
        for slot in free.drain(..) {
            if let Some(board) = boards.next() {
                fleet.begin(slot, board)?;
            }
        }
        fleet.wait(Duration::from_millis(100), &mut ready)?;
        for slot in &ready {
            if let Some(ended) = fleet.advance(*slot)? {
                tally.count(ended)?;
                free.push(*slot);
            }
        }
        let mut late = Vec::new();
        fleet.handle_timeout(Instant::now(), |slot, ended| late.push((slot, ended)));
        for (slot, ended) in late {
            tally.count(ended)?;
            free.push(slot);
        }
        for slot in &free {
            let Some(link) = fleet.links.get_mut(*slot) else { continue };
            let State::Open(session) = &mut link.state else { continue };
            if run.afterwards == Afterwards::Close && session.close(&mut datagram).is_ok() {
                link.send(&datagram);
            }
        }
        bar.set_position(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    }
    let took = began.elapsed().as_secs_f64();
    let (after, own_after) = (processor(&run.server).transpose()?, ourselves.processor_time()?);
    bar.finish_and_clear();

    let count = f64::from(u32::try_from(tally.took.len()).unwrap_or(u32::MAX));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count.max(1.0);
    let mut report = Report::new();
    report.row("handshakes", count / took, "1/s");
    report.row("failed", f64::from(u32::try_from(tally.failed).unwrap_or(u32::MAX)), "");
    if let (Some(before), Some(after)) = (before, after) {
        let used = after.saturating_sub(before);
        report.row("server_cpu", each(used), "us/handshake");
        report.row("server_cores", used.as_secs_f64() / took, "");
    }
    report.row("generator_cpu", each(own_after.saturating_sub(own_before)), "us/handshake");
    report.latencies(tally.took);
    Ok(report)
}
