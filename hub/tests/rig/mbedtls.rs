//! The Mbed TLS peer (hub/tests/peers/mbedtls_client.c) as a carrier of datagrams.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::coap::Carrier;
use super::process::Process;
use super::site::BoardFiles;
use super::{PATIENCE, installed};

/// What the peer offers.
pub struct Offer<'a> {
    /// Its own Connection ID in hexadecimal, "empty", or "none" for no such extension.
    pub cid: &'a str,
    pub mtu: u32,
    /// gcm, ccm or ccm8.
    pub suite: &'a str,
}

impl Default for Offer<'_> {
    fn default() -> Self {
        Self { cid: "none", mtu: 0, suite: "gcm" }
    }
}

/// A running peer with an established session.
pub struct Mbedtls {
    process: Process,
    /// What it said when it was connected.
    pub connected: String,
    taken: usize,
}

impl Mbedtls {
    pub fn connect(hub: SocketAddr, root: &Path, board: &BoardFiles, offer: &Offer<'_>) -> Self {
        let process = Self::start(hub, root, board, offer);
        let connected = process.stdout.wait_for_line("connected", PATIENCE);
        Self { process, connected, taken: 0 }
    }

    /// Starts the peer and leaves it to the test what becomes of its handshake.
    pub fn start(hub: SocketAddr, root: &Path, board: &BoardFiles, offer: &Offer<'_>) -> Process {
        let file = |key: &str, path: &Path| format!("{key}={}", path.display());
        let mut command = Command::new(installed("peers/mbedtls-client"));
        command.args([format!("host={}", hub.ip()), format!("port={}", hub.port())]);
        command.args([file("ca", root), file("cert", &board.certificate), file("key", &board.key)]);
        command.args([format!("cid={}", offer.cid), format!("mtu={}", offer.mtu)]);
        command.arg(format!("suite={}", offer.suite));
        Process::spawn(&mut command)
    }

    /// Goes on from another local port: the address changes, the session stays.
    pub fn rebind(&mut self) {
        let count = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("rebound").count();
        let before = count(&self.process.stdout.bytes());
        self.process.write(b"rebind\n");
        self.process.stdout.wait("rebound", PATIENCE, |seen| (count(seen) > before).then_some(()));
    }
}

impl Mbedtls {
    /// Goes on as after a restart: a new handshake from another port, with the hub or a proxy
    /// before it, that asks to resume the session. What it then said.
    pub fn resume(&mut self, hub: SocketAddr) -> &str {
        let count = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("connected cid").count();
        let before = count(&self.process.stdout.bytes());
        self.ask_to_resume(hub);
        let said = self.process.stdout.wait("connected", PATIENCE, |seen| {
            let text = String::from_utf8_lossy(seen);
            let whole = &text[..text.rfind('\n')?];
            whole
                .lines()
                .filter(|line| line.starts_with("connected"))
                .nth(before)
                .map(str::to_owned)
        });
        self.connected = said;
        &self.connected
    }

    /// Like [`Mbedtls::resume`], and leaves it to the test what becomes of it.
    pub fn ask_to_resume(&mut self, hub: SocketAddr) {
        self.process.write(format!("resume {} {}\n", hub.ip(), hub.port()).as_bytes());
    }
}

impl Carrier for Mbedtls {
    fn send(&mut self, datagram: &[u8]) {
        let hex: String = datagram.iter().map(|byte| format!("{byte:02x}")).collect();
        self.process.write(format!("{hex}\n").as_bytes());
    }

    fn receive(&mut self, limit: Duration) -> Option<Vec<u8>> {
        let taken = self.taken;
        let line = self.process.stdout.poll(limit, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let whole = &text[..text.rfind('\n')?];
            let mut received = whole.lines().filter_map(|line| line.strip_prefix("received "));
            received.nth(taken).map(str::to_owned)
        })?;
        self.taken += 1;
        Some(line.as_bytes().chunks(2).map(byte_of).collect())
    }
}

fn byte_of(pair: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()
}
