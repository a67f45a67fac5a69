//! How the tenants' upstreams are, and one of them tried out.

use actix::{Handler, Message, ResponseFuture};
use actix_rt::time::timeout;
use std::time::{Duration, Instant};
use storage::{Acknowledge, BoardId, TenantId, Upstream, UpstreamKind, UpstreamName};
use tokio::sync::oneshot;

use crate::hub::Hub;
use crate::upstream::{
    self, Deliver, MessageId, Outcome, Probe, Status, Uplink, UpstreamError, UpstreamSecrets,
};

/// How long a connected broker may take over a message of ours.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// Asks how every upstream is that has a connection to lose.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<(TenantId, UpstreamName, Status)>")]
pub struct Upstreams;

/// Publishes a message of the hub's own, as a board's reading would be, and waits for the broker's
/// word.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Tried, UpstreamError>")]
pub struct TryUpstream {
    /// To which.
    pub upstream: Upstream,
    /// As whose reading.
    pub board: BoardId,
    /// Under which topic.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// On the connection that readings take.
    Live(Outcome),
    /// There is none: on one of its own.
    Probed(Probe),
}

impl Handler<Upstreams> for Hub {
    type Result = Vec<(TenantId, UpstreamName, Status)>;

    fn handle(&mut self, _: Upstreams, _: &mut Self::Context) -> Self::Result {
        self.serving.statuses().collect()
    }
}

impl Handler<TryUpstream> for Hub {
    type Result = ResponseFuture<Result<Tried, UpstreamError>>;

    fn handle(&mut self, attempt: TryUpstream, _: &mut Self::Context) -> Self::Result {
        let secrets = UpstreamSecrets::of(&attempt.upstream, &self.serving.secrets);
        let TryUpstream { upstream: Upstream { tenant, name, kind }, board, topic, payload } =
            attempt;
        let handle = self.serving.upstream(&tenant, &name).filter(|handle| handle.is_up()).cloned();
        let message_id = MessageId(getrandom::u64().unwrap_or_default());
        let uplink = Uplink {
            tenant: tenant.clone(),
            board,
            issuer: None,
            message_id,
            topic,
            content_format: None,
            payload: payload.into(),
            admitted: self.serving.moment(Instant::now()),
            acknowledge: Acknowledge::OnUpstream,
        };
        Box::pin(async move {
            match (handle, kind) {
                (Some(handle), _) => {
                    let (done, outcome) = oneshot::channel();
                    let down = Outcome::Down { retry_after: Duration::from_secs(1) };
                    if handle.deliver(Deliver { uplink, done }).is_err() {
                        let retry_after = upstream::UpstreamHandle::BUSY_RETRY_AFTER;
                        return Ok(Tried::Live(Outcome::Full { retry_after }));
                    }
                    let outcome = timeout(ACKNOWLEDGED_WITHIN, outcome).await;
                    Ok(Tried::Live(outcome.ok().and_then(Result::ok).unwrap_or(down)))
                }
                (None, UpstreamKind::Discard) => Ok(Tried::Live(Outcome::Accepted)),
                (None, UpstreamKind::Mqtt(broker)) => {
                    upstream::probe(&tenant, &name, &broker, &secrets?, uplink)
                        .await
                        .map(Tried::Probed)
                }
            }
        })
    }
}
