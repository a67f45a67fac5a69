//! Boards whose DTLS nobody here wrote: each shakes hands, posts a reading and gets its 2.04.

use std::process::Command;
use std::time::Duration;

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::coap::{CON, CONTENT_FORMAT, Message, POST};
use crate::rig::mbedtls::{Mbedtls, Offer};
use crate::rig::process::{Finished, Process};
use crate::rig::proxy::{Proxy, Way, lose};
use crate::rig::site::{Plan, Site};

/// Whether output that carries datagrams as they are holds the answer 2.04 to `request`.
fn holds_changed(output: &[u8], request: &Message) -> bool {
    let changed =
        Message { kind: 2, code: 0x44, options: vec![], payload: vec![], ..request.clone() };
    let changed = changed.encode();
    output.windows(changed.len()).any(|window| window == changed)
}

fn reading() -> Message {
    // Text on purpose: a line feed or a command letter in it would be the tool's, not the hub's.
    Message { token: b"tokn".to_vec(), ..Message::post("d", 0x4142, b"21.5 Cel") }
}

#[test]
fn openssl_s_client_gets_its_answer() {
    let (site, hub) = Plan::boards(1).start();
    let board = &site.boards[0];
    let mut command = Command::new("openssl");
    command.args(["s_client", "-dtls1_2", "-quiet", "-verify_return_error"]);
    command.args(["-connect", &hub.listen.to_string(), "-verify_hostname", "localhost"]);
    command.arg("-CAfile").arg(site.root());
    command.arg("-cert").arg(&board.certificate).arg("-key").arg(&board.key);
    let mut peer = Process::spawn(&mut command);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
    peer.write(&reading().encode());
    peer.stdout.wait("2.04", PATIENCE, |bytes| holds_changed(bytes, &reading()).then_some(()));
}

#[test]
fn gnutls_cli_gets_its_answer() {
    let (site, hub) = Plan::boards(1).start();
    let board = &site.boards[0];
    let mut command = Command::new("gnutls-cli");
    command.args(["--udp", "--verify-hostname=localhost", "--sni-hostname=localhost"]);
    command.arg(format!("--x509cafile={}", site.root().display()));
    command.arg(format!("--x509certfile={}", board.certificate.display()));
    command.arg(format!("--x509keyfile={}", board.key.display()));
    command.args(["-p", &hub.listen.port().to_string(), &hub.listen.ip().to_string()]);
    let mut peer = Process::spawn(&mut command);
    peer.stdout.wait_for_line("Handshake was completed", PATIENCE);
    peer.write(&reading().encode());
    peer.stdout.wait("2.04", PATIENCE, |bytes| holds_changed(bytes, &reading()).then_some(()));
}

/// Runs libcoap's client, built on the TLS library named, against a resource of the hub.
fn coap_client(site: &Site, library: &str, arguments: &[&str], path: &str) -> Finished {
    let board = &site.boards[0];
    let mut command = Command::new(format!("coap-client-{library}"));
    command.arg("-c").arg(&board.certificate).arg("-j").arg(&board.key);
    command.arg("-C").arg(site.root()).args(["-B", "15", "-v", "7"]).args(arguments);
    command.arg(format!("coaps://{}/{path}", site.listen));
    Process::run(&mut command, PATIENCE)
}

fn libcoap_posts(library: &str) {
    let (site, _hub) = Plan::boards(1).start();
    let run = coap_client(&site, library, &["-m", "post", "-e", "21.5 Cel"], "d");
    assert!(run.status.success() && run.stdout.contains("c:2.04"), "{run:?}");
}

#[test]
fn libcoap_on_openssl_gets_its_answer() {
    libcoap_posts("openssl");
}

#[test]
fn libcoap_on_gnutls_gets_its_answer() {
    libcoap_posts("gnutls");
}

#[test]
fn libcoap_uploads_in_blocks_and_is_told_when_it_is_too_much() {
    let (site, hub) = Plan::boards(1).set("coap", "payload_max", 4096).start();
    let upload = |bytes: usize| {
        let file = site.path("upload");
        std::fs::write(&file, vec![b'x'; bytes]).expect("a file");
        let file = file.display().to_string();
        coap_client(&site, "openssl", &["-m", "post", "-b", "256", "-f", &file], "d")
    };
    let fits = upload(4000);
    assert!(fits.stdout.contains("c:2.31") && fits.stdout.contains("c:2.04"), "{fits:?}");
    let too_much = upload(5000);
    assert!(too_much.stdout.contains("c:4.13"), "{too_much:?}");
    assert_eq!(hub.metric("hub_coap_requests_total", &[("code", "4.13")]), 1.0);
}

#[test]
fn libcoap_discovers_the_routes() {
    let (site, _hub) = Plan::boards(1).start();
    let run = coap_client(&site, "openssl", &["-m", "get"], ".well-known/core");
    assert!(run.stdout.contains("</t>") && run.stdout.contains("</d>"), "{run:?}");
}

#[test]
fn mbedtls_gets_its_answers_under_every_suite() {
    let (site, hub) = Plan::boards(3).start();
    for (board, suite) in site.boards.iter().zip(["gcm", "ccm", "ccm8"]) {
        let offer = Offer { suite, ..Offer::default() };
        let peer = Mbedtls::connect(hub.listen, &site.root(), board, &offer);
        assert!(peer.connected.contains("cid=none"), "{}", peer.connected);
        let mut peer = Board::new(peer);
        for number in 0..3 {
            let answer = peer.post("d", format!("{suite} {number}").as_bytes());
            assert_eq!(answer.message.dotted(), "2.04", "{suite}");
        }
    }
    assert_eq!(hub.sessions(), 3.0);
}

#[test]
fn mbedtls_keeps_its_session_over_two_changes_of_address() {
    let (site, hub) = Plan::boards(6).start();
    let offers = [("0a0b", "gcm"), ("empty", "gcm"), ("0a0b0c0d0e0f", "ccm"), ("07", "ccm8")];
    for (board, (cid, suite)) in site.boards.iter().zip(offers) {
        let offer = Offer { cid, suite, ..Offer::default() };
        let peer = Mbedtls::connect(hub.listen, &site.root(), board, &offer);
        assert!(!peer.connected.contains("cid=none"), "no Connection ID: {}", peer.connected);
        let mut peer = Board::new(peer);
        for address in 0..3 {
            for number in 0..3 {
                let reading = format!("{cid} {suite} {address} {number}");
                assert_eq!(
                    peer.post("d", reading.as_bytes()).message.dotted(),
                    "2.04",
                    "{reading}"
                );
            }
            peer.carrier.rebind();
        }
        assert_eq!(peer.post("d", b"last").message.dotted(), "2.04");
    }
    assert_eq!(hub.sessions(), 4.0);
    let handshakes = hub.metric("hub_handshakes_total", &[("outcome", "completed")]);
    assert_eq!(handshakes, 4.0, "an address change needs no handshake");
}

#[test]
fn mbedtls_with_a_connection_id_shakes_hands_whichever_datagram_is_lost() {
    let (site, hub) = Plan::boards(1).start();
    let offer = Offer { cid: "0a0b", mtu: 512, ..Offer::default() };
    let shake_hands = |proxy: &Proxy| {
        Board::new(Mbedtls::connect(proxy.address, &site.root(), &site.boards[0], &offer))
    };
    let clear = Proxy::clear(hub.listen);
    drop(shake_hands(&clear));
    for way in [Way::ToHub, Way::ToClient] {
        for number in 0..clear.seen(way).len() {
            let proxy = Proxy::new(hub.listen, lose(way, number));
            let answer = shake_hands(&proxy).post("d", b"reading");
            assert_eq!(answer.message.dotted(), "2.04", "without {way:?} {number}");
        }
    }
}

#[test]
fn mbedtls_shakes_hands_in_small_datagrams() {
    let (site, hub) = Plan::boards(3).set("link", "mtu", 256).start();
    for (board, mtu) in site.boards.iter().zip([256, 512, 1200]) {
        let offer = Offer { cid: "01", mtu, ..Offer::default() };
        let mut peer = Board::new(Mbedtls::connect(hub.listen, &site.root(), board, &offer));
        assert_eq!(peer.post("d", b"reading").message.dotted(), "2.04", "{mtu}");
    }
}

#[test]
fn mbedtls_sends_senml_that_is_checked() {
    let (site, hub) = Plan::boards(1).start();
    let offer = Offer::default();
    let mut peer = Board::new(Mbedtls::connect(hub.listen, &site.root(), &site.boards[0], &offer));
    let mut pack = [0; 128];
    let readings = [wire::Reading {
        name: "temperature",
        unit: Some("Cel"),
        value: wire::Value::F64(21.5),
        time: None,
    }];
    let length = wire::encode(None, None, &readings, &mut pack).expect("a pack");
    for (payload, code) in [(&pack[..length], "2.04"), (&pack[..length - 1], "4.00")] {
        let request = peer.message(POST, "t", payload).with(CONTENT_FORMAT, 112);
        assert_eq!(request.kind, CON);
        assert_eq!(peer.ask(&request).message.dotted(), code);
    }
}

#[test]
fn a_peer_that_says_goodbye_leaves_no_session() {
    let (site, hub) = Plan::boards(1).start();
    let offer = Offer { cid: "0a", ..Offer::default() };
    let mut peer = Mbedtls::start(hub.listen, &site.root(), &site.boards[0], &offer);
    peer.stdout.wait_for_line("connected", PATIENCE);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
    peer.write(b"close\n");
    assert!(peer.wait(Duration::from_secs(5)).success());
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 0.0);
    assert_eq!(hub.metric("hub_sessions_ended_total", &[("reason", "close_notify")]), 1.0);
}
