//! All campaigns of a store: which boards are told to renew, and what admins do to campaigns.
//!
//! Invariant: a campaign's record is on the disk before its change has an effect.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use storage::{
    AuthorityNumber, BoardId, Campaign, CampaignCounts, CampaignGroup, CampaignState, Hours, Store,
    TenantId, UnixSeconds,
};

use super::error::CampaignError;
use super::live::{Course, Live};
use crate::quota::Micros;

/// Campaigns that are not over.
const LIVE_MAX: usize = 200;
/// Groups of one campaign.
const GROUPS_MAX: usize = 100;
/// Boards a minute, at most.
const PER_MINUTE_MAX: u32 = 60_000;
/// From one count of boards to the next, at least.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// And so many times as long as the last one took.
const REST: u32 = 50;

/// A campaign that is to be made.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    /// Whose boards.
    pub tenant: TenantId,
    /// The authority that is left.
    pub from: AuthorityNumber,
    /// The one that boards get certificates of.
    pub to: AuthorityNumber,
    /// Its groups; at least one.
    pub groups: Vec<CampaignGroup>,
    /// Boards that are told a minute.
    pub per_minute: u32,
    /// Boards are told in these windows alone; empty is at any time.
    pub windows: Vec<Hours>,
    /// Why.
    pub reason: String,
    /// Who wants it.
    pub by: String,
}

/// A campaign, and how far it is.
#[derive(Debug, Clone)]
pub struct CampaignStanding {
    /// The campaign.
    pub campaign: Campaign,
    /// Each group's boards.
    pub counts: Vec<CampaignCounts>,
    /// Boards that were told since the hub started, and have not renewed.
    pub told: u64,
    /// Those of them that were told three times and more.
    pub told_often: u64,
}

/// A campaign that went on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// Its next group has begun.
    Begun {
        /// Which campaign.
        number: u64,
        /// The group, from 0.
        group: u16,
    },
    /// No board is left that could renew.
    Completed {
        /// Which campaign.
        number: u64,
    },
}

/// The campaigns of a store.
pub struct Campaigns {
    store: Store,
    /// Whether any runs: what every answer to a board looks at first.
    are_running: AtomicBool,
    live: Mutex<BTreeMap<u64, Live>>,
    count_from: Mutex<Option<Instant>>,
    began: Instant,
}

impl Campaigns {
    /// Opens those that are not over.
    ///
    /// # Errors
    /// Those of the store.
    pub fn open(store: &Store, now: UnixSeconds) -> Result<Arc<Self>, CampaignError> {
        let mut live = BTreeMap::new();
        for campaign in store.campaigns().list(None) {
            let (_, campaign) = campaign?;
            if !campaign.state.is_over() {
                live.insert(campaign.number, Live::new(campaign));
            }
        }
        let campaigns = Self {
            store: store.clone(),
            are_running: AtomicBool::new(false),
            live: Mutex::new(live),
            count_from: Mutex::new(None),
            began: Instant::now(),
        };
        campaigns.look(&mut campaigns.lock(), now);
        Ok(Arc::new(campaigns))
    }

    /// Whether this board, which has a certificate of this authority, is told to renew it with the
    /// answer that it gets now.
    #[must_use]
    pub fn tells(&self, tenant: &TenantId, issuer: AuthorityNumber, board: &BoardId) -> bool {
        if !self.are_running.load(Ordering::Relaxed) {
            return false;
        }
        let now = self.now();
        self.lock().values_mut().any(|live| live.tell(tenant, issuer, board, now))
    }

    /// Counts boards where it is time for that, and has campaigns go on; to be called every second.
    ///
    /// # Errors
    /// Those of the store, [`storage::StoreError::ListsNotReady`] among them.
    pub fn tick(&self, now: UnixSeconds) -> Result<Vec<Went>, CampaignError> {
        let began = Instant::now();
        let running: Vec<Campaign> = {
            let mut lives = self.lock();
            self.look(&mut lives, now);
            lives
                .values()
                .filter(|it| is_running(&it.campaign))
                .map(|it| it.campaign.clone())
                .collect()
        };
        let mut count_from = self.count_from.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_empty() || count_from.is_some_and(|from| began < from) {
            return Ok(Vec::new());
        }
        let went =
            running.iter().map(|campaign| self.count(campaign, now)).collect::<Result<Vec<_>, _>>();
        *count_from = Some(Instant::now() + COUNT_EVERY.max(began.elapsed() * REST));
        Ok(went?.into_iter().flatten().collect())
    }

    fn count(&self, campaign: &Campaign, now: UnixSeconds) -> Result<Option<Went>, CampaignError> {
        let number = campaign.number;
        let (counts, renewed) = self.look_at_boards(campaign)?;
        let mut lives = self.lock();
        let Some(live) = lives.get_mut(&number) else { return Ok(None) };
        live.forget(&renewed);
        let mut campaign = live.campaign.clone();
        let went = match live.counted(counts) {
            Course::Same => return Ok(None),
            Course::Begins(group) => {
                campaign.group = group;
                Went::Begun { number, group }
            }
            Course::Completes => {
                campaign.state = CampaignState::Completed { at: now };
                Went::Completed { number }
            }
        };
        self.keep(&campaign)?;
        live.campaign = campaign;
        lives.retain(|_, live| !live.campaign.state.is_over());
        self.look(&mut lives, now);
        Ok(Some(went))
    }

    /// How far each group is, and who of those that were told has renewed.
    fn look_at_boards(
        &self,
        campaign: &Campaign,
    ) -> Result<(Vec<CampaignCounts>, Vec<u64>), CampaignError> {
        let mut told: HashSet<u64> = {
            let lives = self.lock();
            lives.get(&campaign.number).into_iter().flat_map(|live| live.told.marks()).collect()
        };
        let mut renewed = Vec::new();
        let counts = self.store.boards().count_campaign(campaign, |lot| {
            if told.remove(&lot.mark) {
                renewed.push(lot.mark);
            }
        })?;
        Ok((counts, renewed))
    }

    /// All campaigns, by number.
    ///
    /// # Errors
    /// Those of the store.
    pub fn list(&self) -> Result<Vec<Campaign>, CampaignError> {
        let all = self.store.campaigns().list(None);
        all.map(|campaign| Ok(campaign?.1)).collect()
    }

    /// A campaign and how far it is, counted now.
    ///
    /// # Errors
    /// [`CampaignError::Unknown`]; while boards' rows are made anew, that.
    pub fn show(&self, number: u64) -> Result<CampaignStanding, CampaignError> {
        let campaign = self.find(number)?;
        let (counts, renewed) = self.look_at_boards(&campaign)?;
        let told = self.lock().get_mut(&number).map(|live| {
            live.forget(&renewed);
            live.told.counts()
        });
        let (told, told_often) = told.unwrap_or_default();
        Ok(CampaignStanding { campaign, counts, told, told_often })
    }

    /// How far those are that run, as of their last count.
    #[must_use]
    pub fn running(&self) -> Vec<CampaignStanding> {
        let lives = self.lock();
        let running = lives.values().filter(|live| is_running(&live.campaign)).map(|live| {
            let (told, told_often) = live.told.counts();
            let (campaign, counts) = (live.campaign.clone(), live.counts.clone());
            CampaignStanding { campaign, counts, told, told_often }
        });
        running.collect()
    }

    /// Makes a campaign, which is started by itself.
    ///
    /// # Errors
    /// [`CampaignError::Refused`].
    pub fn add(&self, new: NewCampaign, now: UnixSeconds) -> Result<Campaign, CampaignError> {
        check(&new)?;
        let mut lives = self.lock();
        let of_tenant = lives.values().find(|live| live.campaign.tenant == new.tenant);
        if let Some(live) = of_tenant {
            return Err(CampaignError::refused(format!(
                "{} has campaign {} that is not over; end that first",
                new.tenant, live.campaign.number
            )));
        }
        if lives.len() >= LIVE_MAX {
            return Err(CampaignError::refused(format!(
                "there are {LIVE_MAX} campaigns that are not over; end some first"
            )));
        }
        let last = self.store.campaigns().last()?.map_or(0, |campaign| campaign.number);
        let NewCampaign { tenant, from, to, groups, per_minute, windows, reason, by } = new;
        let campaign = Campaign {
            number: last.saturating_add(1),
            tenant,
            from,
            to,
            groups,
            per_minute,
            windows,
            reason,
            by,
            created: now,
            state: CampaignState::Draft,
            group: 0,
        };
        self.keep(&campaign)?;
        lives.insert(campaign.number, Live::new(campaign.clone()));
        Ok(campaign)
    }

    /// Has boards be told from now on: of a draft, or again after a halt.
    ///
    /// # Errors
    /// [`CampaignError::Refused`] for one that runs or is over.
    pub fn start(&self, number: u64, now: UnixSeconds) -> Result<Campaign, CampaignError> {
        self.change(number, now, |campaign| match campaign.state {
            CampaignState::Draft | CampaignState::Paused { .. } => {
                campaign.state = CampaignState::Running { since: now };
                Ok(())
            }
            CampaignState::Running { .. } => {
                Err(CampaignError::refused(format!("campaign {number} runs already")))
            }
            CampaignState::Ended { .. } | CampaignState::Completed { .. } => Err(is_over(number)),
        })
    }

    /// Has no board be told any more, until it is started again.
    ///
    /// # Errors
    /// [`CampaignError::Refused`] for one that does not run.
    pub fn pause(
        &self,
        number: u64,
        halted_by: String,
        now: UnixSeconds,
    ) -> Result<Campaign, CampaignError> {
        self.change(number, now, |campaign| match campaign.state {
            CampaignState::Running { .. } => {
                campaign.state = CampaignState::Paused { at: now, halted_by };
                Ok(())
            }
            CampaignState::Draft
            | CampaignState::Paused { .. }
            | CampaignState::Ended { .. }
            | CampaignState::Completed { .. } => {
                Err(CampaignError::refused(format!("campaign {number} does not run")))
            }
        })
    }

    /// Ends a campaign for good; boards that have renewed keep what they have.
    ///
    /// # Errors
    /// [`CampaignError::Refused`] for one that is over.
    pub fn end(
        &self,
        number: u64,
        ended_by: String,
        now: UnixSeconds,
    ) -> Result<Campaign, CampaignError> {
        self.change(number, now, |campaign| {
            if campaign.state.is_over() {
                return Err(is_over(number));
            }
            campaign.state = CampaignState::Ended { at: now, ended_by };
            Ok(())
        })
    }

    fn change(
        &self,
        number: u64,
        now: UnixSeconds,
        change: impl FnOnce(&mut Campaign) -> Result<(), CampaignError>,
    ) -> Result<Campaign, CampaignError> {
        let mut lives = self.lock();
        let Some(live) = lives.get_mut(&number) else {
            self.find(number)?;
            return Err(is_over(number));
        };
        let mut campaign = live.campaign.clone();
        change(&mut campaign)?;
        self.keep(&campaign)?;
        live.campaign = campaign.clone();
        lives.retain(|_, live| !live.campaign.state.is_over());
        self.look(&mut lives, now);
        Ok(campaign)
    }

    fn find(&self, number: u64) -> Result<Campaign, CampaignError> {
        let found = self.store.campaigns().find(&number.to_be_bytes())?;
        found.ok_or(CampaignError::Unknown(number))
    }

    fn keep(&self, campaign: &Campaign) -> Result<(), CampaignError> {
        Ok(self.store.campaigns().put(&campaign.number.to_be_bytes(), campaign)?)
    }

    fn look(&self, lives: &mut BTreeMap<u64, Live>, now: UnixSeconds) {
        lives.values_mut().for_each(|live| live.look(now));
        self.are_running.store(lives.values().any(|live| live.is_open), Ordering::Relaxed);
    }

    fn now(&self) -> Micros {
        Micros::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn is_running(campaign: &Campaign) -> bool {
    matches!(campaign.state, CampaignState::Running { .. })
}

fn is_over(number: u64) -> CampaignError {
    CampaignError::refused(format!("campaign {number} is over; `campaign new` makes another"))
}

fn check(new: &NewCampaign) -> Result<(), CampaignError> {
    let refuse = |why: String| Err(CampaignError::refused(why));
    if new.from == new.to {
        return refuse(format!("{0} would leave authority {0}/{1} for itself", new.tenant, new.to));
    }
    if new.groups.is_empty() || new.groups.len() > GROUPS_MAX {
        return refuse(format!("a campaign has 1 to {GROUPS_MAX} groups"));
    }
    if new.groups.iter().any(|group| group.success_percent > 100) {
        return refuse(String::from("more than 100 percent of a group cannot renew"));
    }
    if new.groups.iter().map(|group| u32::from(group.percent)).sum::<u32>() > 100 {
        return refuse(String::from("the groups have more than 100 percent of the boards"));
    }
    match (1..=PER_MINUTE_MAX).contains(&new.per_minute) {
        true => Ok(()),
        false => refuse(format!("1 to {PER_MINUTE_MAX} boards a minute can be told")),
    }
}

#[cfg(test)]
mod tests;
