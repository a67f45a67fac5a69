//! How changes are written to the audit log: by whom, and at what time.
//!
//! Invariant: an entry holds no secret, and is written after the store has the change.

use std::fmt::Display;
use std::net::IpAddr;

use storage::{AuditEvent, Store, TenantId, UnixSeconds};

use super::{Admin, AdminError};

/// Who makes changes, and by which clock.
#[derive(Clone, Debug)]
pub struct Author {
    /// A person, a program of theirs or a process: `user:anna`, `token:0123456789abcdef of user:anna`,
    /// `uid:1000`.
    pub who: String,
    /// Where they are, over the network.
    pub source: Option<IpAddr>,
    /// The time of day.
    pub now: fn() -> UnixSeconds,
}

impl Admin {
    /// Writes down what was done, as `board.block`, to whom, and what else there is to say, an
    /// object of JSON; durable on return.
    ///
    /// # Errors
    /// [`AdminError::NotRecorded`]: it is done, and the audit log does not say so.
    pub fn record(
        &self,
        what: &'static str,
        subject: &dyn Display,
        detail: serde_json::Value,
    ) -> Result<(), AdminError> {
        tracing::info!(what, %subject, %detail, "an admin's change");
        append(&self.store, &self.author, what, subject, &detail)
            .map_err(|source| AdminError::NotRecorded { what, source })
    }
}

fn append(
    store: &Store,
    author: &Author,
    what: &str,
    subject: &dyn Display,
    detail: &serde_json::Value,
) -> Result<(), storage::AuditError> {
    store.audit()?.append(AuditEvent {
        at: (author.now)(),
        who: author.who.clone(),
        source: author.source,
        what: what.to_owned(),
        tenant: tenant_of(what, &subject.to_string(), detail),
        subject: subject.to_string(),
        detail: detail.to_string(),
    })?;
    Ok(())
}

/// Whose it is: the detail says so, or the subject does, as `acme` and `acme/spring` do.
fn tenant_of(what: &str, subject: &str, detail: &serde_json::Value) -> Option<TenantId> {
    if let Some(tenant) = detail.get("tenant").and_then(serde_json::Value::as_str) {
        return tenant.parse().ok();
    }
    let noun = what.split('.').next()?;
    let is_of_tenants = ["authority", "batch", "route", "tenant", "token", "upstream"];
    let named = is_of_tenants.contains(&noun).then(|| subject.split('/').next())??;
    named.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_of_the_tenant_that_it_is_about() {
        let of = |what, subject, detail| {
            tenant_of(what, subject, &detail).map(|tenant| tenant.to_string())
        };
        let acme = Some(String::from("acme"));
        assert_eq!(of("board.block", "CB-1", json!({ "tenant": "acme" })), acme);
        assert_eq!(of("tenant.suspend", "acme", json!({})), acme);
        assert_eq!(of("batch.add", "acme/spring", json!({})), acme);
        assert_eq!(of("key.new", "firmware", json!({})), None);
        assert_eq!(of("user.add", "acme", json!({ "tenant": null })), None);
    }
}
