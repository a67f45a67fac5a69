//! The actor at the top: it supervises a supervisor per tenant, and lets the hub drain.
//!
//! Invariant: a tenant's supervisor that dies is replaced, and no other tenant notices.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseFuture};
use actix_rt::{Arbiter, ArbiterHandle};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use storage::{Store, StoreError, TenantId, UpstreamKind};

use crate::admission::Registry;
use crate::coap::Limits;
use crate::link::drops;
use crate::link::handshaker::{Handshaker, Worker};
use crate::link::link_actor::{Drain, Link, Open};
use crate::link::plain::{PlainLink, Residents};
use crate::link::profile::Profile;
use crate::link::shard::{Parts, Shard};
use crate::link::slots::Slots;
use crate::link::socket::{self, Sender};
use crate::metrics::Metrics;
use crate::recorder::{Flush, Recorder};
use crate::tenant::{Directory, Route, Tenant, TenantSupervisor};
use crate::under_way::UnderWay;
use crate::upstream::{self, UpstreamHandle};

const SUPERVISE_EVERY: Duration = Duration::from_secs(1);
const STOP_WITHIN: Duration = Duration::from_secs(3);
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// Everything the live hub is told.
pub struct Settings {
    /// Where boards speak DTLS.
    pub listen: SocketAddr,
    /// Sockets, and arbiters; at least one.
    pub sockets: usize,
    /// The hub's certificate.
    pub certificate: X509,
    /// Its key.
    pub key: PKey<Private>,
    /// How many handshakes may be in progress.
    pub handshakes_max: usize,
    /// Arbiters that carry handshakes; at least one.
    pub handshake_workers: usize,
    /// How long one handshake may take.
    pub handshake_timeout: Duration,
    /// The largest datagram of a handshake, in bytes of UDP payload.
    pub mtu: u16,
    /// The kernel's receive buffer, in bytes a socket.
    pub receive_buffer: usize,
    /// This hub's number.
    pub node: u8,
    /// Bounds for each board.
    pub limits: Limits,
    /// Where boards speak CoAP without DTLS, if anywhere.
    pub plain: Option<SocketAddr>,
}

/// Why the hub did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be bound.
    #[error("cannot listen for boards on {listen}/udp: {}", cause(source))]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The store could not be read.
    #[error("cannot read the store")]
    Store(#[from] StoreError),
    /// The certificate, its key or an authority cannot be used.
    #[error("cannot use the hub's certificate, its key or a tenant's authority")]
    Certificates(#[from] ErrorStack),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

fn cause(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "another program or hub has the port; stop that or choose another"
        }
        _ => "the address is not to be had",
    }
}

/// A started hub.
pub struct Running {
    /// The actor at the top.
    pub hub: Addr<Hub>,
    /// Where boards reach it.
    pub listen: SocketAddr,
    /// Where boards reach it without DTLS.
    pub plain: Option<SocketAddr>,
}

/// Supervises tenants.
pub struct Hub {
    tenants: Arc<Directory>,
    arbiters: Vec<ArbiterHandle>,
    links: Vec<Addr<Link>>,
    plain: Option<Addr<PlainLink>>,
    upstreams: Vec<UpstreamHandle>,
    recorder: Addr<Recorder>,
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

/// Starts every actor of the hub; must be called inside an actix system.
///
/// # Errors
/// What kept it from starting; nothing is left running that a stop of the system does not end.
pub fn start(
    settings: &Settings,
    store: &Store,
    metrics: &Arc<Metrics>,
) -> Result<Running, StartError> {
    let sockets = socket::bind(settings.listen, settings.sockets, settings.receive_buffer)
        .map_err(|source| StartError::Listen { listen: settings.listen, source })?;
    let arbiters: Vec<_> = sockets.iter().map(|_| Arbiter::new().handle()).collect();
    let recorder = {
        let store = store.clone();
        Recorder::start_in_arbiter(&Arbiter::new().handle(), |_| Recorder::new(store))
    };
    let (tenants, upstreams, authorities) =
        serve_tenants(settings, store, metrics, &arbiters, &recorder)?;
    let profile = Profile::new(
        &settings.certificate,
        &settings.key,
        &authorities,
        Registry::new(store.clone()),
        settings.mtu,
    )?;

    let deliveries = UnderWay::default();
    let slots = Slots::new(settings.handshakes_max, Arc::clone(metrics));
    let failed = |source| StartError::Listen { listen: settings.listen, source };
    let first = sockets.first().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let listen = first.local_addr().map_err(failed)?;
    let worker = Worker {
        profile,
        sender: Sender::new(first).map_err(failed)?,
        metrics: Arc::clone(metrics),
        node: settings.node,
        timeout: settings.handshake_timeout,
    };
    let handshakers: Vec<_> = (0..settings.handshake_workers.max(1))
        .map(|_| {
            let worker = worker.clone();
            Handshaker::start_in_arbiter(&Arbiter::new().handle(), |_| Handshaker::new(worker))
        })
        .collect();
    let parts = |index: u8, sender: Sender| -> Result<Parts, StartError> {
        Ok(Parts {
            index,
            sender,
            metrics: Arc::clone(metrics),
            handshakers: handshakers.clone(),
            slots: slots.clone(),
            handshake_timeout: settings.handshake_timeout,
            cookie_key: random()?,
            deliveries: deliveries.clone(),
            first_message: u64::from_be_bytes(random()?),
        })
    };

    let mut links = Vec::new();
    for (index, (socket, arbiter)) in (0..).zip(sockets.into_iter().zip(&arbiters)) {
        let parts = parts(index, Sender::new(&socket).map_err(failed)?)?;
        let tenants = Arc::clone(&tenants);
        links.push(Link::start_in_arbiter(arbiter, move |_| {
            Link::new(Shard::new(parts), socket, tenants)
        }));
    }
    for link in &links {
        // A fresh mailbox has room.
        let _ = link.try_send(Open(links.clone()));
    }
    let (plain, plain_listen) = match settings.plain {
        None => (None, None),
        Some(listen) => {
            let failed = |source| StartError::Listen { listen, source };
            let mut bound = socket::bind(listen, 1, settings.receive_buffer).map_err(failed)?;
            let socket = bound.pop().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
            let listen = socket.local_addr().map_err(failed)?;
            // Its sessions have no Connection ID, but serials of their own.
            let parts = parts(u8::MAX, Sender::new(&socket).map_err(failed)?)?;
            let residents = residents(store, &tenants)?;
            let arbiter = Arbiter::new().handle();
            let link = PlainLink::start_in_arbiter(&arbiter, move |_| {
                PlainLink::new(Shard::new(parts), socket, residents)
            });
            (Some(link), Some(listen))
        }
    };
    let metrics = Arc::clone(metrics);
    let port = listen.port();
    let hub = Hub {
        tenants,
        arbiters,
        links,
        plain,
        upstreams,
        recorder,
        deliveries,
        metrics,
        port,
        drops: 0,
    };
    let hub = hub.start();
    Ok(Running { hub, listen, plain: plain_listen })
}

type Served = (Arc<Directory>, Vec<UpstreamHandle>, Vec<X509>);

/// Every tenant with its upstreams and routes, spread over the arbiters.
fn serve_tenants(
    settings: &Settings,
    store: &Store,
    metrics: &Arc<Metrics>,
    arbiters: &[ArbiterHandle],
    recorder: &Addr<Recorder>,
) -> Result<Served, StartError> {
    let (mut tenants, mut handles, mut authorities) = (Vec::new(), Vec::new(), Vec::new());
    for (tenant, arbiter) in store.tenants().list().zip(arbiters.iter().cycle()) {
        let tenant = tenant?;
        if let Some(der) = &tenant.authority {
            authorities.push(X509::from_der(der)?);
        }
        let mut upstreams = Vec::new();
        for spec in store.upstreams().of_tenant(&tenant.id)? {
            if let UpstreamKind::Mqtt(mqtt) = &spec.kind
                && !mqtt.tls
            {
                tracing::warn!(tenant = %tenant.id, upstream = %spec.name, "readings and password travel to this broker without TLS");
            }
            match upstream::start(&spec, arbiter, Arc::clone(metrics)) {
                Ok(handle) => upstreams.push((spec.name, handle)),
                // One tenant's mistake stops nobody else; its readings are answered 5.03.
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(tenant = %tenant.id, upstream = %spec.name, %error, cause, "upstream cannot be used");
                }
            }
        }
        let routes = store.routes().of_tenant(&tenant.id)?.into_iter().map(|route| {
            let upstream = upstreams.iter().find(|(name, _)| *name == route.upstream);
            Route {
                upstream: upstream.map(|(_, handle)| handle.clone()),
                resource: route.resource,
                topic: route.topic,
                acknowledge: route.acknowledge,
            }
        });
        let routes = routes.collect();
        let supervisor = supervise(tenant.id.clone(), arbiter);
        let limits = settings.limits.clone();
        tenants.push(Tenant::new(tenant.id, routes, limits, recorder.clone(), supervisor));
        handles.extend(upstreams.into_iter().map(|(_, handle)| handle));
    }
    Ok((Directory::new(tenants), handles, authorities))
}

fn supervise(id: TenantId, arbiter: &ArbiterHandle) -> Addr<TenantSupervisor> {
    TenantSupervisor::start_in_arbiter(arbiter, |_| TenantSupervisor::new(id))
}

/// The boards that are known by address.
fn residents(store: &Store, tenants: &Directory) -> Result<Residents, StartError> {
    let mut residents = Residents::new();
    for board in store.boards().with_address() {
        let board = board?;
        if let (Some(address), Some(tenant)) = (board.address, tenants.find(&board.tenant)) {
            residents.insert(address, (board.id, tenant));
        }
    }
    Ok(residents)
}

fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StartError::Random)?;
    Ok(bytes)
}

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
            for (tenant, arbiter) in hub.tenants.each().zip(hub.arbiters.iter().cycle()) {
                if !tenant.supervisor().connected() {
                    tracing::error!(tenant = %tenant.id, "the tenant's supervisor died; another takes over");
                    tenant.supervise_by(supervise(tenant.id.clone(), arbiter));
                }
            }
        });
    }
}

impl Handler<Shutdown> for Hub {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, Shutdown(within): Shutdown, _: &mut Self::Context) -> Self::Result {
        let (links, plain) = (self.links.clone(), self.plain.clone());
        let (deliveries, recorder) = (self.deliveries.clone(), self.recorder.clone());
        let upstreams = std::mem::take(&mut self.upstreams);
        Box::pin(async move {
            let until = Instant::now() + within;
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
            let _ = recorder.send(Flush).await;
            left
        })
    }
}
