//! How far a campaign is: counted over the boards' rows, which say whose certificate each board has.

use super::boards::Boards;
use crate::campaign::CampaignLot;
use crate::rows::tenant_hash;
use crate::{AuthorityNumber, Campaign, CampaignCounts, StateKind, StoreError};

impl Boards<'_> {
    /// How far each group of a campaign is; `renewed` hears of every board that has a certificate of the
    /// new authority. Looks at every board's row once: a caller who asks often keeps the answer.
    ///
    /// # Errors
    /// [`StoreError::ListsNotReady`] while rows are made anew.
    pub fn count_campaign(
        self,
        campaign: &Campaign,
        mut renewed: impl FnMut(CampaignLot),
    ) -> Result<Vec<CampaignCounts>, StoreError> {
        self.require_rows()?;
        let tenant = tenant_hash(&campaign.tenant);
        let mut groups = vec![CampaignCounts::default(); campaign.groups.len()];
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            if row.tenant() != tenant {
                return Ok(());
            }
            let issuer = match row.issuer() {
                // Written before it was written down by whom: by the one authority that there was.
                None if campaign.from == AuthorityNumber::FIRST => {
                    let board = self.find_key(row.id())?;
                    board.and_then(|board| board.fingerprint).map(|_| AuthorityNumber::FIRST)
                }
                issuer => issuer,
            };
            let lot = campaign.lot(row.id());
            let Some(counts) = groups.get_mut(campaign.group_of(lot)) else { return Ok(()) };
            match (issuer, state) {
                (Some(issuer), _) if issuer == campaign.to => {
                    counts.renewed += 1;
                    renewed(lot);
                }
                (Some(issuer), StateKind::Active) if issuer == campaign.from => counts.waiting += 1,
                (Some(issuer), _) if issuer == campaign.from => counts.shut_out += 1,
                (Some(_) | None, _) => {}
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(groups)
    }
}
