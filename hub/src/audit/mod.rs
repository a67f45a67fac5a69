//! The audit log for others: as JSON lines, and as syslog (RFC 5424) to where logs are kept.
//!
//! Each line holds its entry's number and digest, and the digest of the one before: whoever keeps lines
//! elsewhere notices when the log is no longer theirs.

mod syslog;
mod target;

use serde::Serialize;
use storage::{AuditDigest, AuditEntry, AuditEvent};

pub use self::syslog::line as syslog_line;
pub use self::target::{Target, TargetError, Writer};

/// An entry of the log, as it is exported.
#[derive(Debug, Serialize)]
pub struct Exported<'a> {
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: AuditDigest,
    /// The digest of the entry before.
    pub previous: AuditDigest,
    /// What was done.
    #[serde(flatten)]
    pub event: &'a AuditEvent,
}

impl<'a> Exported<'a> {
    /// Of an entry, with its number and digest.
    #[must_use]
    pub const fn of(entry: &'a AuditEntry, number: u64, digest: AuditDigest) -> Self {
        Self { number, digest, previous: entry.previous, event: &entry.event }
    }
}
