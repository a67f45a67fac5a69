//! An abbreviated handshake on both sides, without a socket: what its arithmetic costs the hub.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot set up has nothing to measure"
)]

use std::hint::black_box;

use actors::admission::Admitted;
use actors::link::abbreviated::{Abbreviated, Terms};
use actors::link::cipher::Suite;
use actors::link::connection_id::ConnectionId;
use actors::link::cookie::CookieKeys;
use actors::link::engine::Progress;
use actors::link::hello::{ClientHello, hello_verify_request};
use actors::link::offer::Offer;
use actors::link::record::records;
use actors::link::resumptions::Resumable;
use benches::load::abbreviated::{Abbreviated as Board, Step};
use benches::load::client::{ConnectionIds, Resumption};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use storage::{Fingerprint, UnixSeconds};
use zeroize::Zeroizing;

const MASTER: [u8; 48] = [7; 48];
const SESSION_ID: [u8; 32] = [5; 32];

fn board(suite: Suite) -> (Board, Vec<u8>) {
    let resumption = Resumption { session_id: SESSION_ID, master: MASTER };
    let mut board = Board::new(resumption, suite, ConnectionIds::Offered, [3; 32]);
    let first = board.hello();
    let record = records(&first, 0).next().unwrap().unwrap();
    let hello = ClientHello::parse(&record).unwrap();
    let (cookies, from) = (CookieKeys::new([1; 32]), ([192, 0, 2, 1], 5000).into());
    let mut verify = Vec::new();
    hello_verify_request(&hello, &cookies.mint(from, &hello), &mut verify).unwrap();
    let Step::Send(second) = board.handle_datagram(&verify) else { panic!("no second hello") };
    let message = records(&second, 0).next().unwrap().unwrap().fragment.to_vec();
    (board, message)
}

fn hub(message: &[u8], suite: Suite) -> Abbreviated {
    let admitted = Admitted {
        board: "CB-1".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        fingerprint: Fingerprint([0; 32]),
        not_after: UnixSeconds(1),
        at: std::time::Instant::now(),
        serial: None,
        issuer: storage::AuthorityNumber::FIRST,
        standing: actors::admission::Standing::Known,
    };
    let authenticated = UnixSeconds(0);
    let resumable = Resumable { suite, master: Zeroizing::new(MASTER), admitted, authenticated };
    let ours = ConnectionId::new(0, 0, [1, 2, 3, 4]);
    let terms = Terms { ours, random: [9; 32], next_plain_sequence: 1, mtu: 1200 };
    Abbreviated::begin(&Offer::parse(message).unwrap(), resumable, terms)
}

fn abbreviated(c: &mut Criterion) {
    for suite in Suite::ALL {
        let mut group = c.benchmark_group(format!("handshake/{}", suite.openssl_name()));
        let (mut client, message) = board(suite);
        group.bench_function("hello to flight", |b| {
            b.iter(|| hub(black_box(&message), suite).poll_datagram().unwrap());
        });
        let flight = hub(&message, suite).poll_datagram().unwrap();
        let Step::Done(last, _) = client.handle_datagram(&flight) else { panic!("not resumed") };
        group.bench_function("finished to session", |b| {
            b.iter_batched(
                || hub(&message, suite),
                |mut hub| {
                    let progress = hub.handle_datagram(black_box(&last));
                    let Progress::Established(established) = progress else {
                        panic!("{progress:?}")
                    };
                    established
                },
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, abbreviated);
criterion_main!(benches);
