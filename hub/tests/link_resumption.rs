//! Sessions that go on by an abbreviated handshake (RFC 5246 7.3), with DTLS that nobody here wrote.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::coap::Message;
use crate::rig::hub::Hub;
use crate::rig::mbedtls::{Mbedtls, Offer};
use crate::rig::process::Process;
use crate::rig::proxy::{Proxy, Way, lose, storm};
use crate::rig::site::{Plan, Site};
use storage::{BoardState, UnixSeconds};

fn board(site: &Site, hub: &Hub, offer: &Offer<'_>) -> Board<Mbedtls> {
    let mut board = Board::new(Mbedtls::connect(hub.listen, &site.root(), &site.boards[0], offer));
    assert_eq!(board.post("d", b"first").message.dotted(), "2.04");
    board
}

fn resumes(board: &mut Board<Mbedtls>, hub: SocketAddr) {
    let said = board.carrier.resume(hub);
    assert!(said.contains("resumed=yes"), "{said}");
    assert_eq!(board.post("d", b"after").message.dotted(), "2.04");
}

fn shakes_hands_in_full(board: &mut Board<Mbedtls>, hub: SocketAddr) {
    let said = board.carrier.resume(hub);
    assert!(said.contains("resumed=no"), "{said}");
    assert_eq!(board.post("d", b"after").message.dotted(), "2.04");
}

fn handshakes(hub: &Hub, outcome: &str) -> f64 {
    hub.metric("hub_handshakes_total", &[("outcome", outcome)])
}

#[test]
fn mbedtls_resumes_under_every_suite_with_and_without_a_connection_id() {
    for suite in ["gcm", "ccm", "ccm8"] {
        let (site, hub) = Plan::boards(1).start();
        for cid in ["none", "empty", "0a0b"] {
            let offer = Offer { cid, suite, ..Offer::default() };
            let mut board = board(&site, &hub, &offer);
            for _ in 0..3 {
                resumes(&mut board, hub.listen);
                let said = &board.carrier.connected;
                assert_eq!(said.contains("cid=none"), cid == "none", "{said}");
            }
        }
        assert_eq!((handshakes(&hub, "completed"), handshakes(&hub, "resumed")), (3.0, 9.0));
        // The reading right behind a Finished is there before its session is stored.
        let nowhere = [("reason", "unknown_session")];
        assert_eq!(hub.metric("hub_records_dropped_total", &nowhere), 0.0);
        hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
    }
}

#[test]
fn a_resumed_session_keeps_over_a_change_of_address() {
    let (site, hub) = Plan::boards(1).start();
    let mut board = board(&site, &hub, &Offer { cid: "0a0b", ..Offer::default() });
    resumes(&mut board, hub.listen);
    board.carrier.rebind();
    assert_eq!(board.post("d", b"moved").message.dotted(), "2.04");
}

#[test]
fn any_one_datagram_of_an_abbreviated_handshake_may_be_lost() {
    let (site, hub) = Plan::boards(1).start();
    for cid in ["none", "0a0b"] {
        let mut board = board(&site, &hub, &Offer { cid, ..Offer::default() });
        let clear = Proxy::clear(hub.listen);
        resumes(&mut board, clear.address);
        for way in [Way::ToHub, Way::ToClient] {
            for number in 0..clear.seen(way).len() {
                let proxy = Proxy::new(hub.listen, lose(way, number));
                let said = board.carrier.resume(proxy.address).to_owned();
                assert!(said.contains("resumed=yes"), "without {way:?} {number}: {said}");
                let answer = board.post("d", format!("{cid} {way:?} {number}").as_bytes());
                assert_eq!(answer.message.dotted(), "2.04", "without {way:?} {number}");
            }
        }
    }
}

#[test]
fn a_bad_network_resumes_all_the_same() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut board = board(&site, &hub, &Offer { cid: "0a0b", ..Offer::default() });
    for seed in 1..=6 {
        let proxy = Proxy::new(hub.listen, storm(0x5eed_1000 + seed, 15, 10));
        let said = board.carrier.resume(proxy.address).to_owned();
        assert!(said.contains("resumed=yes"), "seed {seed}: {said}");
        let answer = board.try_post("d", b"reading", Duration::from_secs(60));
        assert!(answer.is_some_and(|answer| answer.message.dotted() == "2.04"), "seed {seed}");
    }
    hub.assert_alive();
}

#[test]
fn a_session_is_resumed_after_the_hub_was_killed() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut board = board(&site, &hub, &Offer { cid: "0a0b", ..Offer::default() });
    hub.process.kill();
    let hub = site.start();
    resumes(&mut board, hub.listen);
    assert_eq!((handshakes(&hub, "completed"), handshakes(&hub, "resumed")), (0.0, 1.0));
}

#[test]
fn a_board_that_was_stopped_meanwhile_cannot_resume() {
    type Stop = fn(&mut storage::Board);
    let blocked: Stop = |board| {
        board.state = BoardState::Blocked { reason: "lost".into(), since: UnixSeconds(1) };
    };
    let revoked: Stop = |board| {
        board.state = BoardState::Revoked { reason: "sold".into(), since: UnixSeconds(1) };
    };
    let replaced: Stop = |board| board.fingerprint = Some(storage::Fingerprint([1; 32]));
    let stops = [(blocked, "blocked"), (revoked, "revoked"), (replaced, "other_certificate")];
    for (stop, reason) in stops {
        let (site, mut hub) = Plan::boards(1).start();
        let mut board = board(&site, &hub, &Offer::default());
        assert!(hub.terminate(PATIENCE).success());
        site.change_board(&site.boards[0].id, stop);
        let hub = site.start();
        board.carrier.ask_to_resume(hub.listen);
        let refused = [("outcome", "refused"), ("reason", reason)];
        hub.wait_for_metric("hub_handshakes_total", &refused, |count| count >= 1.0);
        assert_eq!((hub.sessions(), handshakes(&hub, "resumed")), (0.0, 0.0), "{reason}");
    }
}

#[test]
fn a_hub_told_so_resumes_nothing() {
    let (site, hub) = Plan::boards(1).set("session", "resumption_h", 0).start();
    let mut board = board(&site, &hub, &Offer::default());
    shakes_hands_in_full(&mut board, hub.listen);
}

#[test]
fn a_session_that_said_goodbye_is_resumed_by_openssl_s_client() {
    let (site, hub) = Plan::boards(1).start();
    let session = site.path("session.pem");
    let s_client = |arguments: &[&str], file: &Path| {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-dtls1_2", "-no_ticket", "-nocommands", "-verify_return_error"]);
        command.args(["-connect", &hub.listen.to_string(), "-verify_hostname", "localhost"]);
        command.arg("-CAfile").arg(site.root());
        command.arg("-cert").arg(&site.boards[0].certificate);
        command.arg("-key").arg(&site.boards[0].key);
        command.args(arguments).arg(file);
        Process::spawn(&mut command)
    };
    let mut first = s_client(&["-sess_out"], &session);
    first.stdout.wait_for_line("New, ", PATIENCE);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
    first.close_stdin();
    first.wait(PATIENCE);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 0.0);

    let mut again = s_client(&["-sess_in"], &session);
    again.stdout.wait_for_line("Reused, ", PATIENCE);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
    let reading = Message { token: b"tokn".to_vec(), ..Message::post("d", 0x4142, b"21.5 Cel") };
    again.write(&reading.encode());
    let changed =
        Message { kind: 2, code: 0x44, options: vec![], payload: vec![], ..reading.clone() };
    let changed = changed.encode();
    again.stdout.wait("2.04", PATIENCE, |bytes| {
        bytes.windows(changed.len()).any(|window| window == changed).then_some(())
    });
    assert_eq!(handshakes(&hub, "resumed"), 1.0);
}

#[test]
fn gnutls_cli_resumes() {
    let (site, hub) = Plan::boards(1).start();
    let mut command = Command::new("gnutls-cli");
    command.args(["--udp", "--resume", "--verify-hostname=localhost"]);
    command.args([
        "--sni-hostname=localhost",
        "--priority=NORMAL:-VERS-ALL:+VERS-DTLS1.2:%NO_TICKETS",
    ]);
    command.arg(format!("--x509cafile={}", site.root().display()));
    command.arg(format!("--x509certfile={}", site.boards[0].certificate.display()));
    command.arg(format!("--x509keyfile={}", site.boards[0].key.display()));
    command.args(["-p", &hub.listen.port().to_string(), &hub.listen.ip().to_string()]);
    let peer = Process::spawn(&mut command);
    peer.stdout.wait_for_line("This is a resumed session", PATIENCE);
    hub.wait_for_metric("hub_handshakes_total", &[("outcome", "resumed")], |count| count == 1.0);
}
