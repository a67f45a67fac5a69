//! All rollouts of a store: what a board is told, and what admins do to them.
//!
//! Invariant: a rollout's record is on the disk before its change has an effect.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::{
    BoardFilter, BoardFirmware, BoardId, Release, Rollout, RolloutGroup, RolloutState, Store,
    Target, TargetState, Targets, TenantId, Terms, UnixSeconds,
};
use wire::{FirmwareOffer, FirmwareReport};

use super::assign::{assign, labels};
use super::course::Counts;
use super::error::RolloutError;
use super::judge::version;
use super::live::{Heard, Live, failed};
use super::preview::{Preview, preview};
use super::shelf::Shelf;

/// Reads which boards are meant, as the list of boards is asked for them; nothing for what is no such
/// question any more.
pub type Parse = fn(&str, Option<&[TenantId]>) -> Option<BoardFilter>;

/// Rollouts that are not over.
const LIVE_MAX: usize = 200;

/// What a board is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It should run this.
    Offer(FirmwareOffer),
    /// Nothing: it goes on as it is.
    Nothing,
    /// It comes again after so many seconds.
    Later {
        /// At least so many.
        after_s: u32,
    },
}

/// A rollout that is to be made.
#[derive(Debug, Clone)]
pub struct NewRollout {
    /// What people call it.
    pub name: String,
    /// The release.
    pub release: u64,
    /// Which boards.
    pub filter: String,
    /// The tenants it goes no further than.
    pub within: Option<Vec<TenantId>>,
    /// Boards that come to fit later belong to it as well.
    pub dynamic: bool,
    /// Its groups; at least one.
    pub groups: Vec<RolloutGroup>,
    /// On which terms.
    pub terms: Terms,
    /// Who wants it.
    pub by: String,
    /// Boards above which a second person has to allow it; 0 is for none.
    pub approve_above: u64,
}

/// A rollout, and how far its groups are.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The rollout.
    pub rollout: Rollout,
    /// Each group's boards.
    pub counts: Vec<Counts>,
}

/// The rollouts of a store.
pub struct Rollouts {
    store: Store,
    parse: Parse,
    shelf: Shelf,
    live: Mutex<BTreeMap<u64, Live>>,
}

impl Rollouts {
    /// Opens those that are not over.
    ///
    /// # Errors
    /// Those of the store; a rollout whose boards cannot be read is left alone, and logged.
    pub fn open(store: &Store, parse: Parse) -> Result<Arc<Self>, RolloutError> {
        let shelf = Shelf::new(store.clone());
        let live = Mutex::default();
        let rollouts = Self { store: store.clone(), parse, shelf, live };
        for rollout in store.rollouts().list(None) {
            let (key, rollout) = rollout?;
            let number = rollout.number;
            match rollout.state {
                RolloutState::Preparing => {
                    if let Ok(key) = <[u8; 8]>::try_from(key) {
                        store.rollouts().remove(&key)?;
                    }
                }
                RolloutState::Aborted { .. } | RolloutState::Finished { .. } => {}
                _ => match rollouts.load(rollout) {
                    Ok(live) => {
                        rollouts.lock().insert(number, live);
                    }
                    Err(error) => {
                        tracing::error!(rollout = number, %error, "a rollout stands still")
                    }
                },
            }
        }
        Ok(Arc::new(rollouts))
    }

    /// The images that boards may fetch.
    #[must_use]
    pub const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What a board is told to its report.
    ///
    /// # Errors
    /// Those of the store.
    pub fn report(
        &self,
        board: &BoardId,
        tenant: &TenantId,
        report: &FirmwareReport<'_>,
        now: UnixSeconds,
    ) -> Result<Said, RolloutError> {
        self.store.boards().mark_firmware(&said(board, report, now))?;
        let heard = Heard { board, tenant, report, now };
        let mut said = Said::Nothing;
        let mut lives = self.lock();
        // The newest rollout that has something to say to the board is the one that counts.
        for live in lives.values_mut().rev() {
            if !live.reaches(tenant) {
                continue;
            }
            let heard = live.hear(&self.store, &heard, said == Said::Nothing)?;
            if let Some(here) = heard.filter(|_| said == Said::Nothing) {
                said = here;
            }
            self.advance(live, now)?;
        }
        lives.retain(|_, live| !live.rollout.state.is_over());
        Ok(said)
    }

    /// Looks for silent boards, and has the disk take what was written; to be called every few seconds.
    ///
    /// # Errors
    /// Those of the store.
    pub fn tick(&self, now: UnixSeconds) -> Result<(), RolloutError> {
        let mut lives = self.lock();
        for live in lives.values_mut() {
            live.sync()?;
            if live.lose(now)? > 0 {
                self.advance(live, now)?;
            }
        }
        lives.retain(|_, live| !live.rollout.state.is_over());
        Ok(())
    }

    fn advance(&self, live: &mut Live, now: UnixSeconds) -> Result<(), RolloutError> {
        if live.advance(now) {
            live.sync()?;
            self.keep(&live.rollout)?;
            let Rollout { number, name, state, group, .. } = &live.rollout;
            tracing::info!(rollout = number, name, ?state, group, "a rollout went on by itself");
        }
        Ok(())
    }

    /// All rollouts, by number.
    ///
    /// # Errors
    /// Those of the store.
    pub fn list(&self) -> Result<Vec<Rollout>, RolloutError> {
        let all = self.store.rollouts().list(None).map(|rollout| Ok(rollout?.1));
        let all: Result<Vec<Rollout>, RolloutError> = all.collect();
        Ok(all?.into_iter().filter(|it| it.state != RolloutState::Preparing).collect())
    }

    /// A rollout and how far it is; one that is over is counted anew.
    ///
    /// # Errors
    /// [`RolloutError::Unknown`].
    pub fn show(&self, number: u64) -> Result<Standing, RolloutError> {
        if let Some(live) = self.lock().get(&number) {
            let (rollout, counts) = (live.rollout.clone(), live.counts.clone());
            return Ok(Standing { rollout, counts });
        }
        let rollout = self.find(number)?;
        let mut counts = vec![Counts::default(); rollout.groups.len()];
        self.each(number, 0, |_, target| {
            if let Some(counts) = counts.get_mut(usize::from(target.group)) {
                counts.add(target.state);
            }
            true
        })?;
        Ok(Standing { rollout, counts })
    }

    /// At most `limit` boards of a rollout in one of these states, from the row of this number on, and
    /// the next row's number where there are more.
    ///
    /// # Errors
    /// [`RolloutError::Unknown`].
    pub fn targets(
        &self,
        number: u64,
        states: &[TargetState],
        from: u32,
        limit: usize,
    ) -> Result<(Vec<Target>, Option<u32>), RolloutError> {
        self.find(number)?;
        let (mut page, mut next) = (Vec::new(), None);
        self.each(number, from, |row, target| {
            if states.is_empty() || states.contains(&target.state) {
                if page.len() == limit {
                    next = Some(row);
                    return false;
                }
                page.push(target);
            }
            true
        })?;
        Ok((page, next))
    }

    /// Makes a rollout: writes down its boards and groups. It is started by itself.
    ///
    /// # Errors
    /// [`RolloutError::Refused`] for a release that boards cannot be given, groups that contradict
    /// themselves, or no boards.
    pub fn add(&self, new: NewRollout, now: UnixSeconds) -> Result<Rollout, RolloutError> {
        let Chosen { release, within, filter, boards: chosen } = self.choose(&new)?;
        if !release.is_signed() {
            let why = "only a signed release can be rolled out: `cellular-hub firmware sign`";
            return Err(RolloutError::refused(why));
        }
        if self.lock().len() >= LIVE_MAX {
            let why = format!("{LIVE_MAX} rollouts are not over; end some of them first");
            return Err(RolloutError::refused(why));
        }
        if chosen.is_empty() && !new.dynamic {
            return Err(RolloutError::refused(
                "no board fits; look with `cellular-hub board list`",
            ));
        }
        let mut rollout = Rollout {
            number: self.store.rollouts().last()?.map_or(1, |last| last.number + 1),
            name: new.name,
            release: new.release,
            before: Vec::new(),
            filter: new.filter,
            within,
            dynamic: new.dynamic,
            groups: new.groups,
            terms: new.terms,
            by: new.by,
            created: now,
            total: chosen.len() as u64,
            state: RolloutState::Preparing,
            group: 0,
            attempt: 0,
        };
        self.keep(&rollout)?;
        let assigned = assign(&rollout.groups, &chosen, rollout.number);
        let path = self.store.files().rollout(rollout.number)?;
        let boards = chosen.into_iter().zip(assigned);
        Targets::create(&path, boards, now).map_err(failed(&path))?;
        let asks = new.approve_above > 0 && rollout.total > new.approve_above;
        rollout.state = if asks { RolloutState::AwaitingApproval } else { RolloutState::Ready };
        self.keep(&rollout)?;
        let live = Live::open(&self.store, rollout.clone(), Arc::new(release), filter)?;
        self.lock().insert(rollout.number, live);
        Ok(rollout)
    }

    /// What the rollout would mean; changes nothing, and the release need not be signed yet.
    ///
    /// # Errors
    /// [`RolloutError::Refused`] for groups that contradict themselves, or what is no filter.
    pub fn preview(&self, new: &NewRollout) -> Result<Preview, RolloutError> {
        let Chosen { release, boards, .. } = self.choose(new)?;
        let assigned = assign(&new.groups, &boards, 0);
        Ok(preview(&release, &new.groups, &new.terms, &boards, &assigned))
    }

    fn choose(&self, new: &NewRollout) -> Result<Chosen, RolloutError> {
        let release = self.release(new.release)?;
        super::assign::check(&new.groups)?;
        let within = tenants_of(&release, new.within.clone());
        let filter = self.filter(&new.filter, within.as_deref())?;
        let boards = self.store.boards().choose(&filter, &labels(&new.groups))?;
        Ok(Chosen { release, within, filter, boards })
    }

    /// Gives boards the release from now on, as its terms say; `is_approved` where a second person has
    /// allowed it, or none is needed.
    ///
    /// # Errors
    /// [`RolloutError::Refused`] for one that was started already, or waits for somebody.
    pub fn start(
        &self,
        number: u64,
        is_approved: bool,
        now: UnixSeconds,
    ) -> Result<Rollout, RolloutError> {
        self.change(number, |live| match &live.rollout.state {
            RolloutState::AwaitingApproval if !is_approved => Err(RolloutError::refused(format!(
                "rollout {number} takes two people: ask for it, and have another allow it"
            ))),
            RolloutState::Ready | RolloutState::AwaitingApproval => {
                live.rollout.state = RolloutState::Running { since: now };
                Ok(())
            }
            state => Err(unfit(number, state, "started")),
        })
    }

    /// Halts it: no board is given the release until it goes on.
    ///
    /// # Errors
    /// [`RolloutError::Refused`] for one that does not run.
    pub fn pause(
        &self,
        number: u64,
        by: String,
        now: UnixSeconds,
    ) -> Result<Rollout, RolloutError> {
        self.change(number, |live| match &live.rollout.state {
            RolloutState::Running { .. } => {
                live.rollout.state = RolloutState::Paused { at: now, halted_by: by };
                Ok(())
            }
            state => Err(unfit(number, state, "paused")),
        })
    }

    /// Goes on with one that was halted; or, with another release, begins anew with all its boards.
    ///
    /// # Errors
    /// [`RolloutError::Refused`] for one that stopped itself, without another release.
    pub fn resume(
        &self,
        number: u64,
        release: Option<u64>,
        now: UnixSeconds,
    ) -> Result<Rollout, RolloutError> {
        let release = release.map(|release| self.release(release)).transpose()?;
        self.change(number, |live| {
            match (&live.rollout.state, &release) {
                (RolloutState::Paused { .. } | RolloutState::Stopped { .. }, Some(release)) => {
                    same_boards(&live.release, release)?;
                    live.begin_anew(now)?;
                    live.rollout.before.push(live.rollout.release);
                    live.rollout.release = release.number;
                    (live.rollout.group, live.rollout.attempt) = (0, 0);
                    live.release = Arc::new(release.clone());
                }
                (RolloutState::Paused { .. }, None) => {}
                (RolloutState::Stopped { .. }, None) => {
                    return Err(RolloutError::refused(format!(
                        "rollout {number} stopped itself; name a release that is better, or have the \
                         failed boards try again: `cellular-hub rollout retry {number}`"
                    )));
                }
                (state, _) => return Err(unfit(number, state, "resumed")),
            }
            live.rollout.state = RolloutState::Running { since: now };
            Ok(())
        })
    }

    /// Whether one that was halted can begin anew with this release.
    ///
    /// # Errors
    /// [`RolloutError::Refused`], as [`Rollouts::resume`] would.
    pub fn fits_anew(&self, number: u64, release: u64) -> Result<(), RolloutError> {
        let release = self.release(release)?;
        let lives = self.lock();
        let Some(live) = lives.get(&number) else {
            drop(lives);
            return Err(unfit(number, &self.find(number)?.state, "resumed"));
        };
        match &live.rollout.state {
            RolloutState::Paused { .. } | RolloutState::Stopped { .. } => {
                same_boards(&live.release, &release)
            }
            state => Err(unfit(number, state, "resumed")),
        }
    }

    /// Has the boards that failed try again, and goes on.
    ///
    /// # Errors
    /// [`RolloutError::Refused`] for one that was never started, or was ended.
    pub fn retry(&self, number: u64, now: UnixSeconds) -> Result<Rollout, RolloutError> {
        let finished = self.find(number)?;
        if let RolloutState::Finished { .. } = finished.state {
            let live = self.load(finished)?;
            self.lock().entry(number).or_insert(live);
        }
        self.change(number, |live| match &live.rollout.state {
            RolloutState::Running { .. }
            | RolloutState::Paused { .. }
            | RolloutState::Stopped { .. }
            | RolloutState::Finished { .. } => {
                live.rollout.attempt = live.rollout.attempt.wrapping_add(1);
                live.retry(now)?;
                live.rollout.state = RolloutState::Running { since: now };
                Ok(())
            }
            state => Err(unfit(number, state, "tried again")),
        })
    }

    /// Ends it; boards that have the release keep it.
    ///
    /// # Errors
    /// [`RolloutError::Refused`] for one that is over.
    pub fn abort(
        &self,
        number: u64,
        by: String,
        now: UnixSeconds,
    ) -> Result<Rollout, RolloutError> {
        let ended = self.change(number, |live| {
            live.rollout.state = RolloutState::Aborted { at: now, ended_by: by };
            Ok(())
        })?;
        self.lock().remove(&number);
        Ok(ended)
    }

    /// A release was signed or withdrawn: boards are offered and given what it is now.
    ///
    /// # Errors
    /// Those of the store.
    pub fn release_changed(&self, number: u64) -> Result<(), RolloutError> {
        let release = Arc::new(self.release(number)?);
        self.shelf.reload()?;
        for live in self.lock().values_mut().filter(|live| live.rollout.release == number) {
            live.release = Arc::clone(&release);
        }
        Ok(())
    }

    fn change(
        &self,
        number: u64,
        change: impl FnOnce(&mut Live) -> Result<(), RolloutError>,
    ) -> Result<Rollout, RolloutError> {
        let mut lives = self.lock();
        let Some(live) = lives.get_mut(&number) else {
            drop(lives);
            let over = self.find(number)?;
            return Err(unfit(number, &over.state, "changed"));
        };
        let before = live.rollout.clone();
        let changed = change(live).and_then(|()| self.keep(&live.rollout));
        if let Err(error) = changed {
            live.rollout = before;
            return Err(error);
        }
        Ok(live.rollout.clone())
    }

    fn each(
        &self,
        number: u64,
        from: u32,
        take: impl FnMut(u32, Target) -> bool,
    ) -> Result<(), RolloutError> {
        let path = self.store.files().rollout(number)?;
        let targets = Targets::open(&path).map_err(failed(&path))?;
        targets.each(from, take).map_err(failed(&path))
    }

    fn load(&self, rollout: Rollout) -> Result<Live, RolloutError> {
        let release = Arc::new(self.release(rollout.release)?);
        let filter = self.filter(&rollout.filter, rollout.within.as_deref())?;
        Live::open(&self.store, rollout, release, filter)
    }

    fn filter(
        &self,
        filter: &str,
        within: Option<&[TenantId]>,
    ) -> Result<BoardFilter, RolloutError> {
        let parsed = (self.parse)(filter, within);
        parsed.ok_or_else(|| RolloutError::refused(format!("{filter:?} is no filter of boards")))
    }

    fn find(&self, number: u64) -> Result<Rollout, RolloutError> {
        let found = self.store.rollouts().find(&number.to_be_bytes())?;
        let made = found.filter(|rollout| rollout.state != RolloutState::Preparing);
        made.ok_or(RolloutError::Unknown(number))
    }

    fn release(&self, number: u64) -> Result<Release, RolloutError> {
        let found = self.store.releases().find(&number.to_be_bytes())?;
        found.ok_or_else(|| RolloutError::refused(format!("there is no release {number}")))
    }

    fn keep(&self, rollout: &Rollout) -> Result<(), RolloutError> {
        Ok(self.store.rollouts().put(&rollout.number.to_be_bytes(), rollout)?)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Live>> {
        // Whoever panicked with it has left rows and records that count by themselves.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom a rollout is for.
struct Chosen {
    release: Release,
    within: Option<Vec<TenantId>>,
    filter: BoardFilter,
    boards: Vec<storage::Chosen>,
}

/// The tenants whose boards may have the release.
fn tenants_of(release: &Release, within: Option<Vec<TenantId>>) -> Option<Vec<TenantId>> {
    match &release.tenant {
        None => within,
        Some(own) if within.as_ref().is_none_or(|within| within.contains(own)) => {
            Some(vec![own.clone()])
        }
        Some(_) => Some(Vec::new()),
    }
}

/// Whether boards of one release may be given the other in its place.
fn same_boards(one: &Release, other: &Release) -> Result<(), RolloutError> {
    if !other.is_signed() {
        return Err(RolloutError::refused(format!("release {} is not signed", other.number)));
    }
    if one.number == other.number || (&one.product, &one.tenant) != (&other.product, &other.tenant)
    {
        let why = "the other release has to be another one of the same product and tenant";
        return Err(RolloutError::refused(why));
    }
    Ok(())
}

fn unfit(number: u64, state: &RolloutState, what: &str) -> RolloutError {
    let is = match state {
        RolloutState::Preparing | RolloutState::AwaitingApproval => "waits to be allowed",
        RolloutState::Ready => "was not started yet",
        RolloutState::Running { .. } => "runs",
        RolloutState::Paused { .. } => "is paused",
        RolloutState::Stopped { .. } => "has stopped itself",
        RolloutState::Aborted { .. } => "was ended",
        RolloutState::Finished { .. } => "is finished",
    };
    RolloutError::refused(format!("rollout {number} {is} and cannot be {what}"))
}

fn said(board: &BoardId, report: &FirmwareReport<'_>, now: UnixSeconds) -> BoardFirmware {
    BoardFirmware {
        board: board.clone(),
        product: report.product.to_owned(),
        hardware: report.hardware.to_owned(),
        version: version(report.version),
        floor: report.floor,
        on_trial: report.on_trial,
        battery_percent: report.battery_percent,
        rsrp_dbm: report.rsrp_dbm,
        reset_cause: report.reset_cause,
        fault: report.fault.map(<[u8]>::to_vec),
        reported: now,
    }
}

#[cfg(test)]
mod tests;
