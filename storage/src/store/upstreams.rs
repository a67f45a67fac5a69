//! The tenants' upstreams in the store.

use super::{Inner, decode, encode, scoped};
use crate::{StoreError, TenantId, Upstream, UpstreamName};

/// The upstreams of a [`crate::Store`].
#[derive(Clone, Copy)]
pub struct Upstreams<'a> {
    pub(super) inner: &'a Inner,
}

const TREE: &str = "upstreams";

impl Upstreams<'_> {
    /// Adds the upstream or replaces its tenant's one of the same name; durable on return. Refused
    /// without its tenant ([`StoreError::UnknownTenant`]).
    pub fn put(self, upstream: &Upstream) -> Result<(), StoreError> {
        let key = scoped(&upstream.tenant, upstream.name.as_str());
        let record = encode(&key, upstream)?;
        let writer = self.inner.writer();
        self.inner.require_tenant(&upstream.tenant)?;
        self.inner.upstreams.insert(key, record)?;
        drop(writer);
        self.inner.flush()
    }

    /// The tenant's upstream of this name.
    pub fn find(
        self,
        tenant: &TenantId,
        name: &UpstreamName,
    ) -> Result<Option<Upstream>, StoreError> {
        let key = scoped(tenant, name.as_str());
        let record = self.inner.upstreams.get(&key)?;
        record.map(|record| decode(TREE, &key, &record)).transpose()
    }

    /// The tenant's upstreams, by name.
    pub fn of_tenant(self, tenant: &TenantId) -> Result<Vec<Upstream>, StoreError> {
        let entries = self.inner.upstreams.scan_prefix(scoped(tenant, ""));
        entries
            .map(|entry| {
                entry
                    .map_err(StoreError::from)
                    .and_then(|(key, record)| decode(TREE, &key, &record))
            })
            .collect()
    }

    /// Removes the upstream and says whether it existed; durable on return.
    pub fn remove(self, tenant: &TenantId, name: &UpstreamName) -> Result<bool, StoreError> {
        let writer = self.inner.writer();
        let removed = self.inner.upstreams.remove(scoped(tenant, name.as_str()))?;
        drop(writer);
        self.inner.flush()?;
        Ok(removed.is_some())
    }
}
