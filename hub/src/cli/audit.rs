//! `cellular-hub audit`.

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use storage::{AuditEntry, AuditError, AuditEvent};

use super::failure::in_one_line;
use super::{Failure, Invocation, output};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// List what was done to keys, certificates and tenants, oldest first.
    List {
        /// The first entry's number.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        from: u64,
        /// Entries at most; 0 for all.
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        limit: usize,
    },
    /// Follow the whole chain of digests and say whether it holds.
    ///
    /// Each entry holds the digest of the one before, so a changed or missing entry breaks the
    /// chain. That the end was cut off shows only against a head kept elsewhere: give it with
    /// --head. Exit codes: 0 it holds; 1 it does not; 2 it could not be tried.
    Verify {
        /// The number and digest of a head that was printed before, as 12:6ab0..., to be found
        /// in the chain.
        #[arg(long, value_name = "NUMBER:DIGEST")]
        head: Option<String>,
    },
}

#[derive(Serialize)]
struct Line {
    number: u64,
    #[serde(flatten)]
    entry: AuditEntry,
}

impl Audit {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::List { from, limit } => list(hub, from, limit),
            Self::Verify { head } => verify(hub, head.as_deref()),
        }
    }
}

fn list(hub: &Invocation, from: u64, limit: usize) -> Result<(), Failure> {
    let store = hub.store()?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let lines = store.audit()?.iter(from).take(limit).map(|entry| {
        let (number, entry) = entry?;
        Ok(Line { number, entry })
    });
    let head = format!(
        "{:>8} {:<20} {:<10} {:<18} {:<24} DETAIL",
        "NUMBER", "AT", "WHO", "WHAT", "SUBJECT"
    );
    hub.output.list(&head, lines, |Line { number, entry }| {
        let AuditEvent { at, who, what, subject, detail } = &entry.event;
        format!(
            "{number:>8} {:<20} {who:<10} {what:<18} {subject:<24} {detail}",
            output::moment(*at)
        )
    })
}

fn verify(hub: &Invocation, kept: Option<&str>) -> Result<(), Failure> {
    let store = hub.store()?;
    let audit = store.audit()?;
    let head = audit.verify().map_err(|error| match error {
        AuditError::Store(error) => error.into(),
        broken => Failure::Refused(in_one_line(&broken)),
    })?;
    if let Some(kept) = kept {
        let (number, digest) = kept
            .split_once(':')
            .and_then(|(number, digest)| Some((number.parse::<u64>().ok()?, digest)))
            .ok_or_else(|| {
                Failure::Unusable(String::from("a head is a number, ':' and a digest"))
            })?;
        // What follows an entry holds its digest; the last one's is the head.
        let found = match number {
            _ if number == head.entries => Some(head.digest),
            _ => match audit.iter(number.saturating_add(1)).next() {
                Some(next) => Some(next?.1.previous),
                None => None,
            },
        };
        if found.is_none_or(|found| found.to_string() != digest) {
            return Err(Failure::Refused(format!(
                "the audit log does not hold the head {number}: it was cut off or rewritten; it ends \
                 at {}:{}",
                head.entries, head.digest
            )));
        }
    }
    hub.output.answer(&json!({ "entries": head.entries, "digest": head.digest }), || {
        format!("the chain holds; its head is {}:{}", head.entries, head.digest)
    })
}
