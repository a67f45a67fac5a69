//! One rollout that is not over, with its boards open.
//!
//! Invariant: counts are those of the rows; a row is written before the board is answered.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use storage::{
    BoardFilter, BoardId, Release, Rollout, RolloutState, Store, Target, TargetState, Targets,
    TenantId, UnixSeconds, Why,
};
use wire::{FirmwareOffer, FirmwareReport};

use super::air;
use super::assign::labels;
use super::course::{Counts, Course, course};
use super::error::RolloutError;
use super::judge::judge;
use super::rollouts::Said;

/// Seconds after which a board comes again that has to wait for others; each its own.
const AGAIN_S: u32 = 300;

pub(super) struct Live {
    pub(super) rollout: Rollout,
    pub(super) release: Arc<Release>,
    pub(super) targets: Targets,
    pub(super) counts: Vec<Counts>,
    filter: BoardFilter,
    path: PathBuf,
    under_way: UnderWay,
    /// Rows whose boards were called; forgotten with the process, and with each attempt.
    pub(super) called: HashSet<u32>,
    /// Rows were written since the disk had them all.
    is_dirty: bool,
}

/// Boards that have begun and not come to an end, by their rows; and how many of them fetch, where.
#[derive(Default)]
struct UnderWay {
    boards: BTreeMap<u32, Begun>,
    fetching: u32,
    cells: HashMap<u32, u32>,
}

#[derive(Clone, Copy)]
struct Begun {
    since: UnixSeconds,
    cell: Option<u32>,
    fetches: bool,
}

/// A board's report, and whose it is.
pub(super) struct Heard<'a> {
    pub(super) board: &'a BoardId,
    pub(super) tenant: &'a TenantId,
    pub(super) report: &'a FirmwareReport<'a>,
    pub(super) now: UnixSeconds,
}

impl Live {
    pub(super) fn open(
        store: &Store,
        rollout: Rollout,
        release: Arc<Release>,
        filter: BoardFilter,
    ) -> Result<Self, RolloutError> {
        let path = store.files().rollout(rollout.number)?;
        let targets = Targets::open(&path).map_err(failed(&path))?;
        let mut live = Self {
            counts: vec![Counts::default(); rollout.groups.len()],
            rollout,
            release,
            targets,
            filter,
            path,
            under_way: UnderWay::default(),
            called: HashSet::new(),
            is_dirty: false,
        };
        live.count()?;
        Ok(live)
    }

    /// Counts all rows.
    fn count(&mut self) -> Result<(), RolloutError> {
        self.counts.iter_mut().for_each(|counts| *counts = Counts::default());
        self.under_way = UnderWay::default();
        self.called.clear();
        let Self { targets, counts, under_way, path, .. } = self;
        let counted = targets.each(0, |number, target| {
            if let Some(counts) = counts.get_mut(usize::from(target.group)) {
                counts.add(target.state);
            }
            under_way.put(number, &target);
            true
        });
        counted.map_err(failed(path))
    }

    /// Whether boards are given the release, where it is their turn.
    pub(super) fn is_giving(&self) -> bool {
        matches!(self.rollout.state, RolloutState::Running { .. }) && self.release.is_signed()
    }

    /// Whether the tenant's boards may be meant.
    pub(super) fn reaches(&self, tenant: &TenantId) -> bool {
        let within = &self.rollout.within;
        within.as_ref().is_none_or(|own| own.contains(tenant)) && self.release.is_for(tenant)
    }

    /// How many boards fetch it.
    pub(super) const fn fetching(&self) -> u32 {
        self.under_way.fetching
    }

    /// The board's row, where it has one.
    pub(super) fn find_row(&self, board: &BoardId) -> Result<Option<(u32, Target)>, RolloutError> {
        self.targets.find(board).map_err(failed(&self.path))
    }

    /// What the board is told; nothing where it does not belong here.
    pub(super) fn hear(
        &mut self,
        store: &Store,
        heard: &Heard<'_>,
        may_offer: bool,
    ) -> Result<Option<Said>, RolloutError> {
        let Some((number, target)) = self.find(store, heard)? else { return Ok(None) };
        let mut judged = judge(&target, heard.report, &self.release, heard.now);
        let said = match may_offer {
            true => self.decide(store, &mut judged, heard)?,
            false => Said::Nothing,
        };
        self.put(number, &target, &judged)?;
        Ok(Some(said))
    }

    fn find(
        &mut self,
        store: &Store,
        heard: &Heard<'_>,
    ) -> Result<Option<(u32, Target)>, RolloutError> {
        let found = self.find_row(heard.board)?;
        if found.is_some() || !self.rollout.dynamic {
            return Ok(found);
        }
        let Some(board) = store.boards().find(heard.board)? else { return Ok(None) };
        if !store.boards().fits(&self.filter, &board)? {
            return Ok(None);
        }
        let has =
            |(key, value): &(&str, &str)| board.labels.get(*key).is_some_and(|own| own == value);
        let wanted = labels(&self.rollout.groups).into_iter().find(has);
        let is_it = |group: &storage::RolloutGroup| match (&group.share, wanted) {
            (storage::Share::Label { key, value }, Some(wanted)) => (&**key, &**value) == wanted,
            _ => false,
        };
        let group = self.rollout.groups.iter().position(is_it);
        let group = group.unwrap_or(self.rollout.groups.len().saturating_sub(1));
        let group = u16::try_from(group).unwrap_or(0);
        let target = Target::waiting(heard.board.clone(), group, heard.now);
        let number = self.targets.add(&target).map_err(failed(&self.path))?;
        if let Some(counts) = self.counts.get_mut(usize::from(group)) {
            counts.add(target.state);
        }
        self.rollout.total = self.rollout.total.saturating_add(1);
        Ok(Some((number, target)))
    }

    /// Whether the board is given the release now; where it begins, its row says so.
    fn decide(
        &self,
        store: &Store,
        target: &mut Target,
        heard: &Heard<'_>,
    ) -> Result<Said, RolloutError> {
        let is_its_turn = target.group <= self.rollout.group;
        if target.state.is_end() || !is_its_turn || !self.is_giving() {
            return Ok(Said::Nothing);
        }
        if target.state == TargetState::Waiting {
            if let Some(after_s) = self.waits(heard) {
                // What is on trial has to hear that the hub took its word.
                let is_heard = heard.report.on_trial;
                return Ok(if is_heard { Said::Nothing } else { Said::Later { after_s } });
            }
            if !self.has_room(store, heard)? {
                // Its next report, of another day, is soon enough.
                target.why = Why::DataPlan;
                return Ok(Said::Nothing);
            }
            if !self.still_fits(store, heard.board)? {
                (target.state, target.why) = (TargetState::Skipped, Why::Gone);
                return Ok(Said::Nothing);
            }
            (target.state, target.why) = (TargetState::Offered, Why::Nothing);
            target.attempt = self.rollout.attempt;
            target.outcome = heard.report.outcome.map(|(number, ..)| number);
            (target.changed, target.received) = (heard.now, 0);
        }
        let terms = &self.rollout.terms;
        let version = self.release.version;
        Ok(Said::Offer(FirmwareOffer {
            digest: self.release.file.0,
            size: self.release.size,
            version: (version.major, version.minor, version.revision, version.build),
            permanent: terms.permanent,
            battery_min_percent: terms.battery_min_percent,
            rsrp_min_dbm: terms.rsrp_min_dbm,
            attempt: target.attempt,
        }))
    }

    /// For how many seconds the board has to wait before it may begin.
    fn waits(&self, heard: &Heard<'_>) -> Option<u32> {
        let terms = &self.rollout.terms;
        let lot = heard
            .board
            .as_str()
            .bytes()
            .fold(7_u32, |lot, byte| lot.wrapping_mul(31).wrapping_add(byte.into()));
        let again = AGAIN_S + lot % AGAIN_S;
        if !terms.may_begin(heard.now) {
            return Some(again);
        }
        let is_full = |bound: u32, count: u32| bound > 0 && count >= bound;
        let there = heard.report.cell.and_then(|cell| self.under_way.cells.get(&cell).copied());
        let waits = is_full(terms.at_once, self.under_way.fetching)
            || is_full(terms.at_once_per_cell, there.unwrap_or(0));
        waits.then_some(again)
    }

    /// Whether what the board's data plan has left this month is enough, as far as the hub knows.
    fn has_room(&self, store: &Store, heard: &Heard<'_>) -> Result<bool, RolloutError> {
        let Some(tenant) = store.tenants().find(heard.tenant)? else { return Ok(true) };
        let Some(plan) = tenant.quota.data_plan.filter(|plan| *plan > 0) else { return Ok(true) };
        let used = store.boards().data_use(heard.board)?.in_month_of(heard.now);
        Ok(used.saturating_add(air::bytes(self.release.size)) <= u64::from(plan))
    }

    /// Rows have hashes of labels and tenants, and both may have changed since.
    fn still_fits(&self, store: &Store, board: &BoardId) -> Result<bool, RolloutError> {
        let Some(board) = store.boards().find(board)? else { return Ok(false) };
        let BoardFilter { tenants, labels, .. } = self.filter.clone();
        let lasting = BoardFilter { tenants, labels, ..BoardFilter::default() };
        Ok(store.boards().fits(&lasting, &board)? && self.release.is_for(&board.tenant))
    }

    fn put(&mut self, number: u32, from: &Target, to: &Target) -> Result<(), RolloutError> {
        if from == to {
            return Ok(());
        }
        self.targets.write(number, to).map_err(failed(&self.path))?;
        self.is_dirty = true;
        if let Some(counts) = self.counts.get_mut(usize::from(to.group)) {
            counts.remove(from.state);
            counts.add(to.state);
        }
        self.under_way.put(number, to);
        Ok(())
    }

    /// Boards that have begun and were silent for too long have failed.
    pub(super) fn lose(&mut self, now: UnixSeconds) -> Result<u32, RolloutError> {
        let patience = u64::from(self.rollout.terms.lost_after_s);
        let is_lost = |one: &Begun| one.since.0.saturating_add(patience) < now.0;
        let silent = self.under_way.boards.iter().filter(|(_, one)| is_lost(one));
        let silent: Vec<u32> = silent.map(|(number, _)| *number).collect();
        for number in &silent {
            let read = self.targets.read(*number).map_err(failed(&self.path))?;
            let Some(target) = read else { continue };
            let (state, why) = (TargetState::Failed, Why::Lost);
            let lost = Target { state, why, changed: now, ..target.clone() };
            self.put(*number, &target, &lost)?;
        }
        Ok(u32::try_from(silent.len()).unwrap_or(u32::MAX))
    }

    /// What follows from the counts; the caller keeps the rollout's record where it says so.
    pub(super) fn advance(&mut self, now: UnixSeconds) -> bool {
        let RolloutState::Running { .. } = self.rollout.state else { return false };
        let Rollout { groups, group, dynamic, .. } = &self.rollout;
        match course(groups, &self.counts, *group, *dynamic) {
            Course::Same => return false,
            Course::Begins(group) => self.rollout.group = group,
            Course::Stops { group: in_group, failed, allowed } => {
                self.rollout.state = RolloutState::Stopped { at: now, in_group, failed, allowed };
            }
            Course::Finishes => self.rollout.state = RolloutState::Finished { at: now },
        }
        true
    }

    /// Every board begins anew, with another release.
    pub(super) fn begin_anew(&mut self, now: UnixSeconds) -> Result<(), RolloutError> {
        self.change_all(|target| Target::waiting(target.board, target.group, now))
    }

    /// Boards that have failed try again.
    pub(super) fn retry(&mut self, now: UnixSeconds) -> Result<(), RolloutError> {
        self.change_all(|target| match target.state {
            TargetState::Failed => Target::waiting(target.board, target.group, now),
            _ => target,
        })
    }

    fn change_all(&mut self, change: impl FnMut(Target) -> Target) -> Result<(), RolloutError> {
        self.targets = self.targets.rewrite(&self.path, change).map_err(failed(&self.path))?;
        self.count()
    }

    /// Has the disk take what was written.
    pub(super) fn sync(&mut self) -> Result<(), RolloutError> {
        if std::mem::take(&mut self.is_dirty) {
            self.targets.sync().map_err(failed(&self.path))?;
        }
        Ok(())
    }
}

impl UnderWay {
    /// The board of this row is this far.
    fn put(&mut self, number: u32, target: &Target) {
        let fetches = matches!(target.state, TargetState::Offered | TargetState::Fetching);
        let begun = Begun { since: target.changed, cell: target.cell, fetches };
        let before = match target.state.is_under_way() {
            true => self.boards.insert(number, begun),
            false => self.boards.remove(&number),
        };
        if let Some(Begun { cell, fetches: true, .. }) = before {
            self.fetching = self.fetching.saturating_sub(1);
            if let Some(there) = cell.and_then(|cell| self.cells.get_mut(&cell)) {
                *there = there.saturating_sub(1);
            }
            if let Some(cell) = cell.filter(|cell| self.cells.get(cell) == Some(&0)) {
                self.cells.remove(&cell);
            }
        }
        if fetches {
            self.fetching = self.fetching.saturating_add(1);
            if let Some(cell) = target.cell {
                *self.cells.entry(cell).or_default() += 1;
            }
        }
    }
}

pub(super) fn failed(file: &std::path::Path) -> impl Fn(io::Error) -> RolloutError {
    let file = file.to_owned();
    move |source| RolloutError::File { file: file.clone(), source }
}
