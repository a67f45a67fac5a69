//! The hub's own pages, read as Prometheus or a probe would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const WITHIN: Duration = Duration::from_secs(2);

/// The families that say why readings are missing.
const TELLING: [&str; 7] = [
    "hub_handshakes_total",
    "hub_sessions",
    "hub_records_dropped_total",
    "hub_coap_requests_total",
    "hub_messages_total",
    "hub_upstream_connected",
    "hub_socket_drops_total",
];

/// Whether the hub says that it takes boards' messages.
pub(super) async fn is_ready(monitoring: SocketAddr) -> bool {
    page(monitoring, "/readyz").await.is_some()
}

/// Counters that say where readings stayed, those that are not zero.
pub(super) async fn telling_metrics(monitoring: SocketAddr) -> Vec<String> {
    let metrics = page(monitoring, "/metrics").await.unwrap_or_default();
    let is_telling = |line: &&str| {
        TELLING.iter().any(|family| line.starts_with(family)) && !line.ends_with(" 0")
    };
    metrics.lines().filter(is_telling).map(|line| format!("  {line}")).collect()
}

/// The body of a page, if it was answered with 200 in time.
async fn page(monitoring: SocketAddr, path: &str) -> Option<String> {
    let answer = timeout(WITHIN, async {
        let mut stream = TcpStream::connect(monitoring).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    });
    let answer = String::from_utf8(answer.await.ok()?.ok()?).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_ascii_whitespace().nth(1)?;
    (status == "200").then(|| body.to_owned())
}
