//! Changes of upstreams and of the secrets that open them, and an upstream tried out.
//!
//! Invariant: a secret is in the vault before anybody is told to use it, and gone with its upstream;
//! it stands in no entry of the audit log.

use actors::hub::{Tried, TryUpstream};
use actors::upstream::{Status, UpstreamError, UpstreamSecrets};
use serde_json::json;
use storage::{BoardId, SecretKind, TenantId, UnixSeconds, Upstream, UpstreamKind, UpstreamName};

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

    /// Has another upstream take the place of the tenant's of its name, unless `may` objects to the
    /// one that is there. Readings that wait for that are answered "unavailable".
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; the objection.
    pub fn change_upstream<E: From<AdminError>>(
        &self,
        tenant: &TenantId,
        name: &UpstreamName,
        change: impl FnOnce(&Upstream) -> Result<Upstream, E>,
    ) -> Result<Upstream, E> {
        let _changing = self.changing();
        let before = self.upstream(tenant, name)?;
        let upstream = change(&before)?;
        if upstream == before {
            return Ok(before);
        }
        self.store.upstreams().put(&upstream).map_err(AdminError::from)?;
        self.record("upstream.change", &format_args!("{tenant}/{name}"), json!({}))?;
        self.tell(|live| live.reconnect(tenant, name))?;
        Ok(upstream)
    }

    /// How the running hub's upstreams are.
    ///
    /// # Errors
    /// [`AdminError::NotLive`] where it does not answer; a hub that does not run has none.
    pub fn upstream_statuses(&self) -> Result<Vec<(TenantId, UpstreamName, Status)>, AdminError> {
        Ok(self.tell(|live| live.upstreams())?.unwrap_or_default())
    }

    /// Publishes a message of the hub's own, as a reading of `board`, and waits for the broker's word.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; [`AdminError::Refused`] where no hub runs, or the upstream cannot be
    /// worked with.
    pub fn try_upstream(
        &self,
        tenant: &TenantId,
        name: &UpstreamName,
        board: BoardId,
        topic: String,
        payload: Vec<u8>,
    ) -> Result<Tried, AdminError> {
        let upstream = self.upstream(tenant, name)?;
        let detail = json!({ "topic": topic });
        let attempt = TryUpstream { upstream, board, topic, payload };
        self.record("upstream.test", &format_args!("{tenant}/{name}"), detail)?;
        let tried = self.tell(|live| live.try_upstream(attempt))?;
        let tried = tried.ok_or_else(|| refused("the hub does not run"))?;
        tried.map_err(|error: UpstreamError| refused(error.to_string()))
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
