//! A person's session at a browser, and the one-time links that begin with a person's first. Hold no
//! secret: what a browser shows is kept as its digest.

use std::net::IpAddr;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::Record;
use crate::{UnixSeconds, UserName};

/// A session at a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Login {
    /// Whose.
    pub user: UserName,
    /// How they proved who they are.
    pub by: SignedInBy,
    /// When it began.
    pub begun: UnixSeconds,
    /// When it was last used, to within a minute.
    pub last_used: UnixSeconds,
    /// Where it began from.
    pub source: Option<IpAddr>,
    /// What the browser calls itself.
    pub agent: String,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum SignedInBy {
    /// The one-time link.
    SetupLink,
    /// A password alone.
    Password,
    /// A password and an authenticator app's code.
    PasswordAndTotp,
    /// A password and a recovery code.
    PasswordAndRecoveryCode,
    /// A password and a passkey.
    PasswordAndPasskey,
    /// A passkey, which has verified its user.
    Passkey,
    /// An OpenID provider.
    Provider,
}

/// A one-time link.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetupLink {
    /// For whom; without a name, for whoever becomes the hub's first admin.
    pub user: Option<UserName>,
    /// When it was made.
    pub created: UnixSeconds,
    /// The last second in which it counts.
    pub expires: UnixSeconds,
}

impl Record for Login {
    const VERSION: u8 = 1;
}

impl Record for SetupLink {
    const VERSION: u8 = 1;
}
