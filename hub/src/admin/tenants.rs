//! Changes of tenants and of their quotas.
//!
//! Invariant: a running hub serves what the store has when the call returns, or the call says not.

use actors::hub::Of;
use actors::refusal::Refusal;
use serde_json::json;
use storage::{Foreign, NewAuthority, Origin, Quota, Tenant, TenantId, TenantState, UnixSeconds};

use super::{Admin, AdminError, refused};
use crate::trust::keys::KeyLabel;
use crate::trust::{Anchor, Pki, TrustError};

impl Admin {
    /// Adds a tenant with its first authority: its own, or one that is made here under the hub's root
    /// and issues. Gives the tenant as it then is.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where there is one of its name, or the authority is one already; those of
    /// the key store and of the root.
    pub fn add_tenant<E: From<AdminError> + From<TrustError>>(
        &self,
        id: &TenantId,
        name: String,
        own: Option<Anchor>,
        (pki, now): (&Pki, UnixSeconds),
    ) -> Result<Tenant, E> {
        let _changing = self.changing();
        self.no_tenant(id)?;
        let (certificate, origin) = match own {
            Some(anchor) => {
                self.not_the_root(&anchor, pki.root_certificate().ok().as_deref())?;
                (anchor.into_der(), Origin::Foreign(Foreign::default()))
            }
            None => {
                let (authority, _) = pki.add_tenant(id, now)?;
                let key = KeyLabel::tenant(id).to_string();
                (authority.certificate().to_vec(), Origin::Own { key })
            }
        };
        let tenant = Tenant {
            id: id.clone(),
            name,
            state: TenantState::Active,
            created: now,
            issuer: None,
            quota: Quota::default(),
        };
        Ok(self.put_tenant(&tenant, certificate, origin)?)
    }

    fn put_tenant(
        &self,
        tenant: &Tenant,
        certificate: Vec<u8>,
        origin: Origin,
    ) -> Result<Tenant, AdminError> {
        self.no_authority(&certificate)?;
        self.store.tenants().put(tenant)?;
        let (id, added) = (tenant.id.clone(), tenant.created);
        let issues = matches!(origin, Origin::Own { .. });
        let new = NewAuthority { tenant: id.clone(), certificate, origin, added };
        let authority = self.put_authority(new)?;
        let issuer = issues.then_some(authority.number);
        let tenant = self.store.authorities().issue_with(&id, issuer)?;
        self.record("tenant.add", &id, json!({ "name": tenant.name }))?;
        self.serve(&id)?;
        Ok(tenant)
    }

    /// Refuses a name that a tenant has.
    fn no_tenant(&self, id: &TenantId) -> Result<(), AdminError> {
        match self.store.tenants().find(id)? {
            Some(_) => Err(refused(format!("there is a tenant {id} already"))),
            None => Ok(()),
        }
    }

    /// Refuses every board of a tenant until it is resumed; their sessions end. How many were awake,
    /// where a hub runs.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is suspended.
    pub fn suspend(&self, id: &TenantId, why: &str) -> Result<(Tenant, Option<usize>), AdminError> {
        let _changing = self.changing();
        let tenant = self.set_state(id, TenantState::Suspended)?;
        self.record("tenant.suspend", id, json!({ "reason": why }))?;
        let of = Of::Tenant(id.clone());
        let ended = self.tell(|live| live.end_sessions(of, Refusal::TenantSuspended))?;
        Ok((tenant, ended))
    }

    /// Lets the boards of a suspended tenant connect again.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is not suspended.
    pub fn resume(&self, id: &TenantId) -> Result<Tenant, AdminError> {
        let _changing = self.changing();
        let tenant = self.set_state(id, TenantState::Active)?;
        self.record("tenant.resume", id, json!({}))?;
        self.tell(|live| live.readmit(Of::Tenant(id.clone())))?;
        Ok(tenant)
    }

    /// Gives a tenant another name to be read, unless `may` objects to it as it is.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; the objection.
    pub fn rename_tenant<E: From<AdminError>>(
        &self,
        id: &TenantId,
        name: &str,
        may: impl FnOnce(&Tenant) -> Result<(), E>,
    ) -> Result<Tenant, E> {
        let _changing = self.changing();
        let mut tenant = self.tenant(id)?;
        may(&tenant)?;
        let before = std::mem::replace(&mut tenant.name, name.to_owned());
        self.store.tenants().put(&tenant).map_err(AdminError::from)?;
        self.record("tenant.rename", id, json!({ "before": before, "after": name }))?;
        Ok(tenant)
    }

    /// Changes a tenant's own quotas.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn set_quota(
        &self,
        id: &TenantId,
        change: impl FnOnce(&mut Quota),
    ) -> Result<Tenant, AdminError> {
        let _changing = self.changing();
        let mut tenant = self.tenant(id)?;
        change(&mut tenant.quota);
        self.store.tenants().put(&tenant)?;
        self.record("tenant.quota", id, json!({ "quota": tenant.quota }))?;
        self.serve(id)?;
        Ok(tenant)
    }

    /// Removes a tenant without boards, with its upstreams and routes.
    ///
    /// # Errors
    /// [`AdminError::Store`] while it has boards.
    pub fn remove_tenant(&self, id: &TenantId) -> Result<(), AdminError> {
        let _changing = self.changing();
        self.tenant(id)?;
        self.store.tenants().remove(id)?;
        self.end_campaigns_of(id, (self.author.now)())?;
        self.record("tenant.remove", id, json!({}))?;
        self.serve(id)
    }

    fn set_state(&self, id: &TenantId, state: TenantState) -> Result<Tenant, AdminError> {
        let mut tenant = self.tenant(id)?;
        if tenant.state == state {
            let is = match state {
                TenantState::Active => "not suspended",
                TenantState::Suspended => "suspended already",
            };
            return Err(refused(format!("tenant {id} is {is}")));
        }
        tenant.state = state;
        self.store.tenants().put(&tenant)?;
        Ok(tenant)
    }

    pub(super) fn serve(&self, id: &TenantId) -> Result<(), AdminError> {
        self.tell(|live| live.serve(id)).map(drop)
    }
}
