//! How changes are written to the audit log: by whom, and at what time.
//!
//! Invariant: an entry holds no secret, and is written after the store has the change.

use std::fmt::Display;

use storage::{AuditEvent, Store, UnixSeconds};

use super::{Admin, AdminError};

/// Who makes changes, and by which clock.
#[derive(Clone, Debug)]
pub struct Author {
    /// A person or a process, as `uid:1000`.
    pub who: String,
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
        what: what.to_owned(),
        subject: subject.to_string(),
        detail: detail.to_string(),
    })?;
    Ok(())
}
