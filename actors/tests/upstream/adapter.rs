//! An adapter under test, what was counted and logged about it, and waiting without sleeping.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::barred::Barred;
use actors::metrics::Metrics;
use actors::upstream::{
    Deliver, MessageId, Outcome, Uplink, UpstreamHandle, UpstreamSecrets, start,
};
use bytes::Bytes;
use storage::{Acknowledge, MqttUpstream, MqttVersion, Upstream, UpstreamKind};
use tokio::sync::oneshot;

/// Nothing here takes nearly so long; a failure does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker on this machine, without TLS and credentials.
pub(crate) fn plain(port: u16, version: MqttVersion) -> MqttUpstream {
    MqttUpstream {
        host: "127.0.0.1".to_owned(),
        port,
        tls: false,
        version,
        client_id: "hub-under-test".to_owned(),
        ca_file: None,
        username: None,
        password_sealed: false,
        password_file: None,
        client_certificate_file: None,
        client_key_sealed: false,
        client_key_file: None,
        in_flight_max: 100,
        queue_max: 1000,
    }
}

pub(crate) fn upstream(mqtt: MqttUpstream) -> Upstream {
    Upstream {
        tenant: "acme".parse().unwrap(),
        name: "broker".parse().unwrap(),
        kind: UpstreamKind::Mqtt(mqtt),
    }
}

/// A started adapter.
pub(crate) struct Adapter {
    pub(crate) handle: UpstreamHandle,
    pub(crate) metrics: Arc<Metrics>,
}

impl Adapter {
    /// Starts on the test's own arbiter.
    pub(crate) fn start(mqtt: MqttUpstream) -> Self {
        Self::start_with(mqtt, &UpstreamSecrets::default())
    }

    /// The same, with secrets out of the vault.
    pub(crate) fn start_with(mqtt: MqttUpstream, secrets: &UpstreamSecrets) -> Self {
        let metrics = Arc::new(Metrics::new());
        let arbiter = actix::Arbiter::current();
        let upstream = upstream(mqtt);
        let handle = start(&upstream, secrets, &arbiter, Arc::clone(&metrics), nobody_barred());
        let handle = handle.unwrap();
        Self { handle, metrics }
    }

    pub(crate) fn gauge(&self, name: &str) -> u64 {
        self.value(&format!("{name}{{tenant=\"acme\",upstream=\"broker\"}} "))
    }

    /// How many connections or attempts ended for this reason.
    pub(crate) fn ended(&self, reason: &str) -> u64 {
        self.value(&format!(
            "hub_upstream_connections_ended_total{{reason=\"{reason}\",tenant=\"acme\",upstream=\"broker\"}} "
        ))
    }

    fn value(&self, prefix: &str) -> u64 {
        let text = self.metrics.encode();
        text.lines().find_map(|line| line.strip_prefix(prefix)).map_or(0, |v| v.parse().unwrap())
    }

    pub(crate) async fn connected(&self) {
        eventually("connected", || self.gauge("hub_upstream_connected") == 1).await;
    }

    /// Gives a delivery whose payload is its number.
    pub(crate) fn deliver(&self, number: u64) -> oneshot::Receiver<Outcome> {
        let (done, outcome) = oneshot::channel();
        let deliver = Deliver { uplink: uplink(number), done };
        assert!(self.handle.deliver(deliver).is_ok(), "the mailbox is full");
        outcome
    }

    /// Delivers and waits for the outcome.
    pub(crate) async fn outcome(&self, number: u64) -> Outcome {
        within(self.deliver(number)).await.unwrap()
    }
}

/// Nobody is shut out.
pub(crate) fn nobody_barred() -> Arc<Barred> {
    Arc::new(Barred::new(Instant::now()))
}

pub(crate) fn uplink(number: u64) -> Uplink {
    Uplink {
        tenant: "acme".parse().unwrap(),
        board: "CB-1".parse().unwrap(),
        issuer: None,
        message_id: MessageId(number),
        topic: "acme/CB-1/telemetry".to_owned(),
        content_format: Some(112),
        payload: Bytes::from(format!("reading-{number}")),
        admitted: nobody_barred().moment(Instant::now()),
        acknowledge: Acknowledge::OnUpstream,
    }
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Looks at a condition until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(2));
    let watching = async {
        while !holds() {
            looks.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, watching).await.is_ok(), "never {what}");
}

/// What this thread logs while the guard lives, every level.
pub(crate) struct Log(
    Arc<Mutex<Vec<u8>>>,
    #[expect(dead_code, reason = "a guard")] tracing::subscriber::DefaultGuard,
);

impl Log {
    pub(crate) fn begin() -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || Lines(Arc::clone(&to)))
            .finish();
        Self(lines, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
