//! `flood`: boards with sessions send at a steady rate while one thread sends all the rubbish it
//! can; how much of their goodput is left.
//!
//! A reading counts when it is answered within a second of its first transmission. Boards repeat as
//! CoAP has it, after two seconds, so a datagram that is lost is a reading that does not count.

mod rubbish;

use std::time::Duration;

use self::rubbish::Flood;
use super::error::ScenarioError;
use super::site::{Site, Wanted};
use super::traffic::Steady;
use super::{Size, Verdict, figure, traffic};
use crate::load::progress;
use crate::load::report::Report;
use crate::load::swarm::Patience;

const PATIENCE: Patience = Patience { again: Duration::from_secs(2), datagrams: 5 };
const INTERVAL: Duration = Duration::from_secs(1);
const IN_TIME: Duration = Duration::from_secs(1);
const TARGET: f64 = 0.9;
/// The defaults of `[flood]`.
const BOUNDS: [(&str, &str); 5] = [
    ("hellos_per_source_s", "1000"),
    ("hellos_s", "50000"),
    ("handshakes_per_source_s", "200"),
    ("handshakes_s", "10000"),
    ("handshakes_per_tenant_s", "1000"),
];

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Chooses the rubbish.
    pub seed: u64,
    /// Boards that send once a second.
    pub boards: usize,
    /// How long each part takes.
    pub time: Duration,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size, seed: u64) -> Self {
        Self { seed, boards: 500, time: Duration::from_secs(size.choose(10, 30)) }
    }
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let site = Site::make(&Wanted { boards: options.boards + 1, ..Wanted::default() })?;
    // A fixture's hub has no bounds; this one needs those that a hub in service has.
    for (key, value) in BOUNDS {
        site.set("flood", key, value)?;
    }
    let mut hub = site.start()?;
    hub.wait_ready(Duration::from_secs(30))?;
    let mut swarm = traffic::swarm(&site, "d", PATIENCE)?;
    let (boards, bar) = (site.boards()?, progress::counting("sessions", options.boards));
    swarm.open(&boards, options.boards, &bar)?;
    traffic::greet(&mut swarm, options.boards, &bar)?;
    bar.finish_and_clear();
    let server = hub.server()?;

    let calm_bar = progress::running("calm", options.time);
    let calm = traffic::steadily(&mut swarm, INTERVAL, options.time, IN_TIME, &calm_bar)?;
    calm_bar.finish_and_clear();

    let ids = (0..u32::try_from(options.boards).unwrap_or(u32::MAX))
        .filter_map(|board| swarm.board(board).map(|board| *board.cid()))
        .collect();
    let stranger = boards.credentials(options.boards)?;
    let (before, used) = (hub.metrics()?, server.processor_time()?);
    let flood = Flood::start(site.listen, options.seed, ids, &stranger)?;
    let bar = progress::running("flood", options.time);
    let flooded = traffic::steadily(&mut swarm, INTERVAL, options.time, IN_TIME, &bar)?;
    bar.finish_and_clear();
    let sent = flood.stop();
    let used = server.processor_time()?.saturating_sub(used);
    let after = hub.metrics()?;
    let grown = |name, label| after.sum(name, label) - before.sum(name, label);

    let mut report = Report::new();
    report.row("boards", figure(options.boards), "");
    report.row("calm_goodput", goodput(&calm) * 100.0, "%");
    report.percentiles([("calm_p50", 50), ("calm_p99", 99)], calm.took.clone());
    report.row("flood_goodput", goodput(&flooded) * 100.0, "%");
    report.percentiles([("flood_p50", 50), ("flood_p99", 99)], flooded.took.clone());
    let seconds = options.time.as_secs_f64();
    report.row("flood_sent", figure(sent.datagrams) / sent.took.as_secs_f64(), "1/s");
    report.row("flood_received", grown("hub_datagrams_received_total", "") / seconds, "1/s");
    report.row("flood_dropped_by_kernel", grown("hub_socket_drops_total", "") / seconds, "1/s");
    report.row("flood_answered", figure(sent.answers) / seconds, "1/s");
    report.row("handshakes_begun", figure(sent.half_open), "");
    report.row("server_cores", used.as_secs_f64() / seconds, "");
    report.row("sessions", after.sum("hub_sessions", ""), "");
    hub.terminate(Duration::from_secs(60))?;
    let kept = goodput(&flooded) / goodput(&calm).max(f64::MIN_POSITIVE);
    Ok(Verdict {
        report,
        figure: format!("{:.0} % goodput", (kept * 100.0).min(100.0)),
        met: kept >= TARGET && goodput(&calm) > 0.99,
    })
}

fn goodput(steady: &Steady) -> f64 {
    figure(steady.in_time) / figure(steady.sent).max(1.0)
}
