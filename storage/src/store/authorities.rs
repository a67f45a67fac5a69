//! The tenants' authorities.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `authorities` | tenant NUL, number (2) | record |
//! | `authorities/certificate` | 32 bytes, SHA-256 of its certificate | key in `authorities` |
//!
//! Invariant: a certificate is the authority of one tenant, once; both entries change in one
//! transaction. An authority is never removed but with its tenant: its number stays its own.

use std::sync::atomic::Ordering;

use sled::Transactional;
use sled::transaction::{ConflictableTransactionError, TransactionalTree};

use super::tree::Tree;
use super::{Inner, abort, corrupt, decode, encode, scoped};
use crate::authority::fingerprint;
use crate::record::RecordError;
use crate::tenant::Former;
use crate::{
    Authority, AuthorityName, AuthorityNumber, AuthorityState, Fingerprint, Origin, Store,
    StoreError, Tenant, TenantId, UnixSeconds,
};

pub(crate) const TREE: &str = "authorities";
pub(crate) const BY_CERTIFICATE: &str = "authorities/certificate";

/// The authorities of a [`Store`].
#[derive(Clone, Copy)]
pub struct Authorities<'a> {
    inner: &'a Inner,
}

/// An authority that is to be added.
#[derive(Debug, Clone)]
pub struct NewAuthority {
    /// Whose boards it vouches for.
    pub tenant: TenantId,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Whose key it is.
    pub origin: Origin,
    /// Now.
    pub added: UnixSeconds,
}

impl Store {
    /// The tenants' authorities.
    pub fn authorities(&self) -> Authorities<'_> {
        Authorities { inner: &self.inner }
    }
}

impl<'a> Authorities<'a> {
    /// Adds an authority, active, under the tenant's next number; durable on return.
    ///
    /// # Errors
    /// [`StoreError::UnknownTenant`]; [`StoreError::AuthorityTaken`] for a certificate that is an
    /// authority already, whosoever; [`StoreError::AuthoritiesFull`] behind the last number.
    pub fn put_new(self, new: NewAuthority) -> Result<Authority, StoreError> {
        let NewAuthority { tenant, certificate, origin, added } = new;
        let writer = self.inner.writer();
        self.inner.require_tenant(&tenant)?;
        let digest = fingerprint(&certificate);
        if let Some(taken) = self.named(&digest)? {
            return Err(StoreError::AuthorityTaken { authority: taken });
        }
        let last = self.inner.authorities.scan_prefix(scoped(&tenant, "")).keys().last();
        let last =
            last.transpose()?.and_then(|key| number_of(&key)).map_or(0, AuthorityNumber::get);
        let number = last.checked_add(1).and_then(AuthorityNumber::new);
        let number =
            number.ok_or_else(|| StoreError::AuthoritiesFull { tenant: tenant.clone() })?;
        let state = AuthorityState::Active;
        let authority = Authority { tenant, number, certificate, origin, state, added };
        let trees = (self.inner.authorities.raw(), self.inner.by_certificate.raw());
        self.inner.transaction(|| {
            trees.transaction(|(authorities, by_certificate)| {
                put(&authority, authorities, by_certificate)
            })
        })?;
        drop(writer);
        self.inner.flush()?;
        Ok(authority)
    }

    /// Alters an authority and gives it as it then is; durable on return. Tenant, number and
    /// certificate stay.
    ///
    /// # Errors
    /// Those of the database.
    pub fn change(
        self,
        name: &AuthorityName,
        change: impl FnOnce(&mut Authority),
    ) -> Result<Option<Authority>, StoreError> {
        let writer = self.inner.writer();
        let Some(before) = self.find(&name.tenant, name.number)? else { return Ok(None) };
        let mut authority = before.clone();
        change(&mut authority);
        let Authority { tenant, number, certificate, .. } = before;
        (authority.tenant, authority.number, authority.certificate) = (tenant, number, certificate);
        let key = key(&authority.tenant, authority.number);
        self.inner.authorities.insert(&key, encode(&key, &authority)?)?;
        self.inner.revocations.fetch_add(1, Ordering::Release);
        drop(writer);
        self.inner.flush()?;
        Ok(Some(authority))
    }

    /// Has this authority, or none, issue the tenant's boards' certificates from now on, and gives
    /// the tenant as it then is; durable on return.
    ///
    /// # Errors
    /// [`StoreError::UnknownTenant`]; those of the database.
    pub fn issue_with(
        self,
        id: &TenantId,
        number: Option<AuthorityNumber>,
    ) -> Result<Tenant, StoreError> {
        let writer = self.inner.writer();
        let key = id.as_str().as_bytes();
        let record = self.inner.tenants.get(key)?;
        let record = record.ok_or_else(|| StoreError::UnknownTenant { tenant: id.clone() })?;
        let mut tenant: Tenant = decode("tenants", key, &record)?;
        tenant.issuer = number;
        self.inner.tenants.insert(key, encode(key, &tenant)?)?;
        self.inner.revocations.fetch_add(1, Ordering::Release);
        drop(writer);
        self.inner.flush()?;
        Ok(tenant)
    }

    /// The tenant's authority of this number.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find(
        self,
        tenant: &TenantId,
        number: AuthorityNumber,
    ) -> Result<Option<Authority>, StoreError> {
        self.at(&key(tenant, number))
    }

    /// The authority with this certificate (DER).
    ///
    /// # Errors
    /// Those of the database.
    pub fn of_certificate(self, certificate: &[u8]) -> Result<Option<Authority>, StoreError> {
        self.of_fingerprint(&fingerprint(certificate))
    }

    /// The authority whose certificate has this digest.
    ///
    /// # Errors
    /// Those of the database.
    pub fn of_fingerprint(
        self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Authority>, StoreError> {
        match self.inner.by_certificate.get(fingerprint.as_bytes())? {
            Some(key) => self.at(&key),
            None => Ok(None),
        }
    }

    /// All of the tenant's, or all there are, by tenant and number.
    pub fn list(
        self,
        tenant: Option<&TenantId>,
    ) -> impl Iterator<Item = Result<Authority, StoreError>> + use<'a> {
        let prefix = tenant.map(|tenant| scoped(tenant, "")).unwrap_or_default();
        self.inner.authorities.scan_prefix(prefix).map(|entry| {
            let (key, record) = entry?;
            decode(TREE, &key, &record)
        })
    }

    /// The one that issues the tenant's boards' certificates.
    ///
    /// # Errors
    /// Those of the database.
    pub fn issuing(self, tenant: &Tenant) -> Result<Option<Authority>, StoreError> {
        match tenant.issuer {
            Some(number) => self.find(&tenant.id, number),
            None => Ok(None),
        }
    }

    fn named(self, fingerprint: &Fingerprint) -> Result<Option<AuthorityName>, StoreError> {
        Ok(self.of_fingerprint(fingerprint)?.map(|authority| authority.name()))
    }

    fn at(self, key: &[u8]) -> Result<Option<Authority>, StoreError> {
        let record = self.inner.authorities.get(key)?;
        record.map(|record| decode(TREE, key, &record)).transpose()
    }
}

fn put(
    authority: &Authority,
    authorities: &TransactionalTree,
    by_certificate: &TransactionalTree,
) -> Result<(), ConflictableTransactionError<StoreError>> {
    let key = key(&authority.tenant, authority.number);
    by_certificate.insert(authority.fingerprint().as_bytes().as_slice(), key.as_slice())?;
    authorities.insert(key.as_slice(), encode(&key, authority).map_err(abort)?)?;
    Ok(())
}

/// The keys of everything that a tenant has here.
pub(super) fn of_tenant<'t>(
    inner: &'t Inner,
    tenant: &TenantId,
) -> Result<Vec<(&'t Tree, Vec<u8>)>, StoreError> {
    let mut keys = Vec::new();
    for entry in inner.authorities.scan_prefix(scoped(tenant, "")) {
        let (key, record) = entry?;
        let authority: Authority = decode(TREE, &key, &record)?;
        keys.push((&inner.by_certificate, authority.fingerprint().as_bytes().to_vec()));
        keys.push((&inner.authorities, key.to_vec()));
    }
    Ok(keys)
}

/// The key of an authority.
pub(crate) fn key(tenant: &TenantId, number: AuthorityNumber) -> Vec<u8> {
    [scoped(tenant, "").as_slice(), &number.get().to_be_bytes()].concat()
}

fn number_of(key: &[u8]) -> Option<AuthorityNumber> {
    key.last_chunk().and_then(|number| AuthorityNumber::new(u16::from_be_bytes(*number)))
}

/// The one authority that a tenant's record once held becomes the tenant's first, and issues. What it
/// was made by nobody wrote down: its key is taken to be where the hub kept those of its tenants, and
/// where it is not, nothing is issued, as before. Not flushed.
pub(super) fn migrate(inner: &Inner) -> Result<(), StoreError> {
    for entry in inner.tenants.iter() {
        let (id, record) = entry?;
        let Some((&version, body)) = record.split_first() else { continue };
        let Some(former) = Former::decode(version, body) else { continue };
        let malformed = |error: RecordError| corrupt("tenants", &id, error);
        let (Former { mut tenant, authority }, _) = former.map_err(malformed)?;
        tenant.issuer = authority.is_some().then_some(AuthorityNumber::FIRST);
        let authority = authority.map(|certificate| Authority {
            tenant: tenant.id.clone(),
            number: AuthorityNumber::FIRST,
            certificate,
            origin: Origin::Own { key: format!("tenant/{}", tenant.id) },
            state: AuthorityState::Active,
            added: tenant.created,
        });
        let record = encode(&id, &tenant)?;
        let trees = (inner.tenants.raw(), inner.authorities.raw(), inner.by_certificate.raw());
        inner.transaction(|| {
            trees.transaction(|(tenants, authorities, by_certificate)| {
                if let Some(authority) = &authority {
                    put(authority, authorities, by_certificate)?;
                }
                tenants.insert(&id, record.as_slice())?;
                Ok(())
            })
        })?;
    }
    Ok(())
}
