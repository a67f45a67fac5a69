//! Certificates over boards' sessions (EST over CoAPS, RFC 9148), asked for by clients nobody here wrote:
//! libcoap's with requests made by OpenSSL, and virtual boards on webrtc-dtls.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::client::{Client, Refused};
use crate::rig::coap::{CONTENT_FORMAT, Message, POST};
use crate::rig::pki::{Certificate, Identity};
use crate::rig::process::{Finished, Process};
use crate::rig::proxy::{Proxy, Way, storm};
use crate::rig::site::{Plan, Site};
use storage::{BoardState, UnixSeconds};
use virtual_board::{Connector, Fixture, Wanted, renew};

const ACCEPT: u16 = 17;

/// Runs OpenSSL's program and gives what it printed.
fn openssl(arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    let run = Process::run(command.args(arguments), PATIENCE);
    assert!(run.status.success(), "{arguments:?}: {run:?}");
    run.stdout
}

/// A key of this kind and a request for `name` by it, DER; both in files named after `stem`.
fn request(site: &Site, stem: &str, name: &str, key: &[&str]) -> (PathBuf, PathBuf) {
    let (key_file, file) = (site.path(&format!("{stem}.key")), site.path(&format!("{stem}.csr")));
    let subject = format!("/CN={name}");
    let mut arguments = vec!["req", "-new", "-nodes", "-subj", &subject, "-outform", "DER"];
    arguments.extend(key);
    let (key_path, path) = (key_file.display().to_string(), file.display().to_string());
    arguments.extend(["-keyout", &key_path, "-out", &path]);
    openssl(&arguments);
    (key_file, file)
}

const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// libcoap's client as the first board, or as whoever has `certificate` and `key`.
fn libcoap(site: &Site, as_whom: (&Path, &Path), arguments: &[&str], path: &str) -> Finished {
    let mut command = Command::new("coap-client-openssl");
    command.arg("-c").arg(as_whom.0).arg("-j").arg(as_whom.1);
    command.arg("-C").arg(site.root()).args(["-B", "15", "-v", "7"]).args(arguments);
    command.arg(format!("coaps://{}/.well-known/{path}", site.listen));
    Process::run(&mut command, PATIENCE)
}

fn own(site: &Site) -> (PathBuf, PathBuf) {
    (site.boards[0].certificate.clone(), site.boards[0].key.clone())
}

/// Posts the request in `file` in blocks of `block` bytes and leaves the answer in `out`.
fn post(
    site: &Site,
    operation: &str,
    file: &Path,
    format: &str,
    block: &str,
) -> (Finished, PathBuf) {
    let (certificate, key) = own(site);
    let out = site.path("answer");
    let (file, to) = (file.display().to_string(), out.display().to_string());
    let arguments = ["-m", "post", "-t", "286", "-A", format, "-b", block, "-f", &file, "-o", &to];
    let run = libcoap(site, (&certificate, &key), &arguments, &format!("est/{operation}"));
    (run, out)
}

#[test]
fn libcoap_fetches_the_authorities_and_attributes_in_blocks_of_any_size() {
    let (site, _hub) = Plan::boards(1).start();
    let (certificate, key) = own(&site);
    let out = site.path("answer").display().to_string();
    for block in ["16", "64", "256", "1024"] {
        let get = ["-m", "get", "-A", "281", "-b", block, "-o", &out];
        let run = libcoap(&site, (&certificate, &key), &get, "est/crts");
        assert!(run.stdout.contains("c:2.05"), "{run:?}");
        let said = openssl(&["pkcs7", "-inform", "DER", "-in", &out, "-print_certs"]);
        assert_eq!(said.matches("BEGIN CERTIFICATE").count(), 2, "blocks of {block}: {said}");
    }
    let get = ["-m", "get", "-A", "287", "-o", &out];
    libcoap(&site, (&certificate, &key), &get, "est/tenant-0/crts");
    let said = openssl(&["x509", "-inform", "DER", "-in", &out, "-noout", "-subject"]);
    assert!(said.contains("Cellular Hub root"), "{said}");
    libcoap(&site, (&certificate, &key), &["-m", "get", "-o", &out], "est/att");
    let said = openssl(&["asn1parse", "-inform", "DER", "-in", &out]);
    assert!(said.contains("prime256v1") && said.contains("ecdsa-with-SHA256"), "{said}");
    let other = libcoap(&site, (&certificate, &key), &["-m", "get"], "est/tenant-1/crts");
    assert!(other.stdout.contains("c:4.04"), "{other:?}");
}

#[test]
fn libcoap_finds_enrolment_by_its_type() {
    let (site, _hub) = Plan::boards(1).start();
    let (certificate, key) = own(&site);
    let run = libcoap(&site, (&certificate, &key), &["-m", "get"], "core?rt=ace.est*");
    for name in ["crts", "att", "sen", "sren"] {
        let link = format!("</.well-known/est/{name}>;rt=\"ace.est.{name}\"");
        assert!(run.stdout.contains(&link), "{run:?}");
    }
    assert!(!run.stdout.contains("hub.uplink"), "{run:?}");
}

#[test]
fn libcoap_renews_and_the_old_certificate_works_until_the_new_one_was_used() {
    let (site, hub) = Plan::boards(1).start();
    let board = site.boards[0].clone();
    let tenant = site.path("pki/tenants/tenant-0.pem").display().to_string();
    let root = site.root().display().to_string();
    let mut last = None;
    for (operation, format, block) in
        [("sen", "281", "64"), ("sren", "287", "256"), ("sren", "281", "1024")]
    {
        let (key, csr) = request(&site, "new", &board.id, P256);
        let (run, answer) = post(&site, operation, &csr, format, block);
        assert!(run.stdout.contains("c:2.04"), "{operation}: {run:?}");
        let (der, pem) = (answer.display().to_string(), site.path("new.pem").display().to_string());
        match format {
            "281" => {
                openssl(&["pkcs7", "-inform", "DER", "-in", &der, "-print_certs", "-out", &pem])
            }
            _ => openssl(&["x509", "-inform", "DER", "-in", &der, "-out", &pem]),
        };
        openssl(&[
            "verify",
            "-CAfile",
            &root,
            "-untrusted",
            &tenant,
            "-purpose",
            "sslclient",
            &pem,
        ]);
        // The pem of pkcs7 begins with names in words.
        openssl(&["x509", "-in", &pem, "-out", &pem]);
        last = Some(Identity::read(Path::new(&pem), &key));
    }
    let new = last.unwrap();
    let old = board.identity();
    for _ in 0..2 {
        Client::connect(hub.listen, &site.root(), &old).expect("the old one is still the board's");
    }
    let client = Client::connect(hub.listen, &site.root(), &new).expect("the new one works");
    assert_eq!(Board::new(client).post("d", b"21.5 Cel").message.dotted(), "2.04");
    hub.wait_for_log(&["the board uses its new certificate"]);
    let refused = Client::connect(hub.listen, &site.root(), &old).map(|_| ());
    assert!(matches!(refused, Err(Refused::Alert(_))), "superseded: {refused:?}");
    let client = Client::connect(hub.listen, &site.root(), &new).expect("once more");
    assert_eq!(Board::new(client).post("d", b"21.5 Cel").message.dotted(), "2.04");
}

#[test]
fn what_a_board_may_not_have_is_refused_with_its_code_and_in_words() {
    let (site, hub) = Plan::boards(2).start();
    let (own_id, other) = (site.boards[0].id.clone(), site.boards[1].id.clone());
    let curve = |name| ["-newkey", "ec", "-pkeyopt", name];
    let (p384, p192) = (curve("ec_paramgen_curve:P-384"), curve("ec_paramgen_curve:prime192v1"));
    for (name, key, code, words) in [
        (&other, P256, "4.03", "the request is"),
        (&own_id, &["-newkey", "rsa:1024"][..], "4.00", "not on the curve P-256"),
        (&own_id, &p384[..], "4.00", "not on the curve P-256"),
        (&own_id, &p192[..], "4.00", "not on the curve P-256"),
    ] {
        let (_, csr) = request(&site, "bad", name, key);
        let (run, _) = post(&site, "sren", &csr, "287", "1024");
        assert!(run.stdout.contains(&format!("c:{code}")), "{key:?}: {run:?}");
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains(words), "{key:?}: {said}");
    }
    let (_, csr) = request(&site, "forged", &own_id, P256);
    let mut bytes = std::fs::read(&csr).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&csr, bytes).unwrap();
    let (run, _) = post(&site, "sen", &csr, "287", "1024");
    assert!(run.stdout.contains("c:4.00"), "{run:?}");
    std::fs::write(&csr, vec![0x30; 20_000]).unwrap();
    let (run, _) = post(&site, "sen", &csr, "287", "1024");
    assert!(run.stdout.contains("c:4.13"), "{run:?}");
    drop(hub);
    assert_eq!(site.store().renewals().count(), 0);
}

/// A request for a certificate as one message.
fn sren(id: u16, csr: &Path) -> Message {
    Message::request(POST, ".well-known/est/sren", id, &std::fs::read(csr).unwrap())
        .with(CONTENT_FORMAT, 286)
        .with(ACCEPT, 287)
}

#[test]
fn a_certificate_that_has_ended_opens_nothing_but_its_own_renewal_and_that_for_a_while() {
    let expired = |days: i64| Certificate {
        hardware_id: Some("CB-LATE"),
        not_before: -9_000_000,
        not_after: -days * 86_400 - 60,
        ..Certificate::default()
    };
    let site = Plan::boards(1).set("trust", "renew_after_expiry_days", 30).build();
    let authority = site.authority("tenant-0");
    let (late, too_late) = (authority.board(&expired(29)), authority.board(&expired(30)));
    site.register("CB-LATE", "tenant-0", &too_late);
    let hub = site.start();
    let refused = Client::connect(hub.listen, &site.root(), &too_late).map(|_| ());
    assert!(matches!(refused, Err(Refused::Alert(_))), "{refused:?}");
    hub.wait_for_log(&["the certificate has expired"]);
    drop(hub);

    site.change_board("CB-LATE", |board| {
        board.fingerprint = Some(late.fingerprint().parse().unwrap());
    });
    let hub = site.start();
    let mut board =
        Board::new(Client::connect(hub.listen, &site.root(), &late).expect("a session"));
    assert_eq!(board.post("d", b"21.5 Cel").message.dotted(), "4.04", "nothing else is there");
    let (key, csr) = request(&site, "late", "CB-LATE", P256);
    let mut sen = sren(900, &csr);
    for (_, value) in sen.options.iter_mut().filter(|(_, value)| value == b"sren") {
        *value = b"sen".to_vec();
    }
    assert_eq!(board.ask(&sen).message.dotted(), "4.03");
    let answer = board.ask(&sren(901, &csr));
    assert_eq!(answer.message.dotted(), "2.04");
    let new = Identity {
        certificate: openssl::x509::X509::from_der(&answer.message.payload).unwrap(),
        key: openssl::pkey::PKey::private_key_from_pem(&std::fs::read(&key).unwrap()).unwrap(),
    };
    let client = Client::connect(hub.listen, &site.root(), &new).expect("a session");
    assert_eq!(Board::new(client).post("d", b"21.5 Cel").message.dotted(), "2.04");
}

#[test]
fn a_board_that_was_revoked_under_its_session_gets_nothing() {
    let site = Plan::boards(1).build();
    let id = site.boards[0].id.clone();
    let (_, csr) = request(&site, "new", &id, P256);
    let hub = site.start();
    let identity = site.boards[0].identity();
    let mut board = Board::new(Client::connect(hub.listen, &site.root(), &identity).unwrap());
    assert_eq!(board.ask(&sren(900, &csr)).message.dotted(), "2.04");
    drop(hub);
    // The session outlives the hub; the revocation came in between.
    site.change_board(&id, |board| {
        let (reason, since) = (String::from("stolen"), UnixSeconds(1));
        board.state = BoardState::Revoked { reason, since };
    });
    let hub = site.start();
    let refused = Client::connect(hub.listen, &site.root(), &identity).map(|_| ());
    assert!(matches!(refused, Err(Refused::Alert(_))), "{refused:?}");
    assert_eq!(hub.sessions(), 0.0);
}

#[test]
fn virtual_boards_renew_over_a_lossy_link_and_use_what_they_got() {
    let (site, hub) = Plan::boards(3).start();
    let proxy = Proxy::new(hub.listen, storm(3, 5, 5));
    let fixture = Fixture::new(&site.path(""));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for ((id, _), exponent) in fixture.entries(0, 3).unwrap().into_iter().zip([2, 4, 6]) {
        let old = site.boards.iter().find(|board| board.id == id).unwrap().identity();
        let identity =
            &fixture.boards(0, 3).unwrap()[site.boards.iter().position(|b| b.id == id).unwrap()];
        let connector =
            Connector::new(proxy.address, "localhost", &fixture.root(), 1).expect("a connector");
        let renewed = renew(&connector, identity, Wanted::Renewal, exponent);
        let renewed = runtime.block_on(renewed).expect("a certificate");
        assert!(renewed.certificate_bytes > 300, "{renewed:?}");
        let refused = Client::connect(hub.listen, &site.root(), &old).map(|_| ());
        assert!(matches!(refused, Err(Refused::Alert(_))), "superseded: {refused:?}");
    }
    let renewed = fixture.boards(0, 3).expect("the new files");
    let connector = Connector::new(hub.listen, "localhost", &fixture.root(), 1).unwrap();
    runtime.block_on(async {
        for identity in &renewed {
            connector.connect(identity).await.expect("a session").close().await;
        }
    });
}

/// Bytes of UDP and IPv4 headers.
const HEADERS: usize = 28;

#[test]
fn a_renewal_costs_few_bytes_on_the_air() {
    let (site, hub) = Plan::boards(2).start();
    let fixture = Fixture::new(&site.path(""));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The hub's root, which comes first, is a third of it.
    for (at, (exponent, most)) in [(6, 1_500), (5, 1_500)].into_iter().enumerate() {
        let identity = &fixture.boards(at, 1).unwrap()[0];
        let proxy = Proxy::clear(hub.listen);
        let connector = Connector::new(proxy.address, "localhost", &fixture.root(), 1).unwrap();
        let renewed = renew(&connector, identity, Wanted::Renewal, exponent);
        let renewed = runtime.block_on(renewed).expect("a certificate");
        let (mut all, mut own, mut count) = (0, 0, 0);
        for datagram in [Way::ToHub, Way::ToClient].into_iter().flat_map(|way| proxy.seen(way)) {
            all += datagram.len() + HEADERS;
            // Application data; the rest are two handshakes and their ends.
            if datagram.first() == Some(&23) {
                own += datagram.len() + HEADERS;
                count += 1;
            }
        }
        println!("{renewed:?}: {own} bytes in {count} datagrams, {all} with two handshakes");
        assert!(own <= most, "{own} bytes: {renewed:?}");
    }
}

#[test]
fn requests_for_certificates_draw_on_the_boards_quota_and_are_counted() {
    let plan = Plan::boards(1).set("quota", "board_messages_per_minute", 2);
    let (site, hub) = plan.start();
    let (_, csr) = request(&site, "new", &site.boards[0].id, P256);
    let client = Client::connect(hub.listen, &site.root(), &site.boards[0].identity());
    let mut board = Board::new(client.expect("a session"));
    let body = std::fs::read(&csr).unwrap();
    let mut ask = || {
        let mut message = board.message(POST, ".well-known/est/sren", &body);
        message.options.push((CONTENT_FORMAT, vec![1, 30]));
        message.options.push((ACCEPT, vec![1, 31]));
        message.options.sort_by_key(|(number, _)| *number);
        let answer = board.ask(&message).message;
        (answer.dotted(), answer)
    };
    assert_eq!(ask().0, "2.04");
    assert_eq!(ask().0, "2.04");
    assert_eq!(ask().0, "4.29");
    let counted = |outcome: &str| {
        let labels = [("way", "coaps"), ("kind", "renew"), ("outcome", outcome)];
        hub.metric("hub_enrolments_total", &labels)
    };
    assert_eq!((counted("issued"), counted("over_quota")), (2.0, 1.0));
    let refused =
        hub.metric("hub_quota_refused_total", &[("scope", "board"), ("kind", "messages")]);
    assert_eq!(refused, 1.0);
}
