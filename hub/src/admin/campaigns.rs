//! Campaigns: made, started, halted, gone on with, ended; each written down.
//!
//! Invariant: boards are told to renew only while what they would get is of the new authority.

use std::sync::Arc;

use actors::campaign::{CampaignError, Campaigns, NewCampaign, Went};
use serde_json::json;
use storage::{
    AuthorityName, AuthorityState, Campaign, CampaignState, Origin, TenantId, UnixSeconds,
};

use super::{Admin, AdminError, refused, unknown};

impl Admin {
    /// The campaigns of the store; a running hub's are its own, others are opened when first asked for.
    ///
    /// # Errors
    /// Those of the store.
    pub fn campaigns(&self) -> Result<Arc<Campaigns>, AdminError> {
        if let Some(campaigns) = self.campaigns.get() {
            return Ok(Arc::clone(campaigns));
        }
        let opened = Campaigns::open(&self.store, (self.author.now)())?;
        Ok(Arc::clone(self.campaigns.get_or_init(|| opened)))
    }

    /// Makes a campaign, which is started by itself.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] without one of its authorities; [`AdminError::Refused`].
    pub fn add_campaign(&self, new: NewCampaign, now: UnixSeconds) -> Result<Campaign, AdminError> {
        let _changing = self.changing();
        let name = |number| AuthorityName { tenant: new.tenant.clone(), number };
        self.still_believed(&name(new.from))?;
        self.could_issue(&name(new.to))?;
        let campaign = self.campaigns()?.add(new, now)?;
        self.record_campaign("campaign.new", campaign)
    }

    /// Has boards be told to renew from now on; the authority that is left is retiring then.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where the new authority does not issue.
    pub fn start_campaign(&self, number: u64, now: UnixSeconds) -> Result<Campaign, AdminError> {
        self.begin_campaign(number, "campaign.start", now)
    }

    /// Goes on with a campaign that was halted.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that was not.
    pub fn resume_campaign(&self, number: u64, now: UnixSeconds) -> Result<Campaign, AdminError> {
        match self.campaign(number)?.state {
            CampaignState::Paused { .. } => self.begin_campaign(number, "campaign.resume", now),
            CampaignState::Draft
            | CampaignState::Running { .. }
            | CampaignState::Ended { .. }
            | CampaignState::Completed { .. } => {
                Err(refused(format!("campaign {number} is not paused")))
            }
        }
    }

    fn begin_campaign(
        &self,
        number: u64,
        what: &'static str,
        now: UnixSeconds,
    ) -> Result<Campaign, AdminError> {
        let _changing = self.changing();
        let Campaign { tenant, from, to, .. } = self.campaign(number)?;
        let (left, new) = (
            AuthorityName { tenant: tenant.clone(), number: from },
            AuthorityName { tenant: tenant.clone(), number: to },
        );
        self.still_believed(&left)?;
        self.could_issue(&new)?;
        if self.tenant(&tenant)?.issuer != Some(to) {
            return Err(refused(format!(
                "{new} does not issue: boards would get certificates of another; first \
                 `cellular-hub authority use {new}`"
            )));
        }
        let campaign = self.campaigns()?.start(number, now)?;
        self.store.authorities().change(&left, |known| {
            if known.state == AuthorityState::Active {
                known.state = AuthorityState::Retiring { since: now };
            }
        })?;
        self.record_campaign(what, campaign)
    }

    /// Has no board be told any more, until it is gone on with.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn pause_campaign(&self, number: u64, now: UnixSeconds) -> Result<Campaign, AdminError> {
        let _changing = self.changing();
        let campaign = self.campaigns()?.pause(number, self.author.who.clone(), now)?;
        self.record_campaign("campaign.pause", campaign)
    }

    /// Ends a campaign for good; its boards may stay with the authority that they have.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn end_campaign(&self, number: u64, now: UnixSeconds) -> Result<Campaign, AdminError> {
        let _changing = self.changing();
        let campaign = self.campaigns()?.end(number, self.author.who.clone(), now)?;
        let left = AuthorityName { tenant: campaign.tenant.clone(), number: campaign.from };
        self.store.authorities().change(&left, |known| {
            if let AuthorityState::Retiring { .. } = known.state {
                known.state = AuthorityState::Active;
            }
        })?;
        self.record_campaign("campaign.end", campaign)
    }

    /// Has campaigns go on by themselves, and writes down those that did; to be called every second.
    ///
    /// # Errors
    /// Those of the store, [`storage::StoreError::ListsNotReady`] among them.
    pub fn tick_campaigns(&self, now: UnixSeconds) -> Result<(), AdminError> {
        for went in self.campaigns()?.tick(now)? {
            let (what, number) = match went {
                Went::Begun { number, .. } => ("campaign.group", number),
                Went::Completed { number } => ("campaign.complete", number),
            };
            self.record_campaign(what, self.campaign(number)?)?;
        }
        Ok(())
    }

    /// Ends what a tenant that is removed has under way.
    pub(super) fn end_campaigns_of(
        &self,
        tenant: &TenantId,
        now: UnixSeconds,
    ) -> Result<(), AdminError> {
        for campaign in self.campaigns()?.list()? {
            if campaign.tenant == *tenant && !campaign.state.is_over() {
                self.campaigns()?.end(campaign.number, self.author.who.clone(), now)?;
            }
        }
        Ok(())
    }

    fn campaign(&self, number: u64) -> Result<Campaign, AdminError> {
        let found = self.store.campaigns().find(&number.to_be_bytes())?;
        found.ok_or_else(|| CampaignError::Unknown(number).into())
    }

    fn could_issue(&self, name: &AuthorityName) -> Result<(), AdminError> {
        let known = self.authority(name)?;
        match (&known.origin, &known.state) {
            (Origin::Own { .. }, AuthorityState::Active) => Ok(()),
            (Origin::Foreign(_), _) => {
                Err(refused(format!("{name} is not the hub's, and renews no board of the hub's")))
            }
            (Origin::Own { .. }, _) => Err(refused(format!("{name} is not active any more"))),
        }
    }

    fn record_campaign(
        &self,
        what: &'static str,
        campaign: Campaign,
    ) -> Result<Campaign, AdminError> {
        let Campaign { number, tenant, from, to, group, reason, .. } = &campaign;
        let group = campaign.groups.get(usize::from(*group)).map(|group| &group.name);
        let detail = json!({
            "tenant": tenant, "from": from, "to": to, "group": group, "reason": reason,
        });
        self.record(what, number, detail)?;
        Ok(campaign)
    }
}

impl From<CampaignError> for AdminError {
    fn from(error: CampaignError) -> Self {
        match error {
            CampaignError::Unknown(number) => {
                unknown("campaign", &number, "`cellular-hub campaign list` shows all")
            }
            CampaignError::Refused(why) => refused(why),
            CampaignError::Store(error) => error.into(),
        }
    }
}
