//! A board whose hub asks for an Echo option, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

use board::{Board, Config, Event, Millis, ReadingId, Status};
use coap_lite::{CoapOption, MessageClass, MessageType, Packet};
use proptest::prelude::*;

const CHANGED: u8 = 0x44;
const UNAUTHORIZED: u8 = 0x81;
const ECHO: CoapOption = CoapOption::Unknown(252);

fn online() -> Board {
    let mut board = Board::new(Config::default(), 7);
    board.submit(0, "t", 112, vec![1]).unwrap();
    assert_eq!(board.poll_event(), Some(Event::ConnectWanted));
    board.handle_connected(10);
    board
}

fn sent(board: &mut Board) -> Packet {
    Packet::from_bytes(&board.poll_transmit().unwrap()).unwrap()
}

fn echo_of(request: &Packet) -> Option<&[u8]> {
    request.get_first_option(ECHO).map(Vec::as_slice)
}

fn answer(request: &Packet, code: u8, echo: Option<&[u8]>) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::Acknowledgement);
    packet.header.message_id = request.header.message_id;
    packet.header.code = MessageClass::from(code);
    packet.set_token(request.get_token().to_vec());
    if let Some(echo) = echo {
        packet.add_option(ECHO, echo.to_vec());
    }
    packet.to_bytes().unwrap()
}

#[test]
fn a_request_that_may_be_old_is_repeated_with_the_echo_under_a_new_message_id() {
    let mut board = online();
    let first = sent(&mut board);
    board.handle_datagram(50, &answer(&first, UNAUTHORIZED, Some(b"12345678")));
    let bytes = board.poll_transmit().unwrap();
    assert_eq!(bytes[6..], *b"\xb1t\x11\x70\xd8\xe312345678\xff\x01", "{bytes:02x?}");
    let second = Packet::from_bytes(&bytes).unwrap();
    assert_ne!(second.header.message_id, first.header.message_id);
    assert_eq!(second.get_token(), first.get_token());
    assert_eq!((second.payload.as_slice(), board.queued()), (&[1][..], 1));
    board.handle_datagram(90, &answer(&second, CHANGED, None));
    assert_eq!(board.poll_event(), Some(Event::Acknowledged { id: ReadingId(0) }));
    board.submit(100, "t", 112, vec![2]).unwrap();
    assert_eq!(echo_of(&sent(&mut board)), None, "once is enough");
}

#[test]
fn a_retransmission_carries_the_echo_too_and_the_next_connection_does_not() {
    let mut board = online();
    let first = sent(&mut board);
    board.handle_datagram(50, &answer(&first, UNAUTHORIZED, Some(b"now")));
    let second = board.poll_transmit().unwrap();
    board.handle_timeout(board.poll_timeout().unwrap());
    assert_eq!(board.poll_transmit().unwrap(), second);
    board.handle_connected(60_000);
    assert_eq!(echo_of(&sent(&mut board)), None);
}

#[test]
fn a_repeated_challenge_is_answered_once() {
    let mut board = online();
    let first = sent(&mut board);
    let challenge = answer(&first, UNAUTHORIZED, Some(b"now"));
    board.handle_datagram(50, &challenge);
    let second = sent(&mut board);
    board.handle_datagram(60, &challenge);
    assert_eq!(board.poll_transmit(), None);
    board.handle_datagram(70, &answer(&second, CHANGED, None));
    assert_eq!(board.poll_event(), Some(Event::Acknowledged { id: ReadingId(0) }));
}

#[test]
fn a_hub_that_is_never_satisfied_is_asked_again_only_after_a_pause() {
    let mut board = online();
    let mut now = 100;
    for round in 0..3_u8 {
        let mut requests = 0;
        while let Some(bytes) = board.poll_transmit() {
            requests += 1;
            let request = Packet::from_bytes(&bytes).unwrap();
            board.handle_datagram(now, &answer(&request, UNAUTHORIZED, Some(&[round; 40])));
        }
        assert_eq!(requests, 4, "the request, and thrice with an echo");
        let Some(Event::Deferred { code: UNAUTHORIZED, until, .. }) = board.poll_event() else {
            panic!("not put off")
        };
        assert!(until >= now + 60_000 && board.queued() == 1);
        assert_eq!(board.status(), Status::Online);
        now = until;
        board.handle_timeout(now);
    }
}

#[test]
fn unauthorized_without_an_echo_or_with_one_of_no_length_there_is_rejects() {
    for echo in [None, Some(&[][..]), Some(&[0; 41])] {
        let mut board = online();
        let first = sent(&mut board);
        board.handle_datagram(50, &answer(&first, UNAUTHORIZED, echo));
        let rejected = Event::Rejected { id: ReadingId(0), code: UNAUTHORIZED };
        assert_eq!(board.poll_event(), Some(rejected));
    }
}

proptest! {
    /// The hub lost its windows now and then: each time it wants another value seen first.
    #[test]
    fn every_reading_arrives_exactly_once_past_any_challenges(
        challenges in proptest::collection::vec((any::<[u8; 8]>(), 0_u8..3), 12), loss in any::<u64>(),
    ) {
        let mut board = Board::new(Config::default(), loss);
        let (mut now, mut taken): (Millis, Vec<u8>) = (0, Vec::new());
        let mut random = board::Random::new(loss);
        for (value, forgets) in challenges {
            let reading = u8::try_from(taken.len()).unwrap();
            board.submit(now, "t", 112, vec![reading]).unwrap();
            let mut unproven = forgets > 0;
            loop {
                now += 1;
                match board.poll_event() {
                    Some(Event::ConnectWanted) => board.handle_connected(now),
                    Some(Event::Acknowledged { .. }) => break,
                    Some(event) => prop_assert!(false, "{event:?}"),
                    None => {}
                }
                let Some(bytes) = board.poll_transmit() else {
                    now = board.poll_timeout().unwrap();
                    board.handle_timeout(now);
                    continue;
                };
                let request = Packet::from_bytes(&bytes).unwrap();
                if random.up_to(9) == 0 {
                    continue;
                }
                let reply = if unproven && echo_of(&request) != Some(&value) {
                    answer(&request, UNAUTHORIZED, Some(&value))
                } else {
                    unproven = false;
                    if taken.last() != request.payload.last() {
                        taken.extend(&request.payload);
                    }
                    answer(&request, CHANGED, None)
                };
                if random.up_to(9) != 0 {
                    board.handle_datagram(now, &reply);
                }
            }
        }
        prop_assert_eq!(taken, (0..12).collect::<Vec<u8>>());
    }
}
