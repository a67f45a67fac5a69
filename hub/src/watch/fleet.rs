//! How the fleet is: boards by tenant, upstreams, what waits for people.

use std::collections::BTreeMap;

use actors::upstream::Status;
use storage::{
    ApprovalState, BoardCounts, CensusMoments, TenantId, TenantState, UnixSeconds, UpstreamName,
};

use crate::admin::{Admin, AdminError};
use crate::people::Reach;

/// A board is active that was heard within this.
const ACTIVE_S: u64 = 60 * 60;
/// And silent that was not within this.
const SILENT_S: u64 = 24 * 60 * 60;
/// Days before its end in which a certificate is shown to end soon.
pub const ENDING_DAYS: u64 = 30;

/// What was found.
pub struct Fleet {
    boards: BTreeMap<TenantId, BoardCounts>,
    awake: BTreeMap<TenantId, usize>,
    /// How each upstream is that has a connection to lose.
    pub upstreams: Vec<(TenantId, UpstreamName, Status)>,
    /// Tenants whose boards are all refused.
    pub suspended: Vec<TenantId>,
    /// What waits for a second person: of a tenant's, or of the hub's.
    pub approvals: Vec<Option<TenantId>>,
}

impl Fleet {
    pub(super) fn look(admin: &Admin, now: UnixSeconds) -> Result<Self, AdminError> {
        let ago = |seconds: u64| UnixSeconds(now.0.saturating_sub(seconds));
        let moments = CensusMoments {
            active_since: ago(ACTIVE_S),
            silent_since: ago(SILENT_S),
            ended_before: now,
            ending_before: UnixSeconds(now.0.saturating_add(ENDING_DAYS * 24 * 60 * 60)),
        };
        let store = admin.store();
        let boards = store.boards().census(&moments)?;
        let mut suspended = Vec::new();
        for tenant in store.tenants().list() {
            let tenant = tenant?;
            if tenant.state == TenantState::Suspended {
                suspended.push(tenant.id);
            }
        }
        let mut approvals = Vec::new();
        for approval in store.approvals().list(None) {
            let (_, approval) = approval?;
            if approval.state == ApprovalState::Pending && approval.waits(now) {
                approvals.push(approval.act.tenant().cloned());
            }
        }
        Ok(Self {
            boards,
            awake: admin.awake()?.into_iter().collect(),
            upstreams: admin.upstream_statuses()?,
            suspended,
            approvals,
        })
    }

    /// How many boards there are within this reach.
    #[must_use]
    pub fn boards(&self, reach: &Reach) -> BoardCounts {
        let mut sum = BoardCounts::default();
        for (_, counts) in self.boards.iter().filter(|(tenant, _)| reach.includes(tenant)) {
            sum += *counts;
        }
        sum
    }

    /// How many of them have a session awake.
    #[must_use]
    pub fn awake(&self, reach: &Reach) -> usize {
        self.awake.iter().filter(|(tenant, _)| reach.includes(tenant)).map(|(_, n)| *n).sum()
    }
}
