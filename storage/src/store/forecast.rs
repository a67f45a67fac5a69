//! When boards' certificates end: counted over their rows, at most once a minute.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use super::boards::Boards;
use crate::rows::short;
use crate::{BoardForecast, CertificateEnds, StateKind, StoreError, UnixSeconds};

impl Boards<'_> {
    /// When their certificates end, by tenant, as it was within the last minute; and how many between
    /// these moments, which are in their order. Looks once at every board's row where nobody has asked for
    /// as long; who asks meanwhile waits for that.
    ///
    /// # Errors
    /// [`StoreError::ListsNotReady`] while rows are made anew; others of [`StoreError`].
    pub fn forecast(
        self,
        moments: &[UnixSeconds],
        now: UnixSeconds,
    ) -> Result<Arc<BoardForecast>, StoreError> {
        let mut kept = self.inner.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(forecast) = kept.as_ref().filter(|it| it.answers(moments, now)) {
            return Ok(Arc::clone(forecast));
        }
        self.require_rows()?;
        let bounds: Vec<u32> = moments.iter().map(|at| short(Some(*at))).collect();
        let none = || (CertificateEnds::default(), vec![0_u64; bounds.len() + 1]);
        let mut by_hash = HashMap::<u64, (CertificateEnds, Vec<u64>)>::new();
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            if state != StateKind::Revoked {
                let end = Some(row.certificate_end()).filter(|end| *end != 0);
                let (ends, between) = by_hash.entry(row.tenant()).or_insert_with(none);
                ends.count(end.map(|end| UnixSeconds(end.into())), now);
                let at = end.map(|end| bounds.partition_point(|bound| *bound <= end));
                let place = at.and_then(|at| between.get_mut(at));
                place.into_iter().for_each(|count| *count += 1);
            }
            Ok::<_, StoreError>(())
        })?;
        let (mut tenants, mut between) = (BTreeMap::new(), BTreeMap::new());
        for (tenant, (ends, counts)) in self.by_tenant(by_hash)? {
            tenants.insert(tenant.clone(), ends);
            between.insert(tenant, counts);
        }
        let moments = moments.to_vec();
        let forecast = Arc::new(BoardForecast { at: now, tenants, moments, between });
        *kept = Some(Arc::clone(&forecast));
        Ok(forecast)
    }
}
