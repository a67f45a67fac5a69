//! What the hub publishes of revoked certificates: a list an authority (RFC 5280, section 5), and
//! answers about single ones (RFC 6960).
//!
//! Invariant: asking for a list makes nobody sign. It is signed when something was revoked since, or half of
//! its life is over, and is the same for everybody until then; its number was never used before.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use storage::{
    AuthorityName, AuthorityNumber, AuthorityState, InvalidName, Origin, RevokedCertificate,
    Serial, Store, StoreError, Tenant, TenantId, UnixSeconds,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::answers::Answers;
use super::ocsp::{self, Answered, Question};
use super::{Authorities, Revoked, TrustError, Unopened};

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
        "the key of the authority {0} is not here; ask whoever has it for the list of what is revoked"
    )]
    OtherAuthority(ListName),
    /// The tenant has no such authority.
    #[error("there is no authority {0}")]
    UnknownAuthority(AuthorityName),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key store failed.
    #[error(transparent)]
    Trust(TrustError),
}

impl From<Unopened> for Unlisted {
    fn from(error: Unopened) -> Self {
        match error {
            Unopened::Store(error) => Self::Store(error),
            Unopened::Trust(error) => Self::Trust(error),
        }
    }
}

/// Whose list.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ListName {
    /// The hub's root's: tenants' authorities.
    Root,
    /// That of the authority that issues a tenant's boards' certificates; the first where none does.
    Tenant(TenantId),
    /// That of one of a tenant's authorities.
    Authority(AuthorityName),
}

impl FromStr for ListName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            // It comes before a tenant of that name, whose authorities have numbers.
            "root" => Ok(Self::Root),
            name if name.contains('/') => name.parse().map(Self::Authority),
            tenant => tenant.parse().map(Self::Tenant),
        }
    }
}

impl fmt::Display for ListName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Tenant(tenant) => tenant.fmt(f),
            Self::Authority(authority) => authority.fmt(f),
        }
    }
}

impl serde::Serialize for ListName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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
    /// Whose it is; the root's without.
    issuer: Option<AuthorityName>,
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
    authorities: Authorities,
    life: ListLives,
    kept: RwLock<HashMap<ListName, Kept>>,
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
    /// Of what the store of `authorities` has revoked, signed by them, each in force for its `life`.
    #[must_use]
    pub fn new(authorities: Authorities, life: ListLives) -> Self {
        Self {
            authorities,
            life,
            kept: RwLock::default(),
            answers: Answers::default(),
            signing: Mutex::default(),
        }
    }

    const fn store(&self) -> &Store {
        self.authorities.store()
    }

    /// The list where it is signed and up to date; does not block.
    pub fn at_hand(&self, name: &ListName, now: UnixSeconds) -> Option<Arc<List>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(name)?;
        let is_current = kept.changes == self.store().revoked().changes() && now < kept.renew;
        is_current.then(|| Arc::clone(&kept.list))
    }

    /// The list, signed now where it has to be. Blocks as long as store and key store do.
    ///
    /// # Errors
    /// [`Unlisted`].
    pub fn of(&self, name: &ListName, now: UnixSeconds) -> Result<Arc<List>, Unlisted> {
        let _signing = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = self.at_hand(name, now) {
            return Ok(list);
        }
        // Counted before it is read: a change meanwhile makes another list, and is not missed.
        let changes = self.store().revoked().changes();
        let issuer = self.issuer(name)?;
        let revoked = self.revoked(&issuer)?;
        let before = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            kept.get(name).map(|kept| (Arc::clone(&kept.list), kept.renew))
        };
        // The one that issues may be another now.
        let before = before.filter(|(list, _)| list.issuer == issuer);
        let (list, renew) = match before {
            // What changed was another authority's.
            Some((list, renew)) if now < renew && list.revoked == revoked => (list, renew),
            before => match (self.sign(issuer, revoked, now), before) {
                (Ok(list), _) => {
                    let renew = UnixSeconds(now.0.saturating_add(self.life.list_s / 2));
                    (Arc::new(list), renew)
                }
                (Err(Unlisted::Trust(error)), Some((list, _))) if now < list.until => {
                    tracing::error!(list = %name, %error, "the list before stays in force: none can be signed");
                    (list, UnixSeconds(now.0.saturating_add(TRY_AGAIN_S)))
                }
                (Err(error), _) => return Err(error),
            },
        };
        let kept = Kept { list: Arc::clone(&list), changes, renew };
        let mut all = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.clone(), kept);
        Ok(list)
    }

    /// The DER of an authority's certificate.
    ///
    /// # Errors
    /// [`Unlisted`].
    pub fn authority(&self, name: &ListName) -> Result<Vec<u8>, Unlisted> {
        match self.issuer(name)? {
            None => self.authorities.root().map_err(Unlisted::Trust),
            Some(issuer) => Ok(self.known(&issuer)?.certificate),
        }
    }

    /// Which authority is meant; `None` for the root.
    fn issuer(&self, name: &ListName) -> Result<Option<AuthorityName>, Unlisted> {
        match name {
            ListName::Root => Ok(None),
            ListName::Authority(authority) => Ok(Some(authority.clone())),
            ListName::Tenant(id) => {
                let tenant = self.tenant(id)?;
                let number = tenant.issuer.unwrap_or(AuthorityNumber::FIRST);
                Ok(Some(AuthorityName { tenant: tenant.id, number }))
            }
        }
    }

    fn tenant(&self, id: &TenantId) -> Result<Tenant, Unlisted> {
        let tenant = self.store().tenants().find(id)?;
        tenant.ok_or_else(|| Unlisted::UnknownTenant(id.clone()))
    }

    fn known(&self, name: &AuthorityName) -> Result<storage::Authority, Unlisted> {
        let known = self.store().authorities().find(&name.tenant, name.number)?;
        known.ok_or_else(|| Unlisted::UnknownAuthority(name.clone()))
    }

    fn revoked(&self, issuer: &Option<AuthorityName>) -> Result<Vec<Revoked>, Unlisted> {
        let Some(AuthorityName { tenant, number }) = issuer else { return self.authorities_gone() };
        let mut revoked = Vec::new();
        for revocation in self.store().revoked().of_authority(tenant, *number) {
            let revocation = revocation?;
            if let RevokedCertificate::Serial(serial) = revocation.certificate {
                let (since, reason) = (revocation.since, revocation.reason);
                revoked.push(Revoked { serial, since, reason });
            }
        }
        Ok(revoked)
    }

    /// Those of the tenants' authorities that the root has made and are revoked.
    fn authorities_gone(&self) -> Result<Vec<Revoked>, Unlisted> {
        let mut gone = Vec::new();
        for authority in self.store().authorities().list(None) {
            let authority = authority?;
            let (Origin::Own { .. }, AuthorityState::Revoked { reason, since }) =
                (&authority.origin, &authority.state)
            else {
                continue;
            };
            let Ok((_, certificate)) = X509Certificate::from_der(&authority.certificate) else {
                continue;
            };
            let serial = Serial::new(certificate.raw_serial()).as_bytes().to_vec();
            gone.push(Revoked { serial, since: *since, reason: *reason });
        }
        Ok(gone)
    }

    fn sign(
        &self,
        issuer: Option<AuthorityName>,
        revoked: Vec<Revoked>,
        now: UnixSeconds,
    ) -> Result<List, Unlisted> {
        let authority = match &issuer {
            None => Arc::new(self.authorities.signing_root().map_err(Unlisted::Trust)?),
            Some(issuer) => {
                let opened =
                    self.authorities.open(&self.known(issuer)?).map_err(Unlisted::Trust)?;
                let other = || Unlisted::OtherAuthority(ListName::Authority(issuer.clone()));
                opened.ok_or_else(other)?
            }
        };
        let number = self.store().revoked().next_list_number(now.0)?;
        let until = UnixSeconds(now.0.saturating_add(self.life.list_s));
        let der = authority.sign_crl(&revoked, number, now, until).map_err(Unlisted::Trust)?;
        let count = revoked.len();
        let of = issuer.as_ref().map(tracing::field::display);
        tracing::info!(
            authority = of,
            number,
            revoked = count,
            "signed a list of revoked certificates"
        );
        Ok(List { der, number, since: now, until, revoked, issuer })
    }

    /// The answer to a question without a nonce that was signed before, is in force, and says what is
    /// still so; does not block.
    pub fn answer_at_hand(
        &self,
        tenant: &TenantId,
        question: &Question,
        now: UnixSeconds,
    ) -> Option<Answered> {
        self.answers.find(&question.name(tenant)?, self.store().revoked().changes(), now)
    }

    /// The answer to a question after the tenant's certificates (OCSP, RFC 6960), signed now by that of
    /// the tenant's authorities that it is after. Blocks as [`Lists::of`] does.
    ///
    /// # Errors
    /// [`Unlisted`].
    pub fn answer(
        &self,
        id: &TenantId,
        question: &Question,
        now: UnixSeconds,
    ) -> Result<Answered, Unlisted> {
        let tenant = self.tenant(id)?;
        let own = self.authorities.own(id)?;
        let meant = own.iter().find(|own| question.is_after(&own.authority));
        // Of others nothing is known, and somebody has to say so.
        let other = own.iter().find(|own| Some(own.number) == tenant.issuer);
        let other_authority = || Unlisted::OtherAuthority(ListName::Tenant(id.clone()));
        let answering = meant.or(other).or(own.first()).ok_or_else(other_authority)?;
        // Counted before it is read: what changes meanwhile is asked again.
        let changes = self.store().revoked().changes();
        let find = |serial: &Serial| self.store().revoked().of_serial(id, answering.number, serial);
        let until = UnixSeconds(now.0.saturating_add(self.life.answer_s));
        let answered = ocsp::answer(question, &answering.authority, find, now, until)?;
        if let Some(name) = question.name(id) {
            self.answers.keep(name, answered.clone(), changes, now);
        }
        Ok(answered)
    }
}
