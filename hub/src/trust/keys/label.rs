//! What a key is for: its name in every key store.

use std::fmt;
use std::str::FromStr;

use storage::TenantId;

/// What a key signs.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Purpose {
    /// The hub's root: tenants' authorities and servers.
    Root,
    /// One tenant's boards.
    Tenant(TenantId),
    /// Handshakes of the hub's own servers.
    Server,
    /// Firmware images.
    Firmware,
    /// Checkpoints of the audit log.
    Audit,
}

/// The name of a key: `root`, `server`, `firmware`, `audit` or `tenant/<tenant>`, and with `/2` and
/// up behind it for those that came later.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyLabel {
    purpose: Purpose,
    generation: u16,
}

/// Text that is no key's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a key is named root, server, firmware, audit or tenant/<tenant>, with /2 to /65535 behind it \
     for a successor"
)]
pub struct InvalidLabel;

impl KeyLabel {
    /// The hub's root.
    pub const ROOT: Self = Self::first(Purpose::Root);
    /// The server's.
    pub const SERVER: Self = Self::first(Purpose::Server);

    /// The first key for `purpose`.
    pub const fn first(purpose: Purpose) -> Self {
        Self { purpose, generation: 1 }
    }

    /// The key for `purpose` that came as the so-manieth; `None` for 0.
    pub fn nth(purpose: Purpose, generation: u16) -> Option<Self> {
        (generation > 0).then_some(Self { purpose, generation })
    }

    /// The first key of a tenant's authority.
    pub fn tenant(tenant: &TenantId) -> Self {
        Self::first(Purpose::Tenant(tenant.clone()))
    }

    /// What it signs.
    pub const fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// 1 for the first key of its purpose.
    pub const fn generation(&self) -> u16 {
        self.generation
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.purpose {
            Purpose::Root => f.write_str("root")?,
            Purpose::Tenant(tenant) => write!(f, "tenant/{tenant}")?,
            Purpose::Server => f.write_str("server")?,
            Purpose::Firmware => f.write_str("firmware")?,
            Purpose::Audit => f.write_str("audit")?,
        }
        match self.generation {
            1 => Ok(()),
            later => write!(f, "/{later}"),
        }
    }
}

impl FromStr for KeyLabel {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, InvalidLabel> {
        let mut words = text.split('/');
        let purpose = match words.next() {
            Some("root") => Purpose::Root,
            Some("server") => Purpose::Server,
            Some("firmware") => Purpose::Firmware,
            Some("audit") => Purpose::Audit,
            Some("tenant") => {
                let tenant = words.next().ok_or(InvalidLabel)?;
                Purpose::Tenant(tenant.parse().map_err(|_| InvalidLabel)?)
            }
            Some(_) | None => return Err(InvalidLabel),
        };
        let generation = match words.next() {
            None => 1,
            Some(number) => number.parse().map_err(|_| InvalidLabel)?,
        };
        let label = Self { purpose, generation };
        // One text a key: no `/1`, `/02` or anything behind.
        match label.to_string() == text && generation > 0 {
            true => Ok(label),
            false => Err(InvalidLabel),
        }
    }
}

impl serde::Serialize for KeyLabel {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_label_is_read_back_and_has_one_text() {
        for text in
            ["root", "root/2", "server", "firmware", "audit/9", "tenant/acme", "tenant/a/65535"]
        {
            assert_eq!(text.parse::<KeyLabel>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "roots",
            "root/",
            "root/1",
            "root/0",
            "root/02",
            "root/65536",
            "root/2/3",
            "tenant",
            "tenant/",
            "tenant/../x",
            "tenant/acme/x",
            "tenant/ACME",
            "tenant/a/1",
            "Root",
        ] {
            assert_eq!(text.parse::<KeyLabel>(), Err(InvalidLabel), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_a_label_is_its_own_text(text in "[a-z/0-9.]{0,24}") {
            if let Ok(label) = text.parse::<KeyLabel>() {
                prop_assert_eq!(label.to_string(), text);
            }
        }
    }
}
