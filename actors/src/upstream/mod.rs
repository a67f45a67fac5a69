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
mod secrets;
mod standing;

use std::sync::Arc;

use actix::ArbiterHandle;
use storage::{MqttUpstream, TenantId, Upstream, UpstreamKind, UpstreamName};

use crate::barred::Barred;
use crate::metrics::Metrics;
pub use delivery::{Deliver, MessageId, Outcome, Uplink};
pub use error::UpstreamError;
pub use handle::UpstreamHandle;
pub use mqtt::{Probe, Stage, Step};
pub use secrets::{UpstreamSecrets, is_client_key, password_of};
pub use standing::{Status, Trouble};

/// Tries a broker out on a connection of its own: everything that a reading needs, up to the broker's
/// acknowledgement of this one. It has the upstream's client identifier, so the adapter must not be
/// connected: the broker would throw it out.
///
/// # Errors
/// As [`start`].
pub async fn probe(
    tenant: &TenantId,
    name: &UpstreamName,
    broker: &MqttUpstream,
    secrets: &UpstreamSecrets,
    uplink: Uplink,
) -> Result<Probe, UpstreamError> {
    Ok(mqtt::probe(&mqtt::Spec::load(tenant, name, broker, secrets)?, uplink).await)
}

/// Starts the adapter of a configured upstream on an arbiter; it connects by itself, again and again.
/// Readings of those whom `barred` holds are not taken.
///
/// Reads the CA and certificate files before it returns, and those of password and key where they are
/// not among `secrets`, and never again: a changed file takes effect with a new adapter.
///
/// # Errors
/// A file is missing or does not hold what it should, or a value cannot be worked with; the error
/// names it. An upstream that cannot be reached is no error here: it answers [`Outcome::Down`].
pub fn start(
    spec: &Upstream,
    secrets: &UpstreamSecrets,
    arbiter: &ArbiterHandle,
    metrics: Arc<Metrics>,
    barred: Arc<Barred>,
) -> Result<UpstreamHandle, UpstreamError> {
    match &spec.kind {
        UpstreamKind::Discard => Ok(UpstreamHandle::discard()),
        UpstreamKind::Mqtt(mqtt) => {
            let spec = mqtt::Spec::load(&spec.tenant, &spec.name, mqtt, secrets)?;
            let (adapter, standing) = mqtt::start(spec, arbiter, &metrics, Arc::clone(&barred));
            Ok(UpstreamHandle::mqtt(adapter, standing, barred, metrics))
        }
    }
}
