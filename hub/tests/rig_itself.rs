//! The rig's own parts against programs nobody here wrote, without a hub: a test that fails
//! elsewhere should not leave the reader wondering whether the rig works.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::rig::broker::Broker;
use crate::rig::client::{Client, Refused, Settings, untouched};
use crate::rig::coap::{Carrier, Message};
use crate::rig::gate::Gate;
use crate::rig::mbedtls::{Mbedtls, Offer};
use crate::rig::pki::{Authority, Certificate};
use crate::rig::process::Process;
use crate::rig::proxy::{Fate, Proxy, Way, lose, storm};
use crate::rig::records::{APPLICATION_DATA, Record};
use crate::rig::site::BoardFiles;
use crate::rig::subscriber::Subscriber;
use crate::rig::{PATIENCE, free_udp};
use tempfile::TempDir;

/// `openssl s_server` with a board that it accepts.
struct Server {
    process: Process,
    address: std::net::SocketAddr,
    folder: TempDir,
    authority: Authority,
    board: BoardFiles,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let authority = Authority::new("server authority");
        authority.write_certificate(&file("ca.pem"));
        authority
            .server(crate::rig::own_address().into())
            .write(&file("server.pem"), &file("server.key"));
        authority.board(&Certificate::default()).write(&file("board.pem"), &file("board.key"));
        let address = free_udp();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-dtls1_2", "-accept", &address.to_string(), "-Verify", "2"]);
        command.args(["-verify_return_error", "-cipher", "ALL:@SECLEVEL=0"]);
        command.arg("-cert").arg(file("server.pem")).arg("-key").arg(file("server.key"));
        command.arg("-CAfile").arg(file("ca.pem"));
        let process = Process::spawn(&mut command);
        process.stdout.wait_for_line("ACCEPT", PATIENCE);
        let board = BoardFiles {
            id: "CB-00000000".to_owned(),
            tenant: "tenant-0".to_owned(),
            certificate: file("board.pem"),
            key: file("board.key"),
        };
        Self { process, address, folder, authority, board }
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn heard(&self, text: &str) {
        self.process.stdout.wait(text, PATIENCE, |bytes| {
            String::from_utf8_lossy(bytes).contains(text).then_some(())
        });
    }
}

#[test]
fn the_client_speaks_through_a_proxy_that_loses_a_datagram() {
    let mut server = Server::start();
    let proxy = Proxy::new(server.address, lose(Way::ToClient, 1));
    let mut client =
        Client::connect(proxy.address, &server.root(), &server.board.identity()).unwrap();
    client.send(b"from the client\n");
    server.heard("from the client");
    server.process.write(b"from the server\n");
    assert_eq!(client.receive(PATIENCE).unwrap(), b"from the server\n");
    assert!(proxy.seen(Way::ToClient).len() > 3);
}

#[test]
fn a_record_written_by_hand_is_taken_for_the_clients_own() {
    let server = Server::start();
    let mut client =
        Client::connect(server.address, &server.root(), &server.board.identity()).unwrap();
    let record = client.record(APPLICATION_DATA, b"by hand\n");
    client.send_raw(&record);
    server.heard("by hand");
    let key = client.key();
    assert_eq!(key.open(&Record::split(&record)[0]), b"by hand\n");
}

#[test]
fn a_refused_client_says_which_alert_it_saw() {
    let server = Server::start();
    let expired = server.authority.board(&Certificate { not_after: -60, ..Certificate::default() });
    let seen = Client::connect(server.address, &server.root(), &expired).map(|_| ());
    assert_eq!(seen, Err(Refused::Alert(45)));
}

#[test]
fn a_client_that_nobody_answers_says_so() {
    let authority = Authority::new("nobody");
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("ca.pem");
    authority.write_certificate(&root);
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let settings = Settings { patience: Duration::from_millis(300), ..Settings::default() };
    let seen = Client::connect_with(
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap(),
        nobody.local_addr().unwrap(),
        Path::new(&root),
        None,
        &settings,
        &mut untouched,
    );
    assert_eq!(seen.map(|_| ()), Err(Refused::Silence));
}

#[test]
fn the_mbedtls_peer_speaks_every_suite() {
    for suite in ["gcm", "ccm", "ccm8"] {
        let mut server = Server::start();
        let offer = Offer { cid: "0102", mtu: 512, suite };
        let mut peer = Mbedtls::connect(server.address, &server.root(), &server.board, &offer);
        assert!(peer.connected.contains("cid=none"), "{}", peer.connected);
        peer.send(b"to openssl\n");
        server.heard("to openssl");
        server.process.write(b"to mbedtls\n");
        assert_eq!(peer.receive(PATIENCE).unwrap(), b"to mbedtls\n");
    }
}

#[test]
fn a_message_reads_back_as_it_was_written() {
    let message = Message::post("r/a-segment-of-20-bytes", 7, b"payload").with(12, 112).with(27, 0);
    assert_eq!(Message::parse(&message.encode()), Some(message.clone()));
    assert_eq!(message.option(12), Some(112));
    assert_eq!(message.option(27), Some(0));
    assert_eq!(message.dotted(), "0.02");
}

#[test]
fn a_gate_withholds_the_brokers_words_and_the_subscriber_hears_the_rest() {
    use rumqttc::{Event, Incoming, MqttOptions, QoS};
    let mut broker = Broker::start();
    let subscriber = Subscriber::start(broker.plain);
    let gate = Gate::before(broker.plain);
    let options = MqttOptions::new("hub", gate.address.ip().to_string(), gate.address.port());
    let (client, mut connection) = rumqttc::Client::new(options, 10);
    let mut next = || connection.recv_timeout(Duration::from_millis(300));
    while !matches!(next(), Ok(Ok(Event::Incoming(Incoming::ConnAck(_))))) {}
    gate.withhold();
    client.publish("a/b", QoS::AtLeastOnce, false, "reading").unwrap();
    let mut acknowledged = || matches!(next(), Ok(Ok(Event::Incoming(Incoming::PubAck(_)))));
    assert!((0..3).all(|_| !acknowledged()));
    assert_eq!(subscriber.wait_for(b"reading").topic, "a/b");
    assert!(gate.withheld() > 0);
    gate.open();
    assert!((0..10).any(|_| acknowledged()));
    broker.kill();
    broker.restart();
    let subscriber = subscriber.again(broker.plain);
    assert_eq!(subscriber.arrived().len(), 1);
}

#[test]
fn a_storm_is_the_same_for_the_same_seed() {
    let fates = |seed| {
        let mut weather = storm(seed, 15, 10);
        (0..2000).map(|number| weather(Way::ToHub, number)).collect::<Vec<_>>()
    };
    assert_eq!(fates(7), fates(7));
    assert_ne!(fates(7), fates(8));
    let lost = fates(7).iter().filter(|fate| **fate == Fate::Drop).count();
    assert!((200..400).contains(&lost), "{lost} of 2000");
}
