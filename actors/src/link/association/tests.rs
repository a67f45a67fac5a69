use super::*;
use crate::admission::Admitted;
use crate::link::keys;
use storage::{Fingerprint, UnixSeconds};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// A board's keys, and the hub's association with it.
struct Pair {
    board: DirectionKey,
    hub: Association,
}

fn admitted() -> Admitted {
    Admitted {
        board: "CB-1".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        fingerprint: Fingerprint([1; 32]),
        not_after: UnixSeconds(u64::MAX),
        at: std::time::Instant::now(),
        serial: None,
        issuer: storage::AuthorityNumber::FIRST,
        standing: crate::admission::Standing::Known,
    }
}

fn pair() -> Pair {
    let suite = Suite::EcdheEcdsaAes128GcmSha256;
    let (client, server) = keys::derive(suite, &[1; 48], &[2; 32], &[3; 32]);
    let established = Established {
        admitted: admitted(),
        read: client.clone(),
        write: server,
        read_cid: None,
        write_cid: Box::default(),
        window: ReplayWindow::new(),
        write_sequence: 1,
        final_flight: Some(FinalFlight { finished: vec![20], next_plain_sequence: 5 }),
        datagrams: Vec::new(),
        early: Vec::new(),
        offered: None,
        resumption: None,
    };
    Pair { board: client, hub: Association::new(established, PEER, 7) }
}

impl Pair {
    fn stored(&self, write_floor: u64) -> Session {
        let (suite, keys) = self.hub.stored_keys();
        Session {
            generation: 7,
            board: admitted().board,
            tenant: admitted().tenant,
            fingerprint: admitted().fingerprint,
            not_after: admitted().not_after,
            authenticated: UnixSeconds(0),
            open: true,
            name: SessionName::Address(PEER),
            write_cid: self.hub.write_cid().to_vec(),
            peer: PEER,
            write_floor,
            suite,
            keys,
            resumption: None,
        }
    }

    fn restart(&mut self, window: Window) {
        self.hub = Association::restored(&self.stored(0), &window).unwrap();
    }

    fn receive(&mut self, sequence: u64) -> Result<Received, Dropped> {
        let mut datagram = Vec::new();
        let data = ContentType::ApplicationData;
        self.board.seal(data, 1, sequence, &[], b"x", &mut datagram).unwrap();
        let record = record::records(&datagram, 0).next().unwrap().unwrap();
        self.hub.open(&record, PEER, &mut Vec::new())
    }

    /// The write sequence of the next record, if there is one.
    fn seal(&mut self) -> Option<u64> {
        let mut datagram = Vec::new();
        self.hub.seal(b"y", &mut datagram);
        record::records(&datagram, 0).next().map(|record| record.unwrap().sequence)
    }
}

#[test]
fn nothing_is_sealed_that_the_slot_does_not_reserve() {
    let mut pair = pair();
    assert!(pair.hub.must_reserve());
    assert_eq!(pair.seal(), None);
    let window = pair.hub.reserve();
    assert_eq!((window.generation, window.write_limit), (7, 1 + 64));
    let sealed: Vec<_> = std::iter::from_fn(|| pair.seal()).collect();
    assert_eq!(sealed, (1..65).collect::<Vec<_>>());
    assert!(pair.hub.must_reserve());
}

#[test]
fn after_a_restart_write_sequences_go_on_behind_all_that_were_reserved() {
    let mut pair = pair();
    let window = pair.hub.reserve();
    assert_eq!(pair.seal(), Some(1));
    pair.restart(window);
    pair.hub.reserve();
    assert_eq!(pair.seal(), Some(65));
}

#[test]
fn a_record_from_before_the_restart_is_refused_after_it() {
    let mut pair = pair();
    for sequence in [1, 2, 9] {
        assert_eq!(pair.receive(sequence), Ok(Received::Data));
    }
    let window = pair.hub.reserve();
    pair.restart(window);
    for sequence in [1, 2, 9] {
        assert_eq!(pair.receive(sequence), Err(Dropped::Replay));
    }
    assert_eq!(pair.receive(3), Ok(Received::Data));
}

#[test]
fn after_a_power_failure_no_record_counts_until_the_board_has_shown_where_it_stands() {
    let mut pair = pair();
    for sequence in 1..=5 {
        assert_eq!(pair.receive(sequence), Ok(Received::Data));
    }
    // The slot says what was true after the third.
    let stale =
        Window { generation: 7, next: 4, received: 0b111, write_limit: 3, trust: Trust::No };
    pair.restart(stale);
    assert!(pair.hub.is_unproven());
    assert_eq!(pair.receive(3), Err(Dropped::Replay));
    assert_eq!(pair.receive(5), Ok(Received::Unproven));
    assert_eq!(pair.receive(5), Ok(Received::Unproven), "asking again changes nothing");
    assert_eq!(pair.receive(7), Ok(Received::Unproven));
    pair.hub.prove(7, PEER);
    for sequence in 1..=7 {
        assert_eq!(pair.receive(sequence), Err(Dropped::Replay));
    }
    assert_eq!(pair.receive(8), Ok(Received::Data));
    assert_eq!(pair.hub.reserve().trust, Trust::Yes);
}

#[test]
fn an_unproven_goodbye_is_none() {
    let mut pair = pair();
    pair.restart(Window { generation: 7, trust: Trust::No, ..Window::default() });
    let mut datagram = Vec::new();
    pair.board.seal(ContentType::Alert, 1, 3, &[], &[1, 0], &mut datagram).unwrap();
    let record = record::records(&datagram, 0).next().unwrap().unwrap();
    assert_eq!(pair.hub.open(&record, PEER, &mut Vec::new()), Ok(Received::Nothing));
}

#[test]
fn after_a_power_failure_write_sequences_skip_all_that_may_have_been_used() {
    let mut pair = pair();
    pair.restart(Window { generation: 7, write_limit: 3, trust: Trust::No, ..Window::default() });
    assert_eq!(pair.hub.floor(), WRITE_MARGIN);
    assert_eq!(pair.hub.reserve().trust, Trust::Writes);
    assert_eq!(pair.seal(), Some(WRITE_MARGIN));
}

#[test]
fn no_sequence_is_used_that_the_stored_session_does_not_allow() {
    let mut pair = pair();
    let window = Window { generation: 7, write_limit: WRITE_MARGIN - 2, ..Window::default() };
    pair.restart(window);
    assert_eq!(pair.hub.floor_due(), Some(WRITE_MARGIN - 2));
    pair.hub.reserve();
    assert_eq!(pair.seal(), Some(WRITE_MARGIN - 2));
    assert_eq!(pair.seal(), Some(WRITE_MARGIN - 1));
    pair.hub.reserve();
    assert_eq!(pair.seal(), None, "the store has to follow first");
    pair.hub.raise_floor(WRITE_MARGIN - 2);
    pair.hub.reserve();
    assert_eq!(pair.seal(), Some(WRITE_MARGIN));
    assert_eq!(pair.hub.floor_due(), None);
}

#[test]
fn a_session_of_a_suite_that_is_not_spoken_any_more_is_not_restored() {
    let mut session = pair().stored(0);
    session.suite = 0x002F;
    assert!(Association::restored(&session, &Window::default()).is_none());
}
