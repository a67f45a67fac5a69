//! `cellular-hub tenant`.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use storage::{TenantId, TenantState};

use super::quota::{self, SetQuota};
use super::{Failure, Files, Invocation, now, output};
use crate::trust::Anchor;

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Add a tenant, with a certificate authority for its boards.
    ///
    /// The authority is made in the pki folder, under the hub's root (`ca init`), unless the
    /// tenant brings its own with --authority; `authority import` says more about one, or adds others.
    Add {
        /// The tenant's name in keys and topics: 1 to 32 of a-z, 0-9 and '-'.
        tenant: TenantId,
        /// The name people read [default: the tenant's id].
        #[arg(long)]
        name: Option<String>,
        /// The certificate, PEM or DER, of the tenant's own authority; `ca issue` is then the
        /// tenant's business.
        #[arg(long, value_name = "FILE")]
        authority: Option<PathBuf>,
    },
    /// List the tenants.
    List,
    /// Show a tenant and its quotas.
    Show {
        /// The tenant.
        tenant: TenantId,
    },
    Quota(SetQuota),
    /// Refuse every board of a tenant until it is resumed; in a running hub their sessions end.
    Suspend {
        /// The tenant.
        tenant: TenantId,
        /// Why, in words, for the journal.
        #[arg(long)]
        reason: String,
    },
    /// Let the boards of a suspended tenant connect again.
    Resume {
        /// The tenant.
        tenant: TenantId,
    },
    /// Remove a tenant without boards, with its upstreams and routes.
    ///
    /// The tenant's authority stays in the pki folder: what it signed stays signed.
    Remove {
        /// The tenant.
        tenant: TenantId,
    },
}

impl Tenant {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add { tenant, name, authority } => add(hub, tenant, name, authority),
            Self::List => list(hub),
            Self::Show { tenant } => show(hub, &tenant),
            Self::Quota(quota) => quota.run(hub),
            Self::Suspend { tenant, reason } => suspend(hub, &tenant, &reason),
            Self::Resume { tenant } => {
                let resumed = hub.admin()?.resume(&tenant)?;
                hub.output.answer(&resumed, || format!("tenant {tenant} resumed"))
            }
            Self::Remove { tenant } => remove(hub, &tenant),
        }
    }

    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        let read = match self {
            Self::Add { authority, .. } => authority.clone(),
            Self::List
            | Self::Show { .. }
            | Self::Quota(_)
            | Self::Suspend { .. }
            | Self::Resume { .. }
            | Self::Remove { .. } => None,
        };
        Files { read: read.into_iter().collect(), ..Files::default() }
    }
}

fn suspend(hub: &Invocation, id: &TenantId, reason: &str) -> Result<(), Failure> {
    let (tenant, ended) = hub.admin()?.suspend(id, reason)?;
    let answer = json!({ "tenant": tenant, "sessions_ended": ended });
    hub.output.answer(&answer, || {
        let sessions = output::ended(ended);
        format!("tenant {id} suspended{sessions}")
    })
}

fn add(
    hub: &Invocation,
    id: TenantId,
    name: Option<String>,
    authority: Option<PathBuf>,
) -> Result<(), Failure> {
    let admin = hub.admin_or_new()?;
    let own = match authority {
        Some(file) => Some(Anchor::parse(&file, &hub.read(&file)?, now())?),
        None => None,
    };
    let name = name.unwrap_or_else(|| id.to_string());
    let tenant = admin.add_tenant::<Failure>(&id, name, own, (&hub.pki()?, now()))?;
    hub.output.answer(&tenant, || format!("tenant {} added", tenant.id))
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    tenant: storage::Tenant,
    boards: usize,
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let store = hub.store()?;
    let counts = store.boards().count_by_tenant()?;
    let lines = store.tenants().list().map(|tenant| {
        let tenant = tenant?;
        Ok(Line { boards: counts.get(&tenant.id).copied().unwrap_or(0), tenant })
    });
    let head = format!(
        "{:<32} {:>9} {:<9} {:<20} {:<7} NAME",
        "TENANT", "BOARDS", "STATE", "CREATED", "QUOTA"
    );
    hub.output.list(&head, lines, |Line { tenant, boards }| {
        let (state, created) = (state(tenant.state), output::moment(tenant.created));
        let quota = if tenant.quota == storage::Quota::default() { "default" } else { "own" };
        format!("{:<32} {boards:>9} {state:<9} {created:<20} {quota:<7} {}", tenant.id, tenant.name)
    })
}

fn state(state: TenantState) -> &'static str {
    match state {
        TenantState::Active => "active",
        TenantState::Suspended => "suspended",
    }
}

fn show(hub: &Invocation, id: &TenantId) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let (store, tenant) = (admin.store(), admin.tenant(id)?);
    let line = Line { boards: store.boards().count_of_tenant(id)?, tenant };
    let default = crate::quota::bounds(&hub.config()?.quota);
    hub.output.answer(&line, || {
        let Line { tenant, boards } = &line;
        let (state, created) = (state(tenant.state), output::moment(tenant.created));
        let head = format!("tenant {id} ({}): {state}, {boards} boards, {created}", tenant.name);
        format!("{head}\n\n{}", quota::table(tenant.quota, default))
    })
}

fn remove(hub: &Invocation, id: &TenantId) -> Result<(), Failure> {
    hub.admin()?.remove_tenant(id)?;
    hub.output.answer(&json!({ "removed": id }), || format!("tenant {id} removed"))
}
