//! What a tenant has several of, each by its name: routes, upstreams.

use std::marker::PhantomData;
use std::ops::Bound;

use super::tree::Tree;
use super::{Inner, decode, encode, scoped};
use crate::record::Record;
use crate::{ResourcePath, Route, StoreError, TenantId, Upstream, UpstreamName};

/// The routes of a [`crate::Store`], by resource.
pub type Routes<'a> = Belongings<'a, Route>;

/// The upstreams of a [`crate::Store`], by name.
pub type Upstreams<'a> = Belongings<'a, Upstream>;

/// One kind of noun that belongs to a tenant.
pub struct Belongings<'a, N> {
    inner: &'a Inner,
    tree: &'a Tree,
    kind: PhantomData<N>,
}

/// A noun that belongs to a tenant and has a name of its own there.
#[expect(private_bounds, reason = "only this crate's nouns have records")]
pub trait Belonging: Record {
    /// What names it.
    type Name: AsRef<str>;
    /// The name of the tree its records are in.
    const TREE: &'static str;
    /// Whose it is.
    fn tenant(&self) -> &TenantId;
    /// Its name there.
    fn name(&self) -> &Self::Name;
}

impl Belonging for Route {
    type Name = ResourcePath;
    const TREE: &'static str = "routes";

    fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    fn name(&self) -> &ResourcePath {
        &self.resource
    }
}

impl Belonging for Upstream {
    type Name = UpstreamName;
    const TREE: &'static str = "upstreams";

    fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    fn name(&self) -> &UpstreamName {
        &self.name
    }
}

impl<'a, N: Belonging> Belongings<'a, N> {
    pub(super) fn new(inner: &'a Inner, tree: &'a Tree) -> Self {
        Self { inner, tree, kind: PhantomData }
    }

    /// Adds the noun or replaces its tenant's one of the same name; durable on return. Refused
    /// without its tenant ([`StoreError::UnknownTenant`]).
    pub fn put(self, noun: &N) -> Result<(), StoreError> {
        let key = scoped(noun.tenant(), noun.name().as_ref());
        let record = encode(&key, noun)?;
        let writer = self.inner.writer();
        self.inner.require_tenant(noun.tenant())?;
        self.tree.insert(key, record)?;
        drop(writer);
        self.inner.flush()
    }

    /// The tenant's one of this name.
    pub fn find(self, tenant: &TenantId, name: &N::Name) -> Result<Option<N>, StoreError> {
        let key = scoped(tenant, name.as_ref());
        let record = self.tree.get(&key)?;
        record.map(|record| decode(N::TREE, &key, &record)).transpose()
    }

    /// All of the tenant's, by name.
    pub fn of_tenant(self, tenant: &TenantId) -> Result<Vec<N>, StoreError> {
        let entries = self.tree.scan_prefix(scoped(tenant, ""));
        entries
            .map(|entry| {
                let (key, record) = entry?;
                decode(N::TREE, &key, &record)
            })
            .collect()
    }

    /// Those of one tenant or of all, with their keys and in their keys' order, which is that of
    /// tenants and then of names; from the one behind `after` on.
    pub fn list(
        self,
        tenant: Option<&TenantId>,
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(Vec<u8>, N), StoreError>> + use<'a, N> {
        let prefix = tenant.map(|tenant| scoped(tenant, "")).unwrap_or_default();
        let from = match after.filter(|after| *after >= prefix.as_slice()) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix.as_slice()),
        };
        let entries = self.tree.range((from, Bound::Unbounded)).map(|entry| {
            let (key, record) = entry?;
            Ok((key.to_vec(), decode(N::TREE, &key, &record)?))
        });
        entries.take_while(move |entry| match entry {
            Ok((key, _)) => key.starts_with(&prefix),
            Err(_) => true,
        })
    }

    /// Removes the tenant's one of this name and says whether it existed; durable on return.
    pub fn remove(self, tenant: &TenantId, name: &N::Name) -> Result<bool, StoreError> {
        let writer = self.inner.writer();
        let removed = self.tree.remove(scoped(tenant, name.as_ref()))?;
        drop(writer);
        self.inner.flush()?;
        Ok(removed.is_some())
    }
}
