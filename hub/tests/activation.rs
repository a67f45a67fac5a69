//! Sockets that outlive the hub: what is sent while no hub runs is answered by the next.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::rig::board::Board;
use crate::rig::client::Client;
use crate::rig::hub::Hub;
use crate::rig::records::{HANDSHAKE, Record};
use crate::rig::site::{Plan, Site};
use crate::rig::{PATIENCE, eventually};
use socket2::{Domain, Socket, Type};

/// The socket that a service manager would hold.
fn held(site: &Site, shared: bool) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_reuse_port(shared).unwrap();
    socket.bind(&site.listen.into()).unwrap();
    socket.into()
}

fn start(site: &Site, socket: &UdpSocket) -> Hub {
    site.start_with_socket(socket.try_clone().unwrap())
}

fn a_session_works(site: &Site, hub: &Hub) {
    let identity = site.boards[0].identity();
    let client = Client::connect(hub.listen, &site.root(), &identity).expect("a session");
    assert_eq!(Board::new(client).post("d", b"reading").message.dotted(), "2.04");
}

#[test]
fn no_datagram_is_refused_while_the_hub_is_killed_and_started_again() {
    let site = Plan::boards(1).build();
    let socket = held(&site, true);
    let mut hub = start(&site, &socket);
    a_session_works(&site, &hub);

    let hello = Client::first_hello(&site.root());
    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (hello, stop, hub) = (hello.clone(), Arc::clone(&stop), hub.listen);
        std::thread::spawn(move || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.connect(hub).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
            let (mut answers, mut buffer) = (0, [0; 2048]);
            while !stop.load(Ordering::Relaxed) {
                socket.send(&hello).expect("nobody refuses");
                match socket.recv(&mut buffer) {
                    Ok(_) => answers += 1,
                    Err(error) => assert_ne!(error.kind(), ErrorKind::ConnectionRefused),
                }
            }
            answers
        })
    };
    hub.process.kill();
    // From an address of its own, so that the answer is to this one.
    let patient = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    patient.connect(site.listen).unwrap();
    patient.send(&hello).unwrap();
    patient.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut answer = [0; 2048];
    assert_eq!(patient.recv(&mut answer).unwrap_err().kind(), ErrorKind::WouldBlock);

    let hub = start(&site, &socket);
    patient.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = patient.recv(&mut answer).expect("what was sent to no hub is answered");
    assert_eq!(Record::split(&answer[..length])[0].content_type, HANDSHAKE);
    a_session_works(&site, &hub);
    stop.store(true, Ordering::Relaxed);
    assert!(sender.join().unwrap() > 0);
}

#[test]
fn a_socket_that_cannot_be_shared_serves_alone() {
    let site = Plan::boards(1).build();
    let socket = held(&site, false);
    let hub = start(&site, &socket);
    a_session_works(&site, &hub);
    hub.wait_for_metric("hub_handshakes_in_progress", &[], |handshakes| handshakes == 0.0);
}

#[test]
fn a_socket_for_nothing_in_the_configuration_is_an_error() {
    let site = Plan::boards(1).build();
    let socket = UdpSocket::bind((crate::rig::own_address(), 0)).unwrap();
    let mut process = site.spawn_with_socket(socket);
    let status = eventually("it gives up", PATIENCE, || process.has_ended());
    assert_eq!(status.code(), Some(2));
    let said = process.stderr.wait_for_line("neither the port of link.listen", PATIENCE);
    assert!(said.contains("127."), "{said}");
}
