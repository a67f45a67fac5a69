//! A board against a hub that answers late, loses, repeats and refuses, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

use std::collections::{BTreeMap, BTreeSet};

use board::{Board, Config, Event, Millis, Random, ReadingId, Status, SubmitError};
use coap_lite::{CoapOption, MessageClass, MessageType, Packet};
use proptest::prelude::*;

const CHANGED: u8 = 0x44;
const NOT_FOUND: u8 = 0x84;
const UNAVAILABLE: u8 = 0xa3;

fn config() -> Config {
    Config { queue_max: 8, ..Config::default() }
}

fn online() -> Board {
    let mut board = Board::new(config(), 7);
    board.submit(0, "t", 112, vec![1]).unwrap();
    assert_eq!(board.poll_event(), Some(Event::ConnectWanted));
    board.handle_connected(10);
    board
}

fn sent(board: &mut Board) -> Packet {
    Packet::from_bytes(&board.poll_transmit().unwrap()).unwrap()
}

fn answer(kind: MessageType, message_id: u16, token: &[u8], code: u8, max_age: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(kind);
    packet.header.message_id = message_id;
    packet.header.code = MessageClass::from(code);
    packet.set_token(token.to_vec());
    if !max_age.is_empty() {
        packet.add_option(CoapOption::MaxAge, max_age.to_vec());
    }
    packet.to_bytes().unwrap()
}

fn piggybacked(request: &Packet, code: u8, max_age: &[u8]) -> Vec<u8> {
    let ack = MessageType::Acknowledgement;
    answer(ack, request.header.message_id, request.get_token(), code, max_age)
}

#[test]
fn a_board_is_told_to_renew_with_the_answer_to_a_reading_and_with_no_other() {
    let told = |code| {
        let mut board = online();
        let request = sent(&mut board);
        let mut packet = Packet::from_bytes(&piggybacked(&request, code, &[])).unwrap();
        packet.add_option(CoapOption::Unknown(wire::OPTION_RENEW), Vec::new());
        board.handle_datagram(20, &packet.to_bytes().unwrap());
        core::iter::from_fn(|| board.poll_event()).collect::<Vec<_>>()
    };
    let id = ReadingId(0);
    assert_eq!(told(CHANGED), [Event::Acknowledged { id }, Event::RenewalWanted]);
    assert_eq!(told(NOT_FOUND), [Event::Rejected { id, code: NOT_FOUND }]);
    assert!(matches!(told(UNAVAILABLE)[..], [Event::Deferred { .. }]));
}

#[test]
fn a_reading_is_a_short_confirmable_post() {
    let bytes = online().poll_transmit().unwrap();
    assert_eq!(bytes[..2], [0x42, 0x02]);
    assert_eq!(bytes[6..], [0xb1, b't', 0x11, 112, 0xff, 1]);
}

#[test]
fn a_board_with_nothing_to_say_wants_no_connection_and_no_timer() {
    let mut board = Board::new(config(), 1);
    board.handle_timeout(1_000_000);
    assert_eq!((board.poll_event(), board.poll_timeout()), (None, None));
}

#[test]
fn a_changed_answer_acknowledges_and_the_next_reading_follows() {
    let mut board = online();
    board.submit(20, "t", 112, vec![2]).unwrap();
    let first = sent(&mut board);
    assert_eq!(board.poll_transmit(), None, "one exchange at a time");
    board.handle_datagram(50, &piggybacked(&first, CHANGED, &[]));
    assert_eq!(board.poll_event(), Some(Event::Acknowledged { id: ReadingId(0) }));
    let second = sent(&mut board);
    assert_ne!(second.header.message_id, first.header.message_id);
    assert_ne!(second.get_token(), first.get_token());
}

#[test]
fn a_separate_response_is_acknowledged_each_time_it_comes() {
    let mut board = online();
    let request = sent(&mut board);
    let empty = answer(MessageType::Acknowledgement, request.header.message_id, &[], 0, &[]);
    board.handle_datagram(500, &empty);
    board.handle_timeout(60_000);
    assert_eq!(board.poll_transmit(), None, "an acknowledged message is not sent again");
    let response = answer(MessageType::Confirmable, 900, request.get_token(), CHANGED, &[]);
    for _ in 0..2 {
        board.handle_datagram(70_000, &response);
        assert_eq!(board.poll_transmit().unwrap(), [0x60, 0, 3, 132]);
    }
    assert_eq!(board.poll_event(), Some(Event::Acknowledged { id: ReadingId(0) }));
    assert_eq!(board.poll_event(), None);
}

#[test]
fn a_response_to_nothing_we_asked_is_rejected() {
    let mut board = online();
    let _ = sent(&mut board);
    board.handle_datagram(20, &answer(MessageType::Confirmable, 5, &[9, 9, 9], CHANGED, &[]));
    assert_eq!(board.poll_transmit().unwrap(), [0x70, 0, 0, 5]);
    assert_eq!(board.poll_event(), None);
}

#[test]
fn unavailable_keeps_the_reading_for_max_age_and_sends_it_in_a_new_message() {
    let mut board = online();
    let first = sent(&mut board);
    board.handle_datagram(1_000, &piggybacked(&first, UNAVAILABLE, &[120]));
    let Some(Event::Deferred { id: ReadingId(0), code: UNAVAILABLE, until }) = board.poll_event()
    else {
        panic!("not deferred")
    };
    assert!((121_000..=136_000).contains(&until));
    assert_eq!(board.poll_timeout(), Some(until));
    board.handle_timeout(until - 1);
    assert_eq!(board.poll_transmit(), None);
    board.handle_timeout(until);
    let again = sent(&mut board);
    assert_ne!(again.header.message_id, first.header.message_id);
    assert_eq!(again.get_token(), first.get_token());
    board.handle_datagram(until + 9, &piggybacked(&again, CHANGED, &[]));
    assert_eq!(board.poll_event(), Some(Event::Acknowledged { id: ReadingId(0) }));
}

#[test]
fn a_deferred_reading_waits_through_a_reconnection() {
    let mut board = online();
    let first = sent(&mut board);
    board.handle_datagram(1_000, &piggybacked(&first, UNAVAILABLE, &[200]));
    board.handle_disconnected(2_000);
    assert!(board.poll_timeout().unwrap() >= 201_000);
}

#[test]
fn a_client_error_drops_the_reading_and_names_the_code() {
    let mut board = online();
    let first = sent(&mut board);
    board.handle_datagram(1_000, &piggybacked(&first, NOT_FOUND, &[]));
    assert_eq!(board.poll_event(), Some(Event::Rejected { id: ReadingId(0), code: NOT_FOUND }));
    assert_eq!(board.queued(), 0);
}

#[test]
fn silence_is_met_with_four_retransmissions_and_then_a_new_connection() {
    let mut board = online();
    let first = board.poll_transmit().unwrap();
    let mut waits = Vec::new();
    let mut before = 10;
    while board.status() == Status::Online {
        let now = board.poll_timeout().unwrap();
        waits.push(now - before);
        before = now;
        board.handle_timeout(now);
        if let Some(again) = board.poll_transmit() {
            assert_eq!(again, first);
        }
    }
    assert_eq!(waits.len(), 5);
    assert!((2_000..=3_000).contains(&waits[0]));
    assert!(waits.windows(2).all(|pair| pair[1] == pair[0] * 2));
    assert_eq!(board.poll_event(), None, "first it backs off");
    board.handle_timeout(board.poll_timeout().unwrap());
    assert_eq!(board.poll_event(), Some(Event::ConnectWanted));
}

#[test]
fn failed_connections_are_asked_for_ever_more_rarely_up_to_the_longest_wait() {
    let mut board = Board::new(config(), 3);
    board.submit(0, "t", 112, vec![1]).unwrap();
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..70 {
        assert_eq!(board.poll_event(), Some(Event::ConnectWanted));
        board.handle_disconnected(now);
        let next = board.poll_timeout().unwrap();
        waits.push(next - now);
        now = next;
        board.handle_timeout(now);
    }
    assert!((1_000..=2_000).contains(&waits[0]));
    assert!(waits[20..].iter().all(|wait| (300_000..=600_000).contains(wait)));
}

#[test]
fn a_full_queue_refuses_the_newest_and_keeps_the_rest() {
    let mut board = Board::new(config(), 3);
    for _ in 0..8 {
        board.submit(0, "t", 112, vec![1]).unwrap();
    }
    let refused = board.submit(0, "t", 112, vec![1]);
    assert_eq!(refused, Err(SubmitError::QueueFull { limit: 8 }));
    assert_eq!(board.queued(), 8);
}

#[test]
fn what_cannot_fit_a_datagram_is_refused_at_once() {
    let mut board = Board::new(config(), 3);
    let too_large = Err(SubmitError::TooLarge { limit: 1024 });
    assert_eq!(board.submit(0, "t", 112, vec![0; 1024]), too_large);
    assert_eq!(board.submit(0, "", 112, vec![0]), too_large);
}

/// A hub that takes readings, remembers message ids, and answers in every permitted way.
struct Hub {
    random: Random,
    accepted: BTreeSet<Vec<u8>>,
    answers: BTreeMap<u16, Option<Vec<u8>>>,
    unconfirmed: BTreeMap<u16, (Millis, u32, Vec<u8>)>,
    next_message: u16,
}

impl Hub {
    fn hear(&mut self, now: Millis, datagram: &[u8]) -> Vec<Vec<u8>> {
        let request = Packet::from_bytes(datagram).unwrap();
        let message_id = request.header.message_id;
        if request.header.get_type() != MessageType::Confirmable {
            self.unconfirmed.remove(&message_id);
            return Vec::new();
        }
        let empty = answer(MessageType::Acknowledgement, message_id, &[], 0, &[]);
        if let Some(known) = self.answers.get(&message_id) {
            return vec![known.clone().unwrap_or(empty)];
        }
        let (code, max_age) = match self.random.up_to(5) {
            0 => (UNAVAILABLE, vec![3]),
            _ => (CHANGED, vec![]),
        };
        if code == CHANGED {
            self.accepted.insert(request.payload.clone());
        }
        if self.random.up_to(2) > 0 {
            let reply = piggybacked(&request, code, &max_age);
            self.answers.insert(message_id, Some(reply.clone()));
            return vec![reply];
        }
        self.answers.insert(message_id, None);
        self.next_message = self.next_message.wrapping_add(1);
        let kind = MessageType::Confirmable;
        let response = answer(kind, self.next_message, request.get_token(), code, &max_age);
        let due = now + self.random.up_to(8_000);
        self.unconfirmed.insert(self.next_message, (due, 4, response));
        vec![empty]
    }

    fn due(&mut self, now: Millis) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.unconfirmed.retain(|_, (at, left, response)| {
            if *at <= now {
                out.push(response.clone());
                (*at, *left) = (now + 3_000, left.saturating_sub(1));
            }
            *left > 0
        });
        out
    }
}

/// Datagrams on their way, each with its time; the link loses, repeats and delays.
struct Link {
    random: Random,
    loss_percent: u64,
    under_way: Vec<(Millis, bool, Vec<u8>)>,
}

impl Link {
    fn carry(&mut self, now: Millis, to_hub: bool, datagram: Vec<u8>) {
        for _ in 0..=u64::from(self.random.up_to(9) == 0) {
            if self.random.up_to(99) >= self.loss_percent {
                let at = now + 20 + self.random.up_to(1_500);
                self.under_way.push((at, to_hub, datagram.clone()));
            }
        }
    }

    fn arrived(&mut self, now: Millis) -> Vec<(Millis, bool, Vec<u8>)> {
        let (here, later) = self.under_way.drain(..).partition(|(at, ..)| *at <= now);
        self.under_way = later;
        here
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_reading_is_acknowledged_once_and_only_after_the_hub_took_it(
        seed in any::<u64>(), loss_percent in 0_u64..40, breaks in any::<bool>(),
    ) {
        const READINGS: u64 = 12;
        let mut board = Board::new(config(), seed);
        let mut hub = Hub { random: Random::new(seed ^ 1), accepted: BTreeSet::new(),
            answers: BTreeMap::new(), unconfirmed: BTreeMap::new(), next_message: 0 };
        let mut link = Link { random: Random::new(seed ^ 2), loss_percent, under_way: Vec::new() };
        let mut acknowledged = BTreeSet::new();
        let mut submitted = 0_u8;
        let mut now = 0;
        while acknowledged.len() < usize::try_from(READINGS).unwrap() {
            prop_assert!(now < 7_200_000, "stuck: {board:?}");
            if u64::from(submitted) < READINGS && board.submit(now, "t", 112, vec![submitted]).is_ok() {
                submitted += 1;
            }
            while let Some(event) = board.poll_event() {
                match event {
                    Event::ConnectWanted if link.random.up_to(3) == 0 => board.handle_disconnected(now),
                    Event::ConnectWanted => {
                        link.under_way.clear();
                        hub.answers.clear();
                        hub.unconfirmed.clear();
                        board.handle_connected(now);
                    }
                    Event::Acknowledged { id } => {
                        prop_assert!(acknowledged.insert(id), "acknowledged twice");
                        prop_assert!(hub.accepted.contains(&vec![u8::try_from(id.0).unwrap()]));
                    }
                    Event::Rejected { .. } => prop_assert!(false, "nothing was rejected"),
                    Event::Deferred { until, .. } => prop_assert!(until >= now + 3_000),
                    Event::TimeLearned { .. } | Event::RenewalWanted => {
                        prop_assert!(false, "nobody asked");
                    }
                }
            }
            while let Some(datagram) = board.poll_transmit() {
                link.carry(now, true, datagram);
            }
            now += 100;
            for response in hub.due(now) {
                link.carry(now, false, response);
            }
            for (_, to_hub, datagram) in link.arrived(now) {
                if to_hub {
                    hub.hear(now, &datagram).into_iter().for_each(|d| link.carry(now, false, d));
                } else {
                    board.handle_datagram(now, &datagram);
                }
            }
            if breaks && board.status() == Status::Online && link.random.up_to(300) == 0 {
                board.handle_disconnected(now);
            }
            if board.poll_timeout().is_some_and(|at| at <= now) {
                board.handle_timeout(now);
            }
        }
        prop_assert_eq!(board.queued(), 0);
    }

    #[test]
    fn arbitrary_datagrams_never_panic_nor_acknowledge(
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..40),
    ) {
        let mut board = online();
        let head = sent(&mut board);
        for datagram in &datagrams {
            let claims = datagram.windows(2).any(|pair| pair == head.get_token());
            board.handle_datagram(100, datagram);
            prop_assume!(!claims);
        }
        prop_assert_eq!(board.queued(), 1);
    }
}
