//! The tenants' routes in the store.

use super::{Inner, decode, encode, scoped};
use crate::{ResourcePath, Route, StoreError, TenantId};

/// The routes of a [`crate::Store`].
#[derive(Clone, Copy)]
pub struct Routes<'a> {
    pub(super) inner: &'a Inner,
}

const TREE: &str = "routes";

impl Routes<'_> {
    /// Adds the route or replaces its tenant's one of the same resource; durable on return. Refused
    /// without its tenant ([`StoreError::UnknownTenant`]).
    pub fn put(self, route: &Route) -> Result<(), StoreError> {
        let key = scoped(&route.tenant, route.resource.as_str());
        let record = encode(&key, route)?;
        let writer = self.inner.writer();
        self.inner.require_tenant(&route.tenant)?;
        self.inner.routes.insert(key, record)?;
        drop(writer);
        self.inner.flush()
    }

    /// The tenant's route of this resource.
    pub fn find(
        self,
        tenant: &TenantId,
        resource: &ResourcePath,
    ) -> Result<Option<Route>, StoreError> {
        let key = scoped(tenant, resource.as_str());
        let record = self.inner.routes.get(&key)?;
        record.map(|record| decode(TREE, &key, &record)).transpose()
    }

    /// The tenant's routes, by resource.
    pub fn of_tenant(self, tenant: &TenantId) -> Result<Vec<Route>, StoreError> {
        let entries = self.inner.routes.scan_prefix(scoped(tenant, ""));
        entries
            .map(|entry| {
                entry
                    .map_err(StoreError::from)
                    .and_then(|(key, record)| decode(TREE, &key, &record))
            })
            .collect()
    }

    /// Removes the route and says whether it existed; durable on return.
    pub fn remove(self, tenant: &TenantId, resource: &ResourcePath) -> Result<bool, StoreError> {
        let writer = self.inner.writer();
        let removed = self.inner.routes.remove(scoped(tenant, resource.as_str()))?;
        drop(writer);
        self.inner.flush()?;
        Ok(removed.is_some())
    }
}
