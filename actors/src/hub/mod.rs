//! The actor at the top: it supervises a supervisor per tenant, and lets the hub drain.
//!
//! Invariant: a tenant's supervisor that dies is replaced, and no other tenant notices.

mod calls;
mod live;
mod reload;
mod sessions;
mod start;
mod tenants;
mod upstreams;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture};

use crate::keeper::{Close, Keeping};
use crate::link::drops;
use crate::link::front_door::FrontDoor;
use crate::link::handshaker::Handshaker;
use crate::link::link_actor::{Drain, Halt, Link};
use crate::link::plain::PlainLink;
use crate::metrics::Metrics;
use crate::recorder::{Flush, Recorder};
use crate::tenant::Directory;
use crate::under_way::UnderWay;

pub use calls::CallBoards;
pub use live::{EndSessions, Of, Readmit, Reconnect, Resettle, Serve};
pub use reload::{Reload, Reloadable};
pub use sessions::{Awake, AwakePage, CountAwake, EndSession, FindSessions, SessionSeen};
pub use start::{FloodBounds, Running, Settings, StartError, start};
pub use upstreams::{Tried, TryUpstream, Upstreams};

const SUPERVISE_EVERY: Duration = Duration::from_secs(1);
const STOP_WITHIN: Duration = Duration::from_secs(3);
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// Supervises tenants.
pub struct Hub {
    tenants: Arc<Directory>,
    links: Vec<Addr<Link>>,
    door: Addr<FrontDoor>,
    plain: Option<Addr<PlainLink>>,
    serving: tenants::Serving,
    handshakers: Vec<Addr<Handshaker>>,
    reloadable: Reloadable,
    recorder: Addr<Recorder>,
    keeping: Keeping,
    deliveries: UnderWay,
    metrics: Arc<Metrics>,
    port: u16,
    drops: u64,
}

/// Takes nothing new, lets what is on its way arrive, at most for the given time; answers how many
/// readings were still on their way then.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct Shutdown(pub Duration);

impl Hub {
    fn count_drops(&mut self) {
        let drops = drops::of_port(self.port);
        self.metrics.socket_drops(drops.saturating_sub(self.drops));
        self.drops = drops;
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(SUPERVISE_EVERY, |hub, _| {
            hub.count_drops();
            hub.metrics.sessions_stored(hub.keeping.keep.sessions().count());
            let arbiters = hub.serving.arbiters.iter().cycle();
            for (tenant, arbiter) in hub.tenants.each().iter().zip(arbiters) {
                tenant.meter.publish(Instant::now());
                if !tenant.supervisor().connected() {
                    tracing::error!(tenant = %tenant.id, "the tenant's supervisor died; another takes over");
                    tenant.supervise_by(tenants::supervise(tenant.id.clone(), Arc::clone(&tenant.barred), arbiter));
                }
            }
        });
    }
}

impl Handler<Shutdown> for Hub {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, Shutdown(within): Shutdown, _: &mut Self::Context) -> Self::Result {
        let (door, links, plain) = (self.door.clone(), self.links.clone(), self.plain.clone());
        let (deliveries, recorder) = (self.deliveries.clone(), self.recorder.clone());
        let keeper = self.keeping.keeper.clone();
        let upstreams = self.serving.take_upstreams();
        Box::pin(async move {
            let until = Instant::now() + within;
            let _ = door.send(Drain).await;
            for link in &links {
                // An arbiter that no longer answers has nothing left to drain.
                let _ = link.send(Drain).await;
            }
            if let Some(plain) = plain {
                let _ = plain.send(Drain).await;
            }
            while deliveries.count() > 0 && Instant::now() < until {
                actix_rt::time::sleep(DRAIN_POLL).await;
            }
            let left = deliveries.count();
            // All at once, and no broker may hold up the others or the store.
            let stops: Vec<_> = upstreams
                .into_iter()
                .map(|upstream| actix_rt::spawn(async move { upstream.stop().await }))
                .collect();
            let stopped = async {
                for stop in stops {
                    let _ = stop.await;
                }
            };
            if actix_rt::time::timeout(STOP_WITHIN, stopped).await.is_err() {
                tracing::warn!("an upstream did not stop in time");
            }
            for link in &links {
                let _ = link.send(Halt).await;
            }
            let _ = keeper.send(Close).await;
            let _ = recorder.send(Flush).await;
            left
        })
    }
}
