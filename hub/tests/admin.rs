//! Administration of a running hub: commands reach it through its control socket, and what they
//! change takes effect at once.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::{Client, Refused};
use crate::rig::coap::{Carrier, Message, POST};
use crate::rig::command::{done, refused};
use crate::rig::est::Factory;
use crate::rig::gate::Gate;
use crate::rig::hub::Hub;
use crate::rig::pki::{Authority, Certificate};
use crate::rig::records::{ALERT, APPLICATION_DATA, Record};
use crate::rig::site::{Plan, Site};
use crate::rig::subscriber::Subscriber;
use openssl::hash::MessageDigest;
use openssl::x509::X509Req;
use serde_json::Value;

pub(crate) const ACCESS_DENIED: i32 = 49;
pub(crate) const REVOKED: i32 = 44;
/// What may pass from a command's call to its last effect, the command's own start included.
const SOON: Duration = Duration::from_secs(1);

pub(crate) fn connect(site: &Site, hub: &Hub, board: usize) -> Result<Client, Refused> {
    Client::connect(hub.listen, &site.root(), &site.boards[board].identity())
}

pub(crate) fn connected(site: &Site, hub: &Hub, board: usize) -> Board<Client> {
    Board::new(connect(site, hub, board).expect("a session"))
}

/// The type of the next record that the hub sends.
pub(crate) fn next_record(client: &Client) -> u8 {
    let mut buffer = [0; 2048];
    client.socket.set_read_timeout(Some(SOON)).unwrap();
    let length = client.socket.recv(&mut buffer).expect("a record");
    Record::split(&buffer[..length])[0].content_type
}

fn denied(hub: &Hub) -> f64 {
    hub.metric("hub_sessions_ended_total", &[("reason", "denied")])
}

#[test]
fn a_blocked_board_is_told_so_within_a_second_and_nothing_more_of_it_reaches_the_upstream() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.plain);
    let site = Plan::boards(2).broker(broker.tls, &broker.ca()).build();
    let mut hub = site.start();
    hub.wait_for_metric("hub_upstream_connected", &[], |connected| connected == 1.0);
    let mut board = connected(&site, &hub, 0);
    let mut other = connected(&site, &hub, 1);
    assert_eq!(board.post("t", b"before").message.dotted(), "2.04");
    let id = site.boards[0].id.clone();

    let began = Instant::now();
    let said = done(&site, &["board", "block", &id, "--reason", "stolen"]);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(said.contains("blocked; 1 session ends"), "{said}");
    // In place of an answer, whatever the board says next.
    let mut client = board.carrier;
    assert_eq!(next_record(&client), ALERT, "at once");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    eprintln!("from `board block` to the alert: {:?}", began.elapsed());
    let _ = client.record(APPLICATION_DATA, b""); // the number that the first reading had
    let late = client.record(APPLICATION_DATA, &Message::post("t", 900, b"late").encode());
    client.send_raw(&late);
    assert_eq!(next_record(&client), ALERT, "for the next record");
    client.send_raw(&late);
    let later = client.record(APPLICATION_DATA, &Message::post("t", 901, b"later").encode());
    client.send_raw(&later);
    hub.wait_for_metric("hub_records_dropped_total", &[("reason", "unknown_session")], |n| {
        n >= 1.0
    });
    assert_eq!(denied(&hub), 1.0);
    assert_eq!(connect(&site, &hub, 0).err(), Some(Refused::Alert(ACCESS_DENIED)));
    assert_eq!(other.post("t", b"another's").message.dotted(), "2.04");
    subscriber.wait_for(b"another's");
    let arrived: Vec<_> = subscriber.arrived().iter().map(|it| it.text()).collect();
    assert_eq!(arrived, ["before", "another's"]);

    refused(&site, &["board", "unblock", "CB-nobody"], 2, &["there is no board"]);
    done(&site, &["board", "unblock", &id]);
    let mut board = connected(&site, &hub, 0);
    assert_eq!(board.post("t", b"again").message.dotted(), "2.04");
    subscriber.wait_for(b"again");

    let said = done(&site, &["board", "revoke", &id, "--reason", "sold", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["state"], &said["sessions_ended"]), (&"revoked".into(), &1.into()));
    assert_eq!(next_record(&board.carrier), ALERT);
    assert_eq!(connect(&site, &hub, 0).err(), Some(Refused::Alert(REVOKED)));
    refused(&site, &["board", "unblock", &id], 1, &["revoked for good: sold"]);
    assert!(hub.terminate(PATIENCE).success());
    refused(&site, &["board", "block", &id, "--reason", "x"], 1, &["revoked for good: sold"]);
    let mut hub = site.start();
    assert_eq!(connect(&site, &hub, 0).err(), Some(Refused::Alert(REVOKED)));
    hub.assert_alive();
}

#[test]
fn a_reading_that_waits_in_the_hub_is_not_sent_once_its_board_is_blocked() {
    let broker = Broker::start();
    let gate = Gate::before(broker.tls);
    let subscriber = Subscriber::start(broker.plain);
    let site = Plan::boards(2).broker(gate.address, &broker.ca()).build();
    done(
        &site,
        &[
            "upstream",
            "add",
            "slow",
            "--tenant",
            "tenant-0",
            "--mqtt",
            &format!("mqtts://{}", gate.address),
            "--ca",
            broker.ca().to_str().unwrap(),
            "--in-flight-max",
            "1",
        ],
    );
    done(&site, &["route", "add", "s", "--tenant", "tenant-0", "--upstream", "slow"]);
    let hub = site.start();
    hub.wait_for_metric("hub_upstream_connected", &[("upstream", "slow")], |n| n == 1.0);
    gate.withhold();
    let mut first = connected(&site, &hub, 0);
    let request = first.message(POST, "s", b"in flight");
    first.carrier.send(&request.encode());
    hub.wait_for_metric("hub_upstream_in_flight", &[("upstream", "slow")], |n| n == 1.0);
    let mut second = connected(&site, &hub, 1);
    let request = second.message(POST, "s", b"waits");
    second.carrier.send(&request.encode());
    hub.wait_for_metric("hub_tenant_in_flight", &[], |n| n == 2.0);
    done(&site, &["board", "block", &site.boards[1].id, "--reason", "lost"]);
    gate.open();
    subscriber.wait_for(b"in flight");
    done(&site, &["board", "unblock", &site.boards[1].id]);
    let mut second = connected(&site, &hub, 1);
    assert_eq!(second.post("s", b"after").message.dotted(), "2.04");
    subscriber.wait_for(b"after");
    assert!(subscriber.arrived().iter().all(|it| it.payload != b"waits"));
}

#[test]
fn every_session_of_a_suspended_tenant_ends_and_no_others() {
    const BOARDS: usize = 1_000;
    let site = Plan::boards(2 * BOARDS)
        .tenants(2)
        .set("flood", "hellos_per_source_s", 0)
        .set("flood", "handshakes_per_source_s", 0)
        .set("flood", "handshakes_per_tenant_s", 0)
        .build();
    let hub = site.start();
    let of = |tenant: &str| {
        let wanted = |number: &usize| site.boards[*number].tenant == tenant;
        (0..site.boards.len()).filter(wanted).collect::<Vec<_>>()
    };
    let (theirs, others) = (of("tenant-0"), of("tenant-1"));
    let sessions: Vec<_> = theirs.iter().map(|n| connect(&site, &hub, *n).unwrap()).collect();
    let mut other = connected(&site, &hub, others[0]);
    assert_eq!(other.post("d", b"before").message.dotted(), "2.04");
    assert_eq!(hub.sessions(), sessions.len() as f64 + 1.0);
    let began = Instant::now();
    let said = done(&site, &["tenant", "suspend", "tenant-0", "--reason", "unpaid"]);
    assert!(said.contains(&format!("{} sessions end", sessions.len())), "{said}");
    hub.wait_for_metric("hub_sessions_ended_total", &[("reason", "denied")], |n| {
        n == sessions.len() as f64
    });
    eprintln!("{} sessions ended in {:?}", sessions.len(), began.elapsed());
    assert!(sessions.iter().all(|client| next_record(client) == ALERT));
    assert_eq!(other.post("d", b"not disturbed").message.dotted(), "2.04");
    assert_eq!(connect(&site, &hub, theirs[0]).err(), Some(Refused::Alert(ACCESS_DENIED)));
    refused(&site, &["tenant", "suspend", "tenant-0", "--reason", "x"], 1, &["suspended already"]);
    done(&site, &["tenant", "resume", "tenant-0"]);
    assert_eq!(connected(&site, &hub, theirs[0]).post("d", b"back").message.dotted(), "2.04");
}

#[test]
fn a_tenant_added_to_a_running_hub_is_served_by_it() {
    let (site, mut hub) = Plan::boards(2).start();
    let authority = Authority::new("Acme's own");
    authority.write_certificate(&site.path("acme.pem"));
    let acme = site.path("acme.pem");
    done(&site, &["tenant", "add", "acme", "--authority", acme.to_str().unwrap()]);
    done(&site, &["upstream", "add", "nowhere", "--tenant", "acme", "--discard"]);
    done(&site, &["route", "add", "n", "--tenant", "acme", "--upstream", "nowhere"]);
    let identity =
        authority.board(&Certificate { hardware_id: Some("AC-1"), ..Certificate::default() });
    let file = site.path("ac-1.pem");
    fs::write(&file, identity.certificate.to_pem().unwrap()).unwrap();
    let add = ["board", "add", "AC-1", "--tenant", "acme", "--label", "batch=7", "--certificate"];
    done(&site, &[&add[..], &[file.to_str().unwrap()]].concat());
    let session = || Client::connect(hub.listen, &site.root(), &identity);
    let mut board = Board::new(session().expect("a session"));
    assert_eq!(board.post("n", b"first").message.dotted(), "2.04");

    // A route that comes, and one that goes, under a session that goes on.
    assert_eq!(board.post("m", b"not yet").message.dotted(), "4.04");
    done(&site, &["route", "add", "m", "--tenant", "acme", "--upstream", "nowhere"]);
    assert_eq!(board.post("m", b"now").message.dotted(), "2.04");
    done(&site, &["route", "remove", "n", "--tenant", "acme"]);
    assert_eq!(board.post("n", b"no more").message.dotted(), "4.04");
    done(&site, &["tenant", "quota", "acme", "--board-messages-per-minute", "1"]);
    let answers: Vec<_> = (0..4).map(|_| board.post("m", b"much").message.dotted()).collect();
    assert!(answers.contains(&String::from("4.29")), "{answers:?}");
    done(&site, &["tenant", "quota", "acme", "--board-messages-per-minute", "0"]);
    assert_eq!(board.post("m", b"free").message.dotted(), "2.04");

    let chosen = ["--tenant", "acme", "--label", "batch=7"];
    let block = [&["board", "block", "--reason", "recall"][..], &chosen].concat();
    assert!(done(&site, &block).contains("1 boards blocked, 0 as they were; 1 session ends"));
    assert_eq!(session().err(), Some(Refused::Alert(ACCESS_DENIED)));
    done(&site, &[&["board", "unblock"][..], &chosen].concat());
    assert!(session().is_ok());
    done(&site, &["board", "remove", "AC-1"]);
    assert!(session().is_err());
    refused(
        &site,
        &["upstream", "remove", "nowhere", "--tenant", "acme"],
        1,
        &["leads to nowhere"],
    );
    done(&site, &["route", "remove", "m", "--tenant", "acme"]);
    done(&site, &["upstream", "remove", "nowhere", "--tenant", "acme"]);
    done(&site, &["tenant", "remove", "acme"]);
    assert_eq!(done(&site, &["tenant", "list"]).lines().count(), 2);
    assert_eq!(connected(&site, &hub, 0).post("d", b"all along").message.dotted(), "2.04");
    hub.assert_alive();
}

#[test]
fn a_board_gets_its_certificate_while_the_hub_runs() {
    let (site, hub) = Plan::boards(1).start();
    let id = site.boards[0].id.clone();
    let identity = site.boards[0].identity();
    let mut request = X509Req::builder().unwrap();
    request.set_pubkey(&identity.key).unwrap();
    request.sign(&identity.key, MessageDigest::sha256()).unwrap();
    fs::write(site.path("cb.csr"), request.build().to_pem().unwrap()).unwrap();
    let out = site.path("new.pem");
    let issue = ["ca", "issue", &id, "--tenant", "tenant-0", "--replace"];
    let csr = ["--csr", site.path("cb.csr").to_str().unwrap(), "--out", out.to_str().unwrap()]
        .map(String::from);
    let csr: Vec<_> = csr.iter().map(String::as_str).collect();
    let mut before = connected(&site, &hub, 0);
    assert_eq!(before.post("d", b"before").message.dotted(), "2.04");
    done(&site, &[&issue[..], &csr].concat());
    assert_eq!(next_record(&before.carrier), ALERT, "the old certificate's session ends");
    assert_eq!(connect(&site, &hub, 0).err(), Some(Refused::Alert(46)));
    fs::copy(&out, &site.boards[0].certificate).unwrap();
    assert_eq!(connected(&site, &hub, 0).post("d", b"new").message.dotted(), "2.04");
    refused(&site, &[&issue[..], &csr].concat(), 1, &["exists already"]);
    // A key for the bench is made by the command, and the hub is told its public half alone.
    let (key, bench) = (site.path("bench.key.pem"), site.path("bench.pem"));
    let files = ["--key", key.to_str().unwrap(), "--out", bench.to_str().unwrap()];
    done(&site, &[&issue[..], &files].concat());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let identity = crate::rig::pki::Identity::read(&bench, &key);
    assert!(Client::connect(hub.listen, &site.root(), &identity).is_ok());
    refused(&site, &[&issue[..], &files].concat(), 1, &["exists already"]);
    let (key, out) = (site.path("none.key.pem"), site.path("none.pem"));
    let files = ["--key", key.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let unknown = ["ca", "issue", "CB-9", "--tenant", "nobody"];
    refused(&site, &[&unknown[..], &files].concat(), 2, &["there is no tenant nobody"]);
    assert!(!key.exists() && !out.exists(), "what came to nothing leaves nothing");
}

#[test]
fn long_lists_and_stations_reach_a_running_hub() {
    const BOARDS: usize = 200_000;
    let mut factory = Factory::new();
    factory.start();
    let ids: String = (0..BOARDS).map(|n| format!("CB-LONG-{n:024}\n")).collect();
    fs::write(factory.path("ids"), &ids).unwrap();
    let add = ["batch", "add", "long", "--tenant", "tenant-0", "--ids", &factory.file("ids")];
    let said = factory.done(&add);
    assert!(said.contains(&format!("for {BOARDS} boards")), "{said}");
    // The station's key is made by the command; the hub has its public half.
    factory.station("late", "tenant-0", &["long"]);
    let key = fs::metadata(factory.path("late.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let last = format!("CB-LONG-{:024}", BOARDS - 1);
    let answer = factory.post_as("late", "tenant-0/simpleenroll", &factory.request(&last));
    factory.verify(&factory.keep(&last, &answer));
    let twice = ["station", "issue", "late", "--tenant", "tenant-0", "--batch", "long"];
    let files = ["--out", &factory.file("late.pem"), "--key", &factory.file("other.key")];
    let refused = factory.command(&[&twice[..], &files].concat());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(!factory.path("other.key").exists());
}

#[test]
fn a_revoked_certificate_is_never_trusted_again_and_its_board_may_get_another() {
    let (site, hub) = Plan::boards(2).start();
    let mut board = connected(&site, &hub, 0);
    assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
    let (id, print) = (site.boards[0].id.clone(), site.boards[0].identity().fingerprint());
    let revoke = ["certificate", "revoke", &print, "--reason", "key-compromise"];
    assert!(done(&site, &revoke).contains("revoked; 1 session ends"));
    assert_eq!(next_record(&board.carrier), ALERT);
    assert_eq!(connect(&site, &hub, 0).err(), Some(Refused::Alert(REVOKED)));
    refused(&site, &revoke, 1, &["revoked already"]);
    let new = site
        .authority("tenant-0")
        .board(&Certificate { hardware_id: Some(&id), ..Certificate::default() });
    let file = site.path("other.pem");
    fs::write(&file, site.boards[1].identity().certificate.to_pem().unwrap()).unwrap();
    let other = ["certificate", "revoke", "--certificate", file.to_str().unwrap(), "--board"];
    refused(&site, &[&other[..], &[id.as_str()]].concat(), 1, &["is for board"]);
    done(&site, &[&other[..], &[site.boards[1].id.as_str()]].concat());
    assert_eq!(connect(&site, &hub, 1).err(), Some(Refused::Alert(REVOKED)));
    assert_eq!(done(&site, &["certificate", "list", "--json"]).lines().count(), 4);

    done(&site, &["board", "remove", &id]);
    let add = ["board", "add", &id, "--tenant", "tenant-0", "--fingerprint"];
    done(&site, &[&add[..], &[new.fingerprint().as_str()]].concat());
    let session = || Client::connect(hub.listen, &site.root(), &new);
    assert_eq!(Board::new(session().unwrap()).post("d", b"new").message.dotted(), "2.04");
    let serial = new.certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap();
    done(&site, &["certificate", "revoke", "--serial", &serial, "--tenant", "tenant-0"]);
    assert_eq!(session().err(), Some(Refused::Alert(REVOKED)));
    done(&site, &["store", "check"]);
}

#[test]
fn each_hub_answers_for_its_own_store_and_others_are_told_why_not() {
    let (one, first) = Plan::boards(1).start();
    let (other, _second) = Plan::boards(2).start();
    let boards = |site: &Site| done(site, &["board", "list"]).lines().count() - 1;
    assert_eq!((boards(&one), boards(&other)), (1, 2));
    done(&other, &["board", "block", &other.boards[0].id, "--reason", "lost"]);
    assert!(connect(&one, &first, 0).is_ok());
    refused(&one, &["store", "forget-sessions"], 2, &["stop it first"]);
    refused(&one, &["tenant", "show", "nobody"], 2, &["`cellular-hub tenant list`"]);

    let ask = |body: &[u8]| {
        let mut stream = UnixStream::connect(one.path("store/control.sock")).unwrap();
        let said = stream.write_all(b"hub-control 1 run\n").and_then(|()| stream.write_all(body));
        said.and_then(|()| stream.shutdown(Shutdown::Write)).unwrap_or_default();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(ask(b"").starts_with("no this is no command"));
    assert!(ask(b"{\"arguments\":[\"tenant\"").starts_with("no this is no command"));
    let serve = b"{\"arguments\":[\"serve\"],\"folder\":\"/\",\"files\":{}}\n";
    assert!(ask(serve).contains("does not carry this command out"));
    let unknown = b"{\"arguments\":[\"tenant\",\"rename\"],\"folder\":\"/\",\"files\":{}}\n";
    assert!(ask(unknown).contains("knows no such command"));
    assert!(!ask(&vec![b' '; 2 << 20]).starts_with("ok"));
    assert_eq!(boards(&one), 1);
}
