//! A reading's way from a session to its tenant's upstream, and the upstream's word back to the board.
//!
//! Invariant: each reading has one outcome, and the board hears of it what the route promises.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use bytes::Bytes;
use storage::Acknowledge;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::DeviceSession;
use crate::coap::{Answer, ExchangeId};
use crate::meter::Over;
use crate::metrics::{MessageOutcome, RouteKind};
use crate::taps::OnItsWay;
use crate::upstream::{Deliver, MessageId, Outcome, Uplink, UpstreamHandle};

/// What of a reading is kept until its outcome, while somebody looks at its board.
type LookedAt = Option<Box<OnItsWay>>;

/// A reading that the endpoint has accepted.
pub(super) struct Reading {
    pub(super) exchange: ExchangeId,
    pub(super) resource: usize,
    pub(super) content_format: Option<u16>,
    pub(super) payload: Vec<u8>,
}

impl DeviceSession {
    pub(super) fn deliver(&mut self, reading: Reading, received: Instant, ctx: &mut Context<Self>) {
        let Reading { exchange, resource, content_format, payload } = reading;
        let payload = Bytes::from(payload);
        let tenant = Arc::clone(&self.tenant);
        let looked_at = self.shard.taps.is_looked_at(&self.board).then(|| {
            let path = tenant.routes.get(resource).map(|route| route.resource.to_string());
            let resource = path.unwrap_or_default();
            Box::new(OnItsWay { resource, content_format, payload: payload.clone() })
        });
        let Some((route, upstream)) =
            tenant.routes.get(resource).and_then(|route| Some((route, route.upstream.as_ref()?)))
        else {
            self.came_to(RouteKind::Nowhere, MessageOutcome::NoUpstream, looked_at, received);
            return self.answer(exchange, self.unavailable());
        };
        let kind = upstream.route_kind();
        let (size, in_flight) = (payload.len(), self.endpoint.in_flight());
        let held = match tenant.meter.take(&mut self.meter, received, size, in_flight) {
            Ok(held) => held,
            Err(Over { kind: quota, max_age_s }) => {
                self.shard.metrics.over_quota(quota);
                self.came_to(kind, MessageOutcome::OverQuota, looked_at, received);
                return self.answer(exchange, Answer::TooMany { max_age_s });
            }
        };
        let uplink = Uplink {
            tenant: tenant.id.clone(),
            board: self.board.clone(),
            issuer: self.issuer,
            message_id: MessageId(self.shard.next_message()),
            topic: route.topic.render(&tenant.id, &self.board, &route.resource),
            content_format,
            payload,
            admitted: self.admitted,
            acknowledge: route.acknowledge,
        };
        // Nobody waits for the outcome there: what is known to be lost is not taken.
        if route.acknowledge == Acknowledge::OnReceive && !upstream.is_up() {
            let retry_after = Duration::from_secs(u64::from(self.tenant.limits.retry_after_s));
            let down = Some(Outcome::Down { retry_after });
            return self.settle(kind, exchange, down, (received, looked_at));
        }
        let (done, mut outcome) = oneshot::channel();
        // A mailbox that is full or gone: the board is told at once, and keeps its reading.
        if upstream.deliver(Deliver { uplink, done }).is_err() {
            let retry_after = UpstreamHandle::BUSY_RETRY_AFTER;
            let full = Some(Outcome::Full { retry_after });
            return self.settle(kind, exchange, full, (received, looked_at));
        }
        let delivery = (self.shard.deliveries.enter(), held);
        match (route.acknowledge, outcome.try_recv()) {
            (_, Ok(at_once)) => {
                self.settle(kind, exchange, Some(at_once), (received, looked_at));
            }
            (_, Err(TryRecvError::Closed)) => {
                self.settle(kind, exchange, None, (received, looked_at));
            }
            (Acknowledge::OnReceive, Err(TryRecvError::Empty)) => {
                self.answer(exchange, Answer::Changed);
                let counting = outcome.into_actor(self).map(move |outcome, session, _| {
                    session.count(kind, outcome.as_ref().ok(), (received, looked_at));
                    drop(delivery);
                });
                ctx.spawn(counting);
            }
            (Acknowledge::OnUpstream, Err(TryRecvError::Empty)) => {
                let waiting = outcome.into_actor(self).map(move |outcome, session, ctx| {
                    session.settle(kind, exchange, outcome.ok(), (received, looked_at));
                    session.perform(received, ctx);
                    drop(delivery);
                });
                ctx.spawn(waiting);
            }
        }
    }

    /// The upstream's word, counted and as the board hears it; `None` where nobody is left to say it.
    fn settle(
        &mut self,
        kind: RouteKind,
        exchange: ExchangeId,
        outcome: Option<Outcome>,
        about: (Instant, LookedAt),
    ) {
        let after = |wait: Duration| Answer::Unavailable {
            max_age_s: u32::try_from(wait.as_secs().max(1)).unwrap_or(u32::MAX),
        };
        self.count(kind, outcome.as_ref(), about);
        let answer = match outcome {
            Some(Outcome::Accepted) => Answer::Changed,
            Some(Outcome::Down { retry_after } | Outcome::Full { retry_after }) => {
                after(retry_after)
            }
            Some(Outcome::Refused { .. }) => Answer::BadGateway,
            None => self.unavailable(),
        };
        self.answer(exchange, answer);
    }

    fn count(
        &self,
        kind: RouteKind,
        outcome: Option<&Outcome>,
        (received, looked_at): (Instant, LookedAt),
    ) {
        let metrics = &self.shard.metrics;
        let counted = match outcome {
            Some(Outcome::Accepted) => {
                metrics.acknowledged(received.elapsed());
                MessageOutcome::Accepted
            }
            Some(Outcome::Down { .. }) => MessageOutcome::Down,
            Some(Outcome::Full { .. }) => MessageOutcome::Full,
            Some(Outcome::Refused { reason }) => {
                tracing::warn!(board = %self.board, reason, "the upstream refused a reading");
                MessageOutcome::Refused
            }
            None => MessageOutcome::Lost,
        };
        self.came_to(kind, counted, looked_at, received);
    }

    /// What became of a reading, for the metrics and for who looks at the board.
    fn came_to(
        &self,
        kind: RouteKind,
        outcome: MessageOutcome,
        looked_at: LookedAt,
        received: Instant,
    ) {
        self.shard.metrics.message(kind, outcome);
        if let Some(reading) = looked_at {
            self.shard.taps.passed(&self.board, *reading, outcome, received);
        }
    }

    pub(super) fn answer(&mut self, exchange: ExchangeId, answer: Answer) {
        let renews = answer == Answer::Changed && self.is_told_to_renew();
        let answer = if renews { Answer::ChangedAndRenew } else { answer };
        self.endpoint.handle_outcome(self.shard.now(), exchange, answer);
    }

    /// Whether the board hears with its answer that it is to renew its certificate.
    fn is_told_to_renew(&self) -> bool {
        let (Some(keeping), Some(issuer)) = (&self.shard.keeping, self.issuer) else {
            return false;
        };
        let tells = keeping.campaigns.tells(&self.tenant.id, issuer, &self.board);
        if tells {
            self.shard.metrics.told_to_renew();
        }
        tells
    }

    fn unavailable(&self) -> Answer {
        Answer::Unavailable { max_age_s: self.tenant.limits.retry_after_s }
    }
}
