//! From settings to a running hub: sockets, arbiters, actors, and who is told of whom.
//!
//! Invariant: decides nothing that is not in the settings or in the store.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr};
use actix_rt::Arbiter;
use openssl::error::ErrorStack;
use storage::{BootId, Keyring, Quota, Sessions, Store, StoreError};

use crate::admission::Registry;
use crate::campaign::Campaigns;
use crate::coap::Limits;
use crate::credentials::Credentials;
use crate::enrolment::{Desk, Enrolment};
use crate::firmware::{Counter, Librarian};
use crate::handshake_quota::{HandshakeQuota, Metered};
use crate::hub::{Hub, Reloadable, tenants};
use crate::keeper::{BeginWith, Keep, Keeper, Keeping, Resuming, Waker};
use crate::link::addresses::{Addresses, Place};
use crate::link::budget::Budget;
use crate::link::clock::millis;
use crate::link::connection_id::ConnectionIds;
use crate::link::crossing::Crossing;
use crate::link::destination::owner_of_address;
use crate::link::door::{Door, DoorParts};
use crate::link::expected::Expected;
use crate::link::front_door::{FrontDoor, FrontDoorParts, OpenDoor};
use crate::link::handshaker::Handshaker;
use crate::link::handshakes::Means;
use crate::link::link_actor::{Link, Open};
use crate::link::plain::PlainLink;
use crate::link::shard::{Parts, Shard};
use crate::link::slots::Slots;
use crate::link::socket::{self, Sender, Sockets};
use crate::link::steering;
use crate::metrics::Metrics;
use crate::paced::Paced;
use crate::recorder::Recorder;
use crate::rollout::Rollouts;
use crate::taps::Taps;
use crate::tenant::Directory;
use crate::under_way::UnderWay;

/// How much longer a handshake is known at the front door than to its worker, which looks once a
/// second: an entry never ends before its handshake.
const WORKER_FIRST: Duration = Duration::from_secs(3);

/// Everything the live hub is told.
pub struct Settings {
    /// Where boards speak DTLS.
    pub listen: SocketAddr,
    /// Sockets of the listening address that were open before the hub was.
    pub inherited: Vec<UdpSocket>,
    /// Arbiters with sessions, each with a socket; at least one.
    pub sockets: usize,
    /// The hub's certificate and key.
    pub credentials: Credentials,
    /// How many handshakes may be in progress.
    pub handshakes_max: usize,
    /// Arbiters that carry handshakes; at least one.
    pub handshake_workers: usize,
    /// How long one handshake may take.
    pub handshake_timeout: Duration,
    /// Bounds against floods.
    pub flood: FloodBounds,
    /// The largest datagram of a handshake, in bytes of UDP payload.
    pub mtu: u16,
    /// The kernel's receive buffer, in bytes a socket.
    pub receive_buffer: usize,
    /// This hub's number.
    pub node: u8,
    /// Under which keys sessions and secrets are stored.
    pub keyring: Keyring,
    /// After how long without a message a session leaves memory.
    pub idle: Duration,
    /// For how long after its full handshake a session can be resumed.
    pub resumption: Duration,
    /// Bounds for each board.
    pub limits: Limits,
    /// What answers boards that ask for certificates.
    pub enrolment: Arc<dyn Enrolment>,
    /// What boards should run.
    pub rollouts: Arc<Rollouts>,
    /// Which boards are told to renew their certificates.
    pub campaigns: Arc<Campaigns>,
    /// For how long after its certificate has ended a board may still renew it.
    pub renew_after_expiry: Duration,
    /// Quotas of tenants and boards where the tenant has none of its own.
    pub quota: Quota,
    /// Where boards speak CoAP without DTLS, if anywhere.
    pub plain: Option<SocketAddr>,
    /// A socket for it that was open before the hub was.
    pub plain_inherited: Option<UdpSocket>,
}

/// Bounds against floods of handshakes, each a second; nought is without bound.
#[derive(Debug, Clone)]
pub struct FloodBounds {
    /// First ClientHellos answered, of one source.
    pub hellos_per_source_s: u32,
    /// Of all.
    pub hellos_s: u32,
    /// Handshakes begun, of one source.
    pub handshakes_per_source_s: u32,
    /// Of all.
    pub handshakes_s: u32,
    /// Handshakes of one tenant's boards.
    pub handshakes_per_tenant_s: u32,
    /// How long a handshake may be silent and keep its place when all are taken.
    pub half_open_silence: Duration,
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
    /// The system does not say which boot this is.
    #[error("the system does not name this boot of the machine")]
    Boot(#[source] io::Error),
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
#[derive(Clone)]
pub struct Running {
    /// The actor at the top.
    pub hub: Addr<Hub>,
    /// Where boards reach it.
    pub listen: SocketAddr,
    /// Where boards reach it without DTLS.
    pub plain: Option<SocketAddr>,
    /// Boards whose readings are looked at.
    pub taps: Arc<Taps>,
}

/// Starts every actor of the hub; must be called inside an actix system.
///
/// # Errors
/// What kept it from starting; nothing is left running that a stop of the system does not end.
pub fn start(
    mut settings: Settings,
    store: &Store,
    metrics: &Arc<Metrics>,
) -> Result<Running, StartError> {
    let inherited = std::mem::take(&mut settings.inherited);
    let failed = |source| StartError::Listen { listen: settings.listen, source };
    let Sockets { shards, door: door_socket } =
        socket::open(settings.listen, settings.sockets, settings.receive_buffer, inherited)
            .map_err(failed)?;
    let first = shards.first().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let listen = first.local_addr().map_err(failed)?;
    let sender = Sender::new(first).map_err(failed)?;
    if let Some(socket) = &door_socket {
        steer(socket, shards.len());
    }
    let arbiters: Vec<_> = shards.iter().map(|_| Arbiter::new().handle()).collect();
    let recorder = {
        let store = store.clone();
        Recorder::start_in_arbiter(&Arbiter::new().handle(), |_| Recorder::new(store))
    };
    let mut serving = tenants::Serving {
        store: store.clone(),
        secrets: store.secrets(&settings.keyring)?,
        limits: settings.limits.clone(),
        quota: settings.quota,
        metrics: Arc::clone(metrics),
        arbiters: arbiters.clone(),
        recorder: recorder.clone(),
        began: Instant::now(),
        running: HashMap::new(),
    };
    let tenants = serving.all()?;
    let registry = Registry::new(store.clone(), settings.renew_after_expiry);
    let told = (metrics, &recorder);
    let keeping = keep(&settings, store, &registry, &tenants, told, &sender)?;
    let quota = HandshakeQuota::new(Arc::clone(&tenants), Arc::clone(metrics));
    let metered = Metered { admission: registry, quota: Arc::clone(&quota) };
    let reloadable = Reloadable {
        store: store.clone(),
        admission: Paced::new(Arc::new(metered), settings.flood.handshakes_per_tenant_s),
        mtu: settings.mtu,
        credentials: settings.credentials.clone(),
    };
    let profile = reloadable.profile(&settings.credentials)?;
    let resumptions = Resuming::new(keeping.keep.clone(), Arc::clone(&quota), settings.resumption);
    let means = Means {
        sender,
        metrics: Arc::clone(metrics),
        keep: keeping.keep.clone(),
        keeper: keeping.keeper.clone(),
        recorder: recorder.clone(),
        shards: shards.len(),
        quota,
        timeout: settings.handshake_timeout,
    };
    let handshakers: Vec<_> = (0..settings.handshake_workers.max(1))
        .map(|_| {
            let (profile, means) = (Arc::clone(&profile), means.clone());
            let arbiter = Arbiter::new().handle();
            Handshaker::start_in_arbiter(&arbiter, |_| Handshaker::new(profile, means))
        })
        .collect();
    let (expected, crossing) = (Expected::default(), Crossing::new(Arc::clone(metrics)));
    let door = {
        let parts = FrontDoorParts {
            door: door(&settings, expected.clone(), shards.len(), metrics)?,
            socket: door_socket,
            means,
            resumptions: Arc::new(resumptions),
            mtu: settings.mtu,
            handshakers: handshakers.clone(),
            crossing: crossing.clone(),
        };
        FrontDoor::start_in_arbiter(&Arbiter::new().handle(), |_| FrontDoor::new(parts))
    };

    let deliveries = UnderWay::default();
    let taps = Arc::<Taps>::default();
    let idle = millis(settings.idle);
    let parts = |index: u8, sender: Sender, kept| -> Result<Parts, StartError> {
        let (keeping, addresses) = kept;
        Ok(Parts {
            index,
            sender,
            metrics: Arc::clone(metrics),
            expected: expected.clone(),
            crossing: crossing.clone(),
            idle,
            keeping,
            addresses,
            deliveries: deliveries.clone(),
            taps: Arc::clone(&taps),
            first_message: u64::from_be_bytes(random()?),
        })
    };
    let mut links = Vec::new();
    let known = by_address(keeping.keep.sessions(), shards.len());
    for (index, ((socket, arbiter), known)) in
        (0..).zip(shards.into_iter().zip(&arbiters).zip(known))
    {
        let sender = Sender::new(&socket).map_err(failed)?;
        let parts = parts(index, sender, (Some(keeping.clone()), known))?;
        let tenants = Arc::clone(&tenants);
        links.push(Link::start_in_arbiter(arbiter, move |_| {
            Link::new(Shard::new(parts), socket, tenants)
        }));
    }
    // Fresh mailboxes have room.
    let begin = links.iter().cloned().map(Addr::recipient).collect();
    let _ = keeping.keeper.try_send(BeginWith(begin));
    let _ = door.try_send(OpenDoor(links.clone()));
    for link in &links {
        let _ = link.try_send(Open { links: links.clone(), door: door.clone() });
    }
    let (plain, plain_listen) = match settings.plain {
        None => (None, None),
        Some(listen) => {
            let failed = |source| StartError::Listen { listen, source };
            let inherited = settings.plain_inherited.take();
            let socket = socket::open_one(listen, settings.receive_buffer, inherited);
            let socket = socket.map_err(failed)?;
            let listen = socket.local_addr().map_err(failed)?;
            // Its sessions have no Connection ID, but serials of their own.
            let parts = parts(
                u8::MAX,
                Sender::new(&socket).map_err(failed)?,
                (None, Addresses::default()),
            )?;
            let residents = tenants::residents(store, &tenants)?;
            let arbiter = Arbiter::new().handle();
            let link = PlainLink::start_in_arbiter(&arbiter, move |_| {
                PlainLink::new(Shard::new(parts), socket, residents)
            });
            (Some(link), Some(listen))
        }
    };
    let hub = Hub {
        tenants,
        serving,
        links,
        door,
        plain,
        handshakers,
        reloadable,
        recorder,
        keeping,
        deliveries,
        metrics: Arc::clone(metrics),
        port: listen.port(),
        drops: 0,
    };
    Ok(Running { hub: hub.start(), listen, plain: plain_listen, taps })
}

/// What keeps sessions, each actor on an arbiter of its own.
fn keep(
    settings: &Settings,
    store: &Store,
    registry: &Arc<Registry>,
    tenants: &Arc<Directory>,
    (metrics, recorder): (&Arc<Metrics>, &Addr<Recorder>),
    sender: &Sender,
) -> Result<Keeping, StartError> {
    let boot = BootId::of_this_boot().map_err(StartError::Boot)?;
    let keyring = &settings.keyring;
    let sessions = store.sessions(keyring, boot)?;
    let ids = ConnectionIds::new(settings.node, &keyring.naming().first_half());
    let keep = Keep::new(sessions, Arc::clone(registry), ids);
    let keeper = {
        let (keep, tenants) = (keep.clone(), Arc::clone(tenants));
        let (metrics, recorder) = (Arc::clone(metrics), recorder.clone());
        let arbiter = Arbiter::new().handle();
        Keeper::start_in_arbiter(&arbiter, |_| Keeper::new(keep, tenants, metrics, recorder))
    };
    let waker = {
        let (keep, metrics, sender) = (keep.clone(), Arc::clone(metrics), sender.clone());
        let (arbiter, recorder) = (Arbiter::new().handle(), recorder.clone());
        Waker::start_in_arbiter(&arbiter, |_| Waker::new(keep, metrics, sender, recorder))
    };
    let desk = {
        let (keep, enrolment) = (keep.clone(), Arc::clone(&settings.enrolment));
        Desk::start_in_arbiter(&Arbiter::new().handle(), |_| Desk::new(enrolment, keep))
    };
    let counter = {
        let (rollouts, metrics) = (Arc::clone(&settings.rollouts), Arc::clone(metrics));
        Counter::start_in_arbiter(&Arbiter::new().handle(), |_| Counter::new(rollouts, metrics))
    };
    let librarian = {
        let (rollouts, metrics) = (Arc::clone(&settings.rollouts), Arc::clone(metrics));
        Librarian::start_in_arbiter(&Arbiter::new().handle(), |_| Librarian::new(rollouts, metrics))
    };
    let campaigns = Arc::clone(&settings.campaigns);
    Ok(Keeping { keep, keeper, waker, desk, counter, librarian, campaigns })
}

/// The stored sessions that are known by their boards' addresses, by the arbiter that owns them.
fn by_address(sessions: &Sessions, shards: usize) -> Vec<Addresses> {
    let mut known = vec![Vec::new(); shards];
    let read = sessions.by_address().try_for_each(|entry| {
        let (peer, slot) = entry?;
        let generation = sessions.window(slot)?.generation;
        if let Some(known) = known.get_mut(owner_of_address(peer, shards)) {
            known.push((peer, Place { slot, generation }));
        }
        Ok::<_, StoreError>(())
    });
    if let Err(error) = read {
        tracing::error!(%error, "sessions known by address cannot be read; their boards begin again");
    }
    known.into_iter().map(Addresses::from_iter).collect()
}

/// Has the kernel do what the arbiters would otherwise do for each other.
fn steer(socket: &UdpSocket, shards: usize) {
    let shards = u8::try_from(shards).unwrap_or(u8::MAX);
    if let Err(error) = steering::attach(socket, shards) {
        tracing::warn!(%error, "the kernel does not steer datagrams; they are handed over instead");
    }
}

fn door(
    settings: &Settings,
    expected: Expected,
    shards: usize,
    metrics: &Arc<Metrics>,
) -> Result<Door, StartError> {
    let flood = &settings.flood;
    Ok(Door::new(DoorParts {
        cookie_key: random()?,
        slots: Slots::new(settings.handshakes_max, Arc::clone(metrics)),
        expected,
        workers: settings.handshake_workers,
        shards,
        forget_after: millis(settings.handshake_timeout + WORKER_FIRST),
        silence: millis(flood.half_open_silence),
        hellos: Budget::new(flood.hellos_per_source_s, flood.hellos_s),
        begins: Budget::new(flood.handshakes_per_source_s, flood.handshakes_s),
    }))
}

fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StartError::Random)?;
    Ok(bytes)
}
