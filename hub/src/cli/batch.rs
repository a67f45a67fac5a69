//! `cellular-hub batch`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use storage::{
    Again, Allowed, BatchName, BatchState, BoardId, BoardPrefix, CertificateLife, TenantId,
    UnixSeconds,
};

use super::{Failure, Files, Invocation, board, now, output};
use crate::admin::{Admin, AdminError, Ended, Selection};
use crate::trust::BOARD_YEARS;

const DAY: u64 = 24 * 60 * 60;

#[derive(Debug, Subcommand)]
pub(super) enum Batch {
    Add(Add),
    /// List batches, with how many of their boards are enrolled.
    List {
        /// Only this tenant's.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
    },
    /// Show one batch.
    Show {
        /// The batch.
        batch: BatchName,
        /// Whose it is.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
    /// Enrol no more boards of a batch; those that are enrolled stay.
    Close {
        /// The batch.
        batch: BatchName,
        /// Whose it is.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
    /// Refuse every board that was enrolled in a batch until they are unblocked; their sessions end.
    Block(Recall),
    /// Let the blocked boards of a batch connect again.
    Unblock {
        /// The batch.
        batch: BatchName,
        /// Whose it is.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
    /// Refuse every board that was enrolled in a batch for good, and enrol no more; their sessions end.
    Revoke(Recall),
}

/// The boards of a batch, and why they are changed.
#[derive(Args, Debug)]
pub(super) struct Recall {
    /// The batch.
    batch: BatchName,
    /// Whose it is.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// Why, for the audit log and whoever looks at a board.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Add a batch: which boards a production station may enrol.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  The boards whose hardware ids are in a file, one a line:
    cellular-hub batch add spring --tenant acme --ids serials.txt
  At most 5000 boards whose hardware ids begin with CB-7:
    cellular-hub batch add summer --tenant acme --prefix CB-7 --max 5000 --expires-in-days 60")]
pub(super) struct Add {
    /// The batch's name within its tenant: 1 to 32 of a-z, 0-9 and '-'.
    batch: BatchName,
    /// Whose boards.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// A file of hardware ids, one a line; empty lines and those that begin with '#' are passed over.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "prefix",
        conflicts_with = "prefix"
    )]
    ids: Option<PathBuf>,
    /// How the hardware ids begin, instead of a list.
    #[arg(long, value_name = "TEXT", requires = "max")]
    prefix: Option<BoardPrefix>,
    /// With --prefix: how many boards at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max: Option<u32>,
    /// Years until the boards' certificates expire.
    #[arg(long, value_name = "YEARS", default_value_t = BOARD_YEARS, conflicts_with = "no_expiry",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    years: u16,
    /// Certificates without a known end (99991231235959Z, RFC 5280).
    #[arg(long)]
    no_expiry: bool,
    /// Days until the batch takes no more boards [default: until it is closed].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    expires_in_days: Option<u64>,
    /// Let a station give another certificate to boards that have been heard. Danger: whoever has
    /// a station of this batch can then take the place of a board in the field.
    #[arg(long)]
    again: bool,
}

impl Batch {
    pub(super) fn files(&self) -> Files {
        match self {
            Self::Add(add) => Files { read: add.ids.iter().cloned().collect(), ..Files::default() },
            Self::List { .. }
            | Self::Show { .. }
            | Self::Close { .. }
            | Self::Block(_)
            | Self::Unblock { .. }
            | Self::Revoke(_) => Files::default(),
        }
    }

    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(hub),
            Self::List { tenant } => list(hub, tenant.as_ref()),
            Self::Show { batch, tenant } => {
                let batch = hub.admin()?.batch(&tenant, &batch)?;
                hub.output.answer(&batch, || table(&batch))
            }
            Self::Close { batch, tenant } => close(hub, &tenant, &batch),
            Self::Block(Recall { batch, tenant, reason }) => {
                change(hub, &tenant, &batch, "blocked", |admin, id| admin.block(id, &reason, now()))
            }
            Self::Unblock { batch, tenant } => {
                change(hub, &tenant, &batch, "unblocked", Admin::unblock)
            }
            Self::Revoke(Recall { batch, tenant, reason }) => {
                let admin = hub.admin()?;
                if admin.batch(&tenant, &batch)?.state == BatchState::Open {
                    // First, so that nobody is enrolled behind the back of this.
                    admin.close_batch(&tenant, &batch, now())?;
                }
                change(hub, &tenant, &batch, "revoked", |admin, id| {
                    admin.revoke(id, &reason, now())
                })
            }
        }
    }
}

impl Add {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let (allowed, ids) = match (&self.ids, self.prefix, self.max) {
            (Some(file), _, _) => (Allowed::List { count: 0 }, read_ids(file, &hub.read(file)?)?),
            (None, Some(prefix), Some(max)) => (Allowed::Prefix { prefix, max }, Vec::new()),
            _ => return Err(Failure::Unusable(String::from("give --ids, or --prefix and --max"))),
        };
        let admin = hub.admin()?;
        admin.tenant(&self.tenant)?;
        let batch = storage::Batch {
            tenant: self.tenant,
            name: self.batch,
            allowed,
            state: BatchState::Open,
            certificates: match self.no_expiry {
                true => CertificateLife::Never,
                false => CertificateLife::Years(self.years),
            },
            again: if self.again { Again::Always } else { Again::UntilHeard },
            enrolled: 0,
            created: now(),
            expires: self.expires_in_days.map(|days| UnixSeconds(now().0 + days * DAY)),
        };
        let added = admin.add_batch(batch, ids)?;
        hub.output.answer(&added, || {
            let (name, tenant, room) = (&added.name, &added.tenant, added.room());
            format!("batch {name} of {tenant} added, for {room} boards")
        })
    }
}

/// Changes every board that was enrolled in a batch: each has it as a label.
fn change(
    hub: &Invocation,
    tenant: &TenantId,
    name: &BatchName,
    done: &str,
    change: impl Fn(&Admin, &BoardId) -> Result<Ended, AdminError>,
) -> Result<(), Failure> {
    let admin = hub.admin()?;
    admin.batch(tenant, name)?;
    let (key, value) = (String::from("batch"), name.to_string());
    let selection = Selection { tenant: tenant.clone(), key, value };
    board::change_selected(hub, &admin, &selection, done, change)
}

fn read_ids(file: &Path, bytes: &[u8]) -> Result<Vec<BoardId>, Failure> {
    let name = file.display();
    let text = str::from_utf8(bytes)
        .map_err(|error| Failure::Unusable(format!("cannot read {name}: {error}")))?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let ids: Result<Vec<BoardId>, Failure> = lines
        .map(|(number, line)| {
            line.parse().map_err(|error| Failure::Unusable(format!("{name}:{number}: {error}")))
        })
        .collect();
    match ids? {
        ids if ids.is_empty() => Err(Failure::Unusable(format!("{name} has no hardware ids"))),
        ids => Ok(ids),
    }
}

fn list(hub: &Invocation, tenant: Option<&TenantId>) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let store = admin.store();
    if let Some(tenant) = tenant {
        admin.tenant(tenant)?;
    }
    let head = format!("{:<32} {:<32} {:>9} {:>9} STATE", "BATCH", "TENANT", "ENROLLED", "OF");
    let batches = store.batches().list(tenant).map(|batch| Ok(batch?));
    hub.output.list(&head, batches, |batch| {
        let (enrolled, room) = (batch.enrolled, batch.room());
        let state = state(batch);
        format!("{:<32} {:<32} {enrolled:>9} {room:>9} {state}", batch.name, batch.tenant)
    })
}

fn state(batch: &storage::Batch) -> String {
    match (batch.state, batch.expires) {
        (BatchState::Closed { since }, _) => format!("closed since {}", output::moment(since)),
        (BatchState::Open, Some(at)) if at < now() => format!("expired {}", output::moment(at)),
        (BatchState::Open, Some(at)) => format!("open until {}", output::moment(at)),
        (BatchState::Open, None) => String::from("open"),
    }
}

fn table(batch: &storage::Batch) -> String {
    let allowed = match &batch.allowed {
        Allowed::List { count } => format!("a list of {count} hardware ids"),
        Allowed::Prefix { prefix, max } => format!("{prefix}..., at most {max} boards"),
    };
    let life = match batch.certificates {
        CertificateLife::Years(years) => format!("{years} years"),
        CertificateLife::Never => String::from("without a known end"),
    };
    let again = match batch.again {
        Again::UntilHeard => "boards the hub has not heard yet",
        Again::Always => "every board",
    };
    let rows = [
        ("batch", batch.name.to_string()),
        ("tenant", batch.tenant.to_string()),
        ("state", state(batch)),
        ("boards", allowed),
        ("enrolled", batch.enrolled.to_string()),
        ("certificates", life),
        ("once more", String::from(again)),
        ("created", output::moment(batch.created)),
    ];
    rows.iter().map(|(name, of)| format!("{name:<12} {of}")).collect::<Vec<_>>().join("\n")
}

fn close(hub: &Invocation, tenant: &TenantId, name: &BatchName) -> Result<(), Failure> {
    let batch = hub.admin()?.close_batch(tenant, name, now())?;
    hub.output.answer(&batch, || format!("batch {name} of {tenant} closed"))
}
