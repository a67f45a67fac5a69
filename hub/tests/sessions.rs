//! Sessions that survive: kill -9, a power failure, sleep, an upgrade; and those that must not.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use crate::rig::board::Board;
use crate::rig::client::Client;
use crate::rig::coap::{Carrier, Message};
use crate::rig::hub::Hub;
use crate::rig::mbedtls::{Mbedtls, Offer};
use crate::rig::process::Process;
use crate::rig::records::{ALERT, APPLICATION_DATA};
use crate::rig::site::{CELLULAR_HUB, Plan, Site};
use crate::rig::{PATIENCE, eventually};
use storage::{BoardState, UnixSeconds};

const ECHO: u16 = 252;
const QUIET: Duration = Duration::from_millis(500);

fn connect(site: &Site, hub: &Hub, board: usize) -> Client {
    Client::connect(hub.listen, &site.root(), &site.boards[board].identity()).expect("a session")
}

fn connect_by_id(site: &Site, hub: &Hub, board: usize) -> Mbedtls {
    let offer = Offer { cid: "empty", ..Offer::default() };
    Mbedtls::connect(hub.listen, &site.root(), &site.boards[board], &offer)
}

fn handshakes(hub: &Hub) -> f64 {
    hub.metric("hub_handshakes_total", &[])
}

fn accepted(hub: &Hub) -> f64 {
    hub.metric("hub_messages_total", &[("outcome", "accepted")])
}

fn killed_and_started(site: &Site, mut hub: Hub) -> Hub {
    hub.process.kill();
    site.start()
}

/// A reading in a record made by hand; it can be sent again.
fn raw_post(client: &mut Client, id: u16) -> Vec<u8> {
    client.record(APPLICATION_DATA, &Message::post("d", id, b"reading").encode())
}

/// The answer to a request that was sent by hand.
fn answer(client: &mut Client) -> Message {
    Message::parse(&client.receive(PATIENCE).expect("an answer")).expect("CoAP")
}

/// Posts a reading by hand, which is taken; its record.
fn posted(client: &mut Client, id: u16) -> Vec<u8> {
    let record = raw_post(client, id);
    client.send_raw(&record);
    assert_eq!(answer(client).dotted(), "2.04");
    record
}

#[test]
fn sessions_go_on_after_the_hub_was_killed() {
    let (site, hub) = Plan::boards(2).start();
    let mut by_address = Board::new(connect(&site, &hub, 0));
    let mut by_id = Board::new(connect_by_id(&site, &hub, 1));
    assert_eq!(by_address.post("d", b"before").message.dotted(), "2.04");
    assert_eq!(by_id.post("d", b"before").message.dotted(), "2.04");
    let mut hub = hub;
    for _ in 0..3 {
        hub = killed_and_started(&site, hub);
        assert_eq!(by_address.post("d", b"after").message.dotted(), "2.04");
        assert_eq!(by_id.post("d", b"after").message.dotted(), "2.04");
        by_id.carrier.rebind();
        assert_eq!(by_id.post("d", b"from elsewhere").message.dotted(), "2.04");
        assert_eq!(handshakes(&hub), 0.0);
    }
}

#[test]
fn a_record_from_before_the_kill_is_refused_after_it() {
    let (site, hub) = Plan::boards(1).start();
    let mut client = connect(&site, &hub, 0);
    let record = posted(&mut client, 1);
    let hub = killed_and_started(&site, hub);
    for _ in 0..5 {
        client.send_raw(&record);
    }
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", "replayed")], |n| n >= 5.0);
    assert_eq!(accepted(&hub), 0.0);
    posted(&mut client, 2);
}

#[test]
fn sessions_go_on_after_an_orderly_stop() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut board = Board::new(connect_by_id(&site, &hub, 0));
    assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
    assert!(hub.terminate(PATIENCE).success());
    // The machine was switched off meanwhile: what was closed is believed all the same.
    another_boot(&site);
    let hub = site.start();
    assert_eq!(board.post("d", b"after").message.dotted(), "2.04");
    assert_eq!(handshakes(&hub), 0.0);
}

#[test]
fn after_a_power_failure_a_board_is_asked_once_where_it_stands() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut client = connect(&site, &hub, 0);
    let old = posted(&mut client, 1);
    hub.process.kill();
    another_boot(&site);
    let hub = site.start();

    // What the slot still knows of is refused without a question.
    client.send_raw(&old);
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", "replayed")], |n| n >= 1.0);
    let record = raw_post(&mut client, 2);
    client.send_raw(&record);
    let asked = answer(&mut client);
    assert_eq!(asked.dotted(), "4.01");
    let echo = asked.options.iter().find(|(number, _)| *number == ECHO).expect("Echo").1.clone();

    let mut request = Message::post("d", 3, b"reading");
    request.options.push((ECHO, echo));
    let proof = client.record(APPLICATION_DATA, &request.encode());
    client.send_raw(&proof);
    assert_eq!(answer(&mut client).dotted(), "2.04");
    for before in [&old, &record, &proof] {
        client.send_raw(before);
    }
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", "replayed")], |n| n >= 4.0);
    posted(&mut client, 4);
    assert_eq!((accepted(&hub), handshakes(&hub)), (2.0, 0.0));
}

#[test]
fn an_idle_session_leaves_memory_and_comes_back_with_its_boards_next_datagram() {
    let plan = Plan::boards(2).set("session", "idle_s", 1).set("coap", "exchange_lifetime_s", 10);
    let (site, hub) = plan.start();
    let mut by_address = Board::new(connect(&site, &hub, 0));
    let mut by_id = Board::new(connect_by_id(&site, &hub, 1));
    assert_eq!(by_address.post("d", b"awake").message.dotted(), "2.04");
    assert_eq!(by_id.post("d", b"awake").message.dotted(), "2.04");
    assert_eq!(hub.sessions(), 2.0);
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 0.0);
    let asleep = hub.metric("hub_sessions_ended_total", &[("reason", "asleep")]);
    assert_eq!(asleep, 2.0);
    by_id.carrier.rebind();
    assert_eq!(by_address.post("d", b"woken").message.dotted(), "2.04");
    assert_eq!(by_id.post("d", b"woken").message.dotted(), "2.04");
    assert_eq!(hub.metric("hub_session_wake_seconds_count", &[]), 2.0);
    assert_eq!((hub.sessions(), handshakes(&hub)), (2.0, 2.0));
}

#[test]
fn garbage_for_a_sleeping_session_wakes_nobody() {
    let (site, hub) = Plan::boards(1).start();
    let mut client = connect(&site, &hub, 0);
    posted(&mut client, 1);
    let hub = killed_and_started(&site, hub);
    let record = raw_post(&mut client, 2);
    for place in [14, 22, record.len() - 1] {
        let mut forged = record.clone();
        forged[place] ^= 1;
        client.send_raw(&forged);
    }
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", "forged")], |n| n >= 3.0);
    assert_eq!(hub.sessions(), 0.0);
    client.send_raw(&record);
    assert_eq!(answer(&mut client).dotted(), "2.04");
}

#[test]
fn a_blocked_boards_session_is_answered_with_one_alert_and_is_over() {
    for state in [
        BoardState::Blocked { reason: "lost".into(), since: UnixSeconds(1) },
        BoardState::Revoked { reason: "stolen".into(), since: UnixSeconds(1) },
    ] {
        let (site, mut hub) = Plan::boards(1).start();
        let mut board = Board::new(connect(&site, &hub, 0));
        assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
        hub.process.kill();
        let id = site.boards[0].id.clone();
        site.change_board(&id, |board| board.state = state);
        let mut hub = site.start();
        let mut client = board.carrier;
        // OpenSSL's own counter has been used for one message.
        let before = raw_post(&mut client, 899);
        let record = raw_post(&mut client, 900);
        assert_ne!(before, record);
        let mut answer = [0; 2048];
        client.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send_raw(&record);
        let length = client.socket.recv(&mut answer).expect("an alert");
        assert_eq!(answer[0], ALERT);
        assert!(length <= record.len(), "no longer than what came");
        // Neither that record again nor another is worth an answer.
        client.send_raw(&record);
        let record = raw_post(&mut client, 901);
        client.send_raw(&record);
        let dropped = |reason| hub.metric("hub_records_dropped_total", &[("reason", reason)]);
        eventually("dropped", PATIENCE, || (dropped("unknown_session") >= 2.0).then_some(()));
        assert_eq!(dropped("not_admitted"), 1.0);
        client.socket.set_read_timeout(Some(QUIET)).unwrap();
        assert!(client.socket.recv(&mut answer).is_err(), "no second alert");
        hub.process.kill();
        site.change_board(&id, |board| board.state = BoardState::Active);
        let hub = site.start();
        let mut board = Board::new(connect(&site, &hub, 0));
        assert_eq!(board.post("d", b"a new session").message.dotted(), "2.04");
    }
}

#[test]
fn a_board_that_said_goodbye_has_no_session_to_come_back_to() {
    let (site, hub) = Plan::boards(1).start();
    let mut client = connect(&site, &hub, 0);
    posted(&mut client, 1);
    let late = raw_post(&mut client, 2);
    let goodbye = client.record(crate::rig::records::ALERT, &[1, 0]);
    client.send_raw(&goodbye);
    eventually("the session ends", PATIENCE, || (hub.sessions() == 0.0).then_some(()));
    client.send_raw(&late);
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", "unknown_session")], |n| {
        n >= 1.0
    });
    assert_eq!(hub.sessions(), 0.0);
}

#[test]
fn another_master_key_is_refused_with_the_way_out() {
    let (site, mut hub) = Plan::boards(1).start();
    let mut board = Board::new(connect(&site, &hub, 0));
    assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
    assert!(hub.terminate(PATIENCE).success());
    let key = site.path("vault/master.key");
    let before = std::fs::read(&key).unwrap();
    std::fs::copy(&key, site.path("other.key")).unwrap();
    std::fs::write(site.path("other.key"), [7; 32]).unwrap();
    std::fs::remove_file(&key).unwrap();
    let said = refused(&site);
    assert!(said.contains("there is no") && said.contains("master.key"), "{said}");
    assert!(said.contains("cellular-hub vault reset"), "{said}");
    std::fs::rename(site.path("other.key"), &key).unwrap();
    let said = refused(&site);
    assert!(said.contains("sealed under another master key"), "{said}");
    assert!(said.contains("cellular-hub vault reset"), "{said}");
    std::fs::write(&key, before).unwrap();
    let _hub = site.start();
    assert_eq!(board.post("d", b"after").message.dotted(), "2.04");
}

/// What a hub says that does not start.
pub(crate) fn refused(site: &Site) -> String {
    let mut command = Command::new(CELLULAR_HUB);
    command.arg("serve").arg("--config").arg(site.path("hub.toml"));
    let ended = Process::run(&mut command, PATIENCE);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    format!("{}{}", ended.stdout, ended.stderr)
}

/// The slots' file as another boot of the machine would find it: the boot id in it is another's.
fn another_boot(site: &Site) {
    let file = File::options().write(true).open(site.path("store/windows")).unwrap();
    file.write_all_at(&[0xEE; 16], 16).unwrap();
}
