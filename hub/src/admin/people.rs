//! Changes of people and of their programs' tokens.
//!
//! Invariant: a token itself is not seen here, only its digest; no secret is written to the journal.

use serde_json::json;
use storage::{ApiToken, ApiTokenId, Digest, Grant, Role, UnixSeconds, User, UserName, UserState};

use super::{Admin, AdminError, refused, unknown};

/// Roles of one person.
const GRANTS_MAX: usize = 32;
/// Tokens of one person.
const TOKENS_MAX: usize = 100;

impl Admin {
    /// Adds a person.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where there is one of their name, or for roles that cannot be.
    pub fn add_user(&self, user: &User) -> Result<(), AdminError> {
        let _changing = self.changing();
        if self.store.users().find(user.name.as_str())?.is_some() {
            return Err(refused(format!("there is a user {} already", user.name)));
        }
        self.grantable(&user.grants)?;
        self.store.users().put(user.name.as_str(), user)?;
        self.record("user.add", &user.name, json!({ "grants": user.grants }))
    }

    /// The person.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn user(&self, name: &UserName) -> Result<User, AdminError> {
        let way_out = "`cellular-hub user list` shows all";
        self.store.users().find(name.as_str())?.ok_or_else(|| unknown("user", name, way_out))
    }

    /// Keeps the digest of a token.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] without its owner or tenant.
    pub fn add_api_token(&self, digest: &Digest, token: &ApiToken) -> Result<(), AdminError> {
        let _changing = self.changing();
        self.user(&token.owner)?;
        if let Some(tenant) = &token.tenant {
            self.tenant(tenant)?;
        }
        let mut count = 0;
        for known in self.store.api_tokens().list(None) {
            count += usize::from(known?.1.owner == token.owner);
        }
        if count >= TOKENS_MAX {
            let owner = &token.owner;
            return Err(refused(format!("{owner} has {count} tokens; revoke some first")));
        }
        self.store.api_tokens().put(digest, token)?;
        let ApiToken { id, owner, scopes, tenant, expires, .. } = token;
        let detail =
            json!({ "owner": owner, "scopes": scopes, "tenant": tenant, "expires": expires });
        self.record("api-token.new", id, detail)
    }

    /// Changes a person's name or roles, unless they were changed since they were read; with other
    /// roles their sessions end.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for roles that cannot be, and where no platform-admin would be left.
    pub fn change_user(
        &self,
        read: &User,
        full_name: Option<String>,
        grants: Option<Vec<Grant>>,
    ) -> Result<User, AdminError> {
        let _changing = self.changing();
        let name = &read.name;
        let before = self.user(name)?;
        if before != *read {
            return Err(refused(format!("user {name} was changed meanwhile; read it again")));
        }
        let mut after = before.clone();
        after.full_name = full_name.unwrap_or(after.full_name);
        after.grants = grants.unwrap_or(after.grants);
        self.grantable(&after.grants)?;
        self.leaves_an_admin(&after)?;
        self.store.users().put(name.as_str(), &after)?;
        if after.grants != before.grants {
            self.end_logins(name)?;
        }
        let seen = |user: &User| json!({ "full_name": user.full_name, "grants": user.grants });
        let detail = json!({ "before": seen(&before), "after": seen(&after) });
        self.record("user.change", name, detail)?;
        Ok(after)
    }

    /// Lets a person in no more; their sessions end.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for the last platform-admin.
    pub fn disable_user(
        &self,
        name: &UserName,
        reason: String,
        now: UnixSeconds,
    ) -> Result<User, AdminError> {
        let _changing = self.changing();
        let mut user = self.user(name)?;
        if let UserState::Disabled { .. } = user.state {
            return Err(refused(format!("user {name} is disabled already")));
        }
        user.state = UserState::Disabled { reason: reason.clone(), since: now };
        self.leaves_an_admin(&user)?;
        self.store.users().put(name.as_str(), &user)?;
        self.end_logins(name)?;
        self.record("user.disable", name, json!({ "reason": reason }))?;
        Ok(user)
    }

    /// Lets a person in again.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one who is let in.
    pub fn enable_user(&self, name: &UserName) -> Result<User, AdminError> {
        let _changing = self.changing();
        let mut user = self.user(name)?;
        if user.state == UserState::Active {
            return Err(refused(format!("user {name} is not disabled")));
        }
        user.state = UserState::Active;
        self.store.users().put(name.as_str(), &user)?;
        self.record("user.enable", name, json!({}))?;
        Ok(user)
    }

    /// Forgets how a person signs in; their sessions end, and they need a link to begin anew.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn reset_user(&self, name: &UserName) -> Result<(), AdminError> {
        let _changing = self.changing();
        self.user(name)?;
        self.store.credentials().remove(name.as_str())?;
        self.end_logins(name)?;
        self.record("user.reset", name, json!({}))
    }

    /// The token of this id, with its digest.
    ///
    /// # Errors
    /// The store's.
    pub fn find_api_token(
        &self,
        id: &ApiTokenId,
    ) -> Result<Option<(Digest, ApiToken)>, AdminError> {
        for token in self.store.api_tokens().list(None) {
            let (key, token) = token?;
            if let (true, Ok(digest)) = (token.id == *id, Digest::try_from(key)) {
                return Ok(Some((digest, token)));
            }
        }
        Ok(None)
    }

    /// Has a token count for nothing any more.
    ///
    /// # Errors
    /// The store's.
    pub fn revoke_api_token(&self, digest: &Digest, token: &ApiToken) -> Result<(), AdminError> {
        self.store.api_tokens().remove(digest)?;
        self.record("api-token.revoke", &token.id, json!({ "owner": token.owner }))
    }

    fn end_logins(&self, name: &UserName) -> Result<(), AdminError> {
        let mut ended = Vec::new();
        for login in self.store.logins().list(None) {
            let (key, login) = login?;
            if login.user == *name {
                ended.extend(Digest::try_from(key));
            }
        }
        for digest in ended {
            self.store.logins().remove(&digest)?;
        }
        Ok(())
    }

    /// Refuses a change after which nobody could run the hub.
    fn leaves_an_admin(&self, after: &User) -> Result<(), AdminError> {
        for user in self.store.users().list(None) {
            let (_, known) = user?;
            let user = if known.name == after.name { after } else { &known };
            if user.is_platform_admin() {
                return Ok(());
            }
        }
        match self.user(&after.name)?.is_platform_admin() {
            true => {
                Err(refused("somebody has to be platform-admin; give the role to another first"))
            }
            false => Ok(()),
        }
    }

    fn grantable(&self, grants: &[Grant]) -> Result<(), AdminError> {
        if grants.is_empty() || grants.len() > GRANTS_MAX {
            return Err(refused(format!("a user has 1 to {GRANTS_MAX} roles")));
        }
        for grant in grants {
            match (grant.role, &grant.tenant) {
                (Role::PlatformAdmin, Some(_)) => {
                    return Err(refused("a platform-admin is one everywhere, not of a tenant"));
                }
                (Role::TenantAdmin, None) => {
                    return Err(refused("a tenant-admin is one of a tenant, as tenant-admin@acme"));
                }
                (_, Some(tenant)) => drop(self.tenant(tenant)?),
                (_, None) => {}
            }
        }
        Ok(())
    }
}
