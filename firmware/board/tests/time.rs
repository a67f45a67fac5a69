//! A board without a clock, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

use board::{Board, Config, Event, ReadingId};
use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

const CONTENT: u8 = 0x45;
const NOW_MS: u64 = 1_767_225_600_000;

fn online() -> Board {
    let mut board = Board::new(Config { learns_time: true, ..Config::default() }, 7);
    board.submit(0, "t", 112, vec![1]).unwrap();
    assert_eq!(board.poll_event(), Some(Event::ConnectWanted));
    board.handle_connected(1_000);
    board
}

fn sent(board: &mut Board) -> Packet {
    Packet::from_bytes(&board.poll_transmit().unwrap()).unwrap()
}

fn answer(request: &Packet, code: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::Acknowledgement);
    packet.header.message_id = request.header.message_id;
    packet.header.code = MessageClass::from(code);
    packet.set_token(request.get_token().to_vec());
    packet.payload = payload.to_vec();
    packet.to_bytes().unwrap()
}

fn is_the_reading(request: &Packet) -> bool {
    request.header.code == MessageClass::from(2) && request.payload == [1]
}

#[test]
fn the_time_is_asked_for_first_and_goes_on_from_the_answer() {
    let mut board = online();
    assert_eq!(board.unix_ms(1_000), None);
    let bytes = board.poll_transmit().unwrap();
    assert_eq!(bytes[..2], [0x41, 0x01]);
    assert_eq!(bytes[5..], *b"\xb4time");
    assert_eq!(board.poll_transmit(), None, "one exchange at a time");
    let question = Packet::from_bytes(&bytes).unwrap();
    board.handle_datagram(1_600, &answer(&question, CONTENT, &wire::write_time(NOW_MS)));
    let unix_ms = NOW_MS + 300;
    assert_eq!(board.poll_event(), Some(Event::TimeLearned { unix_ms }));
    assert_eq!(board.unix_ms(61_600), Some(unix_ms + 60_000));
    assert!(is_the_reading(&sent(&mut board)));
}

#[test]
fn a_hub_that_tells_no_time_is_not_asked_again_on_this_connection() {
    for (code, payload) in
        [(0x84, &[][..]), (0xa3, &[]), (0x9d, &[]), (CONTENT, &[]), (CONTENT, &[0x20])]
    {
        let mut board = online();
        let question = sent(&mut board);
        board.handle_datagram(1_600, &answer(&question, code, payload));
        assert_eq!((board.poll_event(), board.unix_ms(1_600)), (None, None));
        let reading = sent(&mut board);
        assert!(is_the_reading(&reading));
        board.handle_datagram(1_700, &answer(&reading, 0x44, &[]));
        assert_eq!(board.poll_event(), Some(Event::Acknowledged { id: ReadingId(0) }));
        assert_eq!((board.poll_transmit(), board.poll_timeout()), (None, None));
    }
}

#[test]
fn each_connection_brings_the_time_anew_and_a_lost_one_keeps_the_last() {
    let mut board = online();
    let question = sent(&mut board);
    board.handle_datagram(1_000, &answer(&question, CONTENT, &wire::write_time(NOW_MS)));
    board.handle_disconnected(2_000);
    assert_eq!(board.unix_ms(2_000), Some(NOW_MS + 1_000));
    board.handle_connected(3_000);
    while board.poll_event().is_some() {}
    let question = sent(&mut board);
    // The hub's clock was set back meanwhile.
    board.handle_datagram(3_000, &answer(&question, CONTENT, &wire::write_time(NOW_MS - 5_000)));
    assert_eq!(board.unix_ms(3_000), Some(NOW_MS - 5_000));
}

#[test]
fn silence_about_the_time_is_met_like_silence_about_a_reading() {
    let mut board = online();
    let first = board.poll_transmit().unwrap();
    for _ in 0..4 {
        board.handle_timeout(board.poll_timeout().unwrap());
        assert_eq!(board.poll_transmit().unwrap(), first);
    }
    board.handle_timeout(board.poll_timeout().unwrap());
    assert_eq!(board.status(), board::Status::Offline);
    assert_eq!(board.queued(), 1);
}

#[test]
fn the_question_is_repeated_with_an_echo_where_the_hub_asks_for_one() {
    let mut board = online();
    let question = sent(&mut board);
    let mut challenge = Packet::from_bytes(&answer(&question, 0x81, &[])).unwrap();
    challenge.add_option(CoapOption::Unknown(252), vec![5; 8]);
    board.handle_datagram(1_100, &challenge.to_bytes().unwrap());
    let again = sent(&mut board);
    assert_eq!(again.get_first_option(CoapOption::Unknown(252)), Some(&vec![5; 8]));
    board.handle_datagram(1_300, &answer(&again, CONTENT, &wire::write_time(NOW_MS)));
    assert_eq!(board.unix_ms(1_300), Some(NOW_MS + 100));
    assert_eq!(sent(&mut board).get_first_option(CoapOption::Unknown(252)), None);
}

#[test]
fn a_board_that_trusts_its_clock_does_not_ask() {
    let mut board = Board::new(Config::default(), 7);
    board.submit(0, "t", 112, vec![1]).unwrap();
    board.handle_connected(10);
    assert!(is_the_reading(&sent(&mut board)));
}
