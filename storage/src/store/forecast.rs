//! When boards' certificates end: counted over their rows, at most once a minute.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::boards::Boards;
use crate::{BoardForecast, CertificateEnds, StateKind, StoreError, UnixSeconds};

impl Boards<'_> {
    /// When their certificates end, by tenant, as it was within the last minute. Looks at every board's
    /// row where nobody has asked for as long; who asks meanwhile waits for that.
    ///
    /// # Errors
    /// [`StoreError::ListsNotReady`] while rows are made anew; others of [`StoreError`].
    pub fn forecast(self, now: UnixSeconds) -> Result<Arc<BoardForecast>, StoreError> {
        let mut kept = self.inner.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(forecast) = kept.as_ref().filter(|forecast| forecast.is_fresh(now)) {
            return Ok(Arc::clone(forecast));
        }
        self.require_rows()?;
        let mut by_hash = HashMap::<u64, CertificateEnds>::new();
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            if state != StateKind::Revoked {
                let end = Some(row.certificate_end()).filter(|end| *end != 0);
                let end = end.map(|end| UnixSeconds(end.into()));
                by_hash.entry(row.tenant()).or_default().count(end, now);
            }
            Ok::<_, StoreError>(())
        })?;
        let tenants = self.by_tenant(by_hash)?;
        let forecast = Arc::new(BoardForecast { at: now, tenants });
        *kept = Some(Arc::clone(&forecast));
        Ok(forecast)
    }
}
