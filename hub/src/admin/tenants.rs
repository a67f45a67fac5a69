//! Changes of tenants and of what belongs to them: routes, quotas.
//!
//! Invariant: a running hub serves what the store has when the call returns, or the call says not.

use actors::hub::Of;
use actors::refusal::Refusal;
use serde_json::json;
use storage::{Quota, ResourcePath, Route, Tenant, TenantId, TenantState};

use super::{Admin, AdminError, refused, unknown};

impl Admin {
    /// Adds a tenant.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where there is one of its name.
    pub fn add_tenant(&self, tenant: &Tenant) -> Result<(), AdminError> {
        let _changing = self.changing();
        self.no_tenant(&tenant.id)?;
        self.store.tenants().put(tenant)?;
        self.record("tenant.add", &tenant.id, json!({ "name": tenant.name }))?;
        self.serve(&tenant.id)
    }

    /// Refuses a name that a tenant has.
    ///
    /// # Errors
    /// [`AdminError::Refused`].
    pub fn no_tenant(&self, id: &TenantId) -> Result<(), AdminError> {
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
        self.record("tenant.remove", id, json!({}))?;
        self.serve(id)
    }

    /// Adds a route to an upstream that is there.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where the resource is taken.
    pub fn add_route(&self, route: &Route) -> Result<(), AdminError> {
        let _changing = self.changing();
        let (tenant, resource) = (&route.tenant, &route.resource);
        self.upstream(tenant, &route.upstream)?;
        if self.store.routes().find(tenant, resource)?.is_some() {
            return Err(refused(format!("{tenant} has a route {resource} already")));
        }
        self.store.routes().put(route)?;
        let detail = json!({ "upstream": route.upstream });
        self.record("route.add", &format_args!("{tenant}/{resource}"), detail)?;
        self.serve(tenant)
    }

    /// Removes a route.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn remove_route(&self, id: &TenantId, resource: &ResourcePath) -> Result<(), AdminError> {
        let _changing = self.changing();
        self.tenant(id)?;
        if !self.store.routes().remove(id, resource)? {
            let way_out = format!("`cellular-hub route list --tenant {id}` shows all");
            return Err(unknown(&format!("route of {id} for"), resource, &way_out));
        }
        self.record("route.remove", &format_args!("{id}/{resource}"), json!({}))?;
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
