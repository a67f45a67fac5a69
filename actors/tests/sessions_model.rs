//! Boards' sessions and their store against a model of a few lines, under any order of records,
//! answers, replays, sleep, moves, crashes, power failures, new handshakes, blocks and goodbyes.
//!
//! What has to hold, whatever happens in between:
//! - a board with a session that was stored goes on with it, from any address, without a handshake;
//! - no record is ever accepted twice;
//! - no write sequence is ever used twice under one key;
//! - a board that is blocked is not woken.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test's failure is its report"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;

use actors::admission::Admitted;
use actors::coap::code;
use actors::link::association::Received;
use actors::link::cipher::{DirectionKey, Suite};
use actors::link::connection_id::{ConnectionId, LENGTH};
use actors::link::established::{Established, FinalFlight};
use actors::link::keys;
use actors::link::record::{self, ContentType};
use actors::link::window::ReplayWindow;
use actors::session::secured::{Proof, Secured};
use proptest::prelude::*;
use storage::{
    Board, BoardId, BoardState, Fingerprint, NewAuthority, Origin, Tenant, TenantState, UnixSeconds,
};

#[path = "sessions_model/hub.rs"]
mod hub;

use hub::{Hub, copy};

const BOARDS: usize = 3;
const NOW: UnixSeconds = UnixSeconds(1_700_000_000);
const ECHO: [u8; 2] = [0xD8, 0xE4];

#[derive(Debug, Clone)]
enum Step {
    /// A board sends a new record, `skip` sequences later, and does what it is asked for.
    Send { board: usize, skip: u64 },
    /// An attacker sends what a board once sent.
    Replay { board: usize, which: prop::sample::Index },
    /// The hub sends `count` records.
    Answer { board: usize, count: u64 },
    /// The session leaves memory.
    Sleep { board: usize },
    /// The board has another address.
    Move { board: usize },
    /// The board shakes hands again.
    Handshake { board: usize },
    /// An admin blocks the board, or lifts the block.
    Block { board: usize, blocked: bool },
    /// The hub is killed, and starts again.
    Crash,
    /// The hub stops as it should, the machine is switched off, and both start again.
    Restart,
    /// The machine fails: of the slots' file an older state is on the disk.
    PowerFailure { stale: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let board = 0..BOARDS;
    let step = prop_oneof![
        8 => (board.clone(), prop_oneof![4 => Just(0_u64), 1 => 0..100_u64])
            .prop_map(|(board, skip)| Step::Send { board, skip }),
        6 => (board.clone(), any::<prop::sample::Index>())
            .prop_map(|(board, which)| Step::Replay { board, which }),
        4 => (board.clone(), 1..150_u64).prop_map(|(board, count)| Step::Answer { board, count }),
        3 => board.clone().prop_map(|board| Step::Sleep { board }),
        2 => board.clone().prop_map(|board| Step::Move { board }),
        2 => board.clone().prop_map(|board| Step::Handshake { board }),
        2 => (board, any::<bool>()).prop_map(|(board, blocked)| Step::Block { board, blocked }),
        2 => Just(Step::Crash),
        1 => Just(Step::Restart),
        2 => any::<bool>().prop_map(|stale| Step::PowerFailure { stale }),
    ];
    prop::collection::vec(step, 1..60)
}

/// A board and what it knows of its session.
struct Peer {
    id: BoardId,
    address: SocketAddr,
    session: Option<Client>,
    blocked: bool,
}

struct Client {
    id: ConnectionId,
    write: DirectionKey,
    read: DirectionKey,
    next: u64,
    sent: Vec<Vec<u8>>,
    accepted: BTreeSet<u64>,
    heard: BTreeSet<u64>,
}

struct World {
    root: tempfile::TempDir,
    hub: Option<Hub>,
    boot: u8,
    lives: usize,
    peers: Vec<Peer>,
    handshakes: u8,
    /// The slots' file as it was at the last look.
    slots: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let hub = Hub::open(root.path().join("0"), 1);
        let tenant = Tenant {
            id: "acme".parse().unwrap(),
            name: "Acme".into(),
            state: TenantState::Active,
            created: NOW,
            issuer: None,
            quota: storage::Quota::default(),
        };
        hub.store.tenants().put(&tenant).unwrap();
        let authority = NewAuthority {
            tenant: tenant.id.clone(),
            certificate: vec![1],
            origin: Origin::Own { key: "k".into() },
            added: NOW,
        };
        hub.store.authorities().put_new(authority).unwrap();
        let peers = (0..BOARDS).map(|n| {
            let id: BoardId = format!("CB-{n}").parse().unwrap();
            let mut board = Board::new(id.clone(), tenant.id.clone(), NOW);
            board.fingerprint = Some(Fingerprint([u8::try_from(n).unwrap(); 32]));
            hub.store.boards().put(&board).unwrap();
            Peer { id, address: address(n, 0), session: None, blocked: false }
        });
        let peers = peers.collect();
        let mut world =
            Self { root, hub: None, boot: 1, lives: 0, peers, handshakes: 0, slots: Vec::new() };
        world.hub = Some(hub);
        world
    }

    fn hub(&mut self) -> &mut Hub {
        self.hub.as_mut().unwrap()
    }

    fn handshake(&mut self, board: usize) {
        self.handshakes += 1;
        let seed = self.handshakes;
        let peer = &self.peers[board];
        let (admitted, address) = (
            Admitted {
                board: peer.id.clone(),
                tenant: "acme".parse().unwrap(),
                fingerprint: Fingerprint([u8::try_from(board).unwrap(); 32]),
                not_after: UnixSeconds(NOW.0 + 1000),
                at: std::time::Instant::now(),
                serial: None,
                issuer: storage::AuthorityNumber::FIRST,
                standing: actors::admission::Standing::Known,
            },
            peer.address,
        );
        let suite = Suite::EcdheEcdsaAes128GcmSha256;
        let (client, server) = keys::derive(suite, &[seed; 48], &[seed; 32], &[board as u8; 32]);
        let hub = self.hub();
        let place = hub.keep.place(3).unwrap();
        let id = place.id;
        let established = Established {
            admitted,
            read: client.clone(),
            write: server.clone(),
            read_cid: Some(id),
            write_cid: Box::default(),
            window: ReplayWindow::new(),
            write_sequence: 1,
            final_flight: Some(FinalFlight { finished: Vec::new(), next_plain_sequence: 9 }),
            datagrams: Vec::new(),
            early: Vec::new(),
            offered: None,
            resumption: None,
        };
        let kept = hub.keep.establish(established, place, address, NOW).unwrap();
        hub.keep.sessions().flush().unwrap();
        hub.awake.insert(board, Secured::new(kept));
        self.peers[board].session = Some(Client {
            id,
            write: client,
            read: server,
            next: 1,
            sent: Vec::new(),
            accepted: BTreeSet::new(),
            heard: BTreeSet::from([0]),
        });
    }

    /// A new record of the board with `message`; its sequence with it.
    fn seal(&mut self, board: usize, message: &[u8]) -> Vec<u8> {
        let client = self.peers[board].session.as_mut().unwrap();
        let mut datagram = Vec::new();
        let data = ContentType::ApplicationData;
        let id = client.id.octets();
        client.write.seal(data, 1, client.next, &id, message, &mut datagram).unwrap();
        client.next += 1;
        client.sent.push(datagram.clone());
        datagram
    }

    /// Gives the hub a datagram; whether its request was taken, and what was asked instead.
    fn receive(&mut self, board: usize, datagram: &[u8]) -> (bool, Option<Vec<u8>>) {
        let from = self.peers[board].address;
        let record = record::records(datagram, LENGTH).next().unwrap().unwrap();
        let id = ConnectionId::from_wire(record.cid).unwrap();
        let hub = self.hub.as_mut().unwrap();
        let secured = match hub.session(board, id, datagram) {
            Ok(secured) => secured,
            Err(None) => return (false, None),
            Err(Some(alert)) => {
                assert!(self.peers[board].blocked && alert.len() <= datagram.len());
                let client = self.peers[board].session.as_ref().unwrap();
                assert!(!client.accepted.contains(&record.sequence), "an old record is answered");
                assert_eq!(self.hear(board, &alert), [2, 49], "fatal, access_denied");
                self.peers[board].session = None;
                return (false, None);
            }
        };
        let mut plaintext = Vec::new();
        let taken = match secured.open(&record, from, &mut plaintext) {
            Ok(Received::Data) => true,
            Ok(Received::Unproven) => match secured.prove(&plaintext, record.sequence, from, 77) {
                Proof::Proven => true,
                Proof::Asked(question) => {
                    let mut answer = Vec::new();
                    secured.seal(&question, &mut answer).unwrap();
                    return (false, Some(answer));
                }
                Proof::Silence => false,
            },
            Ok(_) => panic!("only data was sent"),
            Err(_) => return (false, None),
        };
        secured.remember().unwrap();
        if taken {
            let client = self.peers[board].session.as_mut().unwrap();
            assert_eq!(client.id, id, "an older session's record was accepted");
            assert!(client.accepted.insert(record.sequence), "a record was accepted twice");
            assert_eq!(hub.awake[&board].peer(), from, "the newest record says where the board is");
        }
        (taken, None)
    }

    /// The board hears a record of the hub: no sequence twice; its plaintext.
    fn hear(&mut self, board: usize, datagram: &[u8]) -> Vec<u8> {
        let client = self.peers[board].session.as_mut().unwrap();
        let record = record::records(datagram, 0).next().unwrap().unwrap();
        assert!(client.heard.insert(record.sequence), "write sequence {} twice", record.sequence);
        let mut plaintext = Vec::new();
        client.read.open(&record, &mut plaintext).unwrap();
        plaintext
    }

    fn send(&mut self, board: usize, skip: u64) {
        let Some(client) = &mut self.peers[board].session else { return };
        client.next += skip;
        let datagram = self.seal(board, &[0x40, code::POST, 0, 1, 0xB1, b't', 0xFF, 1]);
        let awake = self.hub().awake.contains_key(&board);
        let (mut taken, asked) = self.receive(board, &datagram);
        if let Some(asked) = asked {
            let question = self.hear(board, &asked);
            assert_eq!(question[1], code::UNAUTHORIZED);
            let echo = &question[question.len() - 8..];
            let head = [0x40, code::POST, 0, 2, 0xB1, b't'];
            let request = [&head[..], &ECHO, echo, &[0xFF, 1]].concat();
            let datagram = self.seal(board, &request);
            taken = self.receive(board, &datagram).0;
        }
        let may = awake || !self.peers[board].blocked;
        assert_eq!(taken, may, "a board goes on with its session unless it is blocked");
        if !taken {
            assert!(self.peers[board].blocked);
        }
    }

    fn replay(&mut self, board: usize, which: prop::sample::Index) {
        let Some(client) = &self.peers[board].session else { return };
        if client.sent.is_empty() {
            return;
        }
        let datagram = which.get(&client.sent).clone();
        let record = record::records(&datagram, LENGTH).next().unwrap().unwrap();
        if !client.accepted.contains(&record.sequence) {
            return;
        }
        let (taken, asked) = self.receive(board, &datagram);
        assert!(!taken);
        if let Some(asked) = asked {
            self.hear(board, &asked);
        }
    }

    fn answer(&mut self, board: usize, count: u64) {
        for _ in 0..count {
            let Some(secured) = self.hub().awake.get_mut(&board) else { return };
            let mut datagram = Vec::new();
            secured.seal(b"x", &mut datagram).unwrap();
            self.hear(board, &datagram);
        }
    }

    fn start_again(&mut self, slots: Option<Vec<u8>>) {
        let hub = self.hub.take().unwrap();
        self.lives += 1;
        let dir = self.root.path().join(self.lives.to_string());
        // What a kill leaves is what is in the files now.
        copy(&hub.dir, &dir);
        drop(hub);
        if let Some(slots) = slots {
            std::fs::write(dir.join("windows"), slots).unwrap();
        }
        self.hub = Some(Hub::open(dir, self.boot));
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send { board, skip } => self.send(board, skip),
            Step::Replay { board, which } => self.replay(board, which),
            Step::Answer { board, count } => self.answer(board, count),
            Step::Sleep { board } => drop(self.hub().awake.remove(&board)),
            Step::Move { board } => {
                let port = self.peers[board].address.port() + 1;
                self.peers[board].address.set_port(port);
            }
            Step::Handshake { board } if !self.peers[board].blocked => self.handshake(board),
            Step::Handshake { .. } => {}
            Step::Block { board, blocked } => {
                self.peers[board].blocked = blocked;
                let id = self.peers[board].id.clone();
                let blocked_for = || BoardState::Blocked { reason: "lost".into(), since: NOW };
                let state = move || if blocked { blocked_for() } else { BoardState::Active };
                self.hub().store.boards().change(&id, |board| board.state = state()).unwrap();
                self.hub().awake.remove(&board);
            }
            Step::Crash => self.start_again(None),
            Step::Restart => {
                self.hub().awake.clear();
                self.hub().keep.sessions().close().unwrap();
                self.boot += 1;
                self.start_again(None);
            }
            Step::PowerFailure { stale } => {
                self.boot += 1;
                let slots = stale.then(|| self.slots.clone());
                self.start_again(slots);
            }
        }
    }
}

fn address(board: usize, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(board).unwrap()], 1000 + port))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_session_is_lost_and_no_number_is_used_twice(steps in steps()) {
        let mut world = World::new();
        for board in 0..BOARDS {
            world.handshake(board);
        }
        for (number, step) in steps.into_iter().enumerate() {
            if number % 5 == 0 {
                world.slots = std::fs::read(world.hub().slots()).unwrap();
            }
            world.take(step);
        }
    }
}
