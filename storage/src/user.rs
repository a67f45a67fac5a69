//! A person who may use the hub, and what they may do there. Holds no secret: how a person proves
//! who they are is kept apart.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::checked_text;
use crate::record::Record;
use crate::{TenantId, UnixSeconds};

checked_text!(
    /// What a person signs in with, a mail address or a name: `[a-z0-9][a-z0-9._@+-]{0,63}`.
    UserName,
    "user name",
    "1 to 64 of a-z, 0-9, '.', '_', '@', '+' and '-', beginning with a letter or a digit",
    is_user_name
);

const NAME_MAX: usize = 64;

fn is_user_name(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= NAME_MAX
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || b"._@+-".contains(&b))
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct User {
    /// What they sign in with.
    pub name: UserName,
    /// The name people read.
    pub full_name: String,
    /// Whether they may sign in; in JSON its fields stand beside the user's.
    #[serde(flatten)]
    pub state: UserState,
    /// What they may do, and where.
    pub grants: Vec<Grant>,
    /// When they were added.
    pub created: UnixSeconds,
}

/// Whether a person may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum UserState {
    /// They may.
    Active,
    /// Not until they are let in again; their sessions and tokens count for nothing.
    Disabled {
        /// Why, in words.
        reason: String,
        /// Since when.
        since: UnixSeconds,
    },
}

/// A role, and where it counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The one tenant it counts for; everywhere where there is none.
    pub tenant: Option<TenantId>,
}

/// What a person is to the hub; what each may do, the hub says.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    serde::Deserialize,
    Encode,
    Decode,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the hub: everything but what needs another's eyes.
    PlatformAdmin,
    /// Runs one tenant.
    TenantAdmin,
    /// Keeps boards working.
    Operator,
    /// Vouches for firmware.
    FirmwareSigner,
    /// Has boards made.
    Production,
    /// Reads what is used and paid for.
    Billing,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::PlatformAdmin,
        Self::TenantAdmin,
        Self::Operator,
        Self::FirmwareSigner,
        Self::Production,
        Self::Billing,
        Self::Auditor,
    ];

    /// Its name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform-admin",
            Self::TenantAdmin => "tenant-admin",
            Self::Operator => "operator",
            Self::FirmwareSigner => "firmware-signer",
            Self::Production => "production",
            Self::Billing => "billing",
            Self::Auditor => "auditor",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = crate::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| {
            let rule = "platform-admin, tenant-admin, operator, firmware-signer, production, \
                        billing or auditor";
            crate::InvalidName::new("role", text, rule)
        })
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{}@{tenant}", self.role),
            None => write!(f, "{}", self.role),
        }
    }
}

/// As `operator` or `operator@acme`.
impl std::str::FromStr for Grant {
    type Err = crate::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('@') {
            Some((role, tenant)) => Self { role: role.parse()?, tenant: Some(tenant.parse()?) },
            None => Self { role: text.parse()?, tenant: None },
        })
    }
}

impl User {
    /// Whether they may run the hub.
    pub fn is_platform_admin(&self) -> bool {
        let is_one = |grant: &Grant| grant.role == Role::PlatformAdmin;
        self.state == UserState::Active && self.grants.iter().any(is_one)
    }
}

impl Record for User {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mail_addresses_or_words_and_nothing_that_could_be_mistaken() {
        for good in ["anna", "a.b-c_d@example.com", "1", "a+b"] {
            assert_eq!(good.parse::<UserName>().unwrap().as_str(), good);
        }
        let long = "a".repeat(65);
        for bad in ["", "@", "-a", "Anna", "a b", "a:b", "a\0", "ä", "a/b", long.as_str()] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_grant_reads_back_as_it_is_written() {
        for text in ["platform-admin", "operator@acme", "auditor"] {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
        }
        for bad in ["", "root", "operator@", "operator@A", "operator@a@b"] {
            assert!(bad.parse::<Grant>().is_err(), "{bad:?}");
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
    }
}
