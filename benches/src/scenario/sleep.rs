//! `sleep`: what sessions cost that sleep, in memory, on the disk and at the start; how long one
//! takes to wake; what it costs awake; and that it leaves again.

use std::time::Duration;

use super::error::ScenarioError;
use super::hub::pause;
use super::site::{Site, Wanted};
use super::{Size, Verdict, figure, sleepers, traffic};
use crate::load::progress;
use crate::load::report::{Report, percentile};
use crate::load::swarm::Patience;

const PATIENCE: Patience = Patience { again: Duration::from_secs(2), datagrams: 5 };
/// Boards that are woken one by one, to see how long it takes.
const WOKEN: usize = 2_000;
/// Forged records in ten milliseconds.
const FORGED: u32 = 50;
/// Silence before memory is read.
const SETTLE: Duration = Duration::from_secs(3);

const REST_MAX_MB: f64 = 80.0;
const WAKE_MAX: Duration = Duration::from_millis(1);

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Sleeping sessions.
    pub sleeping: usize,
    /// How many of them are awake together.
    pub awake: usize,
    /// The percentile of the time to wake that is judged: the median where the machine is shared.
    pub wake_percent: usize,
    /// Bytes of memory that a session awake may take. A quick run is too small to tell what the
    /// sessions take from what the store and the allocator take once; it only sees what grows.
    pub awake_max: f64,
    /// The same for one asleep; pages of the store that the hub has read may stay.
    pub asleep_max: f64,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size) -> Self {
        Self {
            sleeping: size.choose(20_000, 1_000_000),
            awake: size.choose(10_000, 100_000),
            wake_percent: size.choose(50, 99),
            awake_max: size.choose(4_000.0, 1_500.0),
            asleep_max: size.choose(700.0, 8.0),
        }
    }
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let (empty_mb, _) = at_rest(&Site::make(&Wanted { boards: 1, ..Wanted::default() })?)?;
    let site = Site::make(&Wanted { sleeping: options.sleeping, ..Wanted::default() })?;
    let disk = site.store_bytes();
    let (rest_mb, start) = at_rest(&site)?;

    let mut hub = site.start()?;
    hub.wait_ready(Duration::from_secs(120))?;
    let server = hub.server()?;
    let mut swarm = traffic::swarm(&site, "d", PATIENCE)?;
    sleepers::adopt(&site, &mut swarm)?;

    let woken = u32::try_from(WOKEN.min(options.sleeping)).unwrap_or(u32::MAX);
    let bar = progress::counting("waking", options.awake);
    let within = Duration::from_secs(60);
    let mut asleep = traffic::once(&mut swarm, 0..woken, 1, within, &bar)?;
    let mut awake = traffic::once(&mut swarm, 0..woken, 1, within, &bar)?;
    asleep.took.sort_unstable();
    awake.took.sort_unstable();
    let wake = |percent| {
        percentile(&asleep.took, percent).saturating_sub(percentile(&awake.took, percent))
    };

    // A tenth first, so that what the hub allocates once is not counted against the sessions.
    let all = u32::try_from(options.awake.min(options.sleeping)).unwrap_or(u32::MAX);
    let first = woken.max(all / 10);
    let mut silent = asleep.lost + awake.lost;
    silent += traffic::once(&mut swarm, woken..first, traffic::WINDOW, within, &bar)?.lost;
    // What the store keeps of the pages it has read is bounded, and no session's: a record that
    // does not authenticate has it read them, and leaves nothing else.
    for board in first..all {
        swarm.forge(board);
        if board % FORGED == 0 {
            pause(Duration::from_millis(10));
        }
    }
    pause(SETTLE);
    let forged = hub.metrics()?.sum("hub_records_dropped_total", "forged");
    let before = server.resident_kib()?;
    silent += traffic::once(&mut swarm, first..all, traffic::WINDOW, within, &bar)?.lost;
    bar.finish_and_clear();
    pause(SETTLE);
    let after = server.resident_kib()?;
    let in_memory = hub.metrics()?.sum("hub_sessions", "");
    let handshakes = hub.metrics()?.sum("hub_handshakes_total", "");
    hub.terminate(Duration::from_secs(60))?;

    // What is left is the registry of the boards, which is there whether they sleep or not. The first
    // start makes the sessions' files anew.
    site.command("store forget-sessions", &[])?;
    at_rest(&site)?;
    let (registry_mb, _) = at_rest(&site)?;

    let kib = |kib: u64| figure(kib) * 1024.0;
    let each_awake = (kib(after) - kib(before)) / f64::from((all - first).max(1));
    let each_asleep = (rest_mb - registry_mb) * 1e6 / figure(options.sleeping);
    let mut report = Report::new();
    report.row("sleeping", figure(options.sleeping), "");
    report.row("disk", figure(disk / options.sleeping.max(1) as u64), "B/session");
    report.row("start", start.as_secs_f64(), "s");
    report.row("memory_empty", empty_mb, "MB");
    report.row("memory_registry", registry_mb, "MB");
    report.row("memory_at_rest", rest_mb, "MB");
    report.row("memory_asleep", each_asleep, "B/session");
    report.row("memory_awake", each_awake, "B/session");
    report.row("awake", in_memory, "");
    report.row("forged_refused", forged, "");
    report.percentiles([("asleep_p50", 50), ("asleep_p99", 99)], asleep.took.clone());
    report.percentiles([("awake_p50", 50), ("awake_p99", 99)], awake.took.clone());
    report.row("wake_p50", wake(50).as_secs_f64() * 1e6, "us");
    report.row("wake_p99", wake(99).as_secs_f64() * 1e6, "us");
    report.row("not_answered", figure(silent), "");
    report.row("handshakes", handshakes, "");
    let met = rest_mb < REST_MAX_MB
        && each_asleep <= options.asleep_max
        && each_awake <= options.awake_max
        && wake(options.wake_percent) < WAKE_MAX
        && silent == 0
        && handshakes == 0.0;
    let figure = format!(
        "{:.0} us to wake, {rest_mb:.0} MB with {} asleep, {each_awake:.0} B a session awake",
        wake(50).as_secs_f64() * 1e6,
        options.sleeping
    );
    Ok(Verdict { report, figure, met })
}

/// Memory in MB of a hub to which nobody speaks, and how long it took to start.
fn at_rest(site: &Site) -> Result<(f64, Duration), ScenarioError> {
    let mut hub = site.start()?;
    let start = hub.wait_ready(Duration::from_secs(120))?;
    pause(SETTLE);
    let mb = figure(hub.server()?.resident_kib()?) * 1024.0 / 1e6;
    hub.terminate(Duration::from_secs(60))?;
    Ok((mb, start))
}
