//! `crash`: the hub is killed again and again while boards send; every session goes on, no nonce
//! comes twice, nothing recorded before is taken after, and what was acknowledged was delivered.
//!
//! The boards post to a broker that outlives the hub. A board repeats after a tenth of a second and
//! ignores Max-Age, so that recovery is the hub's time and not CoAP's timers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::broker::{Arrived, Broker};
use super::error::ScenarioError;
use super::hub::Hub;
use super::site::{Site, Wanted};
use super::{Size, Verdict, figure, traffic};
use crate::load::chance::Chance;
use crate::load::progress;
use crate::load::report::Report;
use crate::load::swarm::{Heard, Patience, Swarm};
use crate::load::witness::Witness;

const PATIENCE: Patience = Patience { again: Duration::from_millis(100), datagrams: u16::MAX };
/// A refused reading comes again after this long.
const REFUSED: Duration = Duration::from_millis(20);
const TURN: Duration = Duration::from_millis(5);
/// Datagrams replayed in a round: this many of the newest, and as many of all.
const REPLAYS: usize = 50;
/// A board that is not answered for this long by a hub that is ready has lost its session.
const LOST: Duration = Duration::from_secs(5);

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Chooses the instants.
    pub seed: u64,
    /// Boards.
    pub boards: usize,
    /// Kills.
    pub rounds: usize,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size, seed: u64) -> Self {
        Self { seed, boards: size.choose(200, 1000), rounds: size.choose(100, 300) }
    }
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let broker = Broker::start()?;
    let site =
        Site::make(&Wanted { boards: options.boards, broker: Some(broker.address), sleeping: 0 })?;
    let mut hub = site.start()?;
    hub.wait_ready(Duration::from_secs(30))?;
    let mut swarm = traffic::swarm(&site, "t", PATIENCE)?;
    swarm.witness = Some(Witness::default());
    let bar = progress::counting("sessions", options.boards);
    swarm.open(&site.boards()?, options.boards, &bar)?;
    bar.finish_and_clear();

    let boards = u32::try_from(options.boards).unwrap_or(u32::MAX);
    (0..boards).for_each(|board| swarm.send(board));
    let mut run = Run::new(swarm, options);
    run.live(&mut hub, End::AllAnswered)?;
    run.recovered.clear();
    let before = hub.metrics()?.sum("hub_handshakes_total", "");

    let bar = progress::counting("kills", options.rounds);
    let mut chance = Chance::new(options.seed);
    for round in 0..options.rounds {
        // One in four at any instant, the start and its recovery included; the others under load.
        let instant = match round % 4 {
            0 => chance.span(Duration::ZERO..Duration::from_millis(500)),
            _ => {
                run.live(&mut hub, End::AllAnswered)?;
                hub.started.elapsed() + chance.span(Duration::ZERO..Duration::from_millis(300))
            }
        };
        let instant = hub.started + instant;
        run.live(&mut hub, End::At(instant))?;
        run.handshakes += handshakes(&hub) - if round == 0 { before } else { 0.0 };
        let started = hub.started;
        hub.kill()?;
        run.kills += 1;
        run.hear_the_last(started)?;
        hub = site.start()?;
        run.begin_life(&mut chance);
        bar.inc(1);
        if run.lost > 0 {
            break;
        }
    }
    run.live(&mut hub, End::AllAnswered)?;
    run.live(&mut hub, End::Silence)?;
    run.handshakes += handshakes(&hub);
    bar.finish_and_clear();
    hub.terminate(Duration::from_secs(30))?;
    Ok(run.verdict(&broker.arrived()))
}

/// Handshakes that this life of the hub has seen; a hub that is not up yet has seen none.
fn handshakes(hub: &Hub) -> f64 {
    hub.metrics().map_or(0.0, |metrics| metrics.sum("hub_handshakes_total", ""))
}

/// When a stretch of a life is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// At this instant.
    At(Instant),
    /// When every board has had an answer in this life, or has lost its session.
    AllAnswered,
    /// When nothing is under way any more; nothing new is sent.
    Silence,
}

struct Run {
    swarm: Swarm,
    boards: usize,
    refused: VecDeque<(Instant, Heard)>,
    /// By board: whether it was answered in this life.
    answered: Vec<bool>,
    recovering: usize,
    replays: Option<Chance>,
    replayed: usize,
    recovered: Vec<Duration>,
    /// Acknowledged readings: board, number, and whether one datagram ever carried it.
    acknowledged: Vec<(u32, u32, bool)>,
    began: Instant,
    kills: usize,
    lost: usize,
    handshakes: f64,
}

impl Run {
    fn new(swarm: Swarm, options: &Options) -> Self {
        Self {
            swarm,
            boards: options.boards,
            refused: VecDeque::new(),
            answered: vec![false; options.boards],
            recovering: options.boards,
            replays: None,
            replayed: 0,
            recovered: Vec::new(),
            acknowledged: Vec::new(),
            began: Instant::now(),
            kills: 0,
            lost: 0,
            handshakes: 0.0,
        }
    }

    /// A hub was started: all boards have to be answered anew, and it will be lied to.
    fn begin_life(&mut self, chance: &mut Chance) {
        self.answered.fill(false);
        self.recovering = self.boards;
        self.replays = Some(Chance::new(chance.bits()));
    }

    /// The hub is dead: what it has answered is still on its way.
    fn hear_the_last(&mut self, started: Instant) -> Result<(), ScenarioError> {
        self.replays = None;
        let mut heard = Vec::new();
        loop {
            self.swarm.turn(Duration::ZERO, &mut heard)?;
            if heard.is_empty() {
                return Ok(());
            }
            heard.iter().for_each(|heard| self.take(heard, started, End::At(heard.at)));
        }
    }

    fn live(&mut self, hub: &mut Hub, end: End) -> Result<(), ScenarioError> {
        let mut heard = Vec::new();
        let mut ready = None;
        loop {
            let over = match end {
                End::At(instant) => Instant::now() >= instant,
                End::AllAnswered => self.recovering == 0,
                End::Silence => {
                    let boards = u32::try_from(self.boards).unwrap_or(u32::MAX);
                    let waits = |board| self.swarm.board(board).and_then(|b| b.waits_for());
                    self.refused.is_empty() && (0..boards).all(|board| waits(board).is_none())
                }
            };
            if over {
                return Ok(());
            }
            if !matches!(end, End::At(_)) {
                if ready.is_none() && hub.is_ready() {
                    ready = Some(Instant::now());
                }
                if ready.is_none() && hub.started.elapsed() > Duration::from_secs(30) {
                    hub.wait_ready(Duration::ZERO)?;
                }
                if ready.is_some_and(|since| since.elapsed() > LOST) {
                    self.lost = self.recovering.max(1);
                    return Ok(());
                }
            }
            self.swarm.turn(TURN, &mut heard)?;
            for heard in &heard {
                self.take(heard, hub.started, end);
            }
            while let Some((at, refused)) = self.refused.front() {
                if *at > Instant::now() {
                    break;
                }
                self.swarm.send_again(refused);
                self.refused.pop_front();
            }
        }
    }

    fn take(&mut self, heard: &Heard, started: Instant, end: End) {
        if !heard.is_success() {
            self.refused.push_back((heard.at + REFUSED, *heard));
            return;
        }
        let once = heard.request.datagrams == 1;
        self.acknowledged.push((heard.board, heard.reading, once));
        let known = usize::try_from(heard.board).ok().and_then(|at| self.answered.get_mut(at));
        if let Some(answered @ false) = known {
            *answered = true;
            self.recovering -= 1;
            self.recovered.push(heard.at.saturating_duration_since(started));
        }
        // The first board is back: so may be whoever has recorded the others.
        if let (Some(mut chance), Some(witness)) = (self.replays.take(), &mut self.swarm.witness) {
            let old = witness.replay(REPLAYS, &mut chance);
            self.replayed += old.len();
            old.iter().for_each(|old| self.swarm.replay(old));
        }
        if end != End::Silence {
            self.swarm.send(heard.board);
        }
    }

    fn verdict(self, arrived: &Arrived) -> Verdict {
        let breaches = self.swarm.witness.map(|witness| witness.breaches).unwrap_or_default();
        let came = |(board, reading, _): &&(u32, u32, bool)| arrived.count(*board, *reading);
        let missing = self.acknowledged.iter().filter(|reading| came(reading) == 0).count();
        let twice =
            self.acknowledged.iter().filter(|reading| reading.2 && came(reading) > 1).count();
        let lost = u32::try_from(self.lost).unwrap_or(u32::MAX);
        let handshakes = self.handshakes + f64::from(lost);

        let mut report = Report::new();
        report.row("boards", figure(self.boards), "");
        report.row("kills", figure(self.kills), "");
        report.row("handshakes", handshakes, "");
        report.row("acknowledged", figure(self.acknowledged.len()), "");
        let took = self.began.elapsed().as_secs_f64();
        report.row("rate", figure(self.acknowledged.len()) / took, "1/s");
        report.row("acknowledged_not_delivered", figure(missing), "");
        report.row("nonces_used_twice", figure(breaches.nonces), "");
        report.row("records_not_opened", figure(breaches.unopened), "");
        report.row("replayed", figure(self.replayed), "");
        report.row("replays_answered", figure(breaches.replays), "");
        report.row("sent_once_delivered_twice", figure(twice), "");
        report.row("delivered_under_another_name", figure(arrived.strange), "");
        let recovery = [("recovery_p50", 50), ("recovery_p99", 99), ("recovery_max", 100)];
        report.percentiles(recovery, self.recovered);
        let clean = missing == 0 && twice == 0 && arrived.strange == 0;
        Verdict {
            report,
            figure: format!("{handshakes} handshakes after {} kills", self.kills),
            met: handshakes == 0.0 && clean && breaches == Default::default() && self.replayed > 0,
        }
    }
}
