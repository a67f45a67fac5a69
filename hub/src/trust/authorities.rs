//! The authorities of the hub's tenants, each opened once: for certificates over HTTPS and over
//! sessions, for lists of what is revoked and for answers about single certificates.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use storage::{AuthorityNumber, Fingerprint, Origin, Store, StoreError, Tenant, TenantId};

use super::{Authority, Pki, TrustError};

/// The authorities whose keys are here; clones share what is open.
#[derive(Clone)]
pub struct Authorities {
    pki: Pki,
    store: Store,
    open: Arc<RwLock<HashMap<Fingerprint, Arc<Authority>>>>,
}

/// An authority that issues boards' certificates.
#[derive(Clone)]
pub struct Issuing {
    /// Which of its tenant's it is.
    pub number: AuthorityNumber,
    /// What signs.
    pub authority: Arc<Authority>,
}

/// Why an authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// What is registered cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its certificate or key cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl Authorities {
    /// Those that `store` knows, with the keys of `pki`.
    #[must_use]
    pub fn new(pki: Pki, store: Store) -> Self {
        Self { pki, store, open: Arc::default() }
    }

    /// Where the certificates are, and the keys.
    #[must_use]
    pub const fn pki(&self) -> &Pki {
        &self.pki
    }

    /// What is registered.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The DER of the root's certificate; its key may be elsewhere.
    ///
    /// # Errors
    /// [`TrustError`] where it cannot be read.
    pub fn root(&self) -> Result<Vec<u8>, TrustError> {
        self.pki.root_certificate()
    }

    /// The DER of every root that is to be believed, the newest first.
    ///
    /// # Errors
    /// [`TrustError`] where one cannot be read.
    pub fn roots(&self) -> Result<Vec<Vec<u8>>, TrustError> {
        self.pki.root_certificates()
    }

    /// The root itself.
    ///
    /// # Errors
    /// [`TrustError`] where its certificate or key cannot be used.
    pub fn signing_root(&self) -> Result<Authority, TrustError> {
        self.pki.root()
    }

    /// The authority that issues the tenant's boards' certificates; `None` where none does whose key
    /// is here.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn issuing(&self, tenant: &Tenant) -> Result<Option<Issuing>, Unopened> {
        let Some(known) = self.store.authorities().issuing(tenant)? else { return Ok(None) };
        let number = known.number;
        let opened = self.open(&known)?.filter(|_| known.is_believed());
        Ok(opened.map(|authority| Issuing { number, authority }))
    }

    /// All of the tenant's whose keys are here, whether they are believed or not: their lists and
    /// answers are asked for as long as there are certificates of theirs.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn own(&self, tenant: &TenantId) -> Result<Vec<Issuing>, Unopened> {
        let mut own = Vec::new();
        for known in self.store.authorities().list(Some(tenant)) {
            let known = known?;
            let number = known.number;
            own.extend(self.open(&known)?.map(|authority| Issuing { number, authority }));
        }
        Ok(own)
    }

    /// The authority that is known so; `None` where its key is not here.
    ///
    /// # Errors
    /// [`TrustError`] where its certificate or key cannot be used.
    pub fn open(&self, known: &storage::Authority) -> Result<Option<Arc<Authority>>, TrustError> {
        let Origin::Own { key } = &known.origin else { return Ok(None) };
        let fingerprint = known.fingerprint();
        let open =
            self.open.read().unwrap_or_else(PoisonError::into_inner).get(&fingerprint).cloned();
        if open.is_some() {
            return Ok(open);
        }
        let Ok(label) = key.parse() else { return Ok(None) };
        let Some(authority) = self.pki.authority(&known.certificate, label)? else {
            return Ok(None);
        };
        let named = self.pki.places().cloned().map(|places| (places, known.name()));
        let authority = Arc::new(authority.naming(named));
        let mut all = self.open.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(fingerprint, Arc::clone(&authority));
        Ok(Some(authority))
    }
}
