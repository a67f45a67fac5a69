//! The root's rollover: boards that know the root before, and those that know the next one alone, believe
//! the hub at every step; what is shown leads to both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::x509::X509;
use tokio::sync::watch;
use virtual_board::{Connector, Fixture, Fleet, Plan as BoardPlan, Tally, run_fleet};

use crate::rig::board::Board;
use crate::rig::client::{Client, Refused};
use crate::rig::command::{done, refused};
use crate::rig::hub::Hub;
use crate::rig::process::{Finished, Process};
use crate::rig::site::{Plan, Site};
use crate::rig::{PATIENCE, eventually, free_tcp};

const BOARDS: usize = 3;

/// One of the hub's two servers.
#[derive(Clone, Copy)]
enum Server {
    Coaps(SocketAddr),
    Https(SocketAddr),
}

fn s_client(site: &Site, server: Server, root: &Path) -> Finished {
    let board = &site.boards[BOARDS];
    let mut command = Command::new("openssl");
    command.args(["s_client", "-showcerts", "-verify_return_error", "-nocommands", "-CAfile"]);
    command.arg(root).arg("-cert").arg(&board.certificate).arg("-key").arg(&board.key);
    match server {
        Server::Coaps(address) => command.args(["-dtls1_2", "-connect", &address.to_string()]),
        Server::Https(address) => command.args(["-connect", &address.to_string()]),
    };
    Process::run(&mut command, PATIENCE)
}

/// What a server shows, its own certificate first.
fn shown(site: &Site, server: Server, root: &Path) -> Vec<X509> {
    let said = s_client(site, server, root).stdout;
    let behind = said.split("-----BEGIN CERTIFICATE-----").skip(1);
    let whole = behind.map(|text| {
        let body = text.split("-----END").next().unwrap();
        format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----\n")
    });
    // The server's own is printed once more behind the chain.
    let mut all: Vec<X509> =
        whole.map(|pem| X509::from_pem(pem.as_bytes()).expect("a certificate")).collect();
    if all.len() > 1
        && all.first().map(|it| it.to_der().unwrap()) == all.last().map(|it| it.to_der().unwrap())
    {
        all.pop();
    }
    all
}

fn in_file(site: &Site) -> Vec<Vec<u8>> {
    let pem = std::fs::read(site.path("pki/server.pem")).unwrap();
    X509::stack_from_pem(&pem).unwrap().iter().map(|it| it.to_der().unwrap()).collect()
}

/// Both servers show what is in the file, to whoever knows this root.
fn both_show(site: &Site, servers: [Server; 2], root: &Path, count: usize) {
    let wanted = in_file(site);
    assert_eq!(wanted.len(), count);
    for server in servers {
        eventually("a server shows what is in its file", PATIENCE, || {
            let all = shown(site, server, root);
            let all: Vec<_> = all.iter().map(|it| it.to_der().unwrap()).collect();
            (all == wanted).then_some(())
        });
    }
}

fn posts(site: &Site, hub: &Hub, root: &Path) -> Result<(), Refused> {
    let client = Client::connect(hub.listen, root, &site.boards[BOARDS].identity())?;
    assert_eq!(Board::new(client).post("d", b"21.5").message.dotted(), "2.04");
    Ok(())
}

fn copy(site: &Site, of: &str, to: &str) -> PathBuf {
    let to = site.path(to);
    std::fs::copy(site.path(of), &to).unwrap();
    to
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn boards_that_know_either_root_believe_the_hub_before_during_and_after() {
    // The last board is a client of OpenSSL's, which learns no root; the others learn.
    let https = free_tcp();
    let plan = Plan::boards(BOARDS + 1).set("https", "listen", https.to_string());
    let (site, mut hub) = plan.set("https", "enabled", true).start();
    let made = seconds();
    let servers = [Server::Coaps(hub.listen), Server::Https(https)];
    let old = copy(&site, "pki/root.pem", "old.pem");
    let fixture = Fixture::new(&site.path(""));
    let connector = || Connector::new(hub.listen, "localhost", &old, 8).unwrap();
    let fleet = Fleet {
        identities: fixture.boards(0, BOARDS).unwrap(),
        connector: connector(),
        plan: BoardPlan {
            interval: Duration::from_millis(200),
            resource: String::from("d"),
            ..BoardPlan::default()
        },
        seed: 3,
        tally: Arc::<Tally>::default(),
    };
    let (stop, stopped) = watch::channel(false);
    let fleet = std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(run_fleet(fleet, stopped))
    });
    both_show(&site, servers, &old, 1);
    posts(&site, &hub, &old).unwrap();
    refused(&site, &["ca", "root", "use"], 1, &["there is no next root"]);
    refused(&site, &["ca", "root", "finish"], 1, &["no root before"]);

    eventually("a later second", PATIENCE, || (seconds() > made).then_some(()));
    let said = done(&site, &["ca", "root", "new"]);
    assert!(said.contains("root.next.pem") && said.contains("4 boards have not renewed"), "{said}");
    let before = in_file(&site);
    done(&site, &["ca", "root", "new"]);
    assert_eq!(before[0], in_file(&site)[0], "the server's own is the same");
    let new = copy(&site, "pki/root.next.pem", "new.pem");
    for root in [&old, &new] {
        both_show(&site, servers, root, 2);
        posts(&site, &hub, root).unwrap();
    }
    refused(&site, &["ca", "root", "finish", "--force"], 1, &["no root before"]);

    let said = done(&site, &["ca", "root", "use"]);
    assert!(said.contains("`ca root finish` is next"), "{said}");
    assert_eq!(std::fs::read(site.root()).unwrap(), std::fs::read(&new).unwrap());
    done(&site, &["ca", "server", "renew"]);
    for root in [&new, &old] {
        both_show(&site, servers, root, 2);
        posts(&site, &hub, root).unwrap();
    }
    refused(&site, &["ca", "root", "new"], 1, &["not finished"]);

    // Boards that renew under an authority of the next root have taken that root before.
    done(&site, &["authority", "add", "tenant-0"]);
    let verify = ["verify", "-CAfile"];
    let second = site.path("pki/tenants/tenant-0.2.pem");
    let verified =
        Process::run(Command::new("openssl").args(verify).arg(&new).arg(&second), PATIENCE);
    assert!(verified.status.success(), "{verified:?}");
    done(&site, &["authority", "use", "tenant-0/2"]);
    refused(&site, &["ca", "root", "finish"], 1, &["4 boards may know the root before alone"]);
    let pace = ["--per-minute", "6000"];
    let campaign = ["campaign", "new", "--from", "tenant-0/1", "--to", "tenant-0/2"];
    done(&site, &[&campaign[..], &pace].concat());
    done(&site, &["campaign", "start", "1"]);
    eventually("the boards that can have renewed", 4 * PATIENCE, || {
        let said = done(&site, &["ca", "root", "show"]);
        said.contains("\n1 boards have not renewed").then_some(())
    });
    refused(&site, &["ca", "root", "finish"], 1, &["1 boards may know"]);
    stop.send_replace(true);
    let end = fleet.join().unwrap();
    assert_eq!((end.renewed, end.handshakes_failed, end.rejected), (3, 0, 0), "{end:?}");

    done(&site, &["ca", "root", "finish", "--force"]);
    both_show(&site, servers, &new, 1);
    posts(&site, &hub, &new).unwrap();
    assert!(matches!(posts(&site, &hub, &old), Err(Refused::Failed(_))));
    // Made with the old root, they were given the new one.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for identity in fixture.boards(0, BOARDS).unwrap() {
            connector().connect(&identity).await.expect("a session").close().await;
        }
    });
    assert_eq!(hub.metric("hub_handshakes_total", &[("outcome", "refused")]), 0.0, "{}", hub.log());
    let log = done(&site, &["audit", "list", "--json"]);
    for what in ["new", "use", "finish"] {
        assert!(log.contains(&format!("\"root.{what}\"")), "{what}: {log}");
    }
    // Another one, by which nobody is left behind either.
    done(&site, &["ca", "root", "new"]);
    both_show(&site, servers, &new, 2);
    assert!(hub.terminate(PATIENCE).success());
}
