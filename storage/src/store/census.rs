//! What is counted of all boards, tenant by tenant, in one look at their rows.

use std::collections::{BTreeMap, HashMap};

use super::boards::Boards;
use crate::rows::{Row, short, tenant_hash};
use crate::{BoardCounts, CensusMoments, StateKind, StoreError, TenantId};

/// The moments as rows hold them.
struct Bounds {
    active: u32,
    silent: u32,
    ended: u32,
    ending: u32,
}

impl Boards<'_> {
    /// How many boards of which kind each tenant has that has some. Looks at every board's row once: a
    /// caller who asks often keeps the answer for a while.
    ///
    /// # Errors
    /// [`StoreError::ListsNotReady`] while rows are made anew.
    pub fn census(
        self,
        moments: &CensusMoments,
    ) -> Result<BTreeMap<TenantId, BoardCounts>, StoreError> {
        self.require_rows()?;
        let bounds = Bounds {
            active: short(Some(moments.active_since)),
            silent: short(Some(moments.silent_since)),
            ended: short(Some(moments.ended_before)),
            ending: short(Some(moments.ending_before)),
        };
        let mut by_hash = HashMap::<u64, BoardCounts>::new();
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            bounds.count(by_hash.entry(row.tenant()).or_default(), state, row);
            Ok::<_, StoreError>(())
        })?;
        self.by_tenant(by_hash)
    }

    /// The same by the tenants' names, which rows have as hashes; what is no tenant's is left out.
    pub(super) fn by_tenant<T>(
        self,
        mut by_hash: HashMap<u64, T>,
    ) -> Result<BTreeMap<TenantId, T>, StoreError> {
        let mut counts = BTreeMap::new();
        for key in self.inner.tenants.iter().keys() {
            let key = key?;
            let tenant = std::str::from_utf8(&key).ok().and_then(|id| id.parse().ok());
            let Some(tenant): Option<TenantId> = tenant else { continue };
            if let Some(of_it) = by_hash.remove(&tenant_hash(&tenant)) {
                counts.insert(tenant, of_it);
            }
        }
        Ok(counts)
    }
}

impl Bounds {
    fn count(&self, counts: &mut BoardCounts, state: StateKind, row: Row<'_>) {
        counts.total += 1;
        let may_connect = match state {
            StateKind::Active => true,
            StateKind::Blocked => {
                counts.blocked += 1;
                false
            }
            StateKind::Held => {
                counts.held += 1;
                false
            }
            StateKind::Revoked => {
                counts.revoked += 1;
                false
            }
        };
        match row.last_seen() {
            0 => counts.unheard += 1,
            heard if heard >= self.active => counts.active += 1,
            heard if heard < self.silent && may_connect => counts.silent += 1,
            _ => {}
        }
        match row.certificate_end() {
            0 => {}
            end if end < self.ended => counts.ended += 1,
            end if end < self.ending => counts.ending += 1,
            _ => {}
        }
    }
}
