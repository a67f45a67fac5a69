//! The revoked certificates, by fingerprint and by serial number.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `certificates/revoked` | `f`, 32 bytes | record |
//! | `certificates/revoked` | `n`, tenant NUL, number of the authority (2), serial number | record |
//!
//! Before a tenant could have several authorities, the second key was `s`, tenant NUL serial number.
//!
//! Invariant: what is revoked stays so, and only what is on hold can be let go; there are as many entries as revocations, not as certificates.

use std::sync::atomic::Ordering;

use super::{Inner, LIST_NUMBER_KEY, decode, encode, scoped};
use crate::{
    AuthorityNumber, Fingerprint, Revocation, RevocationReason, RevokedCertificate, Serial, Store,
    StoreError, TenantId,
};

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
    /// Revokes a certificate and says whether it was not before; durable on return. What was on
    /// hold is so no more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn put(self, revocation: &Revocation) -> Result<bool, StoreError> {
        let key = key(revocation);
        let record = encode(&key, revocation)?;
        let writer = self.inner.writer();
        let is_new = match self.find(&key)? {
            None => true,
            Some(known) => is_on_hold(&known) && !is_on_hold(revocation),
        };
        if is_new {
            self.inner.revoked.insert(key, record)?;
            self.inner.revocations.fetch_add(1, Ordering::Release);
        }
        drop(writer);
        self.inner.flush()?;
        Ok(is_new)
    }

    /// Lets go a certificate that is on hold; one that is revoked stays so. Says whether it was on
    /// hold; durable on return.
    ///
    /// # Errors
    /// Those of the database.
    pub fn let_go(
        self,
        tenant: &TenantId,
        issuer: AuthorityNumber,
        serial: &Serial,
    ) -> Result<bool, StoreError> {
        let key = by_serial(tenant, issuer, serial.as_bytes());
        let writer = self.inner.writer();
        let was_on_hold = self.find(&key)?.is_some_and(|known| is_on_hold(&known));
        if was_on_hold {
            self.inner.revoked.remove(&key)?;
            self.inner.revocations.fetch_add(1, Ordering::Release);
        }
        drop(writer);
        self.inner.flush()?;
        Ok(was_on_hold)
    }

    /// How often something was revoked, held or let go, or an authority changed, since the store was
    /// opened: as long as it stays, so do the lists.
    #[must_use]
    pub fn changes(self) -> u64 {
        self.inner.revocations.load(Ordering::Acquire)
    }

    /// What is revoked or on hold by serial number among the certificates of a tenant's authority.
    pub fn of_authority(
        self,
        tenant: &TenantId,
        issuer: AuthorityNumber,
    ) -> impl Iterator<Item = Result<Revocation, StoreError>> + use<'a> {
        self.inner.revoked.scan_prefix(by_serial(tenant, issuer, &[])).map(|entry| {
            let (key, record) = entry?;
            decode(TREE, &key, &record)
        })
    }

    /// A number for a list of revoked certificates: `at_least` this, and more than any before in
    /// this store, of whichever tenant; durable on return.
    ///
    /// # Errors
    /// Those of the database.
    pub fn next_list_number(self, at_least: u64) -> Result<u64, StoreError> {
        let writer = self.inner.writer();
        let last = self.inner.meta.get(LIST_NUMBER_KEY)?;
        let last = last.and_then(|bytes| <[u8; 8]>::try_from(&*bytes).ok());
        let number = last.map_or(0, u64::from_be_bytes).saturating_add(1).max(at_least);
        self.inner.meta.insert(LIST_NUMBER_KEY, &number.to_be_bytes())?;
        drop(writer);
        self.inner.flush()?;
        Ok(number)
    }

    /// Whether the certificate of this fingerprint is revoked.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_fingerprint(self, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
        self.inner.revoked.contains_key(by_fingerprint(fingerprint))
    }

    /// Whether the tenant's authority's certificate of this serial number is revoked. One on hold
    /// is not: there it is the board that is refused.
    ///
    /// # Errors
    /// Those of the database.
    pub fn has_serial(
        self,
        tenant: &TenantId,
        issuer: AuthorityNumber,
        serial: &[u8],
    ) -> Result<bool, StoreError> {
        let known = self.find(&by_serial(tenant, issuer, serial))?;
        Ok(known.is_some_and(|known| !is_on_hold(&known)))
    }

    /// The revocation, or hold, of the tenant's authority's certificate of this serial number.
    ///
    /// # Errors
    /// Those of the database.
    pub fn of_serial(
        self,
        tenant: &TenantId,
        issuer: AuthorityNumber,
        serial: &Serial,
    ) -> Result<Option<Revocation>, StoreError> {
        self.find(&by_serial(tenant, issuer, serial.as_bytes()))
    }

    fn find(self, key: &[u8]) -> Result<Option<Revocation>, StoreError> {
        let record = self.inner.revoked.get(key)?;
        record.map(|record| decode(TREE, key, &record)).transpose()
    }

    /// Every revocation.
    pub fn list(self) -> impl Iterator<Item = Result<Revocation, StoreError>> + use<'a> {
        self.inner.revoked.iter().map(|entry| {
            let (key, record) = entry?;
            decode(TREE, &key, &record)
        })
    }
}

fn is_on_hold(revocation: &Revocation) -> bool {
    revocation.reason == RevocationReason::CertificateHold
}

/// The key of a revocation.
pub(crate) fn key(revocation: &Revocation) -> Vec<u8> {
    match &revocation.certificate {
        RevokedCertificate::Fingerprint(fingerprint) => by_fingerprint(fingerprint),
        RevokedCertificate::Serial(serial) => {
            let issuer = revocation.issuer.unwrap_or(AuthorityNumber::FIRST);
            by_serial(&revocation.tenant, issuer, serial)
        }
    }
}

fn by_fingerprint(fingerprint: &Fingerprint) -> Vec<u8> {
    [b"f", &fingerprint.as_bytes()[..]].concat()
}

fn by_serial(tenant: &TenantId, issuer: AuthorityNumber, serial: &[u8]) -> Vec<u8> {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    let serial = serial.get(zeros..).unwrap_or_default();
    [b"n", scoped(tenant, "").as_slice(), &issuer.get().to_be_bytes(), serial].concat()
}

/// Keys of before a tenant could have several authorities become those of its first. Not flushed;
/// what a crash leaves undone is done at the next start.
pub(super) fn migrate(inner: &Inner) -> Result<(), StoreError> {
    for entry in inner.revoked.scan_prefix(b"s") {
        let (old, record) = entry?;
        let revocation: Revocation = decode(TREE, &old, &record)?;
        let key = key(&revocation);
        inner.revoked.insert(&key, encode(&key, &revocation)?)?;
        inner.revoked.remove(old)?;
    }
    Ok(())
}
