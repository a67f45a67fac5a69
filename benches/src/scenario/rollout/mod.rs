//! `rollout`: boards in groups are given a release that fails on one in twenty: the rollout stops itself
//! in the group and at the failure that it should; resumed with a release that does not, it completes.
//! The hub is killed five times on the way. Before that, how long a rollout of a million boards takes to
//! be made.

mod board;
mod fleet;
mod million;

use std::fs;
use std::time::{Duration, Instant};

use image::{Unsigned, Version, write_tail};
use serde_json::Value;
use wire::FirmwareVersion;

use super::error::{ScenarioError, system};
use super::hub::Hub;
use super::site::{Site, Wanted};
use super::{Size, Verdict, figure};
use crate::load::chance::Chance;
use crate::load::report::Report;
use fleet::Fleet;

/// What the boards call themselves.
const PRODUCT: &str = "valve";
/// Kills on the way, by how many of a hundred of the answers there will be.
const KILLS: [u64; 5] = [5, 15, 30, 55, 80];
const BODY: usize = 6000;
const READY_WITHIN: Duration = Duration::from_secs(120);
const BAD: FirmwareVersion = (1, 1, 0, 0);
const GOOD: FirmwareVersion = (1, 2, 0, 0);
/// A canary that one failure in twenty does not stop, a group that it does, and the others.
const GROUPS: [&str; 3] = ["canary:10%:85%:15%", "early:30%:90%:2%", "others:rest:90%:10%"];
/// A rollout of a million boards is made.
const TARGET: Duration = Duration::from_secs(10);

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Boards that are updated.
    pub boards: usize,
    /// Boards of a rollout that is only made.
    pub made: usize,
    /// Chooses who fails.
    pub seed: u64,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size, seed: u64) -> Self {
        Self { boards: size.choose(1000, 10_000), made: size.choose(20_000, 1_000_000), seed }
    }
}

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let made_in = million::run(options.made)?;
    let site = Site::make(&Wanted { sleeping: options.boards, ..Wanted::default() })?;
    site.command("key new", &["firmware"])?;
    for (number, version) in (1_u8..).zip([BAD, GOOD]) {
        add_release(&site, number, version)?;
    }
    let mut run = Run { hub: Some(site.start()?), site: &site, kills: 0, down: Duration::ZERO };
    run.ready()?;
    let mut adding = vec!["spring", "--release", "1"];
    GROUPS.iter().for_each(|group| adding.extend(["--group", group]));
    site.command("rollout add", &adding)?;
    site.command("rollout start", &["1"])?;

    let mut chance = Chance::new(options.seed);
    let failing: Vec<bool> = (0..options.boards).map(|_| chance.below(20) == 0).collect();
    let fails = |at: usize, version| version == BAD && failing.get(at).copied().unwrap_or(false);
    let mut fleet = Fleet::of(&site)?;
    let expected = expected_answers(options.boards);
    let began = Instant::now();
    let mut stopped = standing(&site)?;
    while stopped.is("running") {
        fleet.sweep(BAD, fails, |answers| run.maybe_kill(answers, expected))?;
        stopped = standing(&site)?;
    }
    let early = stopped.total(1);
    let allowed = early * 2 / 100;
    let at = stopped.number("/rollout/failed");
    let is_right_stop = stopped.is("stopped")
        && stopped.number("/rollout/in_group") == 1
        && at == allowed + 1
        && stopped.count(2, "waiting") == stopped.total(2);
    let with_bad = fleet.running(BAD);

    site.command("rollout resume", &["1", "--release", "2"])?;
    let mut standing_now = standing(&site)?;
    while standing_now.is("running") {
        fleet.sweep(GOOD, fails, |answers| run.maybe_kill(answers, expected))?;
        standing_now = standing(&site)?;
    }
    let took = began.elapsed();
    let succeeded: u64 = (0..GROUPS.len()).map(|at| standing_now.count(at, "succeeded")).sum();
    let blocks = run.blocks()?;

    let mut report = Report::new();
    report.row("boards", figure(options.boards), "");
    report.row("targets_made", figure(options.made), "");
    report.row("targets_made_in", made_in.as_secs_f64(), "s");
    report.row("failed_in_canary", figure(stopped.count(0, "failed")), "");
    report.row("boards_in_early", figure(early), "");
    report.row("may_fail_in_early", figure(allowed), "");
    report.row("stopped_at_failure", figure(at), "");
    report.row("given_the_bad_one", figure(with_bad), "");
    report.row("begun_in_others", figure(stopped.total(2) - stopped.count(2, "waiting")), "");
    report.row("kills", figure(run.kills), "");
    report.row("down_in_all", run.down.as_secs_f64(), "s");
    report.row("answers", figure(fleet.answers), "");
    report.row("blocks_since_last_kill", blocks, "");
    report.row("broken_images", figure(fleet.broken), "");
    report.row("succeeded", figure(succeeded), "");
    report.row("took", took.as_secs_f64(), "s");
    let met = is_right_stop
        && run.kills == KILLS.len()
        && standing_now.is("finished")
        && fleet.running(GOOD) == options.boards
        && figure(succeeded) == figure(options.boards)
        && fleet.broken == 0
        && made_in <= TARGET;
    let figure = format!(
        "stopped itself at failure {at} of group early, where {allowed} may; then {succeeded} of {} boards \
         updated over {} kills; {} targets made in {:.1} s",
        options.boards,
        run.kills,
        options.made,
        made_in.as_secs_f64()
    );
    Ok(Verdict { report, figure, met })
}

/// The hub, which is killed now and then.
struct Run<'a> {
    site: &'a Site,
    hub: Option<Hub>,
    kills: usize,
    down: Duration,
}

impl Run<'_> {
    fn ready(&mut self) -> Result<(), ScenarioError> {
        match &mut self.hub {
            Some(hub) => hub.wait_ready(READY_WITHIN).map(drop),
            None => Ok(()),
        }
    }

    fn maybe_kill(&mut self, answers: u64, expected: u64) -> Result<(), ScenarioError> {
        let Some(percent) = KILLS.get(self.kills) else { return Ok(()) };
        if answers * 100 < expected * percent {
            return Ok(());
        }
        self.kills += 1;
        let killed = Instant::now();
        if let Some(hub) = self.hub.take() {
            hub.kill()?;
        }
        self.hub = Some(self.site.start()?);
        self.ready()?;
        self.down += killed.elapsed();
        Ok(())
    }

    fn blocks(&self) -> Result<f64, ScenarioError> {
        match &self.hub {
            Some(hub) => Ok(hub.metrics()?.sum("hub_firmware_blocks_total", "given")),
            None => Ok(0.0),
        }
    }
}

/// At least so many answers there are in all: every board runs the good release in the end.
fn expected_answers(boards: usize) -> u64 {
    let each = BODY.div_ceil(1024) + 4;
    u64::try_from(boards * each).unwrap_or(u64::MAX)
}

/// What the hub says of the rollout.
struct Standing(Value);

impl Standing {
    fn is(&self, state: &str) -> bool {
        self.0.pointer("/rollout/state").is_some_and(|own| own == state)
    }

    fn number(&self, at: &str) -> u64 {
        self.0.pointer(at).and_then(Value::as_u64).unwrap_or(0)
    }

    fn count(&self, group: usize, state: &str) -> u64 {
        self.number(&format!("/groups/{group}/boards/{state}"))
    }

    fn total(&self, group: usize) -> u64 {
        let states = self.0.pointer(&format!("/groups/{group}/boards"));
        let states = states.and_then(Value::as_object);
        states.into_iter().flat_map(|states| states.values()).filter_map(Value::as_u64).sum()
    }
}

fn standing(site: &Site) -> Result<Standing, ScenarioError> {
    let said = site.said("rollout show", &["1", "--json"])?;
    serde_json::from_slice(&said)
        .map(Standing)
        .map_err(|error| system("read the rollout")(std::io::Error::other(error)))
}

/// An image, taken in and signed by the hub.
fn add_release(site: &Site, number: u8, version: FirmwareVersion) -> Result<(), ScenarioError> {
    let (major, minor, revision, build) = version;
    let body = vec![number; BODY];
    let unsigned = Unsigned {
        body: &body,
        header_size: 0x200,
        version: Version { major, minor, revision, build },
        address: None,
        security_counter: Some(1),
        dependencies: &[],
        revoked_keys: &[],
    };
    let doing = system("make an image");
    let mut image = vec![0; BODY + 0x400];
    let length = unsigned.write(&mut image).map_err(|error| doing(std::io::Error::other(error)))?;
    image.truncate(length);
    let mut tail = [0; 64];
    let length = write_tail(&image::digest(&image), &[], &mut tail);
    let length = length.map_err(|error| doing(std::io::Error::other(error)))?;
    image.extend_from_slice(tail.get(..length).unwrap_or_default());
    let file = site.in_folder(&format!("{number}.bin"));
    fs::write(&file, image).map_err(&doing)?;
    site.command("firmware add", &[&file, "--product", PRODUCT])?;
    site.command("firmware sign", &[&number.to_string()])
}
