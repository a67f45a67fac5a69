//! Who shakes hands too often: counts by board in a table of fixed size, asked inside the handshake.
//!
//! A board is only counted once it has proved that the certificate is its own, so nobody can use up
//! another's quota with a certificate overheard. What is counted is forgotten as it is paid off; a
//! set that is full forgets whoever has least to pay, so a table that is too small forgives and
//! never refuses the wrong board.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use storage::BoardId;

use crate::admission::{Admission, Admitted, NotAdmitted};
use crate::meter::Over;
use crate::metrics::{Metrics, QuotaKind};
use crate::quota::Bucket;
use crate::refusal::Refusal;
use crate::tenant::Directory;

/// Sets of four boards: half a megabyte, whatever the number of boards.
const SETS: usize = 8_192;
const WAYS: usize = 4;

#[derive(Clone, Copy, Default)]
struct Counted {
    tag: u64,
    bucket: Bucket,
}

/// Buckets of the boards that have something to pay off.
struct Table {
    sets: Box<[[Counted; WAYS]]>,
    hasher: RandomState,
}

impl Table {
    fn new(sets: usize) -> Self {
        let sets = vec![[Counted::default(); WAYS]; sets.max(1)].into();
        Self { sets, hasher: RandomState::new() }
    }

    fn place(&self, board: &BoardId) -> (usize, u64) {
        let tag = self.hasher.hash_one(board);
        let sets = u64::try_from(self.sets.len()).unwrap_or(1);
        (usize::try_from(tag % sets).unwrap_or(0), tag)
    }

    fn find(&self, board: &BoardId) -> Bucket {
        let (set, tag) = self.place(board);
        let counted = self.sets.get(set).and_then(|ways| ways.iter().find(|way| way.tag == tag));
        counted.map_or_else(Bucket::default, |counted| counted.bucket)
    }

    /// The board's bucket, in the place of who has least to pay where it had none.
    fn bucket(&mut self, board: &BoardId) -> Option<&mut Bucket> {
        let (set, tag) = self.place(board);
        let ways = self.sets.get_mut(set)?;
        let known = ways.iter().position(|way| way.tag == tag);
        let least = || (0..WAYS).min_by_key(|way| ways.get(*way).map(|way| way.bucket.full_at()));
        let place = known.or_else(least)?;
        let way = ways.get_mut(place)?;
        if way.tag != tag {
            *way = Counted { tag, bucket: Bucket::default() };
        }
        Some(&mut way.bucket)
    }
}

/// The quotas of handshakes of every board and tenant.
pub struct HandshakeQuota {
    tenants: Arc<Directory>,
    boards: Mutex<Table>,
    metrics: Arc<Metrics>,
}

impl HandshakeQuota {
    /// Nobody has shaken hands yet.
    #[must_use]
    pub fn new(tenants: Arc<Directory>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { tenants, boards: Mutex::new(Table::new(SETS)), metrics })
    }

    /// Whether the board may have one more.
    #[must_use]
    pub fn allows(&self, admitted: &Admitted, at: Instant) -> bool {
        self.over(admitted, at).is_none()
    }

    /// The same, for a handshake that is refused otherwise.
    ///
    /// # Errors
    /// Whose quota is used up; it is counted as a refusal.
    pub fn check(&self, admitted: &Admitted, at: Instant) -> Result<(), Refusal> {
        let Some(over) = self.over(admitted, at) else { return Ok(()) };
        self.metrics.over_quota(over.kind);
        Err(match over.kind {
            QuotaKind::BoardHandshakes
            | QuotaKind::BoardMessages
            | QuotaKind::BoardBytes
            | QuotaKind::BoardInFlight => Refusal::BoardQuota,
            QuotaKind::TenantHandshakes
            | QuotaKind::TenantMessages
            | QuotaKind::TenantBytes
            | QuotaKind::TenantInFlight => Refusal::TenantQuota,
        })
    }

    fn over(&self, admitted: &Admitted, at: Instant) -> Option<Over> {
        let tenant = self.tenants.find(&admitted.tenant)?;
        let bucket = self.locked().find(&admitted.board);
        tenant.meter.may_shake_hands(bucket, at).err()
    }

    /// Counts a handshake that has succeeded.
    pub fn spend(&self, admitted: &Admitted, at: Instant) {
        let Some(tenant) = self.tenants.find(&admitted.tenant) else { return };
        if let Some(bucket) = self.locked().bucket(&admitted.board) {
            tenant.meter.shook_hands(bucket, at);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Table> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Admission that also asks whether the board shakes hands too often.
pub struct Metered {
    /// Who may have a session at all.
    pub admission: Arc<dyn Admission>,
    /// How often.
    pub quota: Arc<HandshakeQuota>,
}

impl Admission for Metered {
    fn judges_expired(&self) -> bool {
        self.admission.judges_expired()
    }

    fn admit(&self, leaf: &[u8], anchor: &[u8]) -> Result<Admitted, NotAdmitted> {
        let admitted = self.admission.admit(leaf, anchor)?;
        match self.quota.check(&admitted, Instant::now()) {
            Ok(()) => Ok(admitted),
            Err(reason) => Err(NotAdmitted { reason, board: Some(admitted.board) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Rate;

    fn board(number: u32) -> BoardId {
        format!("CB-{number}").parse().unwrap()
    }

    #[test]
    fn the_table_takes_half_a_megabyte() {
        assert!(size_of::<[Counted; WAYS]>() * SETS <= 512 * 1024);
    }

    #[test]
    fn a_board_that_shakes_hands_too_often_is_remembered_among_a_million_others() {
        let rate = Rate::per_hour(60);
        let mut table = Table::new(SETS);
        for _ in 0..60 {
            table.bucket(&board(0)).unwrap().force(rate, 0);
        }
        assert!(table.find(&board(0)).look(rate, 0).is_err());
        // Each once; a third of a minute's debt is the most any of them has.
        for number in 1..1_000_000 {
            let now = u64::from(number) * 20;
            table.bucket(&board(number)).unwrap().force(rate, now);
        }
        assert!(table.find(&board(0)).look(rate, 20_000_000).is_err(), "forgotten");
        assert!(table.find(&board(7)).look(rate, 20_000_000).is_ok());
    }

    #[test]
    fn a_board_that_was_forgotten_is_served() {
        let rate = Rate::per_hour(1);
        let mut table = Table::new(1);
        for number in 0..100 {
            assert!(table.find(&board(number)).look(rate, 0).is_ok());
            table.bucket(&board(number)).unwrap().force(rate, 0);
        }
        let refused = (0..100).filter(|number| table.find(&board(*number)).look(rate, 0).is_err());
        assert_eq!(refused.count(), WAYS);
    }
}
