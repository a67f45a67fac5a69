//! Two of a board: found by what they offer, held both, released by an admin; and one board is never
//! two.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::rig::PATIENCE;
use crate::rig::api::Api;
use crate::rig::board::Board;
use crate::rig::client::{Client, Refused, Settings, untouched};
use crate::rig::command::done;
use crate::rig::hub::Hub;
use crate::rig::mbedtls::{Mbedtls, Offer};
use crate::rig::pki::{Authority, Certificate, Identity};
use crate::rig::site::{Plan, Site};

const ACCESS_DENIED: i32 = 49;

fn device(site: &Site, hub: &Hub) -> Board<Mbedtls> {
    let offer = Offer { cid: "0a0b", ..Offer::default() };
    let mut board = Board::new(Mbedtls::connect(hub.listen, &site.root(), &site.boards[0], &offer));
    posts(&mut board);
    board
}

fn posts<C: crate::rig::coap::Carrier>(board: &mut Board<C>) {
    assert_eq!(board.post("d", b"21.5 Cel").message.dotted(), "2.04");
}

fn shakes_hands_in_full(board: &mut Board<Mbedtls>, hub: &Hub) {
    let said = board.carrier.resume(hub.listen);
    assert!(said.contains("resumed=no"), "{said}");
    posts(board);
}

fn shown(site: &Site, board: &str) -> Value {
    serde_json::from_str(&done(site, &["board", "show", board, "--json"])).unwrap()
}

fn wait_until_held(site: &Site, board: &str) -> Value {
    let started = Instant::now();
    loop {
        let shown = shown(site, board);
        if shown["state"] == "held" {
            return shown;
        }
        assert!(started.elapsed() < PATIENCE, "{shown}");
    }
}

fn attempt(site: &Site, hub: &Hub, identity: &Identity) -> Result<Board<Client>, Refused> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let settings = Settings { patience: Duration::from_secs(3), ..Settings::default() };
    let (root, who) = (site.root(), Some(identity));
    Client::connect_with(socket, hub.listen, &root, who, &settings, &mut untouched).map(Board::new)
}

#[test]
fn two_devices_with_one_certificate_are_both_held_until_an_admin_releases_the_board() {
    let api = Api::of(Plan::boards(2).tenants(2));
    let (site, hub) = (&api.site, &api.hub);
    let id = &site.boards[0].id;
    let (mut one, mut other) = (device(site, hub), device(site, hub));
    shakes_hands_in_full(&mut one, hub);
    shakes_hands_in_full(&mut other, hub);
    assert_eq!(shown(site, id.as_str())["state"], "active", "once can be an accident");
    one.carrier.ask_to_resume(hub.listen);

    let held = wait_until_held(site, id.as_str());
    let reason = held["reason"].as_str().unwrap();
    assert!(reason.contains("two devices with its certificate"), "{held}");
    hub.wait_for_log(&["held", id.as_str()]);
    assert!(done(site, &["board", "show", id.as_str()]).contains("held: two devices"));
    let log = done(site, &["audit", "list", "--json"]);
    let entry = log.lines().find(|line| line.contains("\"board.hold\"")).expect(&log);
    assert!(entry.contains(id.as_str()) && entry.contains("two devices"), "{entry}");
    hub.wait_for_metric("hub_boards_held_total", &[], |count| count == 1.0);
    // The session of the one that was not asking has ended as well.
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 0.0);
    let identity = site.boards[0].identity();
    let refused = attempt(site, hub, &identity).err();
    assert_eq!(refused, Some(Refused::Alert(ACCESS_DENIED)));
    posts(&mut attempt(site, hub, &site.boards[1].identity()).expect("another board"));

    let operator = api.program_of("otto", &["operator@tenant-0"]);
    let asked = |what: &str| operator.post(&format!("/boards/{id}/{what}"), &json!({}));
    asked("unblock").refused(409, "refused");
    let theirs = api.program_of("tina", &["operator@tenant-1"]);
    theirs.post(&format!("/boards/{id}/release"), &json!({})).refused(404, "not-found");
    let signer = api.program_of("sina", &["firmware-signer"]);
    signer.post(&format!("/boards/{id}/release"), &json!({})).refused(403, "forbidden");
    assert_eq!(asked("release").ok()["board"]["state"], "active");
    asked("release").refused(409, "refused");
    let log = done(site, &["audit", "list"]);
    assert!(log.lines().any(|it| it.contains("board.release") && it.contains("otto")), "{log}");
    posts(&mut attempt(site, hub, &identity).expect("released"));
}

#[test]
fn one_board_is_never_held_however_often_it_begins_again_and_moves() {
    let (site, mut hub) = Plan::boards(1).set("session", "resumption_h", 0).start();
    let mut board = device(&site, &hub);
    for turn in 0..8 {
        shakes_hands_in_full(&mut board, &hub);
        if turn % 2 == 0 {
            board.carrier.rebind();
            posts(&mut board);
        }
    }
    // Without its memory, as after a change of its flash.
    for _ in 0..4 {
        board = device(&site, &hub);
        shakes_hands_in_full(&mut board, &hub);
    }
    assert_eq!(shown(&site, site.boards[0].id.as_str())["state"], "active");
    assert_eq!(hub.metric("hub_boards_held_total", &[]), 0.0);
    hub.assert_alive();
}

#[test]
fn a_certificate_that_a_board_gave_up_holds_it_once_its_key_is_proved() {
    let (site, hub) = Plan::boards(1).start();
    done(
        &site,
        &["batch", "add", "fleet", "--tenant", "tenant-0", "--prefix", "AC-", "--max", "2"],
    );
    let own = Authority::new("acme");
    let file = site.path("acme.pem");
    own.write_certificate(&file);
    let import = ["authority", "import", file.to_str().unwrap(), "--tenant", "tenant-0"];
    let rule = ["--id-from", "CN", "--register", "fleet", "--successors", "later"];
    done(&site, &[&import[..], &rule].concat());
    let lasting = |not_after| {
        let (hardware_id, common_name) = (None, Some("AC-1"));
        own.board(&Certificate { hardware_id, common_name, not_after, ..Certificate::default() })
    };
    let (first, later) = (lasting(10_000), lasting(20_000));
    posts(&mut attempt(&site, &hub, &first).expect("a first contact"));
    posts(&mut attempt(&site, &hub, &later).expect("it ends later"));
    // Until the board has been heard under its new one, a second after it began to use it.
    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let began = seconds();
    while seconds() < began + 2 {
        std::thread::yield_now();
    }
    posts(&mut attempt(&site, &hub, &later).expect("its own"));
    let started = Instant::now();
    while shown(&site, "AC-1")["last_seen"].as_u64().unwrap_or_default() <= began {
        assert!(started.elapsed() < PATIENCE, "{}", shown(&site, "AC-1"));
    }
    assert_eq!(shown(&site, "AC-1")["state"], "active");
    assert!(attempt(&site, &hub, &first).is_err());
    let held = wait_until_held(&site, "AC-1");
    assert!(held["reason"].as_str().unwrap().contains("given up"), "{held}");
    let refused = attempt(&site, &hub, &later).err();
    assert_eq!(refused, Some(Refused::Alert(ACCESS_DENIED)), "whichever of the two it is");
    done(&site, &["board", "release", "AC-1"]);
    posts(&mut attempt(&site, &hub, &later).expect("released"));
}
