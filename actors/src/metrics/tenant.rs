//! What is counted of tenants and of quotas.
//! Invariant: tenants' names are the configuration's; scope and kind come from a closed set.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::labels::QuotaKind;
use super::series::Series;
use super::{counters, gauges};

/// The series of all tenants.
pub(super) struct TenantSeries {
    pub(super) refused: Series<QuotaKind>,
    messages: IntCounterVec,
    bytes: IntCounterVec,
    in_flight: IntGaugeVec,
    used: IntGaugeVec,
}

impl TenantSeries {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            refused: Series::new(
                &counters(
                    to,
                    "hub_quota_refused_total",
                    "What was refused for a quota, by whose it was and of what.",
                    &["scope", "kind"],
                )?,
                |kind: QuotaKind| vec![kind.scope(), kind.of()],
            )?,
            messages: counters(
                to,
                "hub_tenant_messages_total",
                "Readings, and requests for certificates, of the tenant's boards that were within quota.",
                &["tenant"],
            )?,
            bytes: counters(to, "hub_tenant_bytes_total", "Bytes of those.", &["tenant"])?,
            in_flight: gauges(
                to,
                "hub_tenant_in_flight",
                "Readings of the tenant's boards that wait for its upstreams' word.",
                &["tenant"],
            )?,
            used: gauges(
                to,
                "hub_tenant_quota_used_percent",
                "How much of the tenant's own quota is used up, where it has one.",
                &["tenant", "kind"],
            )?,
        })
    }

    /// Messages and bytes, by tenant.
    pub(super) const fn taken(&self) -> (&IntCounterVec, &IntCounterVec) {
        (&self.messages, &self.bytes)
    }

    pub(super) fn of(&self, tenant: &str) -> TenantMetrics {
        TenantMetrics {
            tenant: tenant.to_owned(),
            messages: self.messages.with_label_values(&[tenant]),
            bytes: self.bytes.with_label_values(&[tenant]),
            in_flight: self.in_flight.with_label_values(&[tenant]),
            used: self.used.clone(),
        }
    }
}

/// The series of one tenant, resolved once.
pub struct TenantMetrics {
    tenant: String,
    messages: IntCounter,
    bytes: IntCounter,
    in_flight: IntGauge,
    used: IntGaugeVec,
}

impl TenantMetrics {
    /// A reading was within quota.
    pub fn took(&self, bytes: u64) {
        self.messages.inc();
        self.bytes.inc_by(bytes);
    }

    /// Readings on their way now.
    pub fn in_flight(&self, count: u32) {
        self.in_flight.set(i64::from(count));
    }

    /// How much of a quota is used up now.
    pub fn used(&self, kind: QuotaKind, percent: u64) {
        let used = self.used.with_label_values(&[self.tenant.as_str(), kind.of()]);
        used.set(i64::try_from(percent).unwrap_or(i64::MAX));
    }
}
