//! A session's end of an upstream.
//! Invariant: giving a delivery never waits; a full mailbox gives it back.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix::prelude::SendError;

use super::delivery::{Deliver, Outcome};
use super::mqtt::{Adapter, Drain, Stop};
use super::standing::{Standing, Status};
use crate::barred::Barred;
use crate::metrics::{ActorKind, Metrics, RouteKind};

/// Gives deliveries to an upstream; cheap to clone and to send between arbiters.
#[derive(Clone)]
pub struct UpstreamHandle {
    to: To,
}

#[derive(Clone)]
enum To {
    /// Answers in place: there is nothing to wait for, so neither actor nor queue.
    Discard,
    Mqtt {
        adapter: Addr<Adapter>,
        standing: Arc<Standing>,
        barred: Arc<Barred>,
        metrics: Arc<Metrics>,
    },
}

impl UpstreamHandle {
    pub(super) fn discard() -> Self {
        Self { to: To::Discard }
    }

    pub(super) fn mqtt(
        adapter: Addr<Adapter>,
        standing: Arc<Standing>,
        barred: Arc<Barred>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { to: To::Mqtt { adapter, standing, barred, metrics } }
    }

    /// What a session may tell its board when [`UpstreamHandle::deliver`] gave the delivery back.
    pub const BUSY_RETRY_AFTER: Duration = Duration::from_secs(2);

    /// Hands a delivery over.
    ///
    /// # Errors
    /// The delivery itself, when the adapter's mailbox is full (counted), the adapter is gone, or
    /// the board is shut out.
    pub fn deliver(&self, deliver: Deliver) -> Result<(), Deliver> {
        match &self.to {
            To::Discard => {
                // A receiver that is gone does not want to know.
                let _ = deliver.done.send(Outcome::Accepted);
                Ok(())
            }
            To::Mqtt { adapter, metrics, barred, .. } => {
                let uplink = &deliver.uplink;
                if barred.holds(&uplink.board, uplink.issuer, uplink.admitted) {
                    return Err(deliver);
                }
                adapter.try_send(deliver).map_err(|error| match error {
                    SendError::Full(deliver) => {
                        metrics.mailbox_full(ActorKind::Upstream);
                        deliver
                    }
                    SendError::Closed(deliver) => deliver,
                })
            }
        }
    }

    /// Whether it can take a delivery now, as far as is known.
    #[must_use]
    pub fn is_up(&self) -> bool {
        match &self.to {
            To::Discard => true,
            To::Mqtt { standing, .. } => standing.is_up(),
        }
    }

    /// How it is; nothing of one that has no connection to lose.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match &self.to {
            To::Discard => None,
            To::Mqtt { standing, .. } => Some(standing.status()),
        }
    }

    /// The label its messages are counted under.
    #[must_use]
    pub fn route_kind(&self) -> RouteKind {
        match &self.to {
            To::Discard => RouteKind::Discard,
            To::Mqtt { .. } => RouteKind::Mqtt,
        }
    }

    /// Resolves when every delivery given before has its outcome. New ones are still taken, and
    /// waited for as well: whoever drains stops giving first, and sets a time limit.
    pub async fn drain(&self) {
        if let To::Mqtt { adapter, .. } = &self.to {
            // An adapter that is gone has nothing in flight.
            let _ = adapter.send(Drain).await;
        }
    }

    /// Ends the adapter: whatever has no outcome yet is answered [`Outcome::Down`], the broker is
    /// told goodbye. Resolves when that is done.
    pub async fn stop(&self) {
        if let To::Mqtt { adapter, .. } = &self.to {
            // An adapter that is gone is stopped.
            let _ = adapter.send(Stop).await;
        }
    }
}
