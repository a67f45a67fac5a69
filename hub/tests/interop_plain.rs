//! CoAP without DTLS: off unless asked for, and a board is whoever has its address.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use crate::rig::board::Board;
use crate::rig::coap::{Carrier, Message};
use crate::rig::process::Process;
use crate::rig::site::Plan;
use crate::rig::{PATIENCE, free_udp, installed};

/// A socket to the plain listener.
struct Plain(UdpSocket);

impl Plain {
    fn from(address: Ipv4Addr, hub: SocketAddr) -> Self {
        let socket = UdpSocket::bind((address, 0)).expect("a socket");
        socket.connect(hub).expect("loopback");
        Self(socket)
    }
}

impl Carrier for Plain {
    fn send(&mut self, datagram: &[u8]) {
        let _ = self.0.send(datagram); // where nobody listens, an ICMP error comes back
    }

    fn receive(&mut self, limit: Duration) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        self.0.set_read_timeout(Some(limit)).expect("a timeout");
        let length = self.0.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }
}

fn plan(plain: SocketAddr) -> Plan {
    Plan::boards(2).set("plain", "enabled", true).set("plain", "listen", plain.to_string())
}

#[test]
fn aiocoap_gets_its_answers() {
    let plain = free_udp();
    let site = plan(plain).build();
    site.change_board("CB-00000000", |board| board.address = Some(Ipv4Addr::LOCALHOST.into()));
    let _hub = site.start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/aiocoap_board.py");
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg(script).arg(format!("coap://{plain}"));
    let run = Process::run(&mut command, PATIENCE);
    let codes: Vec<_> =
        run.stdout.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(codes, ["2.04", "2.04", "2.04", "2.05", "4.04", "4.05", "4.00"], "{run:?}");
    assert!(run.stdout.contains("</d>") && run.stdout.contains("</t>"), "{run:?}");
}

#[test]
fn an_address_that_is_no_boards_is_not_answered() {
    let plain = free_udp();
    let site = plan(plain).build();
    let known = Ipv4Addr::new(127, 0, 7, 1);
    site.change_board("CB-00000001", |board| board.address = Some(known.into()));
    let hub = site.start();
    let mut stranger = Board::new(Plain::from(Ipv4Addr::new(127, 0, 7, 2), plain));
    assert!(stranger.try_post("d", b"reading", Duration::from_secs(1)).is_none());
    let reasons = [("reason", "unknown_address")];
    hub.wait_for_metric("hub_records_dropped_total", &reasons, |count| count >= 1.0);
    let mut board = Board::new(Plain::from(known, plain));
    assert_eq!(board.post("d", b"reading").message.dotted(), "2.04");
}

#[test]
fn nothing_listens_without_dtls_unless_asked_for() {
    let plain = free_udp();
    let site = Plan::boards(1).set("plain", "listen", plain.to_string()).build();
    site.change_board("CB-00000000", |board| board.address = Some(Ipv4Addr::LOCALHOST.into()));
    let hub = site.start();
    let mut board = Board::new(Plain::from(Ipv4Addr::LOCALHOST, plain));
    assert!(board.try_post("d", b"reading", Duration::from_secs(1)).is_none());
    let mut into_dtls = Plain::from(Ipv4Addr::LOCALHOST, hub.listen);
    into_dtls.send(&Message::post("d", 1, b"reading").encode());
    assert_eq!(into_dtls.receive(Duration::from_secs(1)), None, "plain CoAP on the DTLS port");
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", "malformed")], |n| n >= 1.0);
}
