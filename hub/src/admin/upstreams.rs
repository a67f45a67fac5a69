//! Changes of upstreams, and of the secrets that open them.
//!
//! Invariant: a secret is in the vault before anybody is told to use it, and gone with its upstream;
//! it stands in no entry of the audit log.

use actors::upstream::UpstreamSecrets;
use serde_json::json;
use storage::{SecretKind, TenantId, UnixSeconds, Upstream, UpstreamKind, UpstreamName};

use super::{Admin, AdminError, refused, unknown};
use crate::vault::Vault;

impl Admin {
    /// Adds an upstream that needs no secret.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where the tenant has one of its name.
    pub fn add_upstream(&self, upstream: &Upstream) -> Result<(), AdminError> {
        self.insert_upstream(upstream, || Ok(()))
    }

    /// Adds an upstream with its secrets, which are sealed.
    ///
    /// # Errors
    /// As [`Admin::add_upstream`].
    pub fn add_upstream_with(
        &self,
        mut upstream: Upstream,
        secrets: &UpstreamSecrets,
        vault: &Vault,
    ) -> Result<Upstream, AdminError> {
        mark_sealed(&mut upstream, secrets)?;
        self.insert_upstream(&upstream, || seal(&upstream, secrets, vault, (self.author.now)()))?;
        Ok(upstream)
    }

    fn insert_upstream(
        &self,
        upstream: &Upstream,
        before: impl FnOnce() -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        let _changing = self.changing();
        let (tenant, name) = (&upstream.tenant, &upstream.name);
        self.tenant(tenant)?;
        if self.store.upstreams().find(tenant, name)?.is_some() {
            return Err(refused(format!("{tenant} has an upstream {name} already")));
        }
        before()?;
        self.store.upstreams().put(upstream)?;
        self.record("upstream.add", &format_args!("{tenant}/{name}"), json!({}))?;
        self.serve(tenant)
    }

    /// Gives an upstream other secrets, which are sealed; it connects anew with them. Files that it
    /// had them from are not read any more.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for an upstream that is no broker, or has no user name for a password.
    pub fn set_upstream_secrets(
        &self,
        id: &TenantId,
        name: &UpstreamName,
        secrets: &UpstreamSecrets,
        vault: &Vault,
    ) -> Result<Upstream, AdminError> {
        let _changing = self.changing();
        let mut upstream = self.upstream(id, name)?;
        mark_sealed(&mut upstream, secrets)?;
        seal(&upstream, secrets, vault, (self.author.now)())?;
        self.store.upstreams().put(&upstream)?;
        let detail = json!({
            "password": secrets.password.is_some(), "client_key": secrets.client_key.is_some(),
        });
        self.record("upstream.secret", &format_args!("{id}/{name}"), detail)?;
        self.tell(|live| live.reconnect(id, name))?;
        Ok(upstream)
    }

    /// Removes an upstream that no route leads to, with its secrets.
    ///
    /// # Errors
    /// [`AdminError::Refused`] while one does.
    pub fn remove_upstream(&self, id: &TenantId, name: &UpstreamName) -> Result<(), AdminError> {
        let _changing = self.changing();
        let upstream = self.upstream(id, name)?;
        let routes = self.store.routes().of_tenant(id)?;
        if let Some(route) = routes.iter().find(|route| route.upstream == *name) {
            return Err(refused(format!(
                "the route {} of {id} leads to {name}; remove it first",
                route.resource
            )));
        }
        self.store.upstreams().remove(id, name)?;
        for kind in KINDS {
            self.store.forget_secret(&upstream.secret(kind).map_err(unnamed)?)?;
        }
        self.record("upstream.remove", &format_args!("{id}/{name}"), json!({}))?;
        self.serve(id)
    }

    /// The tenant's upstream of this name.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn upstream(&self, id: &TenantId, name: &UpstreamName) -> Result<Upstream, AdminError> {
        self.tenant(id)?;
        let way_out = format!("`cellular-hub upstream list --tenant {id}` shows all");
        let found = self.store.upstreams().find(id, name)?;
        found.ok_or_else(|| unknown(&format!("upstream of {id} named"), name, &way_out))
    }
}

/// The kinds of secrets that upstreams have.
const KINDS: [SecretKind; 3] =
    [SecretKind::BrokerPassword, SecretKind::ClientKey, SecretKind::SasKey];

/// Has the upstream say that the vault has its secrets.
fn mark_sealed(upstream: &mut Upstream, secrets: &UpstreamSecrets) -> Result<(), AdminError> {
    let UpstreamKind::Mqtt(mqtt) = &mut upstream.kind else {
        return Err(refused(format!("{} is no broker and takes no secrets", upstream.name)));
    };
    if secrets.password.is_some() {
        if mqtt.username.is_none() {
            let name = &upstream.name;
            return Err(refused(format!("{name} has no user name, so it takes no password")));
        }
        (mqtt.password_sealed, mqtt.password_file) = (true, None);
    }
    if secrets.client_key.is_some() {
        if mqtt.client_certificate_file.is_none() {
            let name = &upstream.name;
            return Err(refused(format!("{name} has no client certificate, so it takes no key")));
        }
        (mqtt.client_key_sealed, mqtt.client_key_file) = (true, None);
    }
    Ok(())
}

fn seal(
    upstream: &Upstream,
    secrets: &UpstreamSecrets,
    vault: &Vault,
    now: UnixSeconds,
) -> Result<(), AdminError> {
    let given = [
        (SecretKind::BrokerPassword, &secrets.password),
        (SecretKind::ClientKey, &secrets.client_key),
    ];
    for (kind, secret) in given {
        if let Some(secret) = secret {
            vault.put(&upstream.secret(kind).map_err(unnamed)?, secret, now)?;
        }
    }
    Ok(())
}

fn unnamed(error: storage::InvalidName) -> AdminError {
    refused(error.to_string())
}
