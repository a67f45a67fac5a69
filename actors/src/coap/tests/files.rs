//! Files, block by block.

use coap_lite::CoapOption;

use super::rig::{LOCALS, Rig, block, option, request};
use crate::coap::message::code;
use crate::coap::{Part, Piece, Resources};

const NAME: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

fn rig() -> Rig {
    let mut rig = Rig::new();
    let resources = Resources::new(["t", "f"]).with_locals("base", "acme", LOCALS);
    rig.resources = resources.with_locals("", "", &LOCALS[1..]).with_files("f");
    rig
}

fn get(id: u16, path: &str, number: u32, exponent: u8) -> coap_lite::Packet {
    let mut packet = request(code::GET, path, id);
    packet.add_option(CoapOption::Block2, block(number, false, exponent));
    packet
}

fn read(bytes: usize, size: u32) -> Piece {
    Piece::Read { bytes: vec![7; bytes], size, etag: NAME }
}

#[test]
fn each_block_is_asked_for_by_itself_in_any_order() {
    let mut rig = rig();
    let path = "f/0123456789abcdef";
    rig.send(&get(1, path, 3, 4)).piece(0, read(256, 2000));
    assert_eq!(rig.read[0].1, Part { file: NAME, at: 768, length: 256 });
    assert_eq!((rig.code(), rig.last().payload.len()), (code::CONTENT, 256));
    assert_eq!(option(rig.last(), CoapOption::Block2), Some(3 << 4 | 8 | 4));
    assert_eq!(option(rig.last(), CoapOption::ContentFormat), Some(42));
    rig.send(&get(2, path, 7, 4)).piece(1, read(208, 2000));
    assert_eq!(option(rig.last(), CoapOption::Block2), Some(7 << 4 | 4), "the last");
    rig.send(&request(code::GET, path, 3)).piece(2, read(512, 2000));
    assert_eq!(rig.read[2].1, Part { file: NAME, at: 0, length: 512 });
    assert_eq!(option(rig.last(), CoapOption::Size2), Some(2000));
    // A repeated GET is asked anew; nothing is kept.
    rig.send(&request(code::GET, path, 3)).piece(3, read(512, 2000));
    assert_eq!((rig.code(), rig.read.len()), (code::CONTENT, 4));
    let idle = rig.endpoint.forgotten_at();
    assert_eq!((idle, rig.endpoint.poll_timeout(), rig.endpoint.heap_bytes()), (None, None, 0));
}

#[test]
fn each_refusal_of_a_file_has_its_code() {
    let path = "f/0123456789abcdef";
    let mut accepting = request(code::GET, path, 1);
    accepting.add_option(CoapOption::Accept, vec![60]);
    let mut queried = request(code::GET, path, 1);
    queried.add_option(CoapOption::UriQuery, b"a".to_vec());
    for (packet, expected) in [
        (request(code::POST, path, 1), code::METHOD_NOT_ALLOWED),
        (accepting, code::NOT_ACCEPTABLE),
        (queried, code::BAD_REQUEST),
        (request(code::GET, "f/0123456789ABCDEF", 1), code::NOT_FOUND),
        (request(code::GET, "f/0123456789abcde", 1), code::NOT_FOUND),
        (request(code::GET, "f/+123456789abcdef", 1), code::NOT_FOUND),
    ] {
        let mut rig = rig();
        rig.send(&packet);
        assert_eq!((rig.code(), rig.read.len()), (expected, 0), "{packet:?}");
    }
    for (piece, expected) in [
        (Piece::Unknown, code::NOT_FOUND),
        (Piece::Later { max_age_s: 9 }, code::UNAVAILABLE),
        (read(0, 2000), code::BAD_REQUEST),
    ] {
        let mut rig = rig();
        rig.send(&get(1, path, 9, 6)).piece(0, piece);
        assert_eq!(rig.code(), expected);
        assert_eq!(rig.counted, [expected]);
    }
}

#[test]
fn a_second_list_of_local_resources_follows_the_first_and_needs_no_base() {
    let mut rig = rig();
    let mut packet = super::rig::ask(1, b"x");
    packet.clear_option(CoapOption::UriPath);
    packet.add_option(CoapOption::UriPath, b"do".to_vec());
    rig.send(&packet);
    assert_eq!((rig.asked.len(), rig.asked[0].1.local), (1, LOCALS.len()));
    rig.send(&request(code::GET, ".well-known/core", 2));
    let links = String::from_utf8(rig.last().payload.clone()).unwrap();
    assert!(links.contains("</do>;rt=\"test.do\"") && links.contains("</base/do>"), "{links}");
}
