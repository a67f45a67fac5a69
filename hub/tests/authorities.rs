//! Several authorities a tenant, in a running hub: made, imported, retired, revoked.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::rig::PATIENCE;
use crate::rig::board::Board;
use crate::rig::client::{Client, Refused};
use crate::rig::command::{done, refused};
use crate::rig::hub::Hub;
use crate::rig::pki::{Authority, Certificate, Identity};
use crate::rig::process::Process;
use crate::rig::records::{ALERT, Record};
use crate::rig::site::{Plan, Site};

const UNKNOWN_AUTHORITY: i32 = 48;
const REVOKED: i32 = 44;
/// What may pass from a command's call to its last effect, the command's own start included.
const SOON: Duration = Duration::from_secs(1);

fn openssl(arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    let run = Process::run(command.args(arguments), PATIENCE);
    assert!(run.status.success(), "{arguments:?}: {run:?}");
    run.stdout
}

/// Has the hub issue a certificate for a new board, whose key is made by OpenSSL.
fn issue(site: &Site, board: &str) -> Identity {
    let path = |name: &str| site.path(&format!("{board}.{name}")).display().to_string();
    let (key, csr, pem) = (path("key"), path("csr"), path("pem"));
    let subject = format!("/CN={board}");
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let request = ["req", "-new", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &csr];
    openssl(&[&request[..], &curve].concat());
    done(site, &["ca", "issue", board, "--tenant", "tenant-0", "--csr", &csr, "--out", &pem]);
    Identity::read(pem.as_ref(), key.as_ref())
}

fn connect(site: &Site, hub: &Hub, identity: &Identity) -> Result<Board<Client>, Refused> {
    Client::connect(hub.listen, &site.root(), identity).map(Board::new)
}

fn posts(board: &mut Board<Client>, what: &str) {
    assert_eq!(board.post("d", what.as_bytes()).message.dotted(), "2.04", "{what}");
}

/// The type of the next record that the hub sends.
fn next_record(client: &Client) -> u8 {
    let mut buffer = [0; 2048];
    client.socket.set_read_timeout(Some(SOON)).unwrap();
    let length = client.socket.recv(&mut buffer).expect("a record");
    Record::split(&buffer[..length])[0].content_type
}

fn file(site: &Site, name: &str, authority: &Authority) -> PathBuf {
    let file = site.path(name);
    authority.write_certificate(&file);
    file
}

#[test]
fn boards_of_an_authority_go_when_it_is_revoked_and_those_of_another_stay() {
    let (site, mut hub) = Plan::boards(1).start();
    let old = site.boards[0].identity();
    let mut first = connect(&site, &hub, &old).unwrap();
    posts(&mut first, "before");
    let made = done(&site, &["authority", "add", "tenant-0"]);
    assert!(made.contains("tenant-0/2 made"), "{made}");
    done(&site, &["authority", "use", "tenant-0/2"]);
    let new = issue(&site, "CB-NEW");
    let root = site.root().display().to_string();
    let second = site.path("pki/tenants/tenant-0.2.pem").display().to_string();
    let leaf = site.path("CB-NEW.pem").display().to_string();
    let verify = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", &root];
    openssl(&[&verify[..], &["-untrusted", &second, &leaf]].concat());
    let mut other = connect(&site, &hub, &new).unwrap();
    posts(&mut other, "of the second authority");
    posts(&mut first, "of the first, in the same session");
    let shown = done(&site, &["board", "show", "CB-NEW", "--json"]);
    assert!(shown.contains("\"issuer\":2"), "{shown}");
    let list = done(&site, &["authority", "list"]);
    let line = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("tenant-0/1").contains("no ") && line("tenant-0/2").contains("yes"), "{list}");

    refused(&site, &["authority", "retire", "tenant-0/1"], 1, &["1 boards have certificates"]);
    let began = Instant::now();
    let said = done(&site, &["authority", "revoke", "tenant-0/1", "--reason", "ca-compromise"]);
    assert!(said.contains("1 boards had certificates of it; 1 session ends"), "{said}");
    assert_eq!(next_record(&first.carrier), ALERT);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(connect(&site, &hub, &old).err(), Some(Refused::Alert(REVOKED)));
    hub.wait_for_log(&["handshake refused", &site.boards[0].id, "authority", "revoked"]);
    posts(&mut other, "all the same");
    refused(&site, &["authority", "use", "tenant-0/1"], 1, &["not active"]);
    refused(&site, &["authority", "revoke", "tenant-0/1"], 1, &["revoked already"]);
    // So says the root to others.
    let list = site.path("root.crl").display().to_string();
    done(&site, &["ca", "crl", "root", "--out", &list]);
    let text = openssl(&["crl", "-inform", "DER", "-in", &list, "-noout", "-text"]);
    assert!(text.contains("CA Compromise"), "{text}");

    assert!(hub.terminate(PATIENCE).success());
    let mut hub = site.start();
    assert_eq!(connect(&site, &hub, &old).err(), Some(Refused::Alert(REVOKED)));
    posts(&mut connect(&site, &hub, &new).unwrap(), "after a restart");
    done(&site, &["store", "check"]);
    hub.assert_alive();
}

#[test]
fn a_session_that_sleeps_under_a_revoked_authority_does_not_wake() {
    let site =
        Plan::boards(1).set("session", "idle_s", 1).set("coap", "exchange_lifetime_s", 10).build();
    let hub = site.start();
    let mut board = connect(&site, &hub, &site.boards[0].identity()).unwrap();
    posts(&mut board, "before");
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 0.0);
    let said = done(&site, &["authority", "revoke", "tenant-0/1"]);
    assert!(said.contains("0 sessions end"), "{said}");
    let late = board.message(crate::rig::coap::POST, "d", b"late");
    let _ = board.carrier.record(crate::rig::records::APPLICATION_DATA, b""); // the first's number
    let late = board.carrier.record(crate::rig::records::APPLICATION_DATA, &late.encode());
    board.carrier.send_raw(&late);
    assert_eq!(next_record(&board.carrier), ALERT);
    hub.wait_for_log(&["was not woken", "authority", "revoked"]);
}

#[test]
fn an_authority_is_retired_when_none_of_its_boards_is_left() {
    let (site, hub) = Plan::boards(1).start();
    let id = site.boards[0].id.clone();
    done(&site, &["authority", "add", "tenant-0"]);
    done(&site, &["authority", "use", "tenant-0/2"]);
    done(&site, &["board", "remove", &id]);
    let said = done(&site, &["authority", "retire", "tenant-0/1"]);
    assert!(said.contains("retired; 0 boards"), "{said}");
    let old = site.boards[0].identity();
    assert_eq!(connect(&site, &hub, &old).err(), Some(Refused::Alert(UNKNOWN_AUTHORITY)));
    refused(&site, &["authority", "retire", "tenant-0/1"], 1, &["retired already"]);
    done(&site, &["authority", "retire", "tenant-0/2"]);
    refused(
        &site,
        &["ca", "issue", "CB-X", "--tenant", "tenant-0", "--csr", "/dev/null"],
        1,
        &["another authority"],
    );
}

#[test]
fn an_imported_authority_vouches_for_boards_of_its_tenant_and_of_no_other() {
    let (site, hub) = Plan::boards(2).tenants(2).start();
    let own = Authority::new("Acme's own");
    let pem = file(&site, "own.pem", &own);
    let pem = pem.to_str().unwrap();
    let said = done(&site, &["authority", "import", pem, "--tenant", "tenant-0"]);
    assert!(said.contains("tenant-0/2 of tenant-0 added"), "{said}");
    for tenant in ["tenant-0", "tenant-1"] {
        let import = ["authority", "import", pem, "--tenant", tenant];
        refused(&site, &import, 1, &["that key is the authority tenant-0/2 already"]);
    }
    let root = site.root();
    let import = ["authority", "import", root.to_str().unwrap(), "--tenant", "tenant-1"];
    refused(&site, &import, 1, &["the hub's root"]);

    let register = |board: &str, tenant: &str| {
        let certificate = Certificate { hardware_id: Some(board), ..Certificate::default() };
        let identity = own.board(&certificate);
        let add = ["board", "add", board, "--tenant", tenant, "--fingerprint"];
        done(&site, &[&add[..], &[identity.fingerprint().as_str()]].concat());
        identity
    };
    let (good, bad) = (register("AC-1", "tenant-0"), register("AC-2", "tenant-1"));
    let mut board = connect(&site, &hub, &good).unwrap();
    posts(&mut board, "by the tenant's own authority");
    let shown = done(&site, &["board", "show", "AC-1"]);
    assert!(shown.contains("tenant-0/2") && !shown.contains("ends         none"), "{shown}");
    // The other tenant's board, and a copy of one that another authority of its has.
    assert_eq!(connect(&site, &hub, &bad).err(), Some(Refused::Alert(49)));
    let copied = site.of_tenant("tenant-1")[0].id.clone();
    let copy = own.board(&Certificate { hardware_id: Some(&copied), ..Certificate::default() });
    assert_eq!(connect(&site, &hub, &copy).err(), Some(Refused::Alert(49)));
    // Nor can the hub issue by it.
    refused(&site, &["authority", "use", "tenant-0/2"], 1, &["issues elsewhere"]);
    posts(&mut connect(&site, &hub, &site.boards[0].identity()).unwrap(), "of the hub's own");
    let said = done(&site, &["authority", "retire", "tenant-0/2", "--force"]);
    assert!(said.contains("1 boards had certificates of it; 1 session ends"), "{said}");
    assert_eq!(next_record(&board.carrier), ALERT);
    assert_eq!(connect(&site, &hub, &good).err(), Some(Refused::Alert(UNKNOWN_AUTHORITY)));
}

#[test]
fn what_is_no_authority_is_not_imported() {
    let site = Plan::boards(1).build();
    let write = |name: &str, arguments: &[&str]| {
        let (key, pem) = (site.path("x.key").display().to_string(), site.path(name));
        let request = ["req", "-x509", "-nodes", "-subj", "/CN=x", "-keyout", &key, "-out"];
        let pem = pem.display().to_string();
        openssl(&[&request[..], &[&pem], arguments].concat());
        pem
    };
    const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ca = ["-addext", "keyUsage=critical,keyCertSign"];
    let leaf = site.boards[0].certificate.display().to_string();
    let rsa = write("rsa.pem", &[&["-newkey", "rsa:2048"], &ca[..]].concat());
    let usage = ["-addext", "keyUsage=critical,digitalSignature"];
    let usage = write("usage.pem", &[P256, &usage].concat());
    let server = ["-addext", "extendedKeyUsage=serverAuth"];
    let server = write("server.pem", &[P256, &ca, &server].concat());
    let critical = ["-addext", "1.2.3.4=critical,ASN1:UTF8String:x"];
    let critical = write("critical.pem", &[P256, &ca, &critical].concat());
    let ended = file(&site, "ended.pem", &Authority::ending("ended", -60)).display().to_string();
    let good = write("good.pem", &[P256, &ca].concat());
    let two = site.path("two.pem");
    fs::write(&two, [fs::read(&good).unwrap(), fs::read(&rsa).unwrap()].concat()).unwrap();
    let two = two.display().to_string();
    for (file, why) in [
        (&leaf, "is no authority's"),
        (&rsa, "not on the curve P-256"),
        (&usage, "key usage is not to sign certificates"),
        (&server, "for others than clients"),
        (&critical, "no chain can be verified by it"),
        (&ended, "it has ended"),
        (&two, "several certificates"),
    ] {
        refused(&site, &["authority", "import", file, "--tenant", "tenant-0"], 1, &[why]);
    }
    done(&site, &["authority", "import", &good, "--tenant", "tenant-0"]);
    refused(&site, &["authority", "import", &good, "--tenant", "nobody"], 2, &["no tenant nobody"]);
    assert_eq!(done(&site, &["authority", "list"]).lines().count(), 3);
}
