//! Changes of tenants' routes.
//!
//! Invariant: a running hub serves what the store has when the call returns, or the call says not.

use serde_json::json;
use storage::{ResourcePath, Route, TenantId};

use super::{Admin, AdminError, refused, unknown};

impl Admin {
    /// Adds a route to an upstream that is there.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where the resource is taken.
    pub fn add_route(&self, route: &Route) -> Result<(), AdminError> {
        let _changing = self.changing();
        let (tenant, resource) = (&route.tenant, &route.resource);
        if resource.as_str() == wire::resource::TIME {
            let taken = format!("the hub itself serves {resource}, the time of day");
            return Err(refused(format!("{taken}; choose another path")));
        }
        if resource.as_str().split('/').next() == Some(wire::resource::FIRMWARE) {
            let taken = format!("the hub itself serves {resource}, boards' firmware");
            return Err(refused(format!("{taken}; choose another path")));
        }
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

    /// The tenant's route for a resource.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn route(&self, id: &TenantId, resource: &ResourcePath) -> Result<Route, AdminError> {
        self.tenant(id)?;
        let way_out = format!("`cellular-hub route list --tenant {id}` shows all");
        let found = self.store.routes().find(id, resource)?;
        found.ok_or_else(|| unknown(&format!("route of {id} for"), resource, &way_out))
    }

    /// Has another route take the place of the tenant's for its resource, unless `change` objects to
    /// the one that is there.
    ///
    /// # Errors
    /// [`AdminError::Unknown`], also for its upstream; the objection.
    pub fn change_route<E: From<AdminError>>(
        &self,
        tenant: &TenantId,
        resource: &ResourcePath,
        change: impl FnOnce(&Route) -> Result<Route, E>,
    ) -> Result<Route, E> {
        let _changing = self.changing();
        let before = self.route(tenant, resource)?;
        let route = change(&before)?;
        self.upstream(tenant, &route.upstream)?;
        if route == before {
            return Ok(before);
        }
        self.store.routes().put(&route).map_err(AdminError::from)?;
        let detail = json!({
            "before": { "upstream": before.upstream, "topic": before.topic },
            "after": { "upstream": route.upstream, "topic": route.topic },
        });
        self.record("route.change", &format_args!("{tenant}/{resource}"), detail)?;
        self.serve(tenant)?;
        Ok(route)
    }
}
