//! HTTP of the hub. Today: monitoring, for Prometheus and for whatever restarts the hub.
//!
//! Invariant: nothing here changes anything; a request reads counters and a readiness closure.

mod monitoring;

pub use self::monitoring::{HttpError, bind, monitoring, monitoring_on};
