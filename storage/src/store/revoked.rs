//! The revoked certificates, by fingerprint and by serial number.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `certificates/revoked` | `f`, 32 bytes | record |
//! | `certificates/revoked` | `s`, tenant NUL serial number | record |
//!
//! Invariant: what is revoked stays so; there are as many entries as revocations, not as certificates.

use super::{Inner, decode, encode, scoped};
use crate::{Fingerprint, Revocation, RevokedCertificate, Store, StoreError, TenantId};

/// The tree's name.
pub(crate) const TREE: &str = "certificates/revoked";

/// The revoked certificates of a [`Store`].
#[derive(Clone, Copy)]
pub struct Revoked<'a> {
    inner: &'a Inner,
}

impl Store {
    /// The certificates that are revoked.
    pub fn revoked(&self) -> Revoked<'_> {
        Revoked { inner: &self.inner }
    }
}

impl<'a> Revoked<'a> {
    /// Revokes a certificate and says whether it was not before; durable on return.
    ///
    /// # Errors
    /// Those of the database.
    pub fn put(self, revocation: &Revocation) -> Result<bool, StoreError> {
        let key = key(revocation);
        let record = encode(&key, revocation)?;
        let writer = self.inner.writer();
        let is_new = !self.inner.revoked.contains_key(&key)?;
        if is_new {
            self.inner.revoked.insert(key, record)?;
        }
        drop(writer);
        self.inner.flush()?;
        Ok(is_new)
    }

    /// Whether the certificate of this fingerprint is revoked.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_fingerprint(self, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
        self.inner.revoked.contains_key(by_fingerprint(fingerprint))
    }

    /// Whether the tenant's authority's certificate of this serial number is revoked.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_serial(self, tenant: &TenantId, serial: &[u8]) -> Result<bool, StoreError> {
        self.inner.revoked.contains_key(by_serial(tenant, serial))
    }

    /// Every revocation.
    pub fn list(self) -> impl Iterator<Item = Result<Revocation, StoreError>> + use<'a> {
        self.inner.revoked.iter().map(|entry| {
            let (key, record) = entry?;
            decode(TREE, &key, &record)
        })
    }
}

/// The key of a revocation.
pub(crate) fn key(revocation: &Revocation) -> Vec<u8> {
    match &revocation.certificate {
        RevokedCertificate::Fingerprint(fingerprint) => by_fingerprint(fingerprint),
        RevokedCertificate::Serial(serial) => by_serial(&revocation.tenant, serial),
    }
}

fn by_fingerprint(fingerprint: &Fingerprint) -> Vec<u8> {
    [b"f", &fingerprint.as_bytes()[..]].concat()
}

fn by_serial(tenant: &TenantId, serial: &[u8]) -> Vec<u8> {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    let serial = serial.get(zeros..).unwrap_or_default();
    [b"s", scoped(tenant, "").as_slice(), serial].concat()
}
