//! `cellular-hub tenant quota` and how quotas are shown.

use std::fmt::Write as _;
use std::str::FromStr;

use clap::Args;
use storage::{Quota, TenantId};

use super::{Failure, Invocation};

/// Set a tenant's own quotas; without options, show what counts.
///
/// Each takes a number, 0 for no bound, or `default` for the configuration's. A running hub
/// counts by them at once, with full buckets.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  cellular-hub tenant quota acme --board-messages-per-minute 60 --tenant-in-flight-max 5000")]
pub(super) struct SetQuota {
    /// The tenant.
    pub(super) tenant: TenantId,
    #[command(flatten)]
    board: OfBoard,
    #[command(flatten)]
    all: OfTenant,
}

#[derive(Args, Debug)]
#[group(skip)]
struct OfBoard {
    /// Readings of each board a minute.
    #[arg(long, value_name = "N")]
    board_messages_per_minute: Option<Bound>,
    /// Bytes of their payloads a minute.
    #[arg(long, value_name = "N")]
    board_bytes_per_minute: Option<Bound>,
    /// Handshakes of each board an hour.
    #[arg(long, value_name = "N")]
    board_handshakes_per_hour: Option<Bound>,
    /// Readings of each board that wait for the upstream at once.
    #[arg(long, value_name = "N")]
    board_in_flight_max: Option<Bound>,
    /// Bytes a month of each board's data plan: an update that would not fit waits, and readings never do.
    #[arg(long, value_name = "BYTES")]
    data_plan: Option<Bound>,
}

#[derive(Args, Debug)]
#[group(skip)]
struct OfTenant {
    /// Readings of all boards together a minute.
    #[arg(long, value_name = "N")]
    tenant_messages_per_minute: Option<Bound>,
    /// Bytes of their payloads a minute.
    #[arg(long, value_name = "N")]
    tenant_bytes_per_minute: Option<Bound>,
    /// Handshakes of all boards together an hour.
    #[arg(long, value_name = "N")]
    tenant_handshakes_per_hour: Option<Bound>,
    /// Readings of all boards together that wait for the upstreams at once.
    #[arg(long, value_name = "N")]
    tenant_in_flight_max: Option<Bound>,
}

/// A number, or whatever the configuration says.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Default,
    Own(u32),
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let rule = || "a whole number up to 4294967295, 0 for no bound, or `default`".to_owned();
        text.parse().map(Self::Own).map_err(|_| rule())
    }
}

impl Bound {
    fn own(self) -> Option<u32> {
        match self {
            Self::Default => None,
            Self::Own(bound) => Some(bound),
        }
    }
}

impl SetQuota {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        let tenant = match self.is_empty() {
            true => admin.tenant(&self.tenant)?,
            false => admin.set_quota(&self.tenant, |quota| self.apply(quota))?,
        };
        let default = crate::quota::bounds(&hub.config()?.quota);
        hub.output.answer(&tenant, || table(tenant.quota, default))
    }

    fn is_empty(&self) -> bool {
        let mut quota = Quota::default();
        let mut given = 0;
        self.each(&mut quota, |_, _| given += 1);
        given == 0
    }

    fn apply(&self, quota: &mut Quota) {
        self.each(quota, |bound, given| *bound = given.own());
    }

    /// Every bound that was given.
    fn each(&self, quota: &mut Quota, mut take: impl FnMut(&mut Option<u32>, Bound)) {
        let (board, all) = (&self.board, &self.all);
        let given = [
            (&mut quota.board.messages_per_minute, board.board_messages_per_minute),
            (&mut quota.board.bytes_per_minute, board.board_bytes_per_minute),
            (&mut quota.board.handshakes_per_hour, board.board_handshakes_per_hour),
            (&mut quota.board.in_flight_max, board.board_in_flight_max),
            (&mut quota.data_plan, board.data_plan),
            (&mut quota.tenant.messages_per_minute, all.tenant_messages_per_minute),
            (&mut quota.tenant.bytes_per_minute, all.tenant_bytes_per_minute),
            (&mut quota.tenant.handshakes_per_hour, all.tenant_handshakes_per_hour),
            (&mut quota.tenant.in_flight_max, all.tenant_in_flight_max),
        ];
        for (bound, given) in given {
            if let Some(given) = given {
                take(bound, given);
            }
        }
    }
}

/// What counts, and which of it is the configuration's.
pub(super) fn table(own: Quota, default: Quota) -> String {
    let in_force = own.or(default);
    let rows = [
        (
            "messages a minute",
            own.board.messages_per_minute,
            in_force.board.messages_per_minute,
            own.tenant.messages_per_minute,
            in_force.tenant.messages_per_minute,
        ),
        (
            "bytes a minute",
            own.board.bytes_per_minute,
            in_force.board.bytes_per_minute,
            own.tenant.bytes_per_minute,
            in_force.tenant.bytes_per_minute,
        ),
        (
            "handshakes an hour",
            own.board.handshakes_per_hour,
            in_force.board.handshakes_per_hour,
            own.tenant.handshakes_per_hour,
            in_force.tenant.handshakes_per_hour,
        ),
        (
            "in flight",
            own.board.in_flight_max,
            in_force.board.in_flight_max,
            own.tenant.in_flight_max,
            in_force.tenant.in_flight_max,
        ),
    ];
    let mut text = format!("{:<20} {:<24} {:<24}", "QUOTA", "EACH BOARD", "ALL TOGETHER");
    for (of, own_board, board, own_all, all) in rows {
        let (board, all) = (cell(own_board, board), cell(own_all, all));
        // Writing to a string does not fail.
        let _ = write!(text, "\n{of:<20} {board:<24} {all:<24}");
    }
    let plan = match in_force.data_plan {
        None => String::from("not known"),
        bound => cell(bound, bound),
    };
    let _ = write!(text, "\n{:<20} {plan}", "data plan a month");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cell(own: Option<u32>, in_force: Option<u32>) -> String {
    let bound = match in_force {
        None | Some(0) => "no bound".to_owned(),
        Some(bound) => bound.to_string(),
    };
    if own.is_some() { bound } else { format!("{bound} (default)") }
}
