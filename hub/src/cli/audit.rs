//! `cellular-hub audit`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;
use storage::{AuditEntry, AuditEvent};

use super::failure::in_one_line;
use super::{Failure, Files, Invocation, now, output};
use crate::audit::{Exported, Target, syslog_line};
use crate::trust::{CheckpointError, Checkpoints, Verified};

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
    /// Follow the whole chain of digests, hold it against its signed checkpoints, and say whether it
    /// holds.
    ///
    /// Each entry holds the digest of the one before, so a changed or missing entry breaks the
    /// chain. A log that was written anew or cut off is not the one that checkpoints were signed of.
    /// Whoever takes away the end of both is found out by a head kept elsewhere: give it with --head. Exit codes: 0 it holds; 1 it does not; 2 it could not be tried.
    Verify {
        /// The number and digest of a head that was printed before, as 12:6ab0..., to be found
        /// in the chain.
        #[arg(long, value_name = "NUMBER:DIGEST")]
        head: Option<String>,
    },
    /// Sign where the log ends, now. A running hub does so from time to time ([audit]).
    ///
    /// The key is `audit`; it is made where there is none.
    Checkpoint,
    /// Write entries for others: as JSON lines, or as syslog messages to a collector.
    ///
    /// Each holds its number and digest: whoever keeps them elsewhere notices when the log is no
    /// longer theirs.
    #[command(after_long_help = "\
Examples:
  cellular-hub audit export > audit.jsonl
  cellular-hub audit export --format syslog --from 1201 --to tls://log.example.com --ca ca.pem")]
    Export {
        /// The first entry's number.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        from: u64,
        /// The form.
        #[arg(long, value_enum, default_value_t = Format::Json)]
        format: Format,
        /// A collector of syslog messages: udp://host:514, tcp://host:601 or tls://host:6514
        /// [default: standard output].
        #[arg(long, value_name = "URL")]
        to: Option<Target>,
        /// PEM of the CAs to trust for tls:// instead of the system's.
        #[arg(long, value_name = "FILE", requires = "to")]
        ca: Option<PathBuf>,
    },
}

/// The form of exported entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Format {
    /// A JSON object a line.
    Json,
    /// A message of RFC 5424 a line.
    Syslog,
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
            Self::Checkpoint => checkpoint(hub),
            Self::Export { from, format, to, ca } => export(hub, from, format, to, ca),
        }
    }

    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        let read = match self {
            Self::Export { ca, .. } => ca.clone(),
            Self::List { .. } | Self::Verify { .. } | Self::Checkpoint => None,
        };
        Files { read: read.into_iter().collect(), ..Files::default() }
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
        let AuditEvent { at, who, what, subject, detail, .. } = &entry.event;
        format!(
            "{number:>8} {:<20} {who:<10} {what:<18} {subject:<24} {detail}",
            output::moment(*at)
        )
    })
}

fn verify(hub: &Invocation, kept: Option<&str>) -> Result<(), Failure> {
    let checkpoints = checkpoints(hub)?;
    let Verified { head, signed, signed_at, .. } = checkpoints.verify().map_err(broken)?;
    let audit = checkpoints.admin().store().audit()?;
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
    let answer = json!({
        "entries": head.entries, "digest": head.digest, "signed": signed, "signed_at": signed_at,
    });
    hub.output.answer(&answer, || {
        let vouched = match signed_at {
            Some(at) => format!("{signed} entries are signed, the last at {}", output::moment(at)),
            None => String::from("no checkpoint was signed yet"),
        };
        format!("the chain holds; its head is {}:{}; {vouched}", head.entries, head.digest)
    })
}

fn checkpoints(hub: &Invocation) -> Result<Checkpoints, Failure> {
    Ok(Checkpoints::new(hub.admin()?, Arc::clone(hub.pki()?.keys())))
}

fn broken(error: CheckpointError) -> Failure {
    match error {
        CheckpointError::Chain(storage::AuditError::Store(error))
        | CheckpointError::Store(error) => error.into(),
        CheckpointError::Key(_) | CheckpointError::Admin(_) => {
            Failure::Unusable(in_one_line(&error))
        }
        broken => Failure::Refused(in_one_line(&broken)),
    }
}

fn checkpoint(hub: &Invocation) -> Result<(), Failure> {
    let signed = checkpoints(hub)?.sign(now()).map_err(broken)?;
    hub.output.answer(&signed, || match &signed {
        Some(signed) => format!("signed: {}:{}", signed.entries, signed.digest),
        None => String::from("nothing is new since the last checkpoint"),
    })
}

fn export(
    hub: &Invocation,
    from: u64,
    format: Format,
    to: Option<Target>,
    ca: Option<PathBuf>,
) -> Result<(), Failure> {
    if to.is_some() && format != Format::Syslog {
        return Err(Failure::Unusable(String::from("a collector takes --format syslog")));
    }
    let store = hub.store()?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let said = |exported: &Exported<'_>| match format {
        Format::Json => serde_json::to_string(exported).unwrap_or_default(),
        Format::Syslog => syslog_line(exported, &host),
    };
    let entries = store.audit()?.iter_with_digests(from);
    let Some(target) = to else {
        return hub.output.lines(entries.map(|entry| {
            let (number, entry, digest) = entry?;
            Ok(said(&Exported::of(&entry, number, digest)))
        }));
    };
    let ca = ca.map(|file| hub.read(&file)).transpose()?;
    let failed = |error: crate::audit::TargetError| Failure::Unusable(in_one_line(&error));
    let mut collector = target.open(ca.as_deref()).map_err(failed)?;
    let mut last = from.saturating_sub(1);
    for entry in entries {
        let (number, entry, digest) = entry?;
        let line = said(&Exported::of(&entry, number, digest));
        collector.send(&line).map_err(|error| {
            Failure::Unusable(format!("the collector is gone after entry {last}: {error}"))
        })?;
        last = number;
    }
    collector.close();
    let next = last.saturating_add(1);
    hub.output.answer(&json!({ "sent": next.saturating_sub(from), "next": next }), || {
        format!("{} entries sent; the next is --from {next}", next.saturating_sub(from))
    })
}
