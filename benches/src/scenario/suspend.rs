//! `suspend`: a tenant is suspended while all its boards are awake: how long until every session has
//! ended, and what another tenant's boards notice of it.

use std::time::{Duration, Instant};

use super::error::ScenarioError;
use super::hub::pause;
use super::site::{Site, Wanted};
use super::{Size, Verdict, figure, sleepers, traffic};
use crate::load::progress;
use crate::load::report::Report;
use crate::load::swarm::Patience;

const PATIENCE: Patience = Patience { again: Duration::from_secs(2), datagrams: 5 };
const LOOK: Duration = Duration::from_millis(20);
/// After which a session that is still there has not been ended.
const LONG: Duration = Duration::from_secs(60);
/// All sessions ended, from the command's call.
const TARGET: Duration = Duration::from_secs(1);

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Boards of the tenant, all awake.
    pub boards: usize,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size) -> Self {
        Self { boards: size.choose(5_000, 100_000) }
    }
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let site = Site::make(&Wanted { sleeping: options.boards, ..Wanted::default() })?;
    let mut hub = site.start()?;
    hub.wait_ready(Duration::from_secs(120))?;
    let mut swarm = traffic::swarm(&site, "d", PATIENCE)?;
    sleepers::adopt(&site, &mut swarm)?;
    traffic::greet(&mut swarm, options.boards, &progress::counting("greetings", options.boards))?;
    let awake = hub.metrics()?.sum("hub_sessions", "");

    let server = hub.server()?;
    let (used, began) = (server.processor_time()?, Instant::now());
    site.command("tenant suspend", &["tenant-0", "--reason", "a scenario"])?;
    let told = began.elapsed();
    let denied = |hub: &super::hub::Hub| -> Result<f64, ScenarioError> {
        Ok(hub.metrics()?.sum("hub_sessions_ended_total", "denied"))
    };
    while denied(&hub)? < awake && began.elapsed() < LONG {
        pause(LOOK);
    }
    let took = began.elapsed();
    let used = server.processor_time()?.saturating_sub(used);
    let ended = denied(&hub)?;
    hub.terminate(Duration::from_secs(60))?;

    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mut report = Report::new();
    report.row("sessions_awake", awake, "");
    report.row("sessions_ended", ended, "");
    report.row("command_answered", ms(told), "ms");
    report.row("all_ended", ms(took), "ms");
    report.row("server_cpu", ms(used), "ms");
    let met = ended == awake && awake == figure(options.boards) && took <= TARGET;
    let figure =
        format!("{ended} of {awake} sessions ended {:.2} s after the call", took.as_secs_f64());
    Ok(Verdict { report, figure, met })
}
