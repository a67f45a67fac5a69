//! What the hub publishes of revoked certificates: a list a tenant (RFC 5280, section 5), and answers
//! about single ones (RFC 6960).
//!
//! Invariant: asking for a list makes nobody sign. It is signed when something was revoked since, or half of
//! its life is over, and is the same for everybody until then; its number was never used before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use storage::{RevokedCertificate, Serial, Store, StoreError, TenantId, UnixSeconds};

use super::answers::Answers;
use super::ocsp::{self, Answered, Question};
use super::{Authorities, Authority, Revoked, TrustError};

/// Seconds until a signature that failed is tried again, while the list before it is in force.
const TRY_AGAIN_S: u64 = 60;

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum Unlisted {
    /// The tenant is nobody.
    #[error("there is no tenant {0}")]
    UnknownTenant(TenantId),
    /// Another authority issues the tenant's boards' certificates, or the key is kept elsewhere.
    #[error(
        "the key of {0}'s authority is not here; ask whoever has it for the list of what is revoked"
    )]
    OtherAuthority(TenantId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key store failed.
    #[error(transparent)]
    Trust(TrustError),
}

/// A signed list.
#[derive(Debug)]
pub struct List {
    /// Its DER.
    pub der: Vec<u8>,
    /// Its number.
    pub number: u64,
    /// When it was signed.
    pub since: UnixSeconds,
    /// When there is another at the latest.
    pub until: UnixSeconds,
    /// What it lists.
    pub revoked: Vec<Revoked>,
}

/// For how long what is published is in force, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct ListLives {
    /// A list.
    pub list_s: u64,
    /// An answer about single certificates to who brings no nonce.
    pub answer_s: u64,
}

/// The lists of a hub's tenants.
pub struct Lists {
    store: Store,
    authorities: Authorities,
    life: ListLives,
    kept: RwLock<HashMap<TenantId, Kept>>,
    answers: Answers,
    /// Held while one is signed, so that many who ask at once are one signature.
    signing: Mutex<()>,
}

/// A list that was signed, and for how long it does.
struct Kept {
    list: Arc<List>,
    /// The store's count of changes that it is up to date with.
    changes: u64,
    /// When another is to be signed.
    renew: UnixSeconds,
}

impl Lists {
    /// Of what `store` has revoked, signed by `authorities`, each in force for its `life`.
    #[must_use]
    pub fn new(store: Store, authorities: Authorities, life: ListLives) -> Self {
        Self {
            store,
            authorities,
            life,
            kept: RwLock::default(),
            answers: Answers::default(),
            signing: Mutex::default(),
        }
    }

    /// The tenant's list where it is signed and up to date; does not block.
    pub fn at_hand(&self, tenant: &TenantId, now: UnixSeconds) -> Option<Arc<List>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(tenant)?;
        let is_current = kept.changes == self.store.revoked().changes() && now < kept.renew;
        is_current.then(|| Arc::clone(&kept.list))
    }

    /// The tenant's list, signed now where it has to be. Blocks as long as store and key store do.
    ///
    /// # Errors
    /// [`Unlisted`].
    pub fn of(&self, tenant: &TenantId, now: UnixSeconds) -> Result<Arc<List>, Unlisted> {
        let _signing = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = self.at_hand(tenant, now) {
            return Ok(list);
        }
        // Counted before it is read: a change meanwhile makes another list, and is not missed.
        let changes = self.store.revoked().changes();
        let revoked = self.revoked(tenant)?;
        let before = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            kept.get(tenant).map(|kept| (Arc::clone(&kept.list), kept.renew))
        };
        let (list, renew) = match before {
            // What changed was another tenant's.
            Some((list, renew)) if now < renew && list.revoked == revoked => (list, renew),
            before => match (self.sign(tenant, revoked, now), before) {
                (Ok(list), _) => {
                    let renew = UnixSeconds(now.0.saturating_add(self.life.list_s / 2));
                    (Arc::new(list), renew)
                }
                (Err(Unlisted::Trust(error)), Some((list, _))) if now < list.until => {
                    tracing::error!(%tenant, %error, "the list before stays in force: none can be signed");
                    (list, UnixSeconds(now.0.saturating_add(TRY_AGAIN_S)))
                }
                (Err(error), _) => return Err(error),
            },
        };
        let kept = Kept { list: Arc::clone(&list), changes, renew };
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.clone(), kept);
        Ok(list)
    }

    /// The DER of the root's certificate, or of the tenant's authority's.
    ///
    /// # Errors
    /// [`Unlisted`].
    pub fn authority(&self, of: Option<&TenantId>) -> Result<Vec<u8>, Unlisted> {
        let Some(id) = of else { return self.authorities.root().map_err(Unlisted::Trust) };
        let tenant = self.store.tenants().find(id)?;
        let tenant = tenant.ok_or_else(|| Unlisted::UnknownTenant(id.clone()))?;
        tenant.authority.ok_or_else(|| Unlisted::OtherAuthority(id.clone()))
    }

    fn revoked(&self, tenant: &TenantId) -> Result<Vec<Revoked>, Unlisted> {
        let mut revoked = Vec::new();
        for revocation in self.store.revoked().of_tenant(tenant) {
            let revocation = revocation?;
            if let RevokedCertificate::Serial(serial) = revocation.certificate {
                let (since, reason) = (revocation.since, revocation.reason);
                revoked.push(Revoked { serial, since, reason });
            }
        }
        Ok(revoked)
    }

    fn sign(
        &self,
        id: &TenantId,
        revoked: Vec<Revoked>,
        now: UnixSeconds,
    ) -> Result<List, Unlisted> {
        let authority = self.signer(id)?;
        let number = self.store.revoked().next_list_number(now.0)?;
        let until = UnixSeconds(now.0.saturating_add(self.life.list_s));
        let der = authority.sign_crl(&revoked, number, now, until).map_err(Unlisted::Trust)?;
        let count = revoked.len();
        tracing::info!(tenant = %id, number, revoked = count, "signed a list of revoked certificates");
        Ok(List { der, number, since: now, until, revoked })
    }

    fn signer(&self, id: &TenantId) -> Result<Arc<Authority>, Unlisted> {
        let other = || Unlisted::OtherAuthority(id.clone());
        let tenant = self.store.tenants().find(id)?;
        let tenant = tenant.ok_or_else(|| Unlisted::UnknownTenant(id.clone()))?;
        match self.authorities.of(&tenant) {
            Ok(authority) => authority.ok_or_else(other),
            Err(TrustError::KeyElsewhere { .. }) => Err(other()),
            Err(error) => Err(Unlisted::Trust(error)),
        }
    }

    /// The answer to a question without a nonce that was signed before, is in force, and says what is
    /// still so; does not block.
    pub fn answer_at_hand(
        &self,
        tenant: &TenantId,
        question: &Question,
        now: UnixSeconds,
    ) -> Option<Answered> {
        self.answers.find(&question.name(tenant)?, self.store.revoked().changes(), now)
    }

    /// The answer to a question after the tenant's certificates (OCSP, RFC 6960), signed now. Blocks as
    /// [`Lists::of`] does.
    ///
    /// # Errors
    /// [`Unlisted`].
    pub fn answer(
        &self,
        id: &TenantId,
        question: &Question,
        now: UnixSeconds,
    ) -> Result<Answered, Unlisted> {
        let authority = self.signer(id)?;
        // Counted before it is read: what changes meanwhile is asked again.
        let changes = self.store.revoked().changes();
        let find = |serial: &Serial| self.store.revoked().of_serial(id, serial);
        let until = UnixSeconds(now.0.saturating_add(self.life.answer_s));
        let answered = ocsp::answer(question, &authority, find, now, until)?;
        if let Some(name) = question.name(id) {
            self.answers.keep(name, answered.clone(), changes, now);
        }
        Ok(answered)
    }
}
