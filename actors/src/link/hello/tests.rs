#![expect(clippy::cast_possible_truncation, reason = "small numbers of a test")]

use super::super::cookie::{COOKIE_LEN, CookieKeys};
use super::super::record::{VERSION_1_2, records};
use super::*;
use proptest::prelude::*;
use std::net::SocketAddr;

const AFTER: &[u8] = &[0, 2, 0xC0, 0x2B, 1, 0, 0, 4, 0, 54, 0, 0];

fn body(session_id: &[u8], cookie: &[u8]) -> Vec<u8> {
    let mut body = vec![0xFE, 0xFD];
    body.extend((0..32).map(|n| 0x40 + n));
    body.push(session_id.len() as u8);
    body.extend(session_id);
    body.push(cookie.len() as u8);
    body.extend(cookie);
    body.extend(AFTER);
    body
}

/// The record of `body[from..to]` as a fragment of message `message_seq`.
fn fragment(body: &[u8], from: usize, to: usize, message_seq: u8, record: u64) -> Vec<u8> {
    let be = |n: usize| [0, (n >> 8) as u8, n as u8];
    let message =
        [&[1][..], &be(body.len()), &[0, message_seq], &be(from), &be(to - from), &body[from..to]]
            .concat();
    let mut out = Vec::new();
    write_plaintext(ContentType::Handshake, record, &message, &mut out).unwrap();
    out
}

fn whole(body: &[u8], message_seq: u8, record: u64) -> Vec<u8> {
    fragment(body, 0, body.len(), message_seq, record)
}

fn record(bytes: &[u8]) -> Record<'_> {
    records(bytes, 0).next().unwrap().unwrap()
}

fn parse(bytes: &[u8]) -> Result<ClientHello<'_>, BadHello> {
    ClientHello::parse(&record(bytes))
}

fn from() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

#[test]
fn a_whole_hello_is_read() {
    let body = body(&[7; 32], &[8; 20]);
    let bytes = whole(&body, 1, 3);
    let hello = parse(&bytes).unwrap();
    assert!(hello.is_whole());
    assert_eq!((hello.record_sequence, hello.message_seq), (3, 1));
    assert_eq!((hello.version, hello.random[31]), (VERSION_1_2, 0x5F));
    assert_eq!((hello.session_id, hello.cookie), (&[7; 32][..], &[8; 20][..]));
    assert_eq!(hello.after_cookie, AFTER);
}

#[test]
fn a_first_fragment_needs_everything_up_to_the_cookie() {
    let body = body(&[], &[8; 16]);
    let bytes = fragment(&body, 0, 52, 1, 1);
    let hello = parse(&bytes).unwrap();
    assert!(!hello.is_whole());
    assert_eq!((hello.length, hello.fragment_length), (body.len(), 52));
    assert_eq!(hello.after_cookie, b"");
    for end in 0..52 {
        assert_eq!(parse(&fragment(&body, 0, end, 1, 1)), Err(BadHello::Truncated), "{end}");
    }
    assert_eq!(parse(&fragment(&body, 10, 60, 1, 1)), Err(BadHello::NotFirst));
}

#[test]
fn what_is_no_hello_is_named() {
    let good = whole(&body(&[], &[]), 0, 0);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        ClientHello::parse(&records(&bytes, 0).next().unwrap().unwrap()).unwrap_err()
    };
    assert_eq!(changed(0, 21), BadHello::NotHandshake);
    assert_eq!(changed(4, 1), BadHello::NotHandshake);
    assert_eq!(changed(13, 2), BadHello::NotHello(2));
    assert_eq!(changed(14, 1), BadHello::TooLong(65536 + 48));
    assert_eq!(changed(24, 60), BadHello::Outside);
    assert_eq!(changed(24, 47), BadHello::Trailing(1));
    assert_eq!(changed(25, 3), BadHello::Version(0x03FD));
    assert_eq!(changed(59, 33), BadHello::Truncated);
    let long = whole(&body(&[7; 33], &[]), 0, 0);
    assert_eq!(parse(&long), Err(BadHello::SessionId(33)));
}

#[test]
fn the_answer_has_these_bytes_and_is_shorter_than_any_hello() {
    let mut out = Vec::new();
    let shortest = whole(&body(&[], &[]), 0, 0x0102);
    let hello = parse(&shortest).unwrap();
    hello_verify_request(&hello, &[0xCC; COOKIE_LEN], &mut out).unwrap();
    let expected = [
        &[22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 1, 2, 0, 31][..],
        &[3, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 19],
        &[0xFE, 0xFF, 16],
        &[0xCC; 16],
    ];
    assert_eq!(out, expected.concat());
    assert!(out.len() < shortest.len());
}

#[test]
fn the_answer_echoes_the_message_number() {
    let bytes = whole(&body(&[], &[]), 4, 9);
    let mut out = Vec::new();
    hello_verify_request(&parse(&bytes).unwrap(), &[], &mut out).unwrap();
    assert_eq!((out[10], out[18]), (9, 4));
    let long = hello_verify_request(&parse(&bytes).unwrap(), &[0; 256], &mut out);
    assert_eq!(long, Err(Unsealable::Plaintext(256)));
}

#[test]
fn a_hello_without_its_cookie_is_the_one_before_it() {
    let second = whole(&body(&[5; 8], &[9; 16]), 1, 1);
    let first = whole(&body(&[5; 8], &[]), 0, 0);
    assert_eq!(without_cookie(record(&second).fragment, 1), Ok(first));
}

#[test]
fn only_a_second_hello_loses_its_cookie() {
    let numbers = |message_seq, sequence| {
        let bytes = whole(&body(&[], &[9; 16]), message_seq, 1);
        without_cookie(record(&bytes).fragment, sequence)
    };
    assert!(numbers(1, 1).is_ok());
    assert_eq!(numbers(1, 0), Err(BadHello::Numbers));
    assert_eq!(numbers(0, 1), Err(BadHello::Numbers));
    assert_eq!(numbers(2, 1), Err(BadHello::Numbers));
    let first = whole(&body(&[], &[]), 1, 1);
    assert_eq!(without_cookie(record(&first).fragment, 1), Err(BadHello::NoCookie));
    let part = fragment(&body(&[], &[9; 16]), 0, 55, 1, 1);
    assert_eq!(without_cookie(record(&part).fragment, 1), Err(BadHello::Truncated));
}

#[test]
fn fragments_in_any_order_make_the_message() {
    let body = body(&[5; 8], &[9; 16]);
    let expected = record(&whole(&body, 1, 1)).fragment.to_vec();
    let first = fragment(&body, 0, 61, 1, 1);
    let parts = [(66, 70), (58, 68), (61, 66), (70, body.len())];
    let mut assembly = HelloAssembly::new(&parse(&first).unwrap());
    for (n, (from, to)) in parts.into_iter().enumerate() {
        let bytes = fragment(&body, from, to, 1, 2);
        let made = assembly.handle_record(&record(&bytes)).unwrap();
        assert_eq!(made.is_some(), n == 3);
        if let Some(made) = made {
            assert_eq!(made, expected);
        }
    }
    assert_eq!(assembly.record_sequence(), 1);
}

#[test]
fn a_later_fragment_changes_nothing_that_was_received() {
    let good = body(&[], &[9; 16]);
    let mut forged = good.clone();
    forged.fill(0xEE);
    let first = fragment(&good, 0, 55, 1, 1);
    let mut assembly = HelloAssembly::new(&parse(&first).unwrap());
    let overlapping = fragment(&forged, 0, 55, 1, 1);
    assert_eq!(assembly.handle_record(&record(&overlapping)), Ok(None));
    let rest = fragment(&good, 55, good.len(), 1, 1);
    let message = assembly.handle_record(&record(&rest)).unwrap().unwrap();
    assert_eq!(message[12..], good);
}

#[test]
fn a_fragment_of_another_hello_is_refused() {
    let body = body(&[], &[9; 16]);
    let first = fragment(&body, 0, 55, 1, 1);
    let mut assembly = HelloAssembly::new(&parse(&first).unwrap());
    let other = fragment(&body, 55, body.len(), 2, 1);
    assert_eq!(assembly.handle_record(&record(&other)), Err(BadHello::OtherMessage));
    let longer = [&body[..], &[0]].concat();
    let other = fragment(&longer, 55, longer.len(), 1, 1);
    assert_eq!(assembly.handle_record(&record(&other)), Err(BadHello::OtherMessage));
    assert_eq!(assembly.message(), None);
}

#[test]
fn a_cookie_holds_for_its_address_and_hello_only() {
    let keys = CookieKeys::new([1; 32]);
    let first = whole(&body(&[5; 8], &[]), 0, 0);
    let cookie = keys.mint(from(), &parse(&first).unwrap());
    let second = whole(&body(&[5; 8], &cookie), 1, 1);
    assert!(keys.verify(from(), &parse(&second).unwrap()));
    assert!(!keys.verify("192.0.2.1:5001".parse().unwrap(), &parse(&second).unwrap()));
    assert!(!keys.verify("192.0.2.2:5000".parse().unwrap(), &parse(&second).unwrap()));
    let other = whole(&body(&[6; 8], &cookie), 1, 1);
    assert!(!keys.verify(from(), &parse(&other).unwrap()));
    assert!(!CookieKeys::new([2; 32]).verify(from(), &parse(&second).unwrap()));
    for end in 0..COOKIE_LEN {
        let short = whole(&body(&[5; 8], &cookie[..end]), 1, 1);
        assert!(!keys.verify(from(), &parse(&short).unwrap()));
    }
    for bit in 0..COOKIE_LEN * 8 {
        let mut forged = cookie;
        forged[bit / 8] ^= 1 << (bit % 8);
        let forged = whole(&body(&[5; 8], &forged), 1, 1);
        assert!(!keys.verify(from(), &parse(&forged).unwrap()));
    }
}

#[test]
fn a_cookie_outlives_one_rotation_and_not_two() {
    let mut keys = CookieKeys::new([1; 32]);
    let first = whole(&body(&[], &[]), 0, 0);
    let cookie = keys.mint(from(), &parse(&first).unwrap());
    let second = whole(&body(&[], &cookie), 1, 1);
    keys.rotate([2; 32]);
    assert!(keys.verify(from(), &parse(&second).unwrap()));
    assert_ne!(keys.mint(from(), &parse(&first).unwrap()), cookie);
    keys.rotate([3; 32]);
    assert!(!keys.verify(from(), &parse(&second).unwrap()));
}

#[test]
fn an_ipv4_address_is_the_same_on_either_kind_of_socket() {
    let keys = CookieKeys::new([1; 32]);
    let first = whole(&body(&[], &[]), 0, 0);
    let mapped = "[::ffff:192.0.2.1]:5000".parse().unwrap();
    let hello = parse(&first).unwrap();
    assert_eq!(keys.mint(from(), &hello), keys.mint(mapped, &hello));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(message in prop::collection::vec(any::<u8>(), 0..120), head in any::<bool>()) {
        let mut fragment = message.clone();
        if head && fragment.len() > 12 {
            let length = (fragment.len() - 12) as u8;
            fragment[..12].copy_from_slice(&[1, 0, 0, length, 0, 1, 0, 0, 0, 0, 0, length]);
        }
        let _ = without_cookie(&fragment, 1);
        let mut bytes = Vec::new();
        write_plaintext(ContentType::Handshake, 1, &fragment, &mut bytes).unwrap();
        if let Ok(hello) = parse(&bytes) {
            prop_assert!(hello.fragment_length <= hello.length && hello.length <= HELLO_MAX);
            let mut assembly = HelloAssembly::new(&hello);
            let _ = assembly.handle_record(&record(&bytes));
            prop_assert!(!CookieKeys::new([1; 32]).verify(from(), &hello));
        }
    }

    #[test]
    fn any_cutting_makes_the_same_message(cuts in prop::collection::btree_set(52..70_usize, 0..6), order in any::<u64>()) {
        let body = body(&[5; 8], &[9; 16]);
        let mut edges: Vec<usize> = cuts.into_iter().collect();
        edges.insert(0, 60);
        edges.sort_unstable();
        edges.dedup();
        edges.retain(|edge| *edge >= 60);
        edges.push(body.len());
        let mut parts: Vec<_> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let turn = (order as usize) % parts.len();
        parts.rotate_left(turn);
        let first = fragment(&body, 0, 60, 1, 1);
        let mut assembly = HelloAssembly::new(&parse(&first).unwrap());
        let mut made = None;
        for (from, to) in parts {
            let bytes = fragment(&body, from, to, 1, 2);
            made = assembly.handle_record(&record(&bytes)).unwrap();
        }
        let expected = whole(&body, 1, 1);
        prop_assert_eq!(made.unwrap(), record(&expected).fragment);
    }
}
