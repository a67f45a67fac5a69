//! One reading through the machines of a session: record opened, CoAP decided, outcome answered,
//! record sealed. No socket, actor or store takes part; the rest of a message's cost is theirs.
#![expect(clippy::unwrap_used, reason = "a bench that cannot set up has nothing to measure")]

use std::hint::black_box;

use actors::coap::{Answer, Effect, Endpoint, Limits, Resources, UnixMillis};
use actors::link::cipher::{DirectionKey, Suite};
use actors::link::record::{ContentType, records};
use actors::link::window::ReplayWindow;
use benches::load::coap::Post;
use criterion::{Criterion, criterion_group, criterion_main};

/// Short, so that the ring of remembered ids stays as full as at one reading a millisecond.
const LIMITS: fn() -> Limits = || Limits { exchange_lifetime_ms: 16, ..Limits::default() };

fn coap_decode(c: &mut Criterion) {
    let mut message = Vec::new();
    Post::new("d", 64).write(7, &mut message);
    c.bench_function("coap/decode with coap-lite", |b| {
        b.iter(|| coap_lite::Packet::from_bytes(black_box(&message)).unwrap());
    });
}

/// A fresh request in, its answer out.
fn exchange(
    endpoint: &mut Endpoint,
    now: u64,
    message: &[u8],
    resources: &Resources,
    limits: &Limits,
) -> Vec<u8> {
    endpoint.handle_message(now, UnixMillis(0), message, resources, limits);
    let mut answer = Vec::new();
    while let Some(effect) = endpoint.poll_effect() {
        match effect {
            Effect::Deliver { exchange, payload, .. } => {
                black_box(payload);
                endpoint.handle_outcome(now, exchange, Answer::Changed);
            }
            Effect::Send(bytes) => answer = bytes,
            Effect::Counted { .. }
            | Effect::Dropped { .. }
            | Effect::Serve { .. }
            | Effect::Read { .. } => {}
        }
    }
    answer
}

fn coap_exchange(c: &mut Criterion) {
    let (resources, limits, post) = (Resources::new(["d", "t"]), LIMITS(), Post::new("d", 64));
    let (mut endpoint, mut now, mut message) = (Endpoint::new(1), 0_u64, Vec::new());
    c.bench_function("coap/post to answer", |b| {
        b.iter(|| {
            now += 1;
            post.write(u16::try_from(now & 0xFFFF).unwrap(), &mut message);
            endpoint.handle_timeout(now);
            assert!(!exchange(&mut endpoint, now, &message, &resources, &limits).is_empty());
        });
    });
}

fn session_step(c: &mut Criterion) {
    let (resources, limits, post) = (Resources::new(["d", "t"]), LIMITS(), Post::new("d", 64));
    let suite = Suite::EcdheEcdsaAes128GcmSha256;
    let (read, write) =
        (DirectionKey::new(suite, &[7; 16], &[1; 4]), DirectionKey::new(suite, &[8; 16], &[2; 4]));
    let (mut endpoint, mut window) = (Endpoint::new(1), ReplayWindow::new());
    let (mut message, mut datagram, mut text, mut out) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut now = 0_u64;
    c.bench_function("session/reading in, answer out (its request sealed too)", |b| {
        b.iter(|| {
            now += 1;
            post.write(u16::try_from(now & 0xFFFF).unwrap(), &mut message);
            datagram.clear();
            read.seal(ContentType::ApplicationData, 1, now, &[], &message, &mut datagram).unwrap();

            let record = records(&datagram, 6).next().unwrap().unwrap();
            assert!(window.is_fresh(record.sequence));
            read.open(&record, &mut text).unwrap();
            window.accept(record.sequence);
            endpoint.handle_timeout(now);
            let answer = exchange(&mut endpoint, now, &text, &resources, &limits);
            out.clear();
            write.seal(ContentType::ApplicationData, 1, now, &[], &answer, &mut out).unwrap();
        });
    });
}

criterion_group!(benches, coap_decode, coap_exchange, session_step);
criterion_main!(benches);
