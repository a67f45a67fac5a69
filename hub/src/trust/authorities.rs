//! The authorities of the hub's tenants, each opened once: for certificates over HTTPS and over
//! sessions, for lists of what is revoked and for answers about single certificates.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use storage::{Tenant, TenantId};

use super::{Authority, Pki, TrustError};

/// The authorities whose keys are here; clones share what is open.
#[derive(Clone)]
pub struct Authorities {
    pki: Pki,
    open: Arc<RwLock<HashMap<TenantId, Arc<Authority>>>>,
}

impl Authorities {
    /// Those of `pki`.
    #[must_use]
    pub fn new(pki: Pki) -> Self {
        Self { pki, open: Arc::default() }
    }

    /// The DER of the root's certificate; its key may be elsewhere.
    ///
    /// # Errors
    /// [`TrustError`] where it cannot be read.
    pub fn root(&self) -> Result<Vec<u8>, TrustError> {
        self.pki.root_certificate()
    }

    /// The authority that the tenant's boards are admitted by; `None` where it is another than the
    /// one made here.
    ///
    /// # Errors
    /// [`TrustError`] where its certificate or key cannot be used.
    pub fn of(&self, tenant: &Tenant) -> Result<Option<Arc<Authority>>, TrustError> {
        let is_theirs =
            |authority: &Authority| tenant.authority.as_deref() == Some(authority.certificate());
        let known =
            self.open.read().unwrap_or_else(PoisonError::into_inner).get(&tenant.id).cloned();
        if let Some(authority) = known.filter(|authority| is_theirs(authority)) {
            return Ok(Some(authority));
        }
        let authority = match self.pki.tenant(&tenant.id) {
            Ok(authority) if is_theirs(&authority) => Arc::new(authority),
            Ok(_) | Err(TrustError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut all = self.open.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.id.clone(), Arc::clone(&authority));
        Ok(Some(authority))
    }
}
