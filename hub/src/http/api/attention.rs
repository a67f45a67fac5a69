//! What wants somebody's looking after, each by a code from a closed list, in words, and how much.
//!
//! Invariant: somebody is told what they may see in any case, and nothing more.

use serde::Serialize;
use storage::{Store, TenantId, UnixSeconds};
use utoipa::ToSchema;

use super::caller::Caller;
use crate::people::{Permission, Reach};
use crate::watch::{ENDING_DAYS, Fleet, Host, Watch};

const DAY_S: u64 = 24 * 60 * 60;
/// Upstreams that are named one by one.
const NAMED_MAX: usize = 20;
/// Of how many parts of the disk one has to be free.
const FREE_OF: u64 = 10;

/// Something that wants looking after.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
pub(super) struct Attention {
    /// How bad it is.
    severity: Severity,
    /// What it is.
    code: AttentionCode,
    /// How many of it there are.
    count: u64,
    /// Whose it is, where it is one tenant's.
    tenant: Option<String>,
    /// What it is about.
    subject: Option<String>,
    /// In words.
    #[schema(example = "Connection refused (os error 111)")]
    detail: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Severity {
    /// Something does not work.
    Critical,
    /// Something will not, or does not for some.
    Warning,
    /// Somebody is waited for.
    Info,
}

/// What it is. Codes are only ever added.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AttentionCode {
    /// The store failed: nothing new is remembered until a restart.
    StoreFailed,
    /// Less than a tenth of the store's disk is free.
    DiskLow,
    /// The keys that sign cannot be used.
    KeysUnavailable,
    /// The certificate that the hub shows to boards ends soon, or has ended.
    CertificateOfHubEnds,
    /// An upstream takes no readings.
    UpstreamDown,
    /// Upstreams beside those that are named take none.
    UpstreamsDown,
    /// Boards' certificates have ended.
    CertificatesEnded,
    /// Boards' certificates end within 30 days.
    CertificatesEnding,
    /// Boards are held: more than one seems to have what only one board has.
    BoardsHeld,
    /// Boards that may connect were heard once, and not for a day.
    BoardsSilent,
    /// All boards of a tenant are refused.
    TenantSuspended,
    /// What was asked for waits for a second person.
    ApprovalsWaiting,
}

impl Attention {
    fn new(code: AttentionCode, severity: Severity, count: u64, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { severity, code, count, tenant: None, subject: None, detail }
    }

    fn of(self, tenant: &TenantId, subject: &str) -> Self {
        let (tenant, subject) = (Some(tenant.to_string()), Some(subject.to_owned()));
        Self { tenant, subject, ..self }
    }
}

/// What wants looking after, as far as somebody may see it; the worst first. May wait for the disk.
pub(super) fn attention(
    caller: &Caller,
    fleet: &Fleet,
    watch: &Watch,
    store: &Store,
    now: UnixSeconds,
) -> Vec<Attention> {
    let mut all = Vec::new();
    if caller.powers.has_everywhere(Permission::SystemRead) {
        all.extend(of_store(store));
        all.extend(of_host(&watch.host(), now));
    }
    let seen = |permission| caller.powers.reach(permission);
    of_upstreams(fleet, &seen(Permission::RoutesRead), &mut all);
    of_boards(fleet, &seen(Permission::BoardsRead), &mut all);
    let reach = seen(Permission::TenantsRead);
    for tenant in fleet.suspended.iter().filter(|tenant| reach.includes(tenant)).take(NAMED_MAX) {
        let detail = "the tenant is suspended: its boards are refused";
        let one = Attention::new(AttentionCode::TenantSuspended, Severity::Info, 1, detail);
        all.push(one.of(tenant, tenant.as_str()));
    }
    let waiting = fleet.approvals.iter().filter(|tenant| match tenant {
        Some(tenant) => caller.powers.has_in(Permission::ApprovalsRead, tenant),
        None => caller.powers.has_everywhere(Permission::ApprovalsRead),
    });
    let waiting = count(waiting.count());
    if waiting > 0 {
        let detail = format!("{waiting} asked for what takes a second person");
        let code = AttentionCode::ApprovalsWaiting;
        all.push(Attention::new(code, Severity::Info, waiting, detail));
    }
    all.sort();
    all
}

fn of_store(store: &Store) -> Option<Attention> {
    let failure = store.failure()?;
    Some(Attention::new(AttentionCode::StoreFailed, Severity::Critical, 1, failure))
}

fn of_host(host: &Host, now: UnixSeconds) -> Vec<Attention> {
    let mut all = Vec::new();
    if let Some(disk) = host.disk.filter(|disk| disk.free < disk.total / FREE_OF) {
        let mib = disk.free / (1024 * 1024);
        let detail = format!("{mib} MiB are free on the store's disk: a full one stops the store");
        all.push(Attention::new(AttentionCode::DiskLow, Severity::Warning, 1, detail));
    }
    if let Some(trouble) = &host.key_trouble {
        let code = AttentionCode::KeysUnavailable;
        all.push(Attention::new(code, Severity::Critical, 1, trouble.as_str()));
    }
    if let Some(end) = host.certificate_end {
        let days = end.0.saturating_sub(now.0) / DAY_S;
        let (severity, detail) = match days {
            _ if end <= now => (Severity::Critical, String::from("it has ended: boards refuse it")),
            0..7 => (Severity::Critical, format!("it ends in {days} days")),
            7..ENDING_DAYS => (Severity::Warning, format!("it ends in {days} days")),
            _ => return all,
        };
        all.push(Attention::new(AttentionCode::CertificateOfHubEnds, severity, 1, detail));
    }
    all
}

fn of_upstreams(fleet: &Fleet, reach: &Reach, all: &mut Vec<Attention>) {
    let seen = fleet.upstreams.iter().filter(|(tenant, ..)| reach.includes(tenant));
    let mut down = seen.filter_map(|(tenant, name, status)| {
        let trouble = status.trouble.as_ref().filter(|_| !status.up)?;
        Some((tenant, name, trouble))
    });
    for (tenant, name, trouble) in down.by_ref().take(NAMED_MAX) {
        let (code, detail) = (AttentionCode::UpstreamDown, trouble.detail.as_str());
        let one = Attention::new(code, Severity::Critical, 1, detail);
        all.push(one.of(tenant, name.as_str()));
    }
    let others = count(down.count());
    if others > 0 {
        let (code, detail) = (AttentionCode::UpstreamsDown, format!("{others} others are down"));
        all.push(Attention::new(code, Severity::Critical, others, detail));
    }
}

fn of_boards(fleet: &Fleet, reach: &Reach, all: &mut Vec<Attention>) {
    let counts = fleet.boards(reach);
    let ending = format!("boards have to renew their certificate within {ENDING_DAYS} days");
    for (code, count, detail) in [
        (AttentionCode::CertificatesEnded, counts.ended, "boards' certificates have ended"),
        (AttentionCode::CertificatesEnding, counts.ending, ending.as_str()),
        (AttentionCode::BoardsHeld, counts.held, "boards are held: look at why, then release them"),
        (AttentionCode::BoardsSilent, counts.silent, "boards were not heard for a day"),
    ] {
        if count > 0 {
            all.push(Attention::new(code, Severity::Warning, count, detail));
        }
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
