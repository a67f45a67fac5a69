//! A list as somebody wants to see it again.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::checked_text;
use crate::record::Record;
use crate::{UnixSeconds, UserName};

checked_text!(
    /// What a view is called by whoever keeps it: 1 to 60 characters.
    ViewName,
    "view name",
    "1 to 60 characters, without control characters and '/', not beginning or ending with a space",
    |text| (1..=60).contains(&text.chars().count())
        && text.trim() == text
        && !text.contains(|c: char| c.is_control() || c == '/')
);

/// A list that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct SavedView {
    /// Whose it is; nobody else sees it.
    pub owner: UserName,
    /// What they call it.
    pub name: ViewName,
    /// What the list of boards is asked for, as a query.
    pub query: String,
    /// When it was kept.
    pub created: UnixSeconds,
}

impl SavedView {
    /// What finds it.
    #[must_use]
    pub fn key(owner: &UserName, name: &str) -> String {
        format!("{owner}\0{name}")
    }
}

impl Record for SavedView {
    const VERSION: u8 = 1;
}
