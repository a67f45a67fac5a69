//! Floods and abuse over real sockets: each is bounded and counted, and a board with a session goes on
//! being served.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::client::{Client, Refused, Settings};
use crate::rig::coap::{BLOCK1, Carrier, Message};
use crate::rig::hub::Hub;
use crate::rig::mbedtls::{Mbedtls, Offer};
use crate::rig::proxy::{Proxy, Way};
use crate::rig::records::{APPLICATION_DATA, Record, TLS12_CID};
use crate::rig::site::{Plan, Site};

fn connected(site: &Site, hub: &Hub, board: usize) -> Board<Client> {
    let identity = site.boards[board].identity();
    Board::new(Client::connect(hub.listen, &site.root(), &identity).expect("a session"))
}

fn still_served<C: Carrier>(board: &mut Board<C>, hub: &mut Hub) {
    assert_eq!(board.post("d", b"still served").message.dotted(), "2.04");
    hub.assert_alive();
}

fn wait_for_dropped(hub: &Hub, reason: &str, count: f64) {
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", reason)], |now| now >= count);
}

/// A client at 127.0.0.1 that comes back with its cookie and then says nothing more; all it sent.
fn half_open(site: &Site, hub: &Hub, from: Ipv4Addr) -> (UdpSocket, Vec<Vec<u8>>) {
    let socket = UdpSocket::bind((from, 0)).expect("a socket");
    let kept = socket.try_clone().expect("a socket");
    let mut sent = vec![];
    let mut tamper = |_: &openssl::ssl::SslRef, datagram: Vec<u8>| {
        if sent.len() == 2 {
            return vec![];
        }
        sent.push(datagram.clone());
        vec![datagram]
    };
    let settings = Settings { patience: Duration::from_millis(150), ..Settings::default() };
    let identity = site.boards[0].identity();
    let seen = Client::connect_with(
        socket,
        hub.listen,
        &site.root(),
        Some(&identity),
        &settings,
        &mut tamper,
    );
    assert!(seen.is_err());
    (kept, sent)
}

#[test]
fn a_source_that_floods_is_answered_no_more_than_its_share_and_others_are() {
    let (site, mut hub) = Plan::boards(2).set("flood", "hellos_per_source_s", 10).start();
    let mut board = connected(&site, &hub, 0);
    let hello = Client::first_hello(&site.root());
    let flooder = UdpSocket::bind((Ipv4Addr::new(127, 9, 9, 9), 0)).expect("a socket");
    for _ in 0..200 {
        flooder.send_to(&hello, hub.listen).expect("sent");
    }
    wait_for_dropped(&hub, "hello_rate", 100.0);
    flooder.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let mut answers = 0;
    while flooder.recv(&mut [0; 2048]).is_ok() {
        answers += 1;
    }
    assert!((1..100).contains(&answers), "{answers} answers to 200 hellos");
    still_served(&mut board, &mut hub);
    still_served(&mut connected(&site, &hub, 1), &mut hub);
}

#[test]
fn a_cookie_replayed_over_and_over_begins_no_more_than_its_source_may() {
    let (site, mut hub) = Plan::boards(1).set("flood", "handshakes_per_source_s", 5).start();
    let mut board = connected(&site, &hub, 0);
    let (socket, sent) = half_open(&site, &hub, Ipv4Addr::new(127, 9, 9, 8));
    for _ in 0..100 {
        socket.send(&sent[1]).expect("sent");
    }
    wait_for_dropped(&hub, "handshake_rate", 80.0);
    assert_eq!(hub.metric("hub_handshakes_in_progress", &[]), 1.0);
    still_served(&mut board, &mut hub);
}

#[test]
fn half_open_handshakes_lose_their_places_to_boards_that_come() {
    let (site, mut hub) = Plan::boards(2)
        .set("link", "handshakes_max", 4)
        .set("flood", "half_open_silence_s", 1)
        .start();
    let mut board = connected(&site, &hub, 0);
    // Each source has a quarter at most: four of them have all.
    let held: Vec<_> =
        (1..=4).map(|host| half_open(&site, &hub, Ipv4Addr::new(127, 9, host, 1))).collect();
    hub.wait_for_metric("hub_handshakes_in_progress", &[], |handshakes| handshakes == 4.0);
    let mut late = connected(&site, &hub, 1);
    let labels = [("reason", "evicted")];
    assert!(hub.metric("hub_handshakes_total", &labels) >= 1.0, "{}", hub.log());
    still_served(&mut board, &mut hub);
    still_served(&mut late, &mut hub);
    drop(held);
}

#[test]
fn a_tenant_whose_boards_come_all_at_once_is_slowed_and_another_is_not() {
    let (site, mut hub) =
        Plan::boards(4).tenants(2).set("flood", "handshakes_per_tenant_s", 1).start();
    let [noisy, quiet] = ["tenant-0", "tenant-1"].map(|tenant| site.of_tenant(tenant));
    let connect = |identity| Client::connect(hub.listen, &site.root(), &identity);
    let refused = (0..20).find_map(|_| connect(noisy[0].identity()).err());
    assert_eq!(refused, Some(Refused::Alert(80)), "{}", hub.log());
    hub.wait_for_metric("hub_handshakes_total", &[("reason", "tenant_rate")], |count| count >= 1.0);
    hub.wait_for_log(&["begins too many sessions a second", &noisy[0].id]);
    let mut board = Board::new(connect(quiet[0].identity()).expect("a session"));
    still_served(&mut board, &mut hub);
}

#[test]
fn garbage_for_a_session_from_elsewhere_is_hardly_opened_and_the_board_is_heard() {
    let (site, mut hub) = Plan::boards(1).start();
    let proxy = Proxy::clear(hub.listen);
    let offer = Offer { cid: "0a0b", ..Offer::default() };
    let mut board =
        Board::new(Mbedtls::connect(proxy.address, &site.root(), &site.boards[0], &offer));
    assert_eq!(board.post("d", b"one").message.dotted(), "2.04");
    let heard = proxy.seen(Way::ToHub).pop().expect("a record with a Connection ID");
    assert_eq!(heard[0], TLS12_CID);
    for number in 1..=2000_u16 {
        let mut forged = heard.clone();
        forged[9..11].copy_from_slice(&(1000 + number).to_be_bytes());
        proxy.inject_from_elsewhere(&forged);
        if number % 500 == 0 {
            still_served(&mut board, &mut hub);
        }
    }
    let dropped = |reason| hub.metric("hub_records_dropped_total", &[("reason", reason)]);
    wait_for_dropped(&hub, "forged", 1.0);
    assert!(dropped("forged_flood") + dropped("mailbox_full") > dropped("forged"), "{}", hub.log());
    still_served(&mut board, &mut hub);
}

#[test]
fn garbage_from_the_boards_own_address_does_not_end_its_session() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut board = connected(&site, &hub, 0);
    let forged = Record {
        content_type: APPLICATION_DATA,
        epoch: 1,
        sequence: 1 << 20,
        fragment: vec![0x5a; 200],
    }
    .encode();
    for _ in 0..2000 {
        board.carrier.send_raw(&forged);
    }
    wait_for_dropped(&hub, "forged", 1.0);
    still_served(&mut board, &mut hub);
}

/// One block of an upload: number, whether more follow, size exponent.
fn block(board: &mut Board<Client>, number: u32, more: u32, exponent: u32, bytes: &[u8]) -> String {
    let request = board.message(crate::rig::coap::POST, "d", bytes);
    let request = request.with(BLOCK1, number << 4 | more << 3 | exponent);
    board.ask(&request).message.dotted()
}

#[test]
fn an_upload_beyond_the_bound_or_in_blocks_too_large_is_refused_and_costs_nobody_else() {
    let (site, mut hub) = Plan::boards(2).set("coap", "payload_max", 2048).start();
    let (mut abuser, mut board) = (connected(&site, &hub, 0), connected(&site, &hub, 1));
    let answers: Vec<_> =
        (0..4).map(|number| block(&mut abuser, number, 1, 6, &[b'x'; 1024])).collect();
    assert_eq!(answers[..2], ["2.31", "2.31"]);
    assert_eq!(answers[2], "4.13");
    // More bytes than the block says, and the reserved size.
    assert_eq!(block(&mut abuser, 0, 1, 0, &[b'x'; 1024]), "4.00");
    let _ = block(&mut abuser, 0, 1, 7, &[b'x'; 64]);
    let whole = abuser.message(crate::rig::coap::POST, "d", &[b'x'; 1500]);
    assert_eq!(abuser.ask(&whole).message.dotted(), "2.04");
    still_served(&mut abuser, &mut hub);
    still_served(&mut board, &mut hub);
}

#[test]
fn an_upload_that_drips_is_given_up_and_the_board_may_begin_again() {
    let (site, mut hub) = Plan::boards(2).set("coap", "block_timeout_s", 1).start();
    let (mut slow, mut board) = (connected(&site, &hub, 0), connected(&site, &hub, 1));
    assert_eq!(block(&mut slow, 0, 1, 0, &[b'x'; 16]), "2.31");
    still_served(&mut board, &mut hub);
    let labels = [("reason", "upload_timeout")];
    hub.wait_for_metric("hub_coap_dropped_total", &labels, |count| count >= 1.0);
    assert_eq!(block(&mut slow, 1, 1, 0, &[b'x'; 16]), "4.08");
    assert_eq!(block(&mut slow, 0, 0, 0, &[b'x'; 16]), "2.04");
    still_served(&mut slow, &mut hub);
}

#[test]
fn a_crowd_of_spoofed_hellos_beyond_the_total_leaves_sessions_alone() {
    let (site, mut hub) = Plan::boards(1).set("flood", "hellos_s", 50).start();
    let mut board = connected(&site, &hub, 0);
    let hello = Client::first_hello(&site.root());
    for number in 0..2000_u16 {
        let [high, low] = number.to_be_bytes();
        let spoofed = UdpSocket::bind((Ipv4Addr::new(127, 8, high, low.max(1)), 0));
        spoofed.expect("a socket").send_to(&hello, hub.listen).expect("sent");
    }
    wait_for_dropped(&hub, "hello_rate", 1000.0);
    board.carrier.send(&Message::post("d", 900, b"in the middle").encode());
    assert!(board.carrier.receive(PATIENCE).is_some());
    still_served(&mut board, &mut hub);
}
