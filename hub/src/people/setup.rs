//! One-time links: how the hub's first admin begins, and how everybody else does.
//!
//! Invariant: a link counts once and for a day; the hub keeps its digest. There is no password that
//! anybody was given.

use serde_json::json;
use storage::{
    Credentials, Grant, Role, SetupLink, SignedInBy, Store, StoreError, UnixSeconds, User,
    UserName, UserState,
};

use super::Visitor;
use super::password;
use super::sessions::Begun;
use super::shown::{Shown, digest_of};
use super::sign_in::{SignIn, SignInError};

/// How long a link counts.
pub const COUNTS_S: u64 = 24 * 60 * 60;

/// A link as it is given to somebody; what is behind `#` is sent to no server by following it.
#[must_use]
pub fn link_text(origin: &str, link: &Shown) -> String {
    format!("{origin}/setup#{}", link.as_str())
}

/// Whether nobody can run the hub yet, or any more.
///
/// # Errors
/// The store's.
pub fn is_needed(store: &Store) -> Result<bool, StoreError> {
    for user in store.users().list(None) {
        if user?.1.is_platform_admin() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A new link, in place of any before for the same person; without a person, for the first admin.
///
/// # Errors
/// [`SignInError`].
pub fn new_link(
    store: &Store,
    user: Option<UserName>,
    now: UnixSeconds,
) -> Result<Shown, SignInError> {
    forget(store, user.as_ref(), now)?;
    let shown = Shown::new("")?;
    let link = SetupLink { user, created: now, expires: UnixSeconds(now.0 + COUNTS_S) };
    store.setup_links().put(&shown.digest(), &link)?;
    Ok(shown)
}

/// Removes the links of a person, and what is over.
pub(super) fn forget(
    store: &Store,
    user: Option<&UserName>,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let mut old = Vec::new();
    for link in store.setup_links().list(None) {
        let (key, link) = link?;
        if link.user.as_ref() == user || link.expires < now {
            old.extend(storage::Digest::try_from(key));
        }
    }
    old.iter().try_for_each(|key| store.setup_links().remove(key).map(drop))
}

/// What whoever has a link says.
pub struct Setup<'a> {
    /// What the link showed.
    pub token: &'a str,
    /// The first admin's name; anybody else's is known.
    pub user: Option<UserName>,
    /// The name people read.
    pub full_name: Option<String>,
    /// The password they choose.
    pub password: &'a str,
}

impl SignIn {
    /// For whom a link is that counts; `None` for the first admin.
    ///
    /// # Errors
    /// [`SignInError::Over`] for one that does not.
    pub fn link(&self, token: &str, now: UnixSeconds) -> Result<Option<UserName>, SignInError> {
        let digest = digest_of(token, "").ok_or(SignInError::Over)?;
        let link = self.store().setup_links().find(&digest)?;
        let link = link.filter(|link| link.expires >= now).ok_or(SignInError::Over)?;
        if link.user.is_none() && !is_needed(self.store())? {
            return Err(SignInError::Over);
        }
        Ok(link.user)
    }

    /// Uses a link up: its person has a password, and is signed in.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn set_up(&self, setup: &Setup<'_>, visitor: &Visitor) -> Result<Begun, SignInError> {
        let known = self.link(setup.token, visitor.now)?;
        let name = match (&known, &setup.user) {
            (Some(known), _) => known.clone(),
            (None, Some(name)) => name.clone(),
            (None, None) => return Err(SignInError::Refused("say who you are".to_owned())),
        };
        let full_name = setup.full_name.clone().unwrap_or_else(|| name.to_string());
        password::judge(setup.password, &[name.as_str(), &full_name])?;
        let hash = password::hash(setup.password, visitor.now)?;
        // From here on nobody else uses it.
        let digest = digest_of(setup.token, "").ok_or(SignInError::Over)?;
        if !self.store().setup_links().remove(&digest)? {
            return Err(SignInError::Over);
        }
        let admin = self.as_user(&name, visitor);
        if known.is_none() {
            let user = User {
                name: name.clone(),
                full_name,
                state: UserState::Active,
                grants: vec![Grant { role: Role::PlatformAdmin, tenant: None }],
                created: visitor.now,
            };
            admin.add_user(&user)?;
        }
        let user = admin.user(&name)?;
        if user.state != UserState::Active {
            return Err(SignInError::Over);
        }
        let credentials = Credentials { password: Some(hash), ..self.credentials(&name)? };
        self.store().credentials().put(name.as_str(), &credentials)?;
        self.sessions.end_all(&name, None)?;
        admin.record("user.set-up", &name, json!({}))?;
        let guess = self.guess(name.as_str(), visitor)?;
        self.done(&user, SignedInBy::SetupLink, visitor, &guess)
    }
}
