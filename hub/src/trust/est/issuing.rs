//! The one place where enrolment has certificates made: a tenant's authority, opened once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use openssl::x509::X509;
use storage::{CertificateLife, Fingerprint, Tenant, TenantId, UnixSeconds};

use super::{Refusal, Request};
use crate::trust::{Authority, Expiry, Pki, fingerprint};

/// The tenants' authorities.
pub(super) struct Issuers {
    pki: Pki,
    open: RwLock<HashMap<TenantId, Arc<Opened>>>,
}

struct Opened {
    authority: Authority,
    der: Vec<u8>,
}

/// A certificate that was just made.
pub(super) struct Issued {
    pub(super) der: Vec<u8>,
    pub(super) fingerprint: Fingerprint,
}

impl Issuers {
    pub(super) fn new(pki: Pki) -> Self {
        Self { pki, open: RwLock::default() }
    }

    /// A certificate by the tenant's authority for the board of the request.
    pub(super) fn issue_board(
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
        let opened = self.of(tenant)?;
        let certificate =
            opened.authority.issue_board(&request.board, request.public_key(), expiry, now)?;
        let der = certificate.to_der().map_err(|source| {
            crate::trust::TrustError::Cryptography { doing: "encode a certificate", source }
        })?;
        Ok(Issued { fingerprint: fingerprint(&certificate)?, der })
    }

    /// The DER of the hub's root.
    pub(super) fn root(&self) -> Result<Vec<u8>, Refusal> {
        let file = self.pki.root_files().certificate;
        let pem = std::fs::read(&file).map_err(|source| crate::trust::TrustError::File {
            doing: "read",
            file: file.clone(),
            source,
        })?;
        let read = X509::from_pem(&pem).and_then(|certificate| certificate.to_der());
        Ok(read.map_err(|_| crate::trust::TrustError::NotA { what: "certificate", file })?)
    }

    fn of(&self, tenant: &Tenant) -> Result<Arc<Opened>, Refusal> {
        let known =
            self.open.read().unwrap_or_else(PoisonError::into_inner).get(&tenant.id).cloned();
        if let Some(opened) = known.filter(|opened| tenant.authority.as_ref() == Some(&opened.der))
        {
            return Ok(opened);
        }
        // A tenant with an authority of its own has no key here.
        let own = || Refusal::OwnAuthority(tenant.id.clone());
        let authority = self.pki.tenant(&tenant.id).map_err(|error| match error {
            crate::trust::TrustError::Missing { .. } => own(),
            other => other.into(),
        })?;
        let der = authority.certificate_der()?;
        if tenant.authority.as_ref() != Some(&der) {
            return Err(own());
        }
        let opened = Arc::new(Opened { authority, der });
        let mut all = self.open.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.id.clone(), Arc::clone(&opened));
        Ok(opened)
    }
}
