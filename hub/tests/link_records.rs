//! Records that no honest peer sends: each is dropped and counted, and the session lives on.

use std::net::UdpSocket;
use std::time::Duration;

use crate::rig::board::Board;
use crate::rig::client::{Client, Refused, Settings};
use crate::rig::coap::{CON, Carrier, Message, POST};
use crate::rig::hub::Hub;
use crate::rig::mbedtls::{Mbedtls, Offer};
use crate::rig::proxy::{Proxy, Way};
use crate::rig::records::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, ClientKey, HANDSHAKE, Record,
};
use crate::rig::site::{Plan, Site};
use crate::rig::{PATIENCE, eventually};

fn connected(site: &Site, hub: &Hub) -> Client {
    Client::connect(hub.listen, &site.root(), &site.boards[0].identity()).expect("a session")
}

fn accepted(hub: &Hub) -> f64 {
    hub.metric("hub_messages_total", &[("outcome", "accepted")])
}

fn wait_for_dropped(hub: &Hub, reason: &str, count: f64) {
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", reason)], |now| now >= count);
}

/// Sends a record made by hand and waits for the answer to the request in it.
fn sent(client: &mut Client, record: &[u8], request: &Message) -> Message {
    client.send_raw(record);
    let answer = client.receive(PATIENCE).expect("an answer");
    let answer = Message::parse(&answer).expect("CoAP");
    assert_eq!(answer.token, request.token);
    answer
}

#[test]
fn a_replayed_record_is_dropped() {
    let (site, hub) = Plan::boards(1).start();
    let mut client = connected(&site, &hub);
    let request = Message::post("d", 1, b"once");
    let record = client.record(APPLICATION_DATA, &request.encode());
    assert_eq!(sent(&mut client, &record, &request).dotted(), "2.04");
    for _ in 0..10 {
        client.send_raw(&record);
    }
    wait_for_dropped(&hub, "replayed", 10.0);
    assert_eq!(accepted(&hub), 1.0);
    let request = Message::post("d", 2, b"next");
    let record = client.record(APPLICATION_DATA, &request.encode());
    assert_eq!(sent(&mut client, &record, &request).dotted(), "2.04");
}

#[test]
fn a_forged_record_is_dropped_wherever_a_bit_was_changed() {
    let (site, hub) = Plan::boards(1).start();
    let mut client = connected(&site, &hub);
    let request = Message::post("d", 1, b"forged");
    let record = client.record(APPLICATION_DATA, &request.encode());
    // Epoch, sequence, explicit nonce, ciphertext, tag.
    let places = [10, 14, 22, record.len() - 1];
    for place in places {
        let mut forged = record.clone();
        forged[place] ^= 0x40;
        client.send_raw(&forged);
    }
    wait_for_dropped(&hub, "forged", 4.0);
    assert_eq!(accepted(&hub), 0.0);
    assert_eq!(sent(&mut client, &record, &request).dotted(), "2.04", "its number is still free");
}

#[test]
fn truncated_and_malformed_datagrams_are_dropped() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut client = connected(&site, &hub);
    let request = Message::post("d", 1, b"whole");
    let record = client.record(APPLICATION_DATA, &request.encode());
    for length in 1..record.len() {
        client.send_raw(&record[..length]);
    }
    let mut unknown_type = record.clone();
    unknown_type[0] = 99;
    client.send_raw(&unknown_type);
    let mut wrong_version = record.clone();
    wrong_version[1] = 3;
    client.send_raw(&wrong_version);
    let mut too_long = record.clone();
    too_long[11] = 0xff;
    client.send_raw(&too_long);
    client.send_raw(&vec![0; 60_000]);
    let expected = f64::from(u32::try_from(record.len()).expect("short")) * 0.9;
    eventually("truncated records are counted", PATIENCE, || {
        let all = hub.metric("hub_records_dropped_total", &[]);
        (all >= expected).then_some(())
    });
    assert_eq!(sent(&mut client, &record, &request).dotted(), "2.04");
    assert_eq!(accepted(&hub), 1.0);
    hub.assert_alive();
}

#[test]
fn a_plaintext_alert_ends_nothing() {
    let (site, hub) = Plan::boards(1).start();
    let client = connected(&site, &hub);
    let forgeries = [(ALERT, vec![2, 40]), (ALERT, vec![1, 0]), (CHANGE_CIPHER_SPEC, vec![1])];
    for (sequence, (content_type, fragment)) in (100..).zip(forgeries) {
        let record = Record { content_type, epoch: 0, sequence, fragment };
        client.send_raw(&record.encode());
    }
    let handshake =
        Record { content_type: HANDSHAKE, epoch: 0, sequence: 200, fragment: vec![20; 40] };
    client.send_raw(&handshake.encode());
    eventually("the forgeries are counted", PATIENCE, || {
        (hub.metric("hub_records_dropped_total", &[]) >= 4.0).then_some(())
    });
    assert_eq!(hub.sessions(), 1.0);
    let mut board = Board::new(client);
    assert_eq!(board.post("d", b"still here").message.dotted(), "2.04");
}

#[test]
fn a_plaintext_alert_does_not_end_a_handshake_from_another_address() {
    let (site, hub) = Plan::boards(1).start();
    let proxy = Proxy::clear(hub.listen);
    let alert =
        Record { content_type: ALERT, epoch: 0, sequence: 9, fragment: vec![2, 40] }.encode();
    let mut tamper = |_: &openssl::ssl::SslRef, datagram: Vec<u8>| {
        proxy.inject_from_elsewhere(&alert);
        vec![datagram]
    };
    let client = Client::connect_with(
        UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        proxy.address,
        &site.root(),
        Some(&site.boards[0].identity()),
        &Settings::default(),
        &mut tamper,
    );
    let mut board = Board::new(client.expect("a session"));
    assert_eq!(board.post("d", b"reading").message.dotted(), "2.04");
}

#[test]
fn a_bad_finished_makes_no_session() {
    let (site, mut hub) = Plan::boards(1).start();
    // Opens the client's Finished, changes its verify_data and seals it again with the right key:
    // what somebody sends who tampered with the handshake and holds nothing but the keys.
    let mut tamper = |ssl: &openssl::ssl::SslRef, datagram: Vec<u8>| {
        let records = Record::split(&datagram).into_iter().map(|record| {
            if record.epoch == 0 {
                return record.encode();
            }
            let key = ClientKey::of(ssl).expect("the master secret");
            let mut finished = key.open(&record);
            *finished.last_mut().expect("verify_data") ^= 1;
            key.seal(record.content_type, record.epoch, record.sequence, &finished)
        });
        vec![records.collect::<Vec<_>>().concat()]
    };
    let seen = Client::connect_with(
        UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        hub.listen,
        &site.root(),
        Some(&site.boards[0].identity()),
        &Settings { patience: Duration::from_secs(10), ..Settings::default() },
        &mut tamper,
    );
    assert_eq!(seen.map(|_| ()), Err(Refused::Alert(51)), "{}", hub.log());
    assert_eq!(hub.sessions(), 0.0);
    let labels = [("reason", "bad_finished")];
    hub.wait_for_metric("hub_handshakes_total", &labels, |count| count == 1.0);
    assert_eq!(hub.metric("hub_handshakes_total", &[("outcome", "completed")]), 0.0);
    hub.assert_alive();
}

#[test]
fn records_out_of_order_are_accepted_once_and_too_old_ones_never() {
    let (site, hub) = Plan::boards(1).start();
    let mut client = connected(&site, &hub);
    let requests: Vec<_> =
        (1..=70).map(|id| Message::post("d", id, format!("{id}").as_bytes())).collect();
    let records: Vec<_> =
        requests.iter().map(|request| client.record(APPLICATION_DATA, &request.encode())).collect();
    assert_eq!(sent(&mut client, &records[69], &requests[69]).dotted(), "2.04");
    assert_eq!(sent(&mut client, &records[40], &requests[40]).dotted(), "2.04");
    assert_eq!(sent(&mut client, &records[20], &requests[20]).dotted(), "2.04");
    client.send_raw(&records[2]); // more than 64 behind
    client.send_raw(&records[40]);
    wait_for_dropped(&hub, "replayed", 2.0);
    assert_eq!(accepted(&hub), 3.0);
}

#[test]
fn a_request_sent_twice_in_two_records_is_processed_once() {
    let (site, hub) = Plan::boards(1).start();
    let mut client = connected(&site, &hub);
    let request = Message { token: b"first".to_vec(), ..Message::post("d", 77, b"reading") };
    let again = Message { token: b"other".to_vec(), ..request.clone() };
    for request in [&request, &again] {
        let record = client.record(APPLICATION_DATA, &request.encode());
        assert_eq!(sent(&mut client, &record, request).dotted(), "2.04");
    }
    assert_eq!(accepted(&hub), 1.0);
}

#[test]
fn bytes_that_are_no_coap_are_dropped_and_the_session_stays() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut client = connected(&site, &hub);
    let malformed: [&[u8]; 6] = [
        b"x",
        b"\x40",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x4f\x02\x70\x01",
        b"\x40\x02\x70\x02\xff",
        b"\x80\x02\x70\x03",
    ];
    for bytes in malformed {
        client.send(bytes);
    }
    let mut board = Board::new(client);
    assert_eq!(board.post("d", b"reading").message.dotted(), "2.04");
    assert!(hub.metric("hub_coap_dropped_total", &[]) >= 5.0, "{}", hub.log());
    for (path, code, wanted) in [("nowhere", POST, "4.04"), ("d", 1, "4.05"), ("d", 4, "4.05")] {
        let request = board.message(code, path, b"x");
        assert_eq!(request.kind, CON);
        assert_eq!(board.ask(&request).message.dotted(), wanted, "{path} {code}");
    }
    hub.assert_alive();
}

#[test]
fn another_address_takes_no_session_over_with_what_it_heard_or_made_up() {
    let (site, hub) = Plan::boards(1).start();
    let proxy = Proxy::clear(hub.listen);
    let offer = Offer { cid: "0a0b", ..Offer::default() };
    let peer = Mbedtls::connect(proxy.address, &site.root(), &site.boards[0], &offer);
    let mut board = Board::new(peer);
    assert_eq!(board.post("d", b"one").message.dotted(), "2.04");
    let heard = proxy.seen(Way::ToHub).pop().expect("a record with a Connection ID");
    assert_eq!(heard[0], crate::rig::records::TLS12_CID);
    proxy.inject_from_elsewhere(&heard);
    let mut forged = heard.clone();
    forged[10] = forged[10].wrapping_add(1); // a newer sequence number
    proxy.inject_from_elsewhere(&forged);
    let mut nobody = heard.clone();
    nobody[11..17].fill(0xff); // a Connection ID of nobody's
    proxy.inject_from_elsewhere(&nobody);
    wait_for_dropped(&hub, "replayed", 1.0);
    wait_for_dropped(&hub, "forged", 1.0);
    wait_for_dropped(&hub, "unknown_session", 1.0);
    let before = proxy.seen(Way::ToClient).len();
    assert_eq!(board.post("d", b"two").message.dotted(), "2.04");
    assert!(proxy.seen(Way::ToClient).len() > before, "answers still come to the board");
    proxy.move_client();
    assert_eq!(board.post("d", b"three").message.dotted(), "2.04");
    assert_eq!(accepted(&hub), 3.0);
}

#[test]
fn without_a_connection_id_a_board_at_another_address_is_nobody_until_it_shakes_hands() {
    let (site, hub) = Plan::boards(1).start();
    let proxy = Proxy::clear(hub.listen);
    let identity = site.boards[0].identity();
    let client = Client::connect(proxy.address, &site.root(), &identity).expect("a session");
    let mut board = Board::new(client);
    assert_eq!(board.post("d", b"one").message.dotted(), "2.04");
    proxy.move_client();
    assert!(board.try_post("d", b"two", Duration::from_secs(1)).is_none());
    wait_for_dropped(&hub, "unknown_session", 1.0);
    let client = Client::connect(proxy.address, &site.root(), &identity).expect("a session");
    assert_eq!(Board::new(client).post("d", b"three").message.dotted(), "2.04");
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
    assert_eq!(accepted(&hub), 2.0);
}
