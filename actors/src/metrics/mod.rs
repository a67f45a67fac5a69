//! What the hub counts, in a registry of its own, with one typed method for each event.
//! Invariant: a label's value comes from a closed enum or from the configuration (tenant, upstream);
//! never from a board, a payload or an address. Every series of the hot path is resolved once, here.

mod campaign;
mod firmware;
mod labels;
mod series;
mod tenant;
mod totals;
mod trust;
mod upstream;

use crate::campaign::CampaignStanding;
use crate::coap::DropReason;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

use campaign::CampaignSeries;
use firmware::FirmwareSeries;
pub use labels::{
    ActorKind, BlockEnd, CampaignBoards, CertificateKind, ConnectionEnd, EndsWithin, EnrolmentEnd,
    EnrolmentKind, EnrolmentWay, HandshakeEnd, KeyKind, Label, MessageOutcome, Publication,
    PublicationEnd, QuotaKind, RecordDrop, ReportEnd, RouteKind, SessionEnd,
};
use series::{CodeSeries, DepthSeries, Series};
pub use tenant::TenantMetrics;
use tenant::TenantSeries;
pub use totals::{Taken, Totals};
use trust::TrustSeries;
pub use upstream::UpstreamMetrics;

/// Upper bounds of `hub_acknowledge_seconds`: a local broker at the left, a modem's patience right.
const ACKNOWLEDGE_BUCKETS_S: [f64; 16] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of `hub_session_wake_seconds`: from memory at the left, from a busy disk right.
const WAKE_BUCKETS_S: [f64; 10] =
    [0.000_05, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25];

/// The hub's counters. Shared by every arbiter; an increment is one atomic addition.
pub struct Metrics {
    registry: Registry,
    handshakes: Series<HandshakeEnd>,
    handshakes_in_progress: IntGauge,
    sessions: IntGauge,
    sessions_stored: IntGauge,
    sessions_ended: Series<SessionEnd>,
    wakes: Histogram,
    datagrams_received: IntCounter,
    records_dropped: Series<RecordDrop>,
    coap_dropped: Series<DropReason>,
    messages_mqtt: Series<MessageOutcome>,
    messages_discard: Series<MessageOutcome>,
    messages_nowhere: Series<MessageOutcome>,
    acknowledge: Histogram,
    mailbox_depths: DepthSeries,
    mailbox_full: Series<ActorKind>,
    socket_drops: IntCounter,
    store_healthy: IntGauge,
    coap_requests: CodeSeries,
    upstream_connected: IntGaugeVec,
    upstream_in_flight: IntGaugeVec,
    upstream_connections_ended: IntCounterVec,
    tenants: TenantSeries,
    trust: TrustSeries,
    firmware: FirmwareSeries,
    campaign: CampaignSeries,
    boards_held: IntCounter,
}

impl Metrics {
    /// A registry with every series at nought.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "names, help texts and labels are constants; a test builds every one of them"
    )]
    pub fn new() -> Self {
        Self::build().expect("metric names are valid and distinct")
    }

    fn build() -> Result<Self, prometheus::Error> {
        let to = Registry::new();
        let info = gauges(
            &to,
            "hub_build_info",
            "1; says which build runs and with which OpenSSL.",
            &["version", "openssl"],
        )?;
        info.get_metric_with_label_values(&[
            env!("CARGO_PKG_VERSION"),
            openssl::version::version(),
        ])?
        .set(1);
        let messages = counters(
            &to,
            "hub_messages_total",
            "Messages that boards sent, by the route's kind and what became of them.",
            &["route_kind", "outcome"],
        )?;
        Ok(Self {
            handshakes: Series::new(
                &counters(
                    &to,
                    "hub_handshakes_total",
                    "DTLS handshakes that ended, by outcome and reason.",
                    &["outcome", "reason"],
                )?,
                |end: HandshakeEnd| vec![end.outcome(), end.label()],
            )?,
            handshakes_in_progress: gauge(
                &to,
                "hub_handshakes_in_progress",
                "DTLS handshakes past the cookie that have not ended.",
            )?,
            sessions: gauge(&to, "hub_sessions", "Sessions that live in memory.")?,
            sessions_stored: gauge(
                &to,
                "hub_sessions_stored",
                "Sessions in the store, awake or asleep.",
            )?,
            sessions_ended: Series::new(
                &counters(
                    &to,
                    "hub_sessions_ended_total",
                    "Sessions that ended, by reason.",
                    &["reason"],
                )?,
                |end: SessionEnd| vec![end.label()],
            )?,
            wakes: registered(
                &to,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "hub_session_wake_seconds",
                        "From a sleeping board's datagram to its session in memory.",
                    )
                    .buckets(WAKE_BUCKETS_S.to_vec()),
                )?,
            )?,
            datagrams_received: counter(
                &to,
                "hub_datagrams_received_total",
                "Datagrams read from the sockets.",
            )?,
            records_dropped: Series::new(
                &counters(
                    &to,
                    "hub_records_dropped_total",
                    "Datagrams and records dropped without an answer, by reason.",
                    &["reason"],
                )?,
                |drop: RecordDrop| vec![drop.label()],
            )?,
            coap_dropped: Series::new(
                &counters(
                    &to,
                    "hub_coap_dropped_total",
                    "CoAP messages, exchanges and uploads that came to nothing, by reason.",
                    &["reason"],
                )?,
                |reason: DropReason| vec![reason.label()],
            )?,
            messages_mqtt: Series::new(&messages, |outcome: MessageOutcome| {
                vec![RouteKind::Mqtt.label(), outcome.label()]
            })?,
            messages_discard: Series::new(&messages, |outcome: MessageOutcome| {
                vec![RouteKind::Discard.label(), outcome.label()]
            })?,
            messages_nowhere: Series::new(&messages, |outcome: MessageOutcome| {
                vec![RouteKind::Nowhere.label(), outcome.label()]
            })?,
            acknowledge: registered(
                &to,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "hub_acknowledge_seconds",
                        "From a reading's datagram to its acceptance by the upstream.",
                    )
                    .buckets(ACKNOWLEDGE_BUCKETS_S.to_vec()),
                )?,
            )?,
            mailbox_depths: DepthSeries::new(&gauges(
                &to,
                "hub_mailbox_depth_max",
                "Deepest mailbox seen since the last scrape, by the kind of actor.",
                &["actor"],
            )?)?,
            mailbox_full: Series::new(
                &counters(
                    &to,
                    "hub_mailbox_full_total",
                    "Messages given back because a mailbox was full, by the kind of actor.",
                    &["actor"],
                )?,
                |actor: ActorKind| vec![actor.label()],
            )?,
            socket_drops: counter(
                &to,
                "hub_socket_drops_total",
                "Datagrams the kernel dropped because a socket's buffer was full.",
            )?,
            coap_requests: CodeSeries::new(&counters(
                &to,
                "hub_coap_requests_total",
                "CoAP requests, by the code they were answered with.",
                &["code"],
            )?)?,
            upstream_connected: gauges(
                &to,
                "hub_upstream_connected",
                "1 while the upstream takes deliveries.",
                &["tenant", "upstream"],
            )?,
            upstream_in_flight: gauges(
                &to,
                "hub_upstream_in_flight",
                "Published and not yet acknowledged by the upstream.",
                &["tenant", "upstream"],
            )?,
            upstream_connections_ended: counters(
                &to,
                "hub_upstream_connections_ended_total",
                "Connections and attempts to connect that ended, by reason.",
                &["tenant", "upstream", "reason"],
            )?,
            tenants: TenantSeries::new(&to)?,
            trust: TrustSeries::new(&to)?,
            firmware: FirmwareSeries::new(&to)?,
            campaign: CampaignSeries::new(&to)?,
            boards_held: counter(
                &to,
                "hub_boards_held_total",
                "Boards that were held because there seemed to be two of them.",
            )?,
            store_healthy: {
                let healthy = gauge(
                    &to,
                    "hub_store_healthy",
                    "1 while the store takes what must be remembered; 0 until the hub is restarted.",
                )?;
                healthy.set(1);
                healthy
            },
            registry: to,
        })
    }

    /// A handshake ended.
    pub fn handshake_ended(&self, end: HandshakeEnd) {
        self.handshakes.of(end).inc();
    }

    /// One handshake more is in progress, where several workers count together.
    pub fn handshake_started(&self) {
        self.handshakes_in_progress.inc();
    }

    /// One handshake fewer is in progress; its outcome is [`Metrics::handshake_ended`]'s.
    pub fn handshake_left(&self) {
        self.handshakes_in_progress.dec();
    }

    /// A session began.
    pub fn session_started(&self) {
        self.sessions.inc();
    }

    /// How many sessions are stored now.
    pub fn sessions_stored(&self, count: usize) {
        self.sessions_stored.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A sleeping session is awake; `after` its datagram arrived.
    pub fn woken(&self, after: Duration) {
        self.wakes.observe(after.as_secs_f64());
    }

    /// A session that had begun ended.
    pub fn session_ended(&self, end: SessionEnd) {
        self.sessions.dec();
        self.sessions_ended.of(end).inc();
    }

    /// Something was refused because a quota is used up.
    pub fn over_quota(&self, kind: QuotaKind) {
        self.tenants.refused.of(kind).inc();
    }

    /// A board was held, for there seem to be two of it.
    pub fn board_held(&self) {
        self.boards_held.inc();
    }

    /// A certificate was asked for.
    pub fn enrolment(&self, way: EnrolmentWay, kind: EnrolmentKind, end: EnrolmentEnd) {
        self.trust.enrolment(way, kind, end);
    }

    /// So many boards were called for a rollout.
    pub fn firmware_calls(&self, count: usize) {
        self.firmware.calls.inc_by(count as u64);
    }

    /// How many boards run which release, by number; the most frequent first.
    pub fn firmware_boards(&self, releases: &[(u64, u64)], other: u64, unknown: u64) {
        self.firmware.boards(releases, other, unknown);
    }

    /// A board reported on its firmware.
    pub fn firmware_report(&self, end: ReportEnd) {
        self.firmware.reports.of(end).inc();
    }

    /// A board asked for a block of an image.
    pub fn firmware_block(&self, end: BlockEnd) {
        self.firmware.blocks.of(end).inc();
    }

    /// A board was given so many bytes of an image.
    pub fn firmware_bytes(&self, count: usize) {
        self.firmware.bytes.inc_by(count as u64);
    }

    /// A board was told to renew its certificate.
    pub fn told_to_renew(&self) {
        self.campaign.told.inc();
    }

    /// How far the campaigns are that run.
    pub fn campaigns(&self, running: &[CampaignStanding]) {
        self.campaign.show(running);
    }

    /// Somebody asked what is revoked.
    pub fn publication(&self, what: Publication, end: PublicationEnd) {
        self.trust.publication(what, end);
    }

    /// Certificates of this kind were counted by when they end.
    pub fn certificates_end(&self, kind: CertificateKind, ends: &storage::CertificateEnds) {
        self.trust.ends(kind, ends);
    }

    /// The key store was asked for a signature, and gave one or did not.
    pub fn key_signature(&self, key: KeyKind, took: Duration, is_signed: bool) {
        match is_signed {
            true => self.trust.signed(key, took.as_secs_f64()),
            false => self.trust.not_signed(key),
        }
    }

    /// The series of one tenant.
    #[must_use]
    pub fn tenant(&self, tenant: &str) -> TenantMetrics {
        self.tenants.of(tenant)
    }

    /// Datagrams were read in one batch.
    pub fn datagrams_received(&self, count: u64) {
        self.datagrams_received.inc_by(count);
    }

    /// A datagram or record was dropped.
    pub fn record_dropped(&self, reason: RecordDrop) {
        self.records_dropped.of(reason).inc();
    }

    /// What became of a message on a route of this kind.
    pub fn message(&self, kind: RouteKind, outcome: MessageOutcome) {
        match kind {
            RouteKind::Mqtt => self.messages_mqtt.of(outcome).inc(),
            RouteKind::Discard => self.messages_discard.of(outcome).inc(),
            RouteKind::Nowhere => self.messages_nowhere.of(outcome).inc(),
        }
    }

    /// Time from a reading's datagram to its acceptance by the upstream.
    pub fn acknowledged(&self, after: Duration) {
        self.acknowledge.observe(after.as_secs_f64());
    }

    /// How deep a mailbox was when looked at; the deepest since the last scrape is shown.
    pub fn mailbox_depth(&self, actor: ActorKind, depth: u64) {
        self.mailbox_depths.saw(actor, depth);
    }

    /// A full mailbox gave a message back.
    pub fn mailbox_full(&self, actor: ActorKind) {
        self.mailbox_full.of(actor).inc();
    }

    /// The store failed, for as long as this hub runs.
    pub fn store_failed(&self) {
        self.store_healthy.set(0);
    }

    /// Datagrams that the kernel reported as dropped.
    pub fn socket_drops(&self, count: u64) {
        self.socket_drops.inc_by(count);
    }

    /// A CoAP message, exchange or upload came to nothing.
    pub fn coap_dropped(&self, reason: DropReason) {
        self.coap_dropped.of(reason).inc();
    }

    /// A CoAP request was answered with `code` (RFC 7252 section 3: class in the upper three bits).
    pub fn coap_request(&self, code: u8) {
        self.coap_requests.of(code).inc();
    }

    /// The series of one configured upstream; they leave the registry when it is dropped.
    #[must_use]
    pub fn upstream(self: &Arc<Self>, tenant: &str, upstream: &str) -> UpstreamMetrics {
        UpstreamMetrics::new(Arc::clone(self), tenant, upstream)
    }

    /// Everything, in Prometheus' text format 0.0.4. The mailbox depths begin anew.
    #[must_use]
    pub fn encode(&self) -> String {
        self.mailbox_depths.publish();
        // Only a metric without a name or a value cannot be written, and those are not registered.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counter(to: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    registered(to, IntCounter::new(name, help)?)
}

fn gauge(to: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    registered(to, IntGauge::new(name, help)?)
}

fn counters(
    to: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    registered(to, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(
    to: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    registered(to, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

#[cfg(test)]
mod tests;
