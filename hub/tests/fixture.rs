//! A fixture is a whole hub: its layout, its store, and certificates that OpenSSL's own program
//! and x509-parser agree with.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use actors::link::keys::{KeyBlock, prf_sha256};
use hub::broker_url::BrokerUrl;
use hub::config::{Config, Source};
use hub::fixture::{FixtureError, Options, make};
use hub::trust::hardware_id;
use hub::vault::Vault;
use storage::{
    Acknowledge, BoardState, BootId, Secret, SessionName, Store, UnixSeconds, UpstreamKind,
};
use x509_parser::prelude::*;

fn options(dir: &Path, boards: u32, tenants: u32) -> Options {
    Options {
        dir: dir.to_path_buf(),
        boards,
        sleeping: 0,
        tenants,
        broker: Some("mqtts://127.0.0.1:18883".parse::<BrokerUrl>().unwrap()),
        broker_authority: None,
        listen: Some("127.0.0.1:15684".parse().unwrap()),
        monitoring: None,
        https: None,
        server_names: vec!["hub.example.com".parse().unwrap()],
        threads: 2,
        now: now(),
    }
}

fn now() -> UnixSeconds {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixSeconds(now.unwrap().as_secs())
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

fn openssl(arguments: &[&str]) -> String {
    let done = Command::new("openssl").args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn a_fixture_is_a_hub_ready_to_serve() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("hub");
    let reported = AtomicU64::new(0);
    make(&options(&dir, 1005, 2), &|boards| {
        reported.fetch_add(boards, Ordering::SeqCst);
    })
    .unwrap();
    assert_eq!(reported.into_inner(), 1005);

    let config = Config::load(&Source::File(dir.join("hub.toml"))).unwrap();
    assert_eq!(config.link.listen, "127.0.0.1:15684".parse().unwrap());
    assert!(config.link.certificate.is_file() && config.link.key.is_file());
    assert_eq!(mode(&config.link.key), 0o600);
    assert_eq!(mode(&dir.join("pki/root.key.pem")), 0o600);
    assert_eq!(mode(&dir.join("pki/tenants/tenant-1.key.pem")), 0o600);
    assert_eq!(mode(&dir.join("pki")), 0o700);

    let list = fs::read_to_string(dir.join("boards.csv")).unwrap();
    let rows: Vec<_> = list.lines().collect();
    assert_eq!(rows.len(), 1006);
    assert_eq!(rows[0], "board,tenant,path");
    assert_eq!(rows[1001], "CB-00001000,tenant-0,boards/0001/CB-00001000");

    let store = Store::open(&config.store.dir).unwrap();
    assert_eq!(store.boards().count(), 1005);
    for row in &rows[1..] {
        let mut cells = row.split(',');
        let (id, tenant, path) =
            (cells.next().unwrap(), cells.next().unwrap(), dir.join(cells.next().unwrap()));
        let board = store.boards().find(&id.parse().unwrap()).unwrap().unwrap();
        assert_eq!((board.tenant.as_str(), &board.state), (tenant, &BoardState::Active));
        let der = fs::read(path.with_extension("cert.der")).unwrap();
        assert_eq!(hardware_id(&der).unwrap().as_str(), id);
        let digest = openssl::sha::sha256(&der);
        assert_eq!(board.fingerprint.unwrap().as_bytes(), &digest);
        assert_eq!(mode(&path.with_extension("key.pem")), 0o600);
        assert_eq!(mode(&path.with_extension("key.der")), 0o600);
    }

    let tenant = "tenant-1".parse().unwrap();
    let routes = store.routes().of_tenant(&tenant).unwrap();
    let of = |resource: &str| routes.iter().find(|r| r.resource.as_str() == resource).unwrap();
    assert_eq!(of("t").upstream.as_str(), "broker");
    assert_eq!(of("t").acknowledge, Acknowledge::OnUpstream);
    assert_eq!(of("d").upstream.as_str(), "discard");
    assert_eq!(of("d").acknowledge, Acknowledge::OnReceive);
    let upstreams = store.upstreams().of_tenant(&tenant).unwrap();
    let brokers = upstreams.iter().filter(|u| matches!(u.kind, UpstreamKind::Mqtt(_))).count();
    assert_eq!((upstreams.len(), brokers), (2, 1));
}

#[test]
fn sleeping_boards_have_a_session_each_under_the_listed_name_and_the_seeds_keys() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("hub");
    make(&Options { sleeping: 3, ..options(&dir, 2, 2) }, &|_| {}).unwrap();

    let config = Config::load(&Source::File(dir.join("hub.toml"))).unwrap();
    let store = Store::open(&config.store.dir).unwrap();
    let vault = Vault::unlock(&config, &store, now()).unwrap();
    let sessions = store.sessions(vault.keyring(), BootId::of_this_boot().unwrap()).unwrap();
    assert_eq!((store.boards().count(), sessions.count()), (5, 3));

    let list = fs::read(dir.join("sleeping.bin")).unwrap();
    let (seed, ids) = list.split_first_chunk::<48>().unwrap();
    for (number, id) in (0_u32..).zip(ids.as_chunks::<6>().0) {
        let board = format!("CB-{:08}", 2 + number).parse().unwrap();
        let mut session_id = [0; 16];
        prf_sha256(seed, b"session id", &number.to_be_bytes(), &mut session_id);
        let session = sessions.resumable(&session_id).unwrap().unwrap();
        assert_eq!(session.board, board);
        assert_eq!(session.name, SessionName::ConnectionId(*id));
        assert_eq!(session.write_cid, number.to_be_bytes());
        let mut random = [0; 32];
        random[..4].copy_from_slice(&number.to_be_bytes());
        let keys = KeyBlock::derive(seed, &random, &[0; 32]);
        assert_eq!(session.keys, Secret(*keys.to_bytes()));
        let registered = store.boards().find(&board).unwrap().unwrap();
        assert_eq!(registered.fingerprint, Some(session.fingerprint));
    }
}

#[test]
fn openssl_and_x509_parser_accept_the_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    make(&options(dir, 3, 2), &|_| ()).unwrap();
    let file = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let (root, tenant, other) =
        (file("pki/root.pem"), file("pki/tenants/tenant-1.pem"), file("pki/tenants/tenant-0.pem"));
    let board = file("boards/0000/CB-00000001.cert.pem");

    openssl(&["verify", "-x509_strict", "-CAfile", &root, &tenant]);
    openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        &root,
        "-untrusted",
        &tenant,
        &board,
    ]);
    openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-verify_hostname",
        "hub.example.com",
        "-CAfile",
        &root,
        &file("pki/server.pem"),
    ]);
    for refused in [
        vec!["verify", "-CAfile", &root, "-untrusted", &other, &board],
        vec!["verify", "-purpose", "sslserver", "-CAfile", &root, "-untrusted", &tenant, &board],
    ] {
        let done = Command::new("openssl").args(&refused).output().unwrap();
        assert!(!done.status.success(), "{refused:?}");
    }
    // Each key is in all its encodings the key of its certificate.
    let of_certificate = openssl(&["x509", "-in", &board, "-noout", "-pubkey"]);
    for (key, form) in [("key.pem", "PEM"), ("key.der", "DER")] {
        let key = file(&format!("boards/0000/CB-00000001.{key}"));
        assert_eq!(openssl(&["pkey", "-in", &key, "-inform", form, "-pubout"]), of_certificate);
    }

    let parsed = |name: &str| {
        let pem = fs::read(dir.join(name)).unwrap();
        let (_, pem) = parse_x509_pem(&pem).unwrap();
        pem.contents
    };
    let (root, tenant, board, server) = (
        parsed("pki/root.pem"),
        parsed("pki/tenants/tenant-1.pem"),
        parsed("boards/0000/CB-00000001.cert.pem"),
        parsed("pki/server.pem"),
    );
    let of = |der: &'static [u8]| X509Certificate::from_der(der).unwrap().1;
    let leaked = |der: Vec<u8>| of(Box::leak(der.into_boxed_slice()));
    let (root, tenant, board, server) =
        (leaked(root), leaked(tenant), leaked(board), leaked(server));
    let path_length =
        |c: &X509Certificate<'_>| c.basic_constraints().unwrap().unwrap().value.path_len_constraint;
    assert_eq!((path_length(&root), path_length(&tenant)), (Some(1), Some(0)));
    assert!(tenant.is_ca() && !board.is_ca() && !server.is_ca());
    for certificate in [&root, &tenant, &board, &server] {
        assert_eq!(certificate.version(), X509Version::V3);
        assert!(certificate.raw_serial().len() <= 17);
        assert!(certificate.extensions().iter().any(|extension| {
            matches!(extension.parsed_extension(), ParsedExtension::SubjectKeyIdentifier(_))
        }));
    }
    for certificate in [&tenant, &board, &server] {
        assert!(certificate.extensions().iter().any(|extension| {
            matches!(extension.parsed_extension(), ParsedExtension::AuthorityKeyIdentifier(_))
        }));
    }
    let usage = board.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && !usage.value.key_cert_sign());
    assert!(board.extended_key_usage().unwrap().unwrap().value.client_auth);
    assert!(server.extended_key_usage().unwrap().unwrap().value.server_auth);
    assert_eq!(root.validity().not_after.timestamp(), 253_402_300_799);
    let life = board.validity().not_after.timestamp() - board.validity().not_before.timestamp();
    assert_eq!(life, (20 * 1461 / 4 + 1) * 86_400);
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "x").unwrap();
    let refused = make(&options(folder.path(), 1, 1), &|_| ());
    assert!(matches!(refused, Err(FixtureError::NotEmpty { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
