//! One publish on a connection of its own, step by step, for people who want to know what is wrong.
//! Invariant: every step there is ends well, or is the last and says why not.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::connection::{Connection, Failure, connect};
use super::dialect::{Received, Verdict};
use super::spec::Spec;
use crate::metrics::ConnectionEnd;
use crate::upstream::{Outcome, Trouble, Uplink};

/// How long a broker may take to acknowledge.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// The one packet's identifier.
const PACKET: u16 = 1;

/// A step on the way to a broker's acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The name's addresses.
    Resolve,
    /// TCP.
    Connect,
    /// TLS, with the broker's certificate.
    Tls,
    /// CONNECT and CONNACK.
    Login,
    /// PUBLISH and PUBACK.
    Publish,
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// Why it was the last; none where it went well.
    pub trouble: Option<Trouble>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The broker's word, where it has come so far.
    pub outcome: Option<Outcome>,
}

/// The steps of an attempt so far.
#[derive(Debug, Default)]
pub(super) struct Stages {
    passed: Vec<Step>,
    at: Option<(Stage, Instant)>,
}

impl Stages {
    /// The step before went well.
    pub(super) fn enter(&mut self, stage: Stage) {
        self.leave(None);
        self.at = Some((stage, Instant::now()));
    }

    fn leave(&mut self, trouble: Option<Trouble>) {
        if let Some((stage, since)) = self.at.take() {
            self.passed.push(Step { stage, took: since.elapsed(), trouble });
        }
    }
}

/// Tries it.
pub(in super::super) async fn probe(spec: &Spec, uplink: Uplink) -> Probe {
    let mut stages = Stages::default();
    let outcome = attempt(spec, uplink, &mut stages).await;
    let trouble = outcome
        .as_ref()
        .err()
        .map(|Failure { end, detail }| Trouble { end: *end, detail: detail.clone() });
    stages.leave(trouble);
    Probe { steps: stages.passed, outcome: outcome.ok() }
}

async fn attempt(spec: &Spec, uplink: Uplink, stages: &mut Stages) -> Result<Outcome, Failure> {
    let mut connection = connect(spec, stages).await?;
    stages.enter(Stage::Publish);
    let outcome = tokio::time::timeout(ACKNOWLEDGED_WITHIN, publish(&mut connection, uplink)).await;
    let silent = || Failure::new(ConnectionEnd::TimedOut, "the broker does not acknowledge");
    let outcome = outcome.map_err(|_| silent())??;
    let mut goodbye = BytesMut::new();
    connection.dialect.disconnect(&mut goodbye);
    // The outcome is known; a broker that does not listen notices by itself.
    let _ = connection.stream.write_all(&goodbye).await;
    let _ = connection.stream.shutdown().await;
    Ok(outcome)
}

async fn publish(connection: &mut Connection, uplink: Uplink) -> Result<Outcome, Failure> {
    let Connection { stream, received, dialect, packet_max, .. } = connection;
    let mut packet = BytesMut::new();
    if dialect.publish(PACKET, uplink, *packet_max, &mut packet).is_err() {
        return Ok(Outcome::Refused { reason: "the packet is larger than the broker takes" });
    }
    stream.write_all(&packet).await.map_err(|error| Failure::broken(&error))?;
    stream.flush().await.map_err(|error| Failure::broken(&error))?;
    loop {
        match dialect.read(received) {
            Ok(Some(Received::Acknowledged { id: PACKET, verdict })) => {
                return Ok(match verdict {
                    Verdict::Accepted => Outcome::Accepted,
                    Verdict::QuotaExceeded => {
                        Outcome::Full { retry_after: super::FULL_RETRY_AFTER }
                    }
                    Verdict::Refused(reason) => Outcome::Refused { reason },
                });
            }
            Ok(Some(Received::Goodbye(reason))) => {
                let detail = format_args!("DISCONNECT {reason}");
                return Err(Failure::new(ConnectionEnd::Closed, detail));
            }
            Ok(Some(Received::Pong)) => continue,
            Ok(Some(_)) => {
                let detail = "a packet that was not called for";
                return Err(Failure::new(ConnectionEnd::Protocol, detail));
            }
            Ok(None) => {}
            Err(error) => return Err(Failure::new(ConnectionEnd::Protocol, error)),
        }
        match stream.read_buf(received).await {
            Ok(0) => return Err(Failure::new(ConnectionEnd::Closed, "the broker closed")),
            Ok(_) => {}
            Err(error) => return Err(Failure::broken(&error)),
        }
    }
}
