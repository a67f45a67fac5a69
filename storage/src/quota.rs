//! How much a tenant and each of its boards may take of the hub.

use bincode::{Decode, Encode};
use serde::Serialize;

/// Bounds for each board of a tenant, and for all of them together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Quota {
    /// For each board.
    pub board: Bounds,
    /// For all the tenant's boards together.
    pub tenant: Bounds,
    /// Bytes a month that each board's data plan has, where it is known; 0 is no bound. An update that
    /// would not fit waits; readings never do.
    pub data_plan: Option<u32>,
}

/// A quota as it was written before data plans were.
#[derive(Decode)]
pub(crate) struct WithoutPlan {
    board: Bounds,
    tenant: Bounds,
}

impl From<WithoutPlan> for Quota {
    fn from(WithoutPlan { board, tenant }: WithoutPlan) -> Self {
        Self { board, tenant, data_plan: None }
    }
}

/// Bounds, each of which may be left to somebody else; 0 is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Bounds {
    /// Readings a minute; a minute's worth may come at once.
    pub messages_per_minute: Option<u32>,
    /// Bytes of their payloads a minute; a minute's worth may come at once.
    pub bytes_per_minute: Option<u32>,
    /// Handshakes an hour; an hour's worth may come at once.
    pub handshakes_per_hour: Option<u32>,
    /// Readings that may wait for an upstream's word.
    pub in_flight_max: Option<u32>,
}

impl Quota {
    /// These bounds, and `others` where there are none.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            board: self.board.or(others.board),
            tenant: self.tenant.or(others.tenant),
            data_plan: self.data_plan.or(others.data_plan),
        }
    }
}

impl Bounds {
    fn or(self, others: Self) -> Self {
        Self {
            messages_per_minute: self.messages_per_minute.or(others.messages_per_minute),
            bytes_per_minute: self.bytes_per_minute.or(others.bytes_per_minute),
            handshakes_per_hour: self.handshakes_per_hour.or(others.handshakes_per_hour),
            in_flight_max: self.in_flight_max.or(others.in_flight_max),
        }
    }
}
