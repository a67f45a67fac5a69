//! Admission with a pace for each tenant: one tenant's boards, all shaking hands at once or over and
//! over, leave the handshake threads to the others' as well.
//!
//! Invariant: only who would be admitted is counted, so nobody but its own boards uses up a tenant's pace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use storage::TenantId;

use crate::admission::{Admission, Admitted, NotAdmitted};
use crate::quota::{Bucket, Micros, Rate};
use crate::refusal::Refusal;

/// Another admission's decision, where the board's tenant has not had too many.
pub struct Paced {
    admission: Arc<dyn Admission>,
    rate: Option<Rate>,
    /// As many as there are tenants.
    tenants: Mutex<HashMap<TenantId, Bucket>>,
    epoch: Instant,
}

impl Paced {
    /// `admission`, at most `per_second` times a second for each tenant; nought is without end.
    #[must_use]
    pub fn new(admission: Arc<dyn Admission>, per_second: u32) -> Arc<Self> {
        let rate = Rate::per_second(per_second);
        Arc::new(Self { admission, rate, tenants: Mutex::default(), epoch: Instant::now() })
    }

    fn has_left(&self, tenant: &TenantId, now: Micros) -> bool {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(tenant.clone()).or_default().take(self.rate, now, 1).is_ok()
    }
}

impl Admission for Paced {
    fn judges_expired(&self) -> bool {
        self.admission.judges_expired()
    }

    fn admit(&self, leaf: &[u8], anchor: &[u8]) -> Result<Admitted, NotAdmitted> {
        let admitted = self.admission.admit(leaf, anchor)?;
        let now = Micros::try_from(self.epoch.elapsed().as_micros()).unwrap_or(Micros::MAX);
        if self.has_left(&admitted.tenant, now) {
            return Ok(admitted);
        }
        Err(NotAdmitted { reason: Refusal::TenantRate, board: Some(admitted.board) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Admission for Nobody {
        fn admit(&self, _: &[u8], _: &[u8]) -> Result<Admitted, NotAdmitted> {
            Err(Refusal::UnknownBoard.into())
        }
    }

    #[test]
    fn a_tenant_that_has_had_its_share_waits_and_another_does_not() {
        let paced = Paced::new(Arc::new(Nobody), 5);
        let (acme, other): (TenantId, TenantId) = ("acme".parse().unwrap(), "o".parse().unwrap());
        assert_eq!((0..50).filter(|_| paced.has_left(&acme, 0)).count(), 10);
        assert!(paced.has_left(&other, 0));
        assert!(paced.has_left(&acme, 1_000_000));
    }

    #[test]
    fn who_is_not_admitted_uses_nothing_up() {
        let paced = Paced::new(Arc::new(Nobody), 1);
        for _ in 0..10 {
            assert_eq!(paced.admit(&[], &[]).unwrap_err().reason, Refusal::UnknownBoard);
        }
        assert!(paced.tenants.lock().unwrap().is_empty());
    }
}
