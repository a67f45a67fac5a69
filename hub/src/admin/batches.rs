//! Changes of production batches, and the one-time tokens of their boards.
//!
//! Invariant: a token itself is not seen here, only its digest.

use serde_json::json;
use storage::{Batch, BatchName, BatchState, BoardId, TenantId, Token, TokenDigest, UnixSeconds};

use super::{Admin, AdminError, refused, unknown};

impl Admin {
    /// Adds a batch that takes `ids`, and gives it as it then is.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where its tenant has one of its name.
    pub fn add_batch(&self, batch: Batch, ids: Vec<BoardId>) -> Result<Batch, AdminError> {
        let _changing = self.changing();
        let (tenant, name) = (&batch.tenant, &batch.name);
        self.tenant(tenant)?;
        if !self.store.batches().add(&batch, ids)? {
            return Err(refused(format!("tenant {tenant} has a batch {name} already")));
        }
        let detail = json!({ "certificates": batch.certificates });
        self.record("batch.add", &format_args!("{tenant}/{name}"), detail)?;
        Ok(self.store.batches().find(tenant, name)?.unwrap_or(batch))
    }

    /// Has a batch take no more boards.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is closed.
    pub fn close_batch(
        &self,
        tenant: &TenantId,
        name: &BatchName,
        now: UnixSeconds,
    ) -> Result<Option<Batch>, AdminError> {
        let _changing = self.changing();
        if let BatchState::Closed { .. } = self.batch(tenant, name)?.state {
            return Err(refused(format!("batch {name} is closed already")));
        }
        let closed = BatchState::Closed { since: now };
        let batch = self.store.batches().change(tenant, name, |batch| batch.state = closed)?;
        self.record("batch.close", &format_args!("{tenant}/{name}"), json!({}))?;
        Ok(batch)
    }

    /// Keeps the digest of a one-time token.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] without its tenant or batch.
    pub fn add_token(&self, digest: &TokenDigest, token: &Token) -> Result<(), AdminError> {
        let _changing = self.changing();
        let (tenant, batch) = (&token.tenant, &token.batch);
        self.tenant(tenant)?;
        self.batch(tenant, batch)?;
        self.store.put_token(digest, token)?;
        let detail = json!({ "expires": token.expires });
        self.record("token.new", &format_args!("{tenant}/{batch}"), detail)
    }

    /// The tenant's batch of this name.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn batch(&self, tenant: &TenantId, name: &BatchName) -> Result<Batch, AdminError> {
        let way_out = "`cellular-hub batch list` shows all";
        self.store.batches().find(tenant, name)?.ok_or_else(|| unknown("batch", name, way_out))
    }
}
