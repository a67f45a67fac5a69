//! Sessions under a real supervisor, spoken to over UDP as plain CoAP.

use std::net::UdpSocket;
use std::time::Duration;

use actix::Addr;
use actix::dev::ContextFut;
use actix_rt::System;
use storage::{Acknowledge, Store};
use tempfile::TempDir;

use super::*;
use crate::barred::Barred;
use crate::coap::{Limits, code};
use crate::link::addresses::Addresses;
use crate::link::crossing::Crossing;
use crate::link::expected::Expected;
use crate::link::shard::Parts;
use crate::link::socket::Sender;
use crate::meter::TenantMeter;
use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::tenant::{Route, TenantSupervisor};
use crate::under_way::UnderWay;
use crate::upstream::{self, UpstreamSecrets};

const IDLE_MS: Millis = 300_000;

/// Makes a session panic, to see that nobody else notices.
#[derive(Message)]
#[rtype(result = "()")]
struct Panic;

impl Handler<Panic> for DeviceSession {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
        panic!("as the test asked");
    }
}

struct Rig {
    shard: Rc<Shard<DeviceSession>>,
    tenant: Arc<Tenant>,
    supervisor: Addr<TenantSupervisor>,
    board: UdpSocket,
    _dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with_quota(storage::Quota::default())
    }

    fn with_quota(quota: storage::Quota) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let metrics = Arc::new(Metrics::new());
        let id: storage::TenantId = "acme".parse().unwrap();
        let recorder = Recorder::new(store).start();
        let barred = Arc::new(Barred::new(Instant::now()));
        let supervisor = TenantSupervisor::new(id.clone(), Arc::clone(&barred)).start();
        let spec = storage::Upstream {
            tenant: id.clone(),
            name: "discard".parse().unwrap(),
            kind: storage::UpstreamKind::Discard,
        };
        let arbiter = actix_rt::Arbiter::current();
        let discard = upstream::start(
            &spec,
            &UpstreamSecrets::default(),
            &arbiter,
            Arc::clone(&metrics),
            Arc::clone(&barred),
        )
        .unwrap();
        let route = Route {
            resource: "t".parse().unwrap(),
            topic: "{board}".parse().unwrap(),
            acknowledge: Acknowledge::OnUpstream,
            upstream: Some(discard),
        };
        let limits = Limits::default();
        let meter = TenantMeter::new(quota, Instant::now(), metrics.tenant("acme"));
        let meter = (meter, barred);
        let tenant = Tenant::new(id, vec![route], limits, meter, recorder, supervisor.clone());
        let hub = UdpSocket::bind("127.0.0.1:0").unwrap();
        let board = UdpSocket::bind("127.0.0.1:0").unwrap();
        board.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let shard = Shard::new(Parts {
            index: 0,
            sender: Sender::new(&hub).unwrap(),
            crossing: Crossing::new(Arc::clone(&metrics)),
            metrics,
            expected: Expected::default(),
            idle: IDLE_MS,
            keeping: None,
            addresses: Addresses::default(),
            deliveries: UnderWay::default(),
            taps: Arc::default(),
            first_message: 1,
        });
        Self { shard, tenant, supervisor, board, _dir: dir }
    }

    fn session(&self, board: &str) -> Addr<DeviceSession> {
        let peer = self.board.local_addr().unwrap();
        let key = Key::Address(peer);
        let serial = self.shard.next_serial();
        let session = DeviceSession::start(SessionParts {
            board: board.parse().unwrap(),
            tenant: Arc::clone(&self.tenant),
            transport: Transport::Plain(Box::new(peer)),
            serial,
            shard: Rc::clone(&self.shard),
            first_mid: 0,
            issuer: None,
            renews_only: false,
            admitted: Instant::now(),
        });
        self.shard.table.borrow_mut().insert(key, serial, &session);
        session
    }

    /// Sends a reading to `session` and says the code it is answered with.
    async fn post(&self, session: &Addr<DeviceSession>) -> u8 {
        self.post_as(session, 1).await[1]
    }

    /// Sends a reading under a message id and gives the answer.
    async fn post_as(&self, session: &Addr<DeviceSession>, id: u8) -> Vec<u8> {
        let post = [0x40, code::POST, 0, id, 0xB1, b't', 0xFF, b'2', b'1'];
        let from = self.board.local_addr().unwrap();
        self.shard.deliver(session, from, &post, Instant::now());
        self.settle().await;
        let mut answer = [0; 64];
        let length = self.board.recv(&mut answer).unwrap();
        assert!(length >= 4);
        answer[..length].to_vec()
    }

    fn metric(&self, line: &str) -> bool {
        self.shard.metrics.encode().lines().any(|given| given == line)
    }

    /// Lets every other actor of this arbiter do what it has been told.
    async fn settle(&self) {
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn a_session_that_panics_ends_alone_and_its_board_may_begin_another() {
    System::new().block_on(async {
        let rig = Rig::new();
        let healthy = rig.session("CB-1");
        let doomed = rig.session("CB-2");
        assert_eq!(rig.post(&healthy).await, code::CHANGED);
        assert!(doomed.send(Panic).await.is_err(), "the panic reaches whoever asked");
        rig.settle().await;
        assert!(!doomed.connected());
        assert!(rig.metric(r#"hub_sessions_ended_total{reason="panicked"} 1"#));
        assert!(rig.metric("hub_sessions 1"));
        assert_eq!(rig.post(&rig.session("CB-2")).await, code::CHANGED);
        assert!(rig.supervisor.connected() && healthy.connected());
    });
}

#[test]
fn a_newer_session_of_a_board_ends_the_older() {
    System::new().block_on(async {
        let rig = Rig::new();
        let older = rig.session("CB-1");
        assert_eq!(rig.post(&older).await, code::CHANGED);
        let newer = rig.session("CB-1");
        assert_eq!(rig.post(&newer).await, code::CHANGED);
        rig.settle().await;
        assert!(!older.connected());
        assert!(newer.connected());
        assert!(rig.metric(r#"hub_sessions_ended_total{reason="replaced"} 1"#));
    });
}

#[test]
fn a_draining_hub_takes_nothing_new() {
    System::new().block_on(async {
        let rig = Rig::new();
        let session = rig.session("CB-1");
        rig.shard.draining.set(true);
        assert_eq!(rig.post(&session).await, code::UNAVAILABLE);
    });
}

#[test]
fn a_reading_over_quota_goes_nowhere_and_its_repetition_is_not_counted() {
    System::new().block_on(async {
        let mut quota = storage::Quota::default();
        quota.board.messages_per_minute = Some(2);
        let rig = Rig::with_quota(quota);
        let (greedy, modest) = (rig.session("CB-1"), rig.session("CB-2"));
        for id in [1, 2, 1, 2] {
            assert_eq!(rig.post_as(&greedy, id).await[1], code::CHANGED, "an id is counted once");
        }
        let refused = [0x60, code::TOO_MANY_REQUESTS, 0, 3, 0xd1, 1, 30];
        assert_eq!(rig.post_as(&greedy, 3).await, refused, "Max-Age of half a minute");
        assert_eq!(rig.post_as(&greedy, 3).await[1], code::TOO_MANY_REQUESTS);
        assert_eq!(rig.post(&modest).await, code::CHANGED);
        assert!(rig.metric(r#"hub_quota_refused_total{kind="messages",scope="board"} 1"#));
        assert!(rig.metric(r#"hub_tenant_messages_total{tenant="acme"} 3"#));
        let counted = r#"hub_messages_total{outcome="accepted",route_kind="discard"} 3"#;
        assert!(rig.metric(counted));
    });
}

#[test]
fn a_session_at_rest_is_small() {
    let (session, secured) = (size_of::<DeviceSession>(), size_of::<Secured>());
    assert!(session <= 200, "an actor of {session} bytes");
    assert!(secured <= 240, "an association with its slot of {secured} bytes");
}

#[test]
fn a_session_that_is_awake_fits_its_size_classes() {
    // Around the actor's future the executor's task has 104 bytes, and its class is one of 640.
    assert!(size_of::<ContextFut<DeviceSession, Context<DeviceSession>>>() <= 640 - 104);
    assert!(size_of::<Secured>() <= 192);
}
