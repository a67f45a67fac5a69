//! Datagrams from addresses that are not their senders': the front door answers them without
//! remembering anything.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::client::Client;
use crate::rig::records::{HANDSHAKE, Record};
use crate::rig::site::Plan;

/// A ClientHello with a random of its own.
fn hello(template: &[u8], number: u32) -> Vec<u8> {
    const RANDOM: usize = 13 + 12 + 2; // record header, handshake header, version
    let mut hello = template.to_vec();
    hello[RANDOM..RANDOM + 4].copy_from_slice(&number.to_be_bytes());
    hello
}

/// A socket on an address of loopback that belongs to this number alone.
fn spoofed(number: u32) -> UdpSocket {
    let [_, a, b, c] = (number + 256).to_be_bytes();
    UdpSocket::bind((Ipv4Addr::new(127, 10 + a, b, c), 0)).expect("a socket on loopback")
}

#[test]
fn ten_thousand_spoofed_hellos_leave_memory_and_sessions_where_they_were() {
    const HELLOS: u32 = 10_000;
    let (site, mut hub) = Plan::boards(1).start();
    let template = Client::first_hello(&site.root());
    let mut board = Board::new(
        Client::connect(hub.listen, &site.root(), &site.boards[0].identity()).expect("a session"),
    );
    assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
    let mut answer = [0; 2048];
    let mut batch = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let socket = spoofed(number);
            socket.send_to(&hello(&template, number), hub.listen).expect("sent");
            if number % 500 == 0 {
                // Keeps step with the hub, so that the kernel drops nothing.
                socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                let length = socket.recv(&mut answer).expect("a HelloVerifyRequest");
                assert!(length <= template.len(), "{length} bytes for {}", template.len());
                assert_eq!(Record::split(&answer[..length])[0].content_type, HANDSHAKE);
            }
        }
    };
    batch(0..1000); // whatever the first thousand make the allocator keep
    let before = hub.resident_kib();
    batch(1000..HELLOS + 1000);
    let after = hub.resident_kib();
    assert!(after < before + 2048, "{before} KiB before, {after} KiB after");
    assert_eq!(hub.sessions(), 1.0);
    assert_eq!(hub.metric("hub_handshakes_in_progress", &[]), 0.0);
    assert!(hub.metric("hub_datagrams_received_total", &[]) > f64::from(HELLOS) * 0.9);
    assert_eq!(board.post("d", b"after").message.dotted(), "2.04");
    hub.assert_alive();
}

#[test]
fn a_cookie_is_worth_nothing_at_another_address() {
    let (site, hub) = Plan::boards(1).start();
    let mut second = None;
    let thief = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut tamper = |_: &openssl::ssl::SslRef, datagram: Vec<u8>| {
        // The first datagram has no cookie; the second goes out from another socket as well.
        if second.replace(datagram.clone()).is_some() {
            thief.send_to(&datagram, hub.listen).expect("sent");
        }
        vec![datagram]
    };
    let client = Client::connect_with(
        UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        hub.listen,
        &site.root(),
        Some(&site.boards[0].identity()),
        &crate::rig::client::Settings::default(),
        &mut tamper,
    );
    assert!(client.is_ok());
    let mut answer = [0; 2048];
    thief.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    while let Ok(length) = thief.recv(&mut answer) {
        let record = &Record::split(&answer[..length])[0];
        assert_eq!(record.content_type, HANDSHAKE);
        assert_eq!(record.fragment[0], 3, "nothing but a HelloVerifyRequest");
    }
    assert_eq!(hub.metric("hub_handshakes_total", &[("outcome", "completed")]), 1.0);
    hub.wait_for_metric("hub_handshakes_in_progress", &[], |handshakes| handshakes == 0.0);
}

#[test]
fn no_more_handshakes_are_begun_than_are_allowed_and_boards_get_in_afterwards() {
    let (site, mut hub) = Plan::boards(1)
        .set("link", "handshakes_max", 4)
        .set("link", "handshake_timeout_s", 2)
        .start();
    // Clients that come back with their cookie and then say nothing more.
    let silent: Vec<_> = (0..12)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            let kept = socket.try_clone().expect("a socket");
            let mut number = 0;
            let mut tamper = |_: &openssl::ssl::SslRef, datagram: Vec<u8>| {
                number += 1;
                if number <= 2 { vec![datagram] } else { vec![] }
            };
            let settings = crate::rig::client::Settings {
                patience: Duration::from_millis(150),
                ..crate::rig::client::Settings::default()
            };
            let root = site.root();
            let identity = site.boards[0].identity();
            let _ = Client::connect_with(
                socket,
                hub.listen,
                &root,
                Some(&identity),
                &settings,
                &mut tamper,
            );
            kept
        })
        .collect();
    assert!(hub.metric("hub_handshakes_in_progress", &[]) <= 4.0);
    let mut board = Board::new(
        Client::connect(hub.listen, &site.root(), &site.boards[0].identity()).expect("a session"),
    );
    assert_eq!(board.post("d", b"reading").message.dotted(), "2.04");
    hub.wait_for_metric("hub_handshakes_in_progress", &[], |handshakes| handshakes == 0.0);
    drop(silent);
    hub.assert_alive();
}
