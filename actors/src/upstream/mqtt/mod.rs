//! The adapter of an MQTT broker: connects, again and again, and lets deliveries through meanwhile.
//!
//! rumqttc supplies the packets; the connection is ours. Its event loop writes and flushes once a
//! publish, stalls when acknowledgements come out of order, has no limit on a blocked MQTT 5 flush,
//! and publishes again by itself after a reconnect, which here would be behind the board's back.
//! Invariant: decides nothing about packets (`pump`, `window`, `dialect` do); runs on one arbiter.

mod backoff;
mod connection;
mod dialect;
mod parcel;
mod probe;
mod pump;
mod spec;
mod window;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix::{ActorFutureExt, WrapFuture};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::delivery::{Deliver, Outcome};
use super::standing::Standing;
use crate::barred::Barred;
use crate::metrics::{ConnectionEnd, Metrics, UpstreamMetrics};
use backoff::Backoff;
use connection::{Connection, Failure, connect};
use parcel::{Outstanding, Parcel};
use probe::Stages;
pub(super) use probe::probe;
pub use probe::{Probe, Stage, Step};
use pump::{Ended, pump};
pub(super) use spec::Spec;

/// Deliveries between sessions and the adapter; it empties them without waiting for anything.
const MAILBOX_MAX: usize = 4096;
/// A full queue before a working broker is soon another one.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(2);
/// No board is told to come back sooner.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// Starts the adapter on an arbiter.
pub(super) fn start(
    spec: Spec,
    arbiter: &ArbiterHandle,
    metrics: &Arc<Metrics>,
    barred: Arc<Barred>,
) -> (Addr<Adapter>, Arc<Standing>) {
    let metrics = metrics.upstream(spec.tenant.as_str(), spec.name.as_str());
    let standing = Arc::new(Standing::new());
    let shared = Arc::clone(&standing);
    let adapter = Adapter::start_in_arbiter(arbiter, move |ctx| {
        ctx.set_mailbox_capacity(MAILBOX_MAX);
        Adapter {
            spec: Rc::new(spec),
            metrics: Rc::new(metrics),
            outstanding: Rc::default(),
            backoff: Backoff::default(),
            standing: shared,
            barred,
            state: State::Connecting,
        }
    });
    (adapter, standing)
}

/// The actor; see [`super::UpstreamHandle`] for its face.
pub(super) struct Adapter {
    spec: Rc<Spec>,
    metrics: Rc<UpstreamMetrics>,
    outstanding: Rc<Outstanding>,
    backoff: Backoff,
    /// How it is, for those who do not wait for outcomes.
    standing: Arc<Standing>,
    /// Whose readings are not to be published any more.
    barred: Arc<Barred>,
    /// The last field: dropping it is what says that the rest has gone.
    state: State,
}

enum State {
    /// An attempt runs, and ends within its limit.
    Connecting,
    /// The queue of the connection at work.
    Connected { queue: mpsc::Sender<Parcel>, since: Instant },
    /// Between two attempts.
    Waiting { until: Instant },
    /// The connection says goodbye; whoever waits for the end holds the other halves.
    Stopping { stopped: Vec<oneshot::Sender<()>> },
}

impl Actor for Adapter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.connect(ctx);
    }
}

impl Handler<Deliver> for Adapter {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, _: &mut Self::Context) {
        let fault = deliver.uplink.fault(dialect::PAYLOAD_MAX);
        let parcel = Parcel::new(deliver, &self.outstanding);
        if let Some(reason) = fault {
            return parcel.awaiting.answer(Outcome::Refused { reason });
        }
        let retry_after = self.retry_after();
        match &self.state {
            State::Connected { queue, .. } => match queue.try_send(parcel) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(parcel)) => {
                    parcel.awaiting.answer(Outcome::Full { retry_after: FULL_RETRY_AFTER });
                }
                // The connection has just ended; its end is on its way to us.
                Err(mpsc::error::TrySendError::Closed(parcel)) => {
                    parcel.awaiting.answer(Outcome::Down { retry_after });
                }
            },
            State::Connecting | State::Waiting { .. } | State::Stopping { .. } => {
                parcel.awaiting.answer(Outcome::Down { retry_after });
            }
        }
    }
}

/// Asks for an answer when nothing is outstanding.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Drain;

impl Handler<Drain> for Adapter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        let outstanding = Rc::clone(&self.outstanding);
        Box::pin(async move { outstanding.none().await })
    }
}

/// Ends the adapter; answered when it has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

impl Handler<Stop> for Adapter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) -> Self::Result {
        let (done, stopped) = oneshot::channel();
        match &mut self.state {
            State::Stopping { stopped } => stopped.push(done),
            // Dropping the queue's sender is what tells the connection.
            State::Connected { .. } => self.state = State::Stopping { stopped: vec![done] },
            State::Connecting | State::Waiting { .. } => {
                self.state = State::Stopping { stopped: vec![done] };
                ctx.stop();
            }
        }
        // The sender is dropped with the adapter, after its metrics: another of its name may start.
        Box::pin(async move { stopped.await.unwrap_or(()) })
    }
}

impl Adapter {
    fn connect(&mut self, ctx: &mut Context<Self>) {
        self.state = State::Connecting;
        let began = Instant::now();
        let spec = Rc::clone(&self.spec);
        let attempt = contained(async move { connect(&spec, &mut Stages::default()).await });
        ctx.spawn(attempt.into_actor(self).map(move |attempt, adapter, ctx| match attempt {
            Ok(Ok(connection)) => adapter.connected(connection, ctx),
            Ok(Err(failure)) => adapter.lost(&failure, began.elapsed(), Duration::ZERO, ctx),
            Err(_) => adapter.lost(&panicked(), began.elapsed(), Duration::ZERO, ctx),
        }));
    }

    fn connected(&mut self, connection: Connection, ctx: &mut Context<Self>) {
        tracing::info!(
            tenant = %self.spec.tenant,
            upstream = %self.spec.name,
            in_flight_max = connection.in_flight_max,
            "upstream connected"
        );
        self.standing.connected();
        self.metrics.connected(true);
        let (queue, parcels) = mpsc::channel(self.spec.queue_max);
        self.state = State::Connected { queue, since: Instant::now() };
        let (metrics, barred) = (Rc::clone(&self.metrics), Arc::clone(&self.barred));
        let work = contained(async move { pump(connection, parcels, barred, &metrics).await });
        ctx.spawn(work.into_actor(self).map(|ended, adapter, ctx| {
            // A panic drops what was in flight, which says the same as Down.
            let ended =
                ended.unwrap_or_else(|_| Ended { failure: panicked(), unanswered: Vec::new() });
            adapter.ended(ended, ctx);
        }));
    }

    fn ended(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        self.metrics.connected(false);
        self.metrics.in_flight(0);
        let Ended { failure, unanswered } = ended;
        self.standing.down(failure.end, &failure.detail);
        match std::mem::replace(&mut self.state, State::Connecting) {
            State::Stopping { stopped } => {
                self.metrics.ended(failure.end);
                tracing::info!(
                    tenant = %self.spec.tenant,
                    upstream = %self.spec.name,
                    unanswered = unanswered.len(),
                    "upstream stopped"
                );
                let retry_after = RETRY_AFTER_MIN;
                for awaiting in unanswered {
                    awaiting.answer(Outcome::Down { retry_after });
                }
                self.state = State::Stopping { stopped };
                ctx.stop();
            }
            State::Connected { since, .. } => {
                self.lost(&failure, since.elapsed(), since.elapsed(), ctx);
                let retry_after = self.retry_after();
                for awaiting in unanswered {
                    awaiting.answer(Outcome::Down { retry_after });
                }
            }
            State::Connecting | State::Waiting { .. } => {
                self.lost(&failure, Duration::ZERO, Duration::ZERO, ctx);
            }
        }
    }

    fn lost(
        &mut self,
        failure: &Failure,
        after: Duration,
        connected_for: Duration,
        ctx: &mut Context<Self>,
    ) {
        // Without randomness the wait is the shortest, which is safe: attempts are still spaced.
        let wait = self.backoff.after(connected_for, getrandom::u64().unwrap_or(0));
        self.metrics.ended(failure.end);
        self.standing.down(failure.end, &failure.detail);
        tracing::warn!(
            tenant = %self.spec.tenant,
            upstream = %self.spec.name,
            host = %self.spec.host,
            port = self.spec.port,
            reason = crate::metrics::Label::label(&failure.end),
            detail = %failure.detail,
            after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "upstream down"
        );
        self.state = State::Waiting { until: Instant::now() + wait };
        ctx.run_later(wait, |adapter, ctx| {
            if matches!(adapter.state, State::Waiting { .. }) {
                adapter.connect(ctx);
            }
        });
    }

    /// When a board that is told Down now should come back: not before the next attempt.
    fn retry_after(&self) -> Duration {
        match &self.state {
            State::Waiting { until } => {
                until.saturating_duration_since(Instant::now()) + RETRY_AFTER_MIN
            }
            State::Connecting | State::Connected { .. } | State::Stopping { .. } => RETRY_AFTER_MIN,
        }
    }
}

fn panicked() -> Failure {
    Failure::new(ConnectionEnd::Internal, "the connection's task panicked")
}

/// Runs a future as a task of its own on this arbiter, so that a panic ends only that; dropped with
/// the returned one.
async fn contained<T: 'static>(future: impl Future<Output = T> + 'static) -> Result<T, JoinError> {
    struct Aborting<T>(actix_rt::task::JoinHandle<T>);
    impl<T> Drop for Aborting<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let mut task = Aborting(actix_rt::spawn(future));
    (&mut task.0).await
}
