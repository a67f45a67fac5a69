//! `scale`: how throughput, latency and the cost of a message grow from a thousand sessions to a
//! million, all posting in turn with the same number of requests under way.
//!
//! Throughput is compared as it was measured where the hub had as much of the processor in the last
//! step as in the first. Where something else took it, the messages a processor second are.

use std::time::{Duration, Instant};

use super::error::ScenarioError;
use super::site::{Site, Wanted};
use super::{Size, Verdict, figure, sleepers, traffic};
use crate::load::progress;
use crate::load::report::{Report, percentile};
use crate::load::server::Server;
use crate::load::swarm::Patience;

const PATIENCE: Patience = Patience { again: Duration::from_secs(2), datagrams: 5 };
/// Throughput of the largest against the smallest.
const TARGET: f64 = 0.8;
/// Of the processor that the hub had in the first step, below which it was not at its own limit.
const BUSY: f64 = 0.95;

/// How large the run is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sessions of each step, ascending.
    pub sessions: Vec<usize>,
    /// How long each is measured.
    pub time: Duration,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size) -> Self {
        Self {
            sessions: size.choose(vec![1_000, 10_000], vec![1_000, 10_000, 100_000, 1_000_000]),
            time: Duration::from_secs(size.choose(5, 10)),
        }
    }
}

struct Step {
    sessions: usize,
    waking: f64,
    throughput: f64,
    p50: Duration,
    p99: Duration,
    server_us: f64,
    server_cores: f64,
    generator_us: f64,
    lost: usize,
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let steps: Vec<Step> = options
        .sessions
        .iter()
        .map(|sessions| step(*sessions, options.time))
        .collect::<Result<_, _>>()?;

    let mut report = Report::new();
    for step in &steps {
        report.row("sessions", figure(step.sessions), "");
        report.row("  waking_all", step.waking, "1/s");
        report.row("  throughput", step.throughput, "1/s");
        report.row("  latency_p50", step.p50.as_secs_f64() * 1e3, "ms");
        report.row("  latency_p99", step.p99.as_secs_f64() * 1e3, "ms");
        report.row("  server_cpu", step.server_us, "us/message");
        report.row("  server_cores", step.server_cores, "");
        report.row("  generator_cpu", step.generator_us, "us/message");
        report.row("  not_answered", figure(step.lost), "");
    }
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return Ok(Verdict { report, figure: String::from("nothing to compare"), met: false });
    };
    let (ratio, what) = if last.server_cores < BUSY * first.server_cores {
        let ratio = first.server_us / last.server_us.max(f64::MIN_POSITIVE);
        (ratio, "messages a processor second")
    } else {
        (last.throughput / first.throughput.max(1.0), "throughput")
    };
    let lost: usize = steps.iter().map(|step| step.lost).sum();
    Ok(Verdict {
        report,
        figure: format!(
            "{:.0} % of the {what} of {} sessions with {}",
            ratio * 100.0,
            first.sessions,
            last.sessions
        ),
        met: ratio >= TARGET && lost == 0,
    })
}

fn step(sessions: usize, time: Duration) -> Result<Step, ScenarioError> {
    let site = Site::make(&Wanted { sleeping: sessions, ..Wanted::default() })?;
    let mut hub = site.start()?;
    hub.wait_ready(Duration::from_secs(120))?;
    let mut swarm = traffic::swarm(&site, "d", PATIENCE)?;
    sleepers::adopt(&site, &mut swarm)?;
    let server = hub.server()?;

    // Twice, so that what is measured is not the waking.
    let bar = progress::counting("waking", sessions);
    let began = Instant::now();
    traffic::greet(&mut swarm, sessions, &bar)?;
    bar.finish_and_clear();
    let waking = figure(sessions) / began.elapsed().as_secs_f64();

    let mut next = 0;
    traffic::in_turn(&mut swarm, &mut next, traffic::WINDOW, Duration::from_secs(1))?;
    let ourselves = Server::ourselves();
    let (before, own) = (server.processor_time()?, ourselves.processor_time()?);
    let began = Instant::now();
    let mut tally = traffic::in_turn(&mut swarm, &mut next, traffic::WINDOW, time)?;
    let took = began.elapsed().as_secs_f64();
    let used = server.processor_time()?.saturating_sub(before).as_secs_f64();
    let own = ourselves.processor_time()?.saturating_sub(own).as_secs_f64();
    hub.kill()?;

    let count = figure(tally.took.len());
    tally.took.sort_unstable();
    Ok(Step {
        sessions,
        waking,
        throughput: count / took,
        p50: percentile(&tally.took, 50),
        p99: percentile(&tally.took, 99),
        server_us: used * 1e6 / count.max(1.0),
        server_cores: used / took,
        generator_us: own * 1e6 / count.max(1.0),
        lost: tally.lost + tally.refused,
    })
}
