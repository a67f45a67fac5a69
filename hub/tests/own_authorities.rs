//! Boards of a tenant's own authority: named by whatever field it chose, registered at their first
//! contact within limits, and kept within what the authority's certificate bounds.

use std::net::UdpSocket;
use std::path::PathBuf;

use openssl::x509::X509;
use serde_json::Value;

use crate::rig::board::Board;
use crate::rig::client::{Client, Refused, Settings, untouched};
use crate::rig::command::{done, refused};
use crate::rig::hub::Hub;
use crate::rig::pki::{Authority, Certificate, Identity};
use crate::rig::records::Record;
use crate::rig::site::{Plan, Site};

const BAD_CERTIFICATE: i32 = 42;
const REVOKED: i32 = 44;
const UNKNOWN: i32 = 46;
const UNKNOWN_AUTHORITY: i32 = 48;

fn connect(site: &Site, hub: &Hub, identity: &Identity) -> Result<Board<Client>, Refused> {
    with_chain(site, hub, identity, vec![])
}

fn with_chain(
    site: &Site,
    hub: &Hub,
    identity: &Identity,
    chain: Vec<X509>,
) -> Result<Board<Client>, Refused> {
    let socket = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let settings = Settings { chain, ..Settings::default() };
    let (root, who) = (site.root(), Some(identity));
    Client::connect_with(socket, hub.listen, &root, who, &settings, &mut untouched).map(Board::new)
}

fn posts(board: &mut Board<Client>) {
    assert_eq!(board.post("d", b"21.5 Cel").message.dotted(), "2.04");
}

fn named(authority: &Authority, name: &str) -> Identity {
    let (hardware_id, common_name) = (None, Some(name));
    authority.board(&Certificate { hardware_id, common_name, ..Certificate::default() })
}

fn import(site: &Site, authority: &Authority, more: &[&str]) {
    let file: PathBuf = site.path(&format!("{}.pem", authority.common_name()));
    authority.write_certificate(&file);
    let command = ["authority", "import", file.to_str().unwrap(), "--tenant", "tenant-0"];
    done(site, &[&command[..], more].concat());
}

fn batch(site: &Site, name: &str, prefix: &str, max: &str) {
    let add = ["batch", "add", name, "--tenant", "tenant-0", "--prefix", prefix, "--max", max];
    done(site, &add);
}

fn shown(site: &Site, board: &str) -> Value {
    serde_json::from_str(&done(site, &["board", "show", board, "--json"])).unwrap()
}

#[test]
fn boards_register_themselves_within_a_batch_and_are_refused_outside_of_it() {
    let (site, hub) = Plan::boards(1).start();
    batch(&site, "fleet", "AC-", "2");
    let own = Authority::new("acme");
    let rule = ["--id-from", "CN", "--register", "fleet", "--label", "site=munich"];
    import(&site, &own, &rule);
    let first = named(&own, "AC-1");
    let mut board = connect(&site, &hub, &first).expect("a first contact");
    posts(&mut board);
    let kept = shown(&site, "AC-1");
    assert_eq!(
        (&kept["labels"]["site"], &kept["labels"]["batch"]),
        (&"munich".into(), &"fleet".into())
    );
    assert_eq!((&kept["issuer"], &kept["fingerprint"]), (&2.into(), &first.fingerprint().into()));
    assert!(kept["not_after"].is_u64() && kept["serial"].is_string(), "{kept}");
    posts(&mut connect(&site, &hub, &first).expect("known by now"));
    // Another board by that name has come too late; so has one that is not of the batch.
    for (who, why) in [
        (named(&own, "AC-1"), "registered with another certificate"),
        (named(&own, "XX-1"), "batch of its authority does not take it"),
    ] {
        assert_eq!(connect(&site, &hub, &who).err(), Some(Refused::Alert(UNKNOWN)));
        hub.wait_for_log(&["handshake refused", why]);
    }
    posts(&mut connect(&site, &hub, &named(&own, "AC-2")).expect("the second of two"));
    assert_eq!(connect(&site, &hub, &named(&own, "AC-3")).err(), Some(Refused::Alert(UNKNOWN)));
    for (reason, count) in [("not_in_batch", 2.0), ("other_certificate", 1.0)] {
        let labels = [("reason", reason)];
        hub.wait_for_metric("hub_handshakes_total", &labels, |counted| counted == count);
    }
    let list = done(&site, &["batch", "list"]);
    assert!(
        list.lines().any(|line| line.starts_with("fleet") && line.contains("2         2")),
        "{list}"
    );
    refused(&site, &["board", "show", "AC-3"], 2, &["no board AC-3"]);

    done(&site, &["batch", "close", "fleet", "--tenant", "tenant-0"]);
    posts(&mut connect(&site, &hub, &first).expect("who is registered stays so"));
    done(&site, &["authority", "set", "tenant-0/2", "--refuse"]);
    assert_eq!(connect(&site, &hub, &named(&own, "AC-4")).err(), Some(Refused::Alert(UNKNOWN)));
    done(&site, &["store", "check"]);
}

#[test]
fn a_board_that_only_shows_a_certificate_registers_nothing() {
    let (site, hub) = Plan::boards(1).start();
    batch(&site, "fleet", "AC-", "10");
    let own = Authority::new("acme");
    import(&site, &own, &["--id-from", "CN", "--register", "fleet"]);
    let board = named(&own, "AC-1");
    // Whoever has heard the certificate has it, and not its key: the signature is another's.
    const CERTIFICATE_VERIFY: u8 = 15;
    let mut signatures = 0;
    let mut forge = |_: &openssl::ssl::SslRef, datagram: Vec<u8>| {
        let mut records = Record::split(&datagram);
        for record in &mut records {
            if record.epoch == 0 && record.fragment.first() == Some(&CERTIFICATE_VERIFY) {
                signatures += 1;
                *record.fragment.last_mut().unwrap() ^= 1;
            }
        }
        vec![records.iter().flat_map(Record::encode).collect()]
    };
    let socket = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (settings, root) = (Settings::default(), site.root());
    let forged =
        Client::connect_with(socket, hub.listen, &root, Some(&board), &settings, &mut forge);
    assert_eq!(forged.err(), Some(Refused::Alert(51)));
    assert!(signatures > 0);
    refused(&site, &["board", "show", "AC-1"], 2, &["no board AC-1"]);
    posts(&mut connect(&site, &hub, &board).expect("the board itself"));
}

#[test]
fn a_revoked_certificate_does_not_come_back_as_its_twin() {
    let (site, hub) = Plan::boards(1).start();
    batch(&site, "fleet", "AC-", "10");
    let own = Authority::new("acme");
    import(&site, &own, &["--id-from", "CN", "--register", "fleet"]);
    // One that the hub knows the serial number of, and one that was revoked before it ever came.
    let (seen, unseen) = (named(&own, "AC-1"), named(&own, "AC-2"));
    posts(&mut connect(&site, &hub, &seen).unwrap());
    let print = unseen.fingerprint();
    done(&site, &["board", "add", "AC-2", "--tenant", "tenant-0", "--fingerprint", &print]);
    for (board, identity) in [("AC-1", &seen), ("AC-2", &unseen)] {
        let print = identity.fingerprint();
        done(&site, &["certificate", "revoke", &print, "--reason", "key-compromise"]);
        let twin = identity.twin();
        assert_ne!(twin.fingerprint(), print);
        for gone in [identity, &twin] {
            assert_eq!(connect(&site, &hub, gone).err(), Some(Refused::Alert(REVOKED)), "{board}");
        }
        assert!(shown(&site, board)["fingerprint"].is_null());
        // Its authority may give it another.
        posts(&mut connect(&site, &hub, &named(&own, board)).expect("a certificate of its own"));
    }
}

#[test]
fn every_field_that_can_name_a_board_does_and_others_do_not() {
    let (site, hub) = Plan::boards(1).start();
    batch(&site, "fleet", "AC-", "10");
    for (field, number) in [("CN", 2), ("serialNumber", 3), ("UID", 4), ("dNSName", 5)] {
        let own = Authority::new(field);
        import(&site, &own, &["--id-from", field, "--register", "fleet"]);
        let name = format!("AC-{number}");
        let right = own.with_field(field, &name);
        posts(&mut connect(&site, &hub, &right).unwrap_or_else(|why| panic!("{field}: {why:?}")));
        assert_eq!(shown(&site, &name)["issuer"], number);
        // The hub's own field is not this authority's.
        if field != "CN" {
            let other = Certificate { hardware_id: Some("AC-9"), ..Certificate::default() };
            let refused = connect(&site, &hub, &own.board(&other)).err();
            assert_eq!(refused, Some(Refused::Alert(BAD_CERTIFICATE)), "{field}");
        }
    }
}

#[test]
fn an_authority_renews_its_boards_by_itself_where_that_is_said() {
    let (site, hub) = Plan::boards(1).start();
    batch(&site, "fleet", "AC-", "10");
    let own = Authority::new("acme");
    import(&site, &own, &["--id-from", "CN", "--register", "fleet"]);
    let lasting = |not_after| {
        let (hardware_id, common_name) = (None, Some("AC-1"));
        own.board(&Certificate { hardware_id, common_name, not_after, ..Certificate::default() })
    };
    let (first, later, sooner) = (lasting(10_000), lasting(20_000), lasting(15_000));
    posts(&mut connect(&site, &hub, &first).unwrap());
    assert_eq!(connect(&site, &hub, &later).err(), Some(Refused::Alert(UNKNOWN)));
    done(&site, &["authority", "set", "tenant-0/2", "--successors", "later"]);
    posts(&mut connect(&site, &hub, &later).expect("it ends later"));
    assert_eq!(shown(&site, "AC-1")["fingerprint"], later.fingerprint());
    assert_eq!(connect(&site, &hub, &sooner).err(), Some(Refused::Alert(UNKNOWN)));
    // What the hub has issued, the hub renews: no other authority takes its place.
    let id = &site.boards[0].id;
    posts(&mut connect(&site, &hub, &site.boards[0].identity()).unwrap());
    done(&site, &["authority", "set", "tenant-0/2", "--id-from", "CN"]);
    let taker = named(&own, id);
    assert_eq!(connect(&site, &hub, &taker).err(), Some(Refused::Alert(UNKNOWN)));
}

#[test]
fn boards_show_what_stands_between_them_and_a_root_as_deep_as_that_lets_them() {
    let (site, hub) = Plan::boards(1).start();
    batch(&site, "fleet", "AC-", "10");
    let rule = ["--id-from", "CN", "--register", "fleet"];
    let (free, bounded) = (Authority::new("free"), Authority::bounded("bounded", Some(0), None));
    import(&site, &free, &rule);
    import(&site, &bounded, &rule);
    for (root, name, taken) in [(&free, "AC-1", true), (&bounded, "AC-2", false)] {
        let between = root.below("between");
        let board = named(&between, name);
        let alone = connect(&site, &hub, &board).err();
        assert_eq!(alone, Some(Refused::Alert(UNKNOWN_AUTHORITY)), "nothing leads to the root");
        match with_chain(&site, &hub, &board, vec![between.certificate()]) {
            Ok(mut board) => assert!(taken && board.post("d", b"1").message.dotted() == "2.04"),
            Err(Refused::Alert(alert)) => assert!(!taken && alert == UNKNOWN_AUTHORITY, "{alert}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    hub.wait_for_log(&["handshake refused", "path length"]);
    posts(&mut connect(&site, &hub, &named(&bounded, "AC-3")).expect("its own boards"));
    assert_eq!(shown(&site, "AC-1")["issuer"], 2);
}

#[test]
fn boards_keep_within_the_names_of_their_authority() {
    let (site, hub) = Plan::boards(1).start();
    batch(&site, "fleet", "AC-", "10");
    let own = Authority::bounded("acme", None, Some("critical,permitted;DNS:acme.example"));
    import(&site, &own, &["--id-from", "dNSName", "--register", "fleet"]);
    let show = done(&site, &["authority", "show", "tenant-0/2"]);
    assert!(show.contains("names        constrained"), "{show}");
    posts(&mut connect(&site, &hub, &own.with_field("dNSName", "AC-1.acme.example")).unwrap());
    let outside = own.with_field("dNSName", "AC-2.other.example");
    assert_eq!(connect(&site, &hub, &outside).err(), Some(Refused::Alert(BAD_CERTIFICATE)));
    hub.wait_for_log(&["handshake refused", "name constraints"]);
    refused(&site, &["board", "show", "AC-2.other.example"], 2, &["no board"]);
}
