//! A transfer against a hub that answers in blocks, over a link that loses every third datagram.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test's failure is its report")]

use board::{Ask, Millis, Transfer, TransferError};
use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

fn ask(body: usize, exponent: u8) -> Ask {
    let body = (286, vec![7; body]);
    Ask {
        path: "e/sren".into(),
        accept: 287,
        body: Some(body),
        exponent,
        answer_max: 2000,
        from: 0,
    }
}

fn number(packet: &Packet, option: CoapOption) -> Option<(usize, bool, u8)> {
    let bits =
        packet.get_first_option(option)?.iter().fold(0_usize, |sum, b| sum << 8 | usize::from(*b));
    Some((bits >> 4, bits & 8 != 0, u8::try_from(bits & 7).unwrap()))
}

fn bits(number: usize, more: bool, exponent: u8) -> Vec<u8> {
    let bits = u16::try_from(number << 4 | usize::from(more) << 3 | usize::from(exponent)).unwrap();
    let bytes = bits.to_be_bytes();
    bytes[usize::from(bytes[0] == 0) + usize::from(bits == 0)..].to_vec()
}

/// What a hub says to `request`; gathers the body.
fn hub(request: &Packet, body: &mut Vec<u8>, answer: &[u8]) -> Packet {
    let mut said = Packet::new();
    said.header.set_type(MessageType::Acknowledgement);
    said.header.message_id = request.header.message_id;
    said.set_token(request.get_token().to_vec());
    if let Some((at, more, exponent)) = number(request, CoapOption::Block1) {
        if at * (16 << exponent) == body.len() {
            body.extend(&request.payload);
        }
        said.add_option(CoapOption::Block1, bits(at, more, exponent));
        if more {
            said.header.code = MessageClass::from(0x5f);
            return said;
        }
    } else if body.is_empty() {
        body.extend(&request.payload);
    }
    let (at, _, exponent) = number(request, CoapOption::Block2).unwrap();
    let size = 16 << exponent;
    let rest = &answer[(at * size).min(answer.len())..];
    said.header.code = MessageClass::from(0x44);
    said.add_option(CoapOption::ETag, vec![1, 2]);
    said.add_option(CoapOption::Block2, bits(at, rest.len() > size, exponent));
    said.payload = rest[..size.min(rest.len())].to_vec();
    said
}

/// Runs a transfer to its end, of every `lose` datagrams one lost; gives what the hub was sent too.
fn run(ask: Ask, answer: &[u8], lose: usize) -> (Result<Vec<u8>, TransferError>, Vec<u8>) {
    let mut now: Millis = 0;
    let mut transfer = Transfer::new(now, ask, 40);
    let (mut body, mut datagrams) = (Vec::new(), 0);
    while transfer.outcome().is_none() {
        while let Some(datagram) = transfer.poll_transmit() {
            let request = Packet::from_bytes(&datagram).unwrap();
            datagrams += 1;
            if datagrams % lose == 0 {
                continue;
            }
            let said = hub(&request, &mut body, answer).to_bytes().unwrap();
            datagrams += 1;
            if datagrams % lose != 0 {
                transfer.handle_datagram(now, &said);
                transfer.handle_datagram(now, &said);
            }
        }
        if let Some(due) = transfer.poll_timeout() {
            now = now.max(due);
            transfer.handle_timeout(now);
        }
    }
    (transfer.outcome().unwrap().clone(), body)
}

#[test]
fn a_body_and_its_answer_of_any_length_arrive_in_blocks_of_any_size() {
    for (len, answer) in [(1, 0), (16, 16), (250, 500), (1000, 1999)] {
        for exponent in 0..7 {
            for lose in [1_000_000, 7, 3] {
                let answer: Vec<u8> =
                    (0..answer).map(|at| u8::try_from(at % 251).unwrap()).collect();
                let (got, body) = run(ask(len, exponent), &answer, lose);
                assert_eq!(got, Ok(answer), "{len} bytes in blocks of {}", 16 << exponent);
                assert_eq!(body, vec![7; len]);
            }
        }
    }
}

#[test]
fn an_answer_that_is_too_long_is_not_taken() {
    let (got, _) = run(ask(10, 6), &[9; 2001], 1_000_000);
    assert_eq!(got, Err(TransferError::Unexpected));
}

#[test]
fn silence_is_given_up_on() {
    let (got, _) = run(ask(10, 6), &[], 1);
    assert_eq!(got, Err(TransferError::Silent));
}

#[test]
fn a_refusal_is_told_in_the_hubs_words() {
    let mut transfer = Transfer::new(0, ask(10, 6), 40);
    let request = Packet::from_bytes(&transfer.poll_transmit().unwrap()).unwrap();
    let mut said = Packet::new();
    said.header.set_type(MessageType::Acknowledgement);
    said.header.message_id = request.header.message_id;
    said.set_token(request.get_token().to_vec());
    said.header.code = MessageClass::from(0x83);
    said.payload = b"another board's".to_vec();
    transfer.handle_datagram(10, &said.to_bytes().unwrap());
    let words = String::from("another board's");
    let refused = TransferError::Refused { code: 0x83, words, max_age_s: None };
    assert_eq!(transfer.outcome(), Some(&Err(refused)));
}
