//! Changes of people and of their programs' tokens.
//!
//! Invariant: a token itself is not seen here, only its digest; no secret is written to the journal.

use serde_json::json;
use storage::{ApiToken, Digest, User};

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
        self.grantable(user)?;
        self.store.users().put(user.name.as_str(), user)?;
        self.record("user.add", &user.name, json!({ "grants": user.grants }))
    }

    /// The person.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn user(&self, name: &storage::UserName) -> Result<User, AdminError> {
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

    fn grantable(&self, user: &User) -> Result<(), AdminError> {
        if user.grants.is_empty() || user.grants.len() > GRANTS_MAX {
            return Err(refused(format!("a user has 1 to {GRANTS_MAX} roles")));
        }
        for grant in &user.grants {
            match (grant.role, &grant.tenant) {
                (storage::Role::PlatformAdmin, Some(_)) => {
                    return Err(refused("a platform-admin is one everywhere, not of a tenant"));
                }
                (storage::Role::TenantAdmin, None) => {
                    return Err(refused("a tenant-admin is one of a tenant, as tenant-admin@acme"));
                }
                (_, Some(tenant)) => drop(self.tenant(tenant)?),
                (_, None) => {}
            }
        }
        Ok(())
    }
}
