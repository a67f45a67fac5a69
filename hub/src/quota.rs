//! The configuration's quotas in the store's terms.
//!
//! Knows nothing of tenants: which of their own bounds they have is theirs to say.

use storage::{Bounds, Quota};

use crate::config;

/// As a tenant's own would be, with every bound given.
#[must_use]
pub fn bounds(quota: &config::Quota) -> Quota {
    Quota {
        board: Bounds {
            messages_per_minute: Some(quota.board_messages_per_minute),
            bytes_per_minute: Some(quota.board_bytes_per_minute),
            handshakes_per_hour: Some(quota.board_handshakes_per_hour),
            in_flight_max: Some(quota.board_in_flight_max),
        },
        tenant: Bounds {
            messages_per_minute: Some(quota.tenant_messages_per_minute),
            bytes_per_minute: Some(quota.tenant_bytes_per_minute),
            handshakes_per_hour: Some(quota.tenant_handshakes_per_hour),
            in_flight_max: Some(quota.tenant_in_flight_max),
        },
        // A tenant's, with its SIMs.
        data_plan: None,
    }
}
