//! Writes one certificate of each profile, and a revocation list, for linters: `profiles FOLDER`.
#![expect(clippy::unwrap_used, reason = "whoever runs this sees why")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use hub::trust::keys::{KeyLabel, KeyStore, MemoryStore, PublicKey};
use hub::trust::{Authority, Expiry, Issued, Revoked, STATION_YEARS, Station, new_key, pem};
use storage::{RevocationReason, TenantId, UnixSeconds};

fn main() {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    let now = UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let write_issued = |name: &str, issued: &Issued| write(name, issued.to_pem());

    let keys = Arc::new(MemoryStore::default());
    let store = || Arc::clone(&keys) as Arc<dyn KeyStore>;
    keys.generate(&KeyLabel::ROOT).unwrap();
    let root = Authority::new_root(store(), KeyLabel::ROOT, now).unwrap();
    write("root.pem", pem("CERTIFICATE", root.certificate()));

    let acme: TenantId = "acme".parse().unwrap();
    let label = KeyLabel::tenant(&acme);
    let tenant = root.issue_tenant(&acme, 1, &keys.generate(&label).unwrap(), now).unwrap();
    write_issued("tenant.pem", &tenant);
    let tenant = Authority::new(tenant.into_der(), store(), label).unwrap();

    let key = PublicKey::of(&new_key().unwrap()).unwrap();
    let names = ["hub.example.com".parse().unwrap(), "192.0.2.1".parse().unwrap()];
    write_issued("server.pem", &root.issue_server(&names, &key, now).unwrap());

    let board = "CB-1".parse().unwrap();
    let issued = tenant.issue_board(&board, &key, Expiry::Years(20), now).unwrap();
    write_issued("board.pem", &issued);
    let endless = tenant.issue_board(&board, &key, Expiry::Never, now).unwrap();
    write_issued("board-endless.pem", &endless);

    let batches = [String::from("2026-11")];
    let station = Station { name: "line 1", tenant: &acme, batches: &batches };
    let expiry = Expiry::Years(STATION_YEARS);
    write_issued("station.pem", &tenant.issue_station(station, &key, expiry, now).unwrap());

    let revoked = |issued: &Issued, reason| Revoked {
        serial: issued.serial().as_bytes().to_vec(),
        since: now,
        reason,
    };
    let list = [
        revoked(&issued, RevocationReason::KeyCompromise),
        revoked(&endless, RevocationReason::Unspecified),
    ];
    let next = UnixSeconds(now.0 + 24 * 60 * 60);
    write("tenant.crl", pem("X509 CRL", &tenant.sign_crl(&list, 1, now, next).unwrap()));
    write("empty.crl", pem("X509 CRL", &root.sign_crl(&[], 7, now, next).unwrap()));
}
