//! What happens while somebody listens: found by looking now and then, once for all who do.

use std::collections::{BTreeMap, BTreeSet};

use actors::upstream::Status;
use storage::{Job, JobId, TenantId, UnixSeconds, UpstreamName};

use super::Watch;
use crate::admin::Admin;

/// Jobs whose course is followed: the latest.
const JOBS: usize = 50;

/// Something that has happened.
#[derive(Debug)]
pub enum Happening {
    /// Time has passed, and there are other rates.
    Tick(UnixSeconds),
    /// An upstream went up or down.
    Upstream(TenantId, UpstreamName, Status),
    /// What wants looking after may be something else now.
    Attention,
    /// A job is further than it was.
    Job(Box<Job>),
}

/// What was found the last time.
#[derive(Default)]
pub(super) struct Known {
    upstreams: BTreeMap<(TenantId, UpstreamName), Status>,
    jobs: BTreeMap<JobId, Job>,
    waiting: Option<Waiting>,
}

/// What people are told to look after, as far as it changes from one moment to the next.
#[derive(PartialEq, Eq)]
struct Waiting {
    suspended: Vec<TenantId>,
    approvals: usize,
    has_failed: bool,
    down: BTreeSet<(TenantId, UpstreamName)>,
}

impl Known {
    /// Looks, and says what has changed since. May wait for the disk.
    pub(super) fn look(self, watch: &Watch, admin: &Admin) -> (Self, Vec<Happening>) {
        let is_first = self.waiting.is_none();
        let mut changes = Vec::new();
        let (fleet, jobs) = match (watch.fleet(admin), admin.jobs()) {
            (Ok(fleet), Ok(jobs)) => (fleet, jobs),
            // Who asks for it is told why; here it is looked again a moment later.
            (Err(_), _) | (_, Err(_)) => return (self, changes),
        };
        let mut known = Self::default();
        let mut down = BTreeSet::new();
        for (tenant, name, status) in &fleet.upstreams {
            let key = (tenant.clone(), name.clone());
            if !status.up {
                down.insert(key.clone());
            }
            if self.upstreams.get(&key).is_none_or(|before| before.up != status.up) {
                let (tenant, name) = key.clone();
                changes.push(Happening::Upstream(tenant, name, status.clone()));
            }
            known.upstreams.insert(key, status.clone());
        }
        for job in jobs.into_iter().rev().take(JOBS) {
            if self.jobs.get(&job.id).is_none_or(|before| *before != job) {
                changes.push(Happening::Job(Box::new(job.clone())));
            }
            known.jobs.insert(job.id.clone(), job);
        }
        let waiting = Waiting {
            suspended: fleet.suspended.clone(),
            approvals: fleet.approvals.len(),
            has_failed: admin.store().failure().is_some(),
            down,
        };
        if self.waiting.as_ref().is_none_or(|before| *before != waiting) {
            changes.push(Happening::Attention);
        }
        known.waiting = Some(waiting);
        // Who begins to listen has just asked how it is.
        if is_first {
            changes.clear();
        }
        (known, changes)
    }
}
