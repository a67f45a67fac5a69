//! A secret that the hub keeps for later use: whose, what it is, and its sealed bytes.

use std::fmt;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::InvalidName;
use crate::record::Record;
use crate::{TenantId, UnixSeconds};

/// A sealed secret, without its name, which is its place in the store.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SealedSecret {
    /// When it was put.
    pub since: UnixSeconds,
    /// The secret, sealed for its place.
    pub sealed: Vec<u8>,
}

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    /// The password of an upstream, by the upstream's name.
    BrokerPassword,
    /// The private key of an upstream's client certificate, PEM, by the upstream's name.
    ClientKey,
    /// A shared access key of a tenant's cloud, by the upstream's name.
    SasKey,
    /// A key to a provider's API, such as a mobile operator's, by the provider's name.
    ProviderKey,
    /// A person's TOTP secret, by the user's name.
    Totp,
    /// The client secret towards an OpenID provider, by the provider's name.
    OidcClient,
}

/// Where a secret is: its tenant or the hub itself, its kind, its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SecretName {
    tenant: Option<TenantId>,
    kind: SecretKind,
    name: String,
}

impl SecretKind {
    /// Every kind there is.
    pub const ALL: [Self; 6] = [
        Self::BrokerPassword,
        Self::ClientKey,
        Self::SasKey,
        Self::ProviderKey,
        Self::Totp,
        Self::OidcClient,
    ];

    /// As it stands in keys and texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BrokerPassword => "broker-password",
            Self::ClientKey => "client-key",
            Self::SasKey => "sas-key",
            Self::ProviderKey => "provider-key",
            Self::Totp => "totp",
            Self::OidcClient => "oidc-client",
        }
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl SecretName {
    /// Bytes of the longest name within its tenant and kind.
    const NAME_MAX: usize = 256;

    /// The secret of this kind and name; without a tenant it is the hub's own.
    ///
    /// # Errors
    /// For a name that is empty, too long or holds control characters.
    pub fn new(
        tenant: Option<&TenantId>,
        kind: SecretKind,
        name: &str,
    ) -> Result<Self, InvalidName> {
        if name.is_empty() || name.len() > Self::NAME_MAX || name.chars().any(char::is_control) {
            let rule = "1 to 256 bytes without control characters";
            return Err(InvalidName::new("name of a secret", name, rule));
        }
        Ok(Self { tenant: tenant.cloned(), kind, name: name.to_owned() })
    }

    /// Whose it is; the hub's own without a tenant.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        self.kind
    }

    /// Its name there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `tenant NUL kind NUL name`; the hub's own begin with the first NUL.
    pub(crate) fn key(&self) -> Vec<u8> {
        let tenant = self.tenant.as_ref().map_or("", TenantId::as_str);
        [tenant, self.kind.as_str(), &self.name].join("\0").into_bytes()
    }

    /// The name that a key stands for; `None` for one of a later hub's kinds, or none at all.
    pub(crate) fn of_key(key: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(key).ok()?.splitn(3, '\0');
        let (tenant, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
        let tenant = match tenant {
            "" => None,
            tenant => Some(tenant.parse().ok()?),
        };
        let kind = SecretKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        Self::new(tenant.as_ref(), kind, name).ok()
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{} {tenant}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl Record for SealedSecret {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{decode, encode};

    #[test]
    fn the_bytes_of_version_1_stay_as_they_are() {
        let secret = SealedSecret { since: UnixSeconds(1_700_000_000), sealed: vec![2, 0, 1] };
        let golden = [1, 0xfc, 0, 0xf1, 0x53, 0x65, 3, 2, 0, 1];
        assert_eq!(encode(&secret).unwrap(), golden);
        assert_eq!(decode::<SealedSecret>(&golden).unwrap(), secret);
    }

    #[test]
    fn a_name_is_its_key_and_is_read_back() {
        let acme: TenantId = "acme".parse().unwrap();
        for kind in SecretKind::ALL {
            for tenant in [None, Some(&acme)] {
                let name = SecretName::new(tenant, kind, "eu.1 / jane@example.com").unwrap();
                assert_eq!(SecretName::of_key(&name.key()), Some(name));
            }
        }
        let password = SecretName::new(Some(&acme), SecretKind::BrokerPassword, "broker").unwrap();
        assert_eq!(password.key(), b"acme\0broker-password\0broker");
        assert_eq!(password.to_string(), "broker-password acme/broker");
        let own = SecretName::new(None, SecretKind::OidcClient, "corp").unwrap();
        assert_eq!(own.key(), b"\0oidc-client\0corp");
    }

    #[test]
    fn a_name_cannot_reach_into_another_place() {
        for name in ["", "a\0b", "a\nb", &"x".repeat(257)] {
            assert!(SecretName::new(None, SecretKind::Totp, name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_key_is_a_name_or_none(key in any::<Vec<u8>>(), text in "[a-z\0-]{0,40}") {
            let _ = SecretName::of_key(&key);
            if let Some(name) = SecretName::of_key(text.as_bytes()) {
                prop_assert_eq!(name.key(), text.into_bytes());
            }
        }
    }
}
