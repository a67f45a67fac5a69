//! Tenants in the store. Invariant: a tenant with boards is never removed, and its authorities,
//! routes, upstreams, secrets, batches and tokens go with it.

use sled::Transactional;

use super::boards::Boards;
use super::tree::Tree;
use super::{Inner, authorities, decode, encode, scoped, secrets};
use crate::{StoreError, Tenant, TenantId};

/// The tenants of a [`crate::Store`].
#[derive(Clone, Copy)]
pub struct Tenants<'a> {
    pub(super) inner: &'a Inner,
}

const TREE: &str = "tenants";

impl<'a> Tenants<'a> {
    /// Adds the tenant or replaces the one with its id; durable on return.
    pub fn put(self, tenant: &Tenant) -> Result<(), StoreError> {
        let record = encode(tenant.id.as_str().as_bytes(), tenant)?;
        let writer = self.inner.writer();
        self.inner.tenants.insert(tenant.id.as_str(), record)?;
        drop(writer);
        self.inner.flush()
    }

    /// The tenant with this id.
    pub fn find(self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let record = self.inner.tenants.get(id.as_str())?;
        record.map(|record| decode(TREE, id.as_str().as_bytes(), &record)).transpose()
    }

    /// Every tenant, by id.
    pub fn list(self) -> impl Iterator<Item = Result<Tenant, StoreError>> + use<'a> {
        self.inner.tenants.iter().map(|entry| {
            let (key, record) = entry?;
            decode(TREE, &key, &record)
        })
    }

    /// Removes the tenant with all it has, and says whether it existed; durable on
    /// return. Refused while it has boards ([`StoreError::TenantHasBoards`]).
    pub fn remove(self, id: &TenantId) -> Result<bool, StoreError> {
        let inner = self.inner;
        let writer = inner.writer();
        let prefix = scoped(id, "");
        let count = Boards { inner }.count_of_tenant(id)?;
        if count > 0 {
            return Err(StoreError::TenantHasBoards { tenant: id.clone(), count });
        }
        let keys = |tree: &Tree| -> Result<Vec<sled::IVec>, StoreError> {
            tree.scan_prefix(&prefix).keys().collect()
        };
        let (route_keys, upstream_keys) = (keys(&inner.routes)?, keys(&inner.upstreams)?);
        let mut more = inner.batches.of_tenant(id)?;
        more.extend(authorities::of_tenant(inner, id)?);
        for (tree, key) in more {
            tree.remove(key)?;
        }
        secrets::remove_tenant(inner, id)?;
        let trees = (inner.tenants.raw(), inner.routes.raw(), inner.upstreams.raw());
        let existed = inner.transaction(|| {
            trees.transaction(|(tenants, routes, upstreams)| {
                for key in &route_keys {
                    routes.remove(key)?;
                }
                for key in &upstream_keys {
                    upstreams.remove(key)?;
                }
                Ok(tenants.remove(id.as_str())?.is_some())
            })
        })?;
        drop(writer);
        inner.flush()?;
        Ok(existed)
    }
}
