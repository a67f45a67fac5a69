//! The one place where enrolment has certificates made: a tenant's authority, opened once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use storage::{CertificateLife, Tenant, TenantId, UnixSeconds};

use super::{Refusal, Request};
use crate::trust::{Authority, Expiry, Issued, Pki};

/// The tenants' authorities.
pub(in crate::trust) struct Issuers {
    pki: Pki,
    open: RwLock<HashMap<TenantId, Arc<Authority>>>,
}

impl Issuers {
    pub(in crate::trust) fn new(pki: Pki) -> Self {
        Self { pki, open: RwLock::default() }
    }

    /// A certificate by the tenant's authority for the board of the request.
    pub(in crate::trust) fn issue_board(
        &self,
        tenant: &Tenant,
        request: &Request<'_>,
        life: CertificateLife,
        now: UnixSeconds,
    ) -> Result<Issued, Refusal> {
        let expiry = match life {
            CertificateLife::Years(years) => Expiry::Years(years),
            CertificateLife::Never => Expiry::Never,
        };
        let authority = self.of(tenant)?;
        Ok(authority.issue_board(&request.board, request.public_key(), expiry, now)?)
    }

    /// The DER of the hub's root.
    pub(in crate::trust) fn root(&self) -> Result<Vec<u8>, Refusal> {
        Ok(self.pki.root_certificate()?)
    }

    fn of(&self, tenant: &Tenant) -> Result<Arc<Authority>, Refusal> {
        let known =
            self.open.read().unwrap_or_else(PoisonError::into_inner).get(&tenant.id).cloned();
        let is_theirs =
            |authority: &Authority| tenant.authority.as_deref() == Some(authority.certificate());
        if let Some(authority) = known.filter(|authority| is_theirs(authority)) {
            return Ok(authority);
        }
        // A tenant with an authority of its own has no key here.
        let own = || Refusal::OwnAuthority(tenant.id.clone());
        let authority = self.pki.tenant(&tenant.id).map_err(|error| match error {
            crate::trust::TrustError::Missing { .. } => own(),
            other => other.into(),
        })?;
        if !is_theirs(&authority) {
            return Err(own());
        }
        let authority = Arc::new(authority);
        let mut all = self.open.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.id.clone(), Arc::clone(&authority));
        Ok(authority)
    }
}
