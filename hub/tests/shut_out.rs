//! Who is shut out while the hub runs: by certificate, by board, by batch; and what was promised before.

use crate::admin::{ACCESS_DENIED, REVOKED, connect, connected, next_record};
use crate::rig::board::Board;
use crate::rig::broker::Broker;
use crate::rig::client::{Client, Refused};
use crate::rig::coap::Message;
use crate::rig::command::done;
use crate::rig::est::Factory;
use crate::rig::gate::Gate;
use crate::rig::pki::Certificate;
use crate::rig::records::{ALERT, APPLICATION_DATA};
use crate::rig::site::Plan;
use crate::rig::subscriber::Subscriber;

#[test]
fn a_reading_that_was_promised_is_delivered_although_its_board_is_blocked_meanwhile() {
    let broker = Broker::start();
    let gate = Gate::before(broker.tls);
    let subscriber = Subscriber::start(broker.plain);
    let site = Plan::boards(2).broker(gate.address, &broker.ca()).build();
    let (url, ca) = (format!("mqtts://{}", gate.address), broker.ca());
    let upstream = ["upstream", "add", "slow", "--tenant", "tenant-0", "--mqtt", &url];
    let more = ["--ca", ca.to_str().unwrap(), "--in-flight-max", "1"];
    done(&site, &[&upstream[..], &more].concat());
    let route = ["route", "add", "s", "--tenant", "tenant-0", "--upstream", "slow"];
    done(&site, &[&route[..], &["--acknowledge", "on-receive"]].concat());
    let hub = site.start();
    hub.wait_for_metric("hub_upstream_connected", &[("upstream", "slow")], |n| n == 1.0);
    gate.withhold();
    let mut first = connected(&site, &hub, 0);
    assert_eq!(first.post("s", b"in flight").message.dotted(), "2.04");
    hub.wait_for_metric("hub_upstream_in_flight", &[("upstream", "slow")], |n| n == 1.0);
    let mut second = connected(&site, &hub, 1);
    assert_eq!(second.post("s", b"promised").message.dotted(), "2.04");
    done(&site, &["board", "block", &site.boards[1].id, "--reason", "lost"]);
    gate.open();
    subscriber.wait_for(b"promised");
}

#[test]
fn whoever_is_revoked_in_the_middle_of_a_session_gets_an_alert_and_nothing_reaches_the_broker() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.plain);
    let site = Plan::boards(5).broker(broker.tls, &broker.ca()).build();
    let hub = site.start();
    hub.wait_for_metric("hub_upstream_connected", &[], |connected| connected == 1.0);
    let serial = |board: usize| {
        let certificate = site.boards[board].identity().certificate;
        certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_string()
    };
    let id = |board: usize| site.boards[board].id.as_str();
    let (print, serial) = (site.boards[1].identity().fingerprint(), serial(2));
    let certificate = site.boards[3].certificate.to_str().unwrap();
    let ways: [&[&str]; 4] = [
        &["board", "revoke", id(0), "--reason", "stolen"],
        &["certificate", "revoke", &print],
        &["certificate", "revoke", "--serial", &serial, "--tenant", "tenant-0"],
        &["certificate", "revoke", "--certificate", certificate, "--board", id(3)],
    ];
    for (number, way) in ways.iter().enumerate() {
        let mut board = connected(&site, &hub, number);
        assert_eq!(board.post("t", format!("before {number}").as_bytes()).message.dotted(), "2.04");
        let said = done(&site, way);
        assert!(said.contains("1 session ends"), "{way:?}: {said}");
        let mut client = board.carrier;
        let _ = client.record(APPLICATION_DATA, b""); // the number that the first reading had
        let late = format!("late {number}");
        let record =
            client.record(APPLICATION_DATA, &Message::post("t", 900, late.as_bytes()).encode());
        client.send_raw(&record);
        assert_eq!(next_record(&client), ALERT, "at once: {way:?}");
        assert_eq!(next_record(&client), ALERT, "for the next record: {way:?}");
        assert_eq!(connect(&site, &hub, number).err(), Some(Refused::Alert(REVOKED)), "{way:?}");
    }
    assert_eq!(connected(&site, &hub, 4).post("t", b"last").message.dotted(), "2.04");
    subscriber.wait_for(b"last");
    let arrived: Vec<_> = subscriber.arrived().iter().map(|it| it.text()).collect();
    assert_eq!(arrived, ["before 0", "before 1", "before 2", "before 3", "last"]);
}

#[test]
fn a_board_that_was_registered_without_a_serial_number_is_found_by_the_one_it_has_shown() {
    let site = Plan::boards(1).build();
    let identity = site
        .authority("tenant-0")
        .board(&Certificate { hardware_id: Some("CB-9"), ..Certificate::default() });
    site.register("CB-9", "tenant-0", &identity);
    let hub = site.start();
    let client = Client::connect(hub.listen, &site.root(), &identity).expect("a session");
    let mut board = Board::new(client);
    assert_eq!(board.post("d", b"x").message.dotted(), "2.04");
    let serial = identity.certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap();
    let revoke = ["certificate", "revoke", "--serial", &serial, "--tenant", "tenant-0"];
    assert!(done(&site, &revoke).contains("board CB-9 revoked; 1 session ends"));
    assert_eq!(next_record(&board.carrier), ALERT);
    let again = Client::connect(hub.listen, &site.root(), &identity).map(|_| ());
    assert_eq!(again, Err(Refused::Alert(REVOKED)));
}

#[test]
fn a_board_whose_certificate_was_revoked_is_let_in_at_once_with_another() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.plain);
    let mut factory = Factory::of(Plan::boards(2).tenants(2).broker(broker.tls, &broker.ca()));
    factory.batch("tenant-0", "again", &["--prefix", "CB-A", "--max", "9", "--again"]);
    factory.station("again", "tenant-0", &["again"]);
    factory.start();
    let enrolled = |factory: &Factory| {
        let csr = factory.request("CB-A1");
        let answer = factory.post_as("again", "tenant-0/simpleenroll", &csr);
        let pem = factory.keep("CB-A1", &answer);
        crate::rig::pki::Identity::read(&pem, &factory.path("CB-A1.key"))
    };
    let session = |identity| {
        let client = Client::connect(factory.site.listen, &factory.site.root(), identity);
        Board::new(client.expect("a session"))
    };
    let first = enrolled(&factory);
    let mut board = session(&first);
    assert_eq!(board.post("t", b"with the first").message.dotted(), "2.04");
    factory.done(&["certificate", "revoke", &first.fingerprint(), "--reason", "key-compromise"]);
    assert_eq!(next_record(&board.carrier), ALERT);
    let mut board = session(&enrolled(&factory));
    assert_eq!(board.post("t", b"with the second").message.dotted(), "2.04");
    subscriber.wait_for(b"with the second");
}

#[test]
fn the_boards_of_a_batch_are_blocked_let_in_again_and_revoked_together() {
    let mut factory = Factory::new();
    factory.start();
    let identities = ["CB-S1", "CB-S2"].map(|id| {
        let answer = factory.post_as("line", "tenant-0/simpleenroll", &factory.request(id));
        let pem = factory.keep(id, &answer);
        crate::rig::pki::Identity::read(&pem, &factory.path(&format!("{id}.key")))
    });
    let connect =
        |identity| Client::connect(factory.site.listen, &factory.site.root(), identity).map(|_| ());
    assert_eq!(identities.each_ref().map(connect), [Ok(()), Ok(())]);
    let batch = |verb: &'static str| ["batch", verb, "spring", "--tenant", "tenant-0"];
    let why = ["--reason", "recall"];
    let said = factory.done(&[&batch("block")[..], &why].concat());
    assert!(said.contains("2 boards blocked, 0 as they were; 2 sessions end"), "{said}");
    let denied = Err(Refused::Alert(ACCESS_DENIED));
    assert_eq!(identities.each_ref().map(connect), [denied.clone(), denied]);
    assert!(factory.done(&batch("unblock")).contains("2 boards unblocked"));
    assert_eq!(identities.each_ref().map(connect), [Ok(()), Ok(())]);
    let said = factory.done(&[&batch("revoke")[..], &why].concat());
    assert!(said.contains("2 boards revoked"), "{said}");
    let revoked = Err(Refused::Alert(REVOKED));
    assert_eq!(identities.each_ref().map(connect), [revoked.clone(), revoked]);
    let more = factory.post_as("line", "tenant-0/simpleenroll", &factory.request("CB-S3"));
    assert!(more.status == 403 && more.body.contains("closed"), "{more:?}");
    let unknown = ["batch", "block", "none", "--tenant", "tenant-0", "--reason", "x"];
    assert_eq!(factory.command(&unknown).status.code(), Some(2));
}
