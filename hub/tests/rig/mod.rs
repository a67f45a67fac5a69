//! What the tests outside the hub stand on: a hub in its own process with a site of its own, a
//! broker, peers, and a network between them that loses what it is told to lose.
//!
//! Everything runs on loopback with ports and folders of its own, waits on conditions and ends
//! with the test. Must never use the hub's own code for DTLS, CoAP or MQTT: the other side of a
//! test is somebody else's implementation, or bytes written by hand here.
#![allow(unreachable_pub, reason = "a rig is shared")]
#![allow(missing_docs, reason = "names and the files' headers say what a test needs to know")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's failure is its report"
)]

pub mod api;
pub mod authenticator;
pub mod board;
pub mod broker;
pub mod client;
pub mod coap;
pub mod command;
pub mod est;
pub mod gate;
pub mod hub;
pub mod mbedtls;
pub mod metrics;
pub mod openapi;
pub mod pki;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod records;
pub mod site;
pub mod sleeper;
pub mod subscriber;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything may take that normally takes a moment, on a machine with other work.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `probe` until it has an answer; fails the test with `what` when it never has.
pub fn eventually<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// An address of loopback that belongs to this test's process alone: no hub of another test can
/// take a port between its choice and its use (a hub's UDP sockets would even share it).
pub fn own_address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + high % 64, middle, low)
}

/// A UDP address that nobody uses at the moment.
pub fn free_udp() -> SocketAddr {
    UdpSocket::bind((own_address(), 0)).unwrap().local_addr().unwrap()
}

/// A TCP address that nobody uses at the moment.
pub fn free_tcp() -> SocketAddr {
    TcpListener::bind((own_address(), 0)).unwrap().local_addr().unwrap()
}

/// A file that `scripts/install` or `scripts/peers` left under the target folder.
pub fn installed(path: &str) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join(path);
    assert!(
        target.exists(),
        "{} is missing: run scripts/install and scripts/peers",
        target.display()
    );
    target
}
