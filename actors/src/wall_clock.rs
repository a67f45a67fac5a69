//! The time of day: the one place of this crate that looks at it.
//!
//! It is told to boards and written down for people. Invariant: nothing waits for it or ends by it;
//! whatever lasts is measured on the monotonic clock, so that no jump ends anything twice or never.

use std::time::SystemTime;

use storage::UnixSeconds;

use crate::coap::UnixMillis;

/// Now, as the system has it; 1970 before that.
#[must_use]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The same in seconds, for what is judged by dates.
#[must_use]
pub fn seconds() -> UnixSeconds {
    UnixSeconds(now().0 / 1000)
}
