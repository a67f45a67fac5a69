//! A token with which a program uses the hub in a person's name. Holds no secret: the token itself
//! is known to whom it was given, the hub keeps its digest.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::checked_text;
use crate::record::Record;
use crate::{TenantId, UnixSeconds, UserName};

checked_text!(
    /// How a token is named where it is listed, revoked and written down: 16 of 0-9 and a-f.
    ApiTokenId,
    "token id",
    "16 of 0-9 and a-f",
    |text| text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

/// One token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct ApiToken {
    /// Its id: the beginning of its digest.
    pub id: ApiTokenId,
    /// In whose name it acts; it never may what they may not.
    pub owner: UserName,
    /// What it is for, in its owner's words.
    pub label: String,
    /// What it may do, by the names of permissions.
    pub scopes: Vec<String>,
    /// The one tenant it counts for; wherever its owner may where there is none.
    pub tenant: Option<TenantId>,
    /// When it was made.
    pub created: UnixSeconds,
    /// The last second in which it counts.
    pub expires: UnixSeconds,
    /// When it was used last, to within a minute.
    pub last_used: Option<UnixSeconds>,
}

impl ApiTokenId {
    /// Of the token with this digest.
    pub fn of(digest: &crate::Digest) -> Self {
        let id: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self(id.into())
    }
}

impl Record for ApiToken {
    const VERSION: u8 = 1;
}
