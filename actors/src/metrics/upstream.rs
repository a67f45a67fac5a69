//! The series of one configured upstream.
//! Invariant: they exist exactly as long as the upstream's adapter; the names are the configuration's.

use std::sync::Arc;

use prometheus::IntGauge;

use super::Metrics;
use super::labels::{ConnectionEnd, Label};

/// Connected or not, how much is in flight, why connections ended. Owned by the adapter.
pub struct UpstreamMetrics {
    metrics: Arc<Metrics>,
    tenant: String,
    upstream: String,
    connected: IntGauge,
    in_flight: IntGauge,
}

impl UpstreamMetrics {
    pub(super) fn new(metrics: Arc<Metrics>, tenant: &str, upstream: &str) -> Self {
        let names = [tenant, upstream];
        let connected = metrics.upstream_connected.with_label_values(&names);
        let in_flight = metrics.upstream_in_flight.with_label_values(&names);
        Self {
            tenant: tenant.to_owned(),
            upstream: upstream.to_owned(),
            connected,
            in_flight,
            metrics,
        }
    }

    /// Whether deliveries are taken now.
    pub fn connected(&self, is: bool) {
        self.connected.set(i64::from(is));
    }

    /// How many publishes wait for their acknowledgement now.
    pub fn in_flight(&self, count: usize) {
        self.in_flight.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A connection, or an attempt at one, ended.
    pub fn ended(&self, end: ConnectionEnd) {
        self.metrics
            .upstream_connections_ended
            .with_label_values(&[&self.tenant, &self.upstream, end.label()])
            .inc();
    }
}

impl Drop for UpstreamMetrics {
    fn drop(&mut self) {
        let names = [self.tenant.as_str(), self.upstream.as_str()];
        // An error says that the series is not there, which is what is wanted.
        let _ = self.metrics.upstream_connected.remove_label_values(&names);
        let _ = self.metrics.upstream_in_flight.remove_label_values(&names);
        for end in ConnectionEnd::ALL {
            let _ = self.metrics.upstream_connections_ended.remove_label_values(&[
                names[0],
                names[1],
                end.label(),
            ]);
        }
    }
}
