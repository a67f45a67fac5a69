//! `restart`: every board's session goes on after a graceful stop and after `kill -9`, with no
//! handshake; how long until the first and until all boards are answered.
//!
//! All boards send as soon as the hub is started again; each repeats after a quarter of a second.

use std::time::{Duration, Instant};

use super::error::ScenarioError;
use super::hub::Hub;
use super::site::{Site, Wanted};
use super::{Size, Verdict, figure, traffic};
use crate::load::progress;
use crate::load::report::Report;
use crate::load::swarm::{Patience, Swarm};

const PATIENCE: Patience = Patience { again: Duration::from_millis(250), datagrams: 120 };
const KNOCK: Duration = Duration::from_millis(2);
/// After which a board has lost its session.
const LOST: Duration = Duration::from_secs(30);
/// All boards answered, from exec.
const TARGET: Duration = Duration::from_secs(2);

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Boards.
    pub boards: usize,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size) -> Self {
        Self { boards: size.choose(5_000, 100_000) }
    }
}

/// What one restart came to.
struct Restart {
    /// From exec to the first answer.
    first: Duration,
    /// From exec to the last.
    all: Duration,
    /// Processor time of the hub until then.
    used: Duration,
    lost: usize,
    handshakes: f64,
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let site = Site::make(&Wanted { boards: options.boards, ..Wanted::default() })?;
    let mut hub = site.start()?;
    hub.wait_ready(Duration::from_secs(30))?;
    let mut swarm = traffic::swarm(&site, "d", PATIENCE)?;
    let bar = progress::counting("sessions", options.boards);
    swarm.open(&site.boards()?, options.boards, &bar)?;
    bar.finish_and_clear();
    traffic::greet(&mut swarm, options.boards, &progress::counting("greetings", options.boards))?;

    let stopped = hub.terminate(Duration::from_secs(60))?;
    let (hub, graceful) = again(&site, &mut swarm)?;
    hub.kill()?;
    let (hub, killed) = again(&site, &mut swarm)?;
    hub.terminate(Duration::from_secs(60))?;

    let mut report = Report::new();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    report.row("sessions", figure(options.boards), "");
    report.row("graceful_stop", ms(stopped), "ms");
    report.row("graceful_first_answer", ms(graceful.first), "ms");
    report.row("graceful_all_answered", ms(graceful.all), "ms");
    report.row("graceful_server_cpu", ms(graceful.used), "ms");
    report.row("graceful_handshakes", graceful.handshakes, "");
    report.row("graceful_sessions_lost", figure(graceful.lost), "");
    report.row("killed_first_answer", ms(killed.first), "ms");
    report.row("killed_all_answered", ms(killed.all), "ms");
    report.row("killed_server_cpu", ms(killed.used), "ms");
    report.row("killed_handshakes", killed.handshakes, "");
    report.row("killed_sessions_lost", figure(killed.lost), "");
    let kept = [&graceful, &killed].iter().all(|r| r.lost == 0 && r.handshakes == 0.0);
    let worst = graceful.all.max(killed.all);
    let needed = graceful.lost.max(killed.lost);
    let figure = if kept {
        format!("{} sessions answered {:.2} s after exec", options.boards, worst.as_secs_f64())
    } else {
        format!("{needed} of {} sessions lost", options.boards)
    };
    Ok(Verdict { report, figure, met: kept && worst <= TARGET })
}

fn again(site: &Site, swarm: &mut Swarm) -> Result<(Hub, Restart), ScenarioError> {
    let boards = u32::try_from(swarm.len()).unwrap_or(u32::MAX);
    let bar = progress::counting("answers", swarm.len());
    let mut hub = site.start()?;
    let first = knock(&mut hub, swarm)?;
    let lost = match first {
        Some(_) => {
            let tally = traffic::once(swarm, 1..boards, traffic::WINDOW, LOST, &bar)?;
            tally.refused + tally.lost
        }
        None => swarm.len(),
    };
    let all = hub.started.elapsed();
    bar.finish_and_clear();
    let used = hub.server()?.processor_time()?;
    let handshakes = hub.metrics()?.sum("hub_handshakes_total", "");
    let first = first.unwrap_or(all);
    Ok((hub, Restart { first, all, used, lost, handshakes }))
}

/// One board knocks until it is answered: how long that took from exec.
fn knock(hub: &mut Hub, swarm: &mut Swarm) -> Result<Option<Duration>, ScenarioError> {
    let mut heard = Vec::new();
    swarm.send(0);
    let mut ready = None;
    loop {
        swarm.turn(KNOCK, &mut heard)?;
        if let Some(answer) = heard.iter().find(|heard| heard.is_success()) {
            return Ok(Some(answer.at.saturating_duration_since(hub.started)));
        }
        if let Some(refused) = heard.first() {
            swarm.send_again(refused);
        }
        if ready.is_none() && hub.started.elapsed() > Duration::from_secs(5) {
            hub.wait_ready(Duration::from_secs(60))?;
            ready = Some(Instant::now());
        }
        if ready.is_some_and(|since| since.elapsed() > Duration::from_secs(5)) {
            return Ok(None);
        }
        swarm.repeat(0);
    }
}
