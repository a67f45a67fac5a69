//! The record layer: what each datagram costs in cryptography, and what a flood costs the front door.
#![expect(clippy::unwrap_used, reason = "a bench that cannot set up has nothing to measure")]

use std::hint::black_box;

use actors::link::cipher::{DirectionKey, Suite};
use actors::link::cookie::CookieKeys;
use actors::link::hello::{ClientHello, hello_verify_request};
use actors::link::keys;
use actors::link::record::{ContentType, records, write_plaintext};
use actors::link::window::ReplayWindow;
use criterion::{Criterion, criterion_group, criterion_main};

const PLAINTEXT: [u8; 64] = [9; 64];
const CID: [u8; 6] = [0, 1, 2, 3, 4, 5];
/// A minimal ClientHello's body: version, random, no session id, no cookie, one suite.
const HELLO: [u8; 42] = {
    let mut body = [7; 42];
    body[0] = 0xFE;
    body[1] = 0xFD;
    body[34] = 0;
    body[35] = 0;
    body
};

fn records_of_64_bytes(c: &mut Criterion) {
    for suite in Suite::ALL {
        for (kind, cid) in [("plain", &[][..]), ("cid", &CID)] {
            let mut group = c.benchmark_group(format!("record/{}/{kind}", suite.openssl_name()));
            let key = DirectionKey::new(suite, &[7; 16], &[1; 4]);
            let (mut datagram, mut text, mut out) = (Vec::new(), Vec::new(), Vec::new());
            key.seal(ContentType::ApplicationData, 1, 5, cid, &PLAINTEXT, &mut datagram).unwrap();
            group.bench_function("open, replay check, seal", |b| {
                let (mut window, mut sequence) = (ReplayWindow::new(), 0);
                b.iter(|| {
                    let record = records(black_box(&datagram), CID.len()).next().unwrap().unwrap();
                    assert!(window.is_fresh(sequence));
                    let content_type = key.open(&record, &mut text).unwrap();
                    window.accept(sequence);
                    sequence += 1;
                    out.clear();
                    key.seal(content_type, 1, sequence, cid, &text, &mut out).unwrap();
                });
            });
            group.bench_function("open", |b| {
                b.iter(|| {
                    let record = records(black_box(&datagram), CID.len()).next().unwrap().unwrap();
                    key.open(&record, &mut text).unwrap()
                });
            });
            group.finish();
        }
    }
}

fn keys_of_a_session(c: &mut Criterion) {
    c.bench_function("record/keys from a master secret", |b| {
        b.iter(|| {
            let suite = Suite::EcdheEcdsaAes128GcmSha256;
            keys::derive(suite, black_box(&[1; 48]), &[2; 32], &[3; 32])
        });
    });
}

fn front_door(c: &mut Criterion) {
    let message = [&[1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42][..], &HELLO].concat();
    let mut datagram = Vec::new();
    write_plaintext(ContentType::Handshake, 0, &message, &mut datagram).unwrap();
    let (cookies, from) = (CookieKeys::new([1; 32]), ([192, 0, 2, 1], 5000).into());
    let mut out = Vec::new();
    c.bench_function("record/client hello to hello verify request", |b| {
        b.iter(|| {
            let record = records(black_box(&datagram), CID.len()).next().unwrap().unwrap();
            let hello = ClientHello::parse(&record).unwrap();
            out.clear();
            hello_verify_request(&hello, &cookies.mint(from, &hello), &mut out).unwrap();
        });
    });
}

criterion_group!(benches, records_of_64_bytes, keys_of_a_session, front_door);
criterion_main!(benches);
