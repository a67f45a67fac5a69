//! What changes while the hub runs: certificate, key and log level, and no session notices.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Instant;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;

use crate::rig::board::Board;
use crate::rig::client::Client;
use crate::rig::command::{done, refused};
use crate::rig::hub::Hub;
use crate::rig::pki::{Authority, Identity};
use crate::rig::site::{Plan, Site};
use crate::rig::{PATIENCE, free_tcp};

/// A certificate of the site's root for the hub, beside the one it has.
fn renewed(site: &Site) -> Identity {
    let root = Authority::read(&site.path("pki/root.pem"), &site.path("pki/root.key.pem"));
    root.server(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn install(site: &Site, identity: &Identity) {
    identity.write(&site.path("pki/server.pem"), &site.path("pki/server.key.pem"));
}

fn connected(site: &Site, hub: &Hub) -> Client {
    Client::connect(hub.listen, &site.root(), &site.boards[0].identity()).expect("a session")
}

/// The certificate that a client of a new handshake sees.
fn shown(site: &Site, hub: &Hub) -> Vec<u8> {
    let identity = site.boards[1].identity();
    let client = Client::connect(hub.listen, &site.root(), &identity).expect("a session");
    client.ssl().peer_certificate().expect("a certificate").to_der().expect("its bytes")
}

#[test]
fn a_new_certificate_is_for_new_handshakes_and_old_sessions_go_on() {
    let (site, mut hub) = Plan::boards(2).start();
    let mut board = Board::new(connected(&site, &hub));
    assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
    let before = shown(&site, &hub);
    let new = renewed(&site);
    install(&site, &new);
    hub.process.signal("HUP");
    hub.wait_for_log(&["reloaded"]);
    let after = shown(&site, &hub);
    assert_ne!(before, after);
    assert_eq!(after, new.certificate.to_der().unwrap());
    assert_eq!(board.post("d", b"after").message.dotted(), "2.04");
    assert_eq!(hub.metric("hub_sessions_ended_total", &[("reason", "close_notify")]), 0.0);
    hub.assert_alive();
}

#[test]
fn a_changed_file_is_noticed_without_a_signal() {
    let (site, hub) = Plan::boards(2).start();
    let new = renewed(&site);
    install(&site, &new);
    hub.wait_for_log(&["reloaded"]);
    assert_eq!(shown(&site, &hub), new.certificate.to_der().unwrap());
}

/// The certificate that a client of HTTPS sees.
fn shown_over_https(at: SocketAddr) -> Vec<u8> {
    let mut tls = SslConnector::builder(SslMethod::tls_client()).unwrap();
    tls.set_verify(SslVerifyMode::NONE);
    let stream = TcpStream::connect(at).expect("the hub's port");
    let stream = tls.build().connect("localhost", stream).expect("TLS");
    stream.ssl().peer_certificate().expect("a certificate").to_der().unwrap()
}

#[test]
fn a_renewed_server_certificate_is_shown_by_both_servers_and_nobody_is_disconnected() {
    let https = free_tcp();
    let plan = Plan::boards(2).set("https", "enabled", true);
    let (site, mut hub) = plan.set("https", "listen", https.to_string()).start();
    let mut board = Board::new(connected(&site, &hub));
    assert_eq!(board.post("d", b"before").message.dotted(), "2.04");
    let before = shown(&site, &hub);
    assert_eq!(shown_over_https(https), before);
    let names = |der: &[u8]| {
        let certificate = X509::from_der(der).unwrap();
        let names = certificate.subject_alt_names().unwrap();
        names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>()
    };

    let said = done(&site, &["ca", "server", "renew"]);
    assert!(said.contains("server certificate renewed until"), "{said}");
    hub.wait_for_log(&["reloaded"]);
    let after = shown(&site, &hub);
    assert_ne!(after, before);
    assert_eq!(shown_over_https(https), after);
    assert_eq!(names(&after), names(&before));
    let read = |name: &str| std::fs::read(site.path(name)).unwrap();
    assert_eq!(X509::from_pem(&read("pki/server.pem")).unwrap().to_der().unwrap(), after);
    let kept = X509::from_pem(&read("pki/server.previous.pem")).unwrap();
    assert_eq!(kept.to_der().unwrap(), before);
    assert_eq!(board.post("d", b"after").message.dotted(), "2.04");

    // Again, with other names, and told by a signal.
    done(&site, &["ca", "server", "renew", "--server-name", "hub.example", "--server-name", "::1"]);
    hub.process.signal("HUP");
    let started = Instant::now();
    while shown_over_https(https) == after {
        assert!(started.elapsed() < PATIENCE, "{}", hub.log());
        std::thread::yield_now();
    }
    let named = names(&shown_over_https(https));
    assert!(named[0].contains("hub.example") && named.len() == 2, "{named:?}");
    hub.assert_alive();
}

#[test]
fn it_is_forecast_when_certificates_end() {
    let (site, hub) = Plan::boards(2).start();
    let said = done(&site, &["certificate", "forecast", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let ends = &said["boards"];
    let counted = ["ended", "later", "unknown", "within_365_days"].map(|span| ends[span].as_u64());
    assert_eq!(counted.into_iter().flatten().sum::<u64>(), 2, "{said}");
    assert_eq!(&said["tenants"]["tenant-0"], ends);
    let own = said["servers"][0]["not_after"].as_f64().unwrap();
    let kind = [("kind", "server")];
    hub.wait_for_metric("hub_certificate_next_end_timestamp_seconds", &kind, |end| end == own);
    let soon = [("kind", "server"), ("within", "ended")];
    assert_eq!(hub.metric("hub_certificates_ending", &soon), 0.0);
    let said = done(&site, &["certificate", "forecast", "--tenant", "tenant-0"]);
    assert!(said.contains("tenant-0") && said.contains("tenant-0/1"), "{said}");
    refused(&site, &["certificate", "forecast", "--tenant", "nobody"], 2, &["no tenant nobody"]);
}

#[test]
fn the_log_level_changes_and_changes_back() {
    let (site, mut hub) = Plan::boards(2).set("log", "level", "error").start();
    let refused =
        crate::rig::pki::Authority::new("nobody's").board(&crate::rig::pki::Certificate::default());
    let knock = || Client::connect(hub.listen, &site.root(), &refused).map(|_| ());
    assert!(knock().is_err());
    assert!(!hub.log().contains("handshake refused"), "{}", hub.log());
    site.configure("log", "level", "info");
    hub.process.signal("HUP");
    hub.wait_for_log(&["reloaded", "info"]);
    assert!(knock().is_err());
    hub.wait_for_log(&["handshake refused"]);
    hub.assert_alive();
}

#[test]
fn what_is_broken_changes_nothing_and_is_named() {
    let (site, mut hub) = Plan::boards(2).start();
    let mut board = Board::new(connected(&site, &hub));
    let before = shown(&site, &hub);
    std::fs::write(site.path("pki/server.pem"), b"no certificate").unwrap();
    site.configure("log", "level", "off");
    hub.process.signal("HUP");
    hub.wait_for_log(&["not reloaded", "link.certificate", "not a certificate"]);
    assert_eq!(shown(&site, &hub), before);

    // A certificate that is good, and another key's.
    let new = renewed(&site);
    std::fs::write(site.path("pki/server.pem"), new.certificate.to_pem().unwrap()).unwrap();
    hub.process.signal("HUP");
    hub.wait_for_log(&["not reloaded", "does not belong"]);
    assert_eq!(shown(&site, &hub), before);

    std::fs::write(site.path("hub.toml"), "[log]\nlevel = \"loud\"\n").unwrap();
    hub.process.signal("HUP");
    hub.wait_for_log(&["not reloaded", "log.level"]);
    assert_eq!(board.post("d", b"still here").message.dotted(), "2.04");
    hub.assert_alive();
}
