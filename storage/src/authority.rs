//! An authority that a tenant's boards are vouched for by: the trust anchor, whose key it is, and
//! whether it is still believed. Holds no key.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};

use crate::id::InvalidName;
use crate::record::Record;
use crate::{BatchName, Fingerprint, IdentityField, RevocationReason, TenantId, UnixSeconds};

/// Tells an authority from the tenant's others: from 1 on, in the order they were added, and never
/// given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct AuthorityNumber(NonZeroU16);

impl AuthorityNumber {
    /// The first that a tenant has.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// This number; `None` for 0, which is nobody's.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// As a number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for AuthorityNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for AuthorityNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.get())
    }
}

/// An authority as people name it: `acme/2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorityName {
    /// Whose.
    pub tenant: TenantId,
    /// Which of theirs.
    pub number: AuthorityNumber,
}

impl FromStr for AuthorityName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidName::new("authority", text, "tenant and number, as acme/2");
        let (tenant, number) = text.split_once('/').ok_or_else(invalid)?;
        let is_plain = !number.starts_with(['0', '+']);
        let number = number.parse().ok().filter(|_| is_plain).map(AuthorityNumber);
        Ok(Self { tenant: tenant.parse()?, number: number.ok_or_else(invalid)? })
    }
}

impl fmt::Display for AuthorityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.number)
    }
}

impl Serialize for AuthorityName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One authority of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Authority {
    /// Whose boards it vouches for.
    pub tenant: TenantId,
    /// Which of the tenant's it is.
    pub number: AuthorityNumber,
    /// Its certificate, DER; the fingerprint stands for it in JSON.
    #[serde(rename = "fingerprint", serialize_with = "as_fingerprint")]
    pub certificate: Vec<u8>,
    /// Whose key it is, and what follows of that; in JSON its fields stand beside the others.
    #[serde(flatten)]
    pub origin: Origin,
    /// Whether it is believed; in JSON its fields stand beside the others.
    #[serde(flatten)]
    pub state: AuthorityState,
    /// When it was added.
    pub added: UnixSeconds,
}

/// Whose key an authority has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "origin", rename_all = "kebab-case")]
pub enum Origin {
    /// The hub's, which issues boards' certificates with it, where its key store has the key.
    Own {
        /// The key's name in the key store.
        key: String,
    },
    /// The tenant's own business: the hub verifies, and issues nothing.
    Foreign(Foreign),
}

/// What an authority's certificates mean that the hub did not issue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Foreign {
    /// Where a certificate says which board it is for.
    pub id_from: IdentityField,
    /// What happens when a board comes that is not registered.
    #[serde(flatten)]
    pub first_contact: FirstContact,
    /// What happens when a board comes with another certificate than it is registered with.
    pub successors: Successors,
}

/// What happens when a board of a foreign authority comes that is not registered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "first_contact", rename_all = "kebab-case")]
pub enum FirstContact {
    /// It is refused.
    #[default]
    Refuse,
    /// It is registered, if this batch takes it.
    Register {
        /// The tenant's batch whose boards these are.
        batch: BatchName,
        /// The labels that they get, beside the batch's.
        labels: BTreeMap<String, String>,
    },
}

/// What happens when a registered board comes with another certificate of a foreign authority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum Successors {
    /// It is refused: the board has the certificate that it is registered with.
    #[default]
    Refuse,
    /// One that ends later becomes the board's with its first session: the authority renews its
    /// boards by itself.
    Later,
}

/// Whether an authority is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum AuthorityState {
    /// It is.
    #[default]
    Active,
    /// It is, and its boards are to get certificates of another.
    Retiring {
        /// Since when.
        since: UnixSeconds,
    },
    /// It is not any more: it has done its service.
    Retired {
        /// Since when.
        since: UnixSeconds,
    },
    /// It is not: nothing that it signed is to be trusted.
    Revoked {
        /// Why.
        reason: RevocationReason,
        /// Since when.
        since: UnixSeconds,
    },
}

impl Authority {
    /// How people name it.
    #[must_use]
    pub fn name(&self) -> AuthorityName {
        AuthorityName { tenant: self.tenant.clone(), number: self.number }
    }

    /// Where its certificates say which board they are for.
    #[must_use]
    pub const fn id_from(&self) -> IdentityField {
        match &self.origin {
            Origin::Own { .. } => IdentityField::HardwareModuleName,
            Origin::Foreign(foreign) => foreign.id_from,
        }
    }

    /// SHA-256 over its certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.certificate)
    }

    /// Whether boards with its certificates may connect.
    #[must_use]
    pub const fn is_believed(&self) -> bool {
        match self.state {
            AuthorityState::Active | AuthorityState::Retiring { .. } => true,
            AuthorityState::Retired { .. } | AuthorityState::Revoked { .. } => false,
        }
    }
}

pub(crate) fn fingerprint(certificate: &[u8]) -> Fingerprint {
    use sha2::{Digest as _, Sha256};
    Fingerprint(Sha256::digest(certificate).into())
}

fn as_fingerprint<S: Serializer>(certificate: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    fingerprint(certificate).serialize(serializer)
}

impl Record for Authority {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_named_by_its_tenant_and_a_number_from_1_on() {
        for text in ["acme/1", "acme-2/65535"] {
            assert_eq!(text.parse::<AuthorityName>().unwrap().to_string(), text);
        }
        for text in ["acme", "acme/", "acme/0", "acme/01", "acme/+1", "acme/65536", "A/1", "/1"] {
            assert!(text.parse::<AuthorityName>().is_err(), "{text:?}");
        }
    }
}
