//! Ways in which boards send: one reading each, round after round, or at a steady rate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use actors::link::cipher::Suite;
use indicatif::ProgressBar;

use super::error::ScenarioError;
use super::site::Site;
use crate::load::client::{ConnectionIds, Profile};
use crate::load::coap::Post;
use crate::load::swarm::{Heard, Patience, Swarm};

/// Bytes of a reading.
pub const PAYLOAD: usize = 64;
/// Requests under way where nothing else is said.
pub const WINDOW: usize = 512;
const TURN: Duration = Duration::from_millis(20);

/// What boards heard.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Time to each success.
    pub took: Vec<Duration>,
    /// Answers that are no success.
    pub refused: usize,
    /// Requests given up.
    pub lost: usize,
}

impl Tally {
    fn count(&mut self, heard: &Heard) {
        match heard.code {
            None => self.lost += 1,
            Some(_) if heard.is_success() => self.took.push(heard.took()),
            Some(_) => self.refused += 1,
        }
    }

    fn ended(&self) -> usize {
        self.took.len() + self.refused + self.lost
    }
}

/// A swarm that posts to this resource of the site's hub.
///
/// # Errors
/// [`ScenarioError::Load`].
pub fn swarm(site: &Site, resource: &str, patience: Patience) -> Result<Swarm, ScenarioError> {
    let profile = Profile::new(Suite::EcdheEcdsaAes128GcmSha256, ConnectionIds::Offered)?;
    Ok(Swarm::new(site.listen, profile, Post::new(resource, PAYLOAD), patience)?)
}

/// One reading of each of these boards, at most `window` at a time; ends when all have ended, or
/// when `within` is over: those without an end are counted as lost.
///
/// # Errors
/// [`ScenarioError::Load`].
pub fn once(
    swarm: &mut Swarm,
    boards: impl IntoIterator<Item = u32>,
    window: usize,
    within: Duration,
    bar: &ProgressBar,
) -> Result<Tally, ScenarioError> {
    let (mut tally, mut heard, mut sent) = (Tally::default(), Vec::new(), 0);
    let mut boards = boards.into_iter();
    let deadline = Instant::now() + within;
    loop {
        let free = window.saturating_sub(sent - tally.ended());
        for board in boards.by_ref().take(free) {
            swarm.send(board);
            sent += 1;
        }
        if tally.ended() == sent {
            return Ok(tally);
        }
        if Instant::now() > deadline {
            tally.lost += sent - tally.ended() + boards.count();
            return Ok(tally);
        }
        swarm.turn(TURN, &mut heard)?;
        heard.iter().for_each(|heard| tally.count(heard));
        bar.inc(u64::try_from(heard.len()).unwrap_or(0));
    }
}

/// Each of these boards once, or [`ScenarioError::Silent`]: what a scenario begins with.
///
/// # Errors
/// [`ScenarioError`].
pub fn greet(swarm: &mut Swarm, boards: usize, bar: &ProgressBar) -> Result<(), ScenarioError> {
    let all = 0..u32::try_from(boards).unwrap_or(u32::MAX);
    let within = Duration::from_secs(60 + u64::try_from(boards / 1000).unwrap_or(0));
    let tally = once(swarm, all, WINDOW, within, bar)?;
    if tally.took.len() == boards {
        return Ok(());
    }
    Err(ScenarioError::Silent { silent: boards - tally.took.len(), boards })
}

/// Readings of all boards in turn for a time, `window` at a time.
///
/// # Errors
/// [`ScenarioError::Load`].
pub fn in_turn(
    swarm: &mut Swarm,
    next: &mut u32,
    window: usize,
    time: Duration,
) -> Result<Tally, ScenarioError> {
    let (mut tally, mut heard) = (Tally::default(), Vec::new());
    let boards = u32::try_from(swarm.len()).unwrap_or(u32::MAX);
    let window = window.min(swarm.len());
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < time {
        while sent - tally.ended() < window {
            // A board whose last reading has no end yet is passed over.
            if swarm.board(*next).is_some_and(|board| board.waits_for().is_none()) {
                swarm.send(*next);
                sent += 1;
            }
            *next = (*next + 1) % boards.max(1);
        }
        swarm.turn(TURN, &mut heard)?;
        heard.iter().for_each(|heard| tally.count(heard));
    }
    let counted = tally.clone();
    // What is under way ends before the next measurement begins.
    let deadline = Instant::now() + Duration::from_secs(10);
    while sent > tally.ended() && Instant::now() < deadline {
        swarm.turn(TURN, &mut heard)?;
        heard.iter().for_each(|heard| tally.count(heard));
    }
    Ok(counted)
}

/// What a steady rate came to.
#[derive(Clone, Debug, Default)]
pub struct Steady {
    /// Readings sent.
    pub sent: usize,
    /// Those answered with success in time.
    pub in_time: usize,
    /// Time to each success.
    pub took: Vec<Duration>,
}

/// Each board at this interval, spread evenly over it, for a time.
///
/// # Errors
/// [`ScenarioError::Load`].
pub fn steadily(
    swarm: &mut Swarm,
    interval: Duration,
    time: Duration,
    in_time: Duration,
    bar: &ProgressBar,
) -> Result<Steady, ScenarioError> {
    let boards = swarm.len();
    let step = interval / u32::try_from(boards.max(1)).unwrap_or(u32::MAX);
    let (mut steady, mut heard) = (Steady::default(), Vec::new());
    let began = Instant::now();
    let mut queue: VecDeque<_> = (0..u32::try_from(boards).unwrap_or(u32::MAX))
        .map(|board| (began + step * board, board))
        .collect();
    loop {
        let now = Instant::now();
        if now > began + time + in_time {
            return Ok(steady);
        }
        while let Some(&(at, board)) = queue.front() {
            if at > now || at > began + time {
                break;
            }
            queue.pop_front();
            queue.push_back((at + interval, board));
            steady.sent += 1;
            // One whose last reading has no answer yet has missed this one too.
            if swarm.board(board).is_some_and(|board| board.waits_for().is_none()) {
                swarm.send(board);
            }
        }
        let wait = queue.front().map_or(TURN, |(at, _)| at.saturating_duration_since(now));
        swarm.turn(wait.min(TURN), &mut heard)?;
        for heard in heard.iter().filter(|heard| heard.is_success()) {
            steady.in_time += usize::from(heard.took() <= in_time);
            steady.took.push(heard.took());
        }
        bar.set_position(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    }
}
