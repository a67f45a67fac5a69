//! A tenant's upstream: where its boards' readings are delivered, and who says that they were.
//!
//! [`start`] makes the adapter; a session hands it a [`Deliver`] and learns the one [`Outcome`].
//! Invariant: nothing is kept here. What the upstream has not acknowledged when a connection ends is
//! answered [`Outcome::Down`], never delivered later behind the board's back. No payload, password
//! or key is ever logged.

mod delivery;
mod error;
mod handle;
mod mqtt;

use std::sync::Arc;

use actix::ArbiterHandle;
use storage::{Upstream, UpstreamKind};

use crate::metrics::Metrics;
pub use delivery::{Deliver, MessageId, Outcome, Uplink};
pub use error::UpstreamError;
pub use handle::UpstreamHandle;

/// Starts the adapter of a configured upstream on an arbiter; it connects by itself, again and again.
///
/// Reads the CA, password, certificate and key files before it returns, and never again: a changed
/// file takes effect with a new adapter.
///
/// # Errors
/// A file is missing or does not hold what it should, or a value cannot be worked with; the error
/// names it. An upstream that cannot be reached is no error here: it answers [`Outcome::Down`].
pub fn start(
    spec: &Upstream,
    arbiter: &ArbiterHandle,
    metrics: Arc<Metrics>,
) -> Result<UpstreamHandle, UpstreamError> {
    match &spec.kind {
        UpstreamKind::Discard => Ok(UpstreamHandle::discard()),
        UpstreamKind::Mqtt(mqtt) => {
            let spec = mqtt::Spec::load(&spec.tenant, &spec.name, mqtt)?;
            let (adapter, up, barred) = mqtt::start(spec, arbiter, &metrics);
            Ok(UpstreamHandle::mqtt(adapter, up, barred, metrics))
        }
    }
}
