//! Enrolment where boards are made, on the real program: an EST client that is not ours, and
//! whoever tries to get a certificate that is not theirs.

use crate::rig::est::{Answer, Factory, base64_of, fingerprint_of, openssl};
use crate::rig::pki::{Authority, Certificate};

const ENROL: &str = "tenant-0/simpleenroll";
const RENEW: &str = "tenant-0/simplereenroll";

fn started() -> Factory {
    let mut factory = Factory::new();
    factory.start();
    factory
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(reason), "{answer:?}");
    assert_eq!(answer.body.lines().count(), 1, "{answer:?}");
}

#[test]
fn a_foreign_client_reads_the_authorities_and_what_to_ask_for() {
    let factory = started();
    let answer = factory.curl("tenant-0/cacerts", &[]);
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/pkcs7-mime"), "{}", answer.head);
    let file = factory.file("cacerts");
    std::fs::write(&file, answer.armoured()).unwrap();
    let said = openssl(&["pkcs7", "-in", &file, "-print_certs"]);
    assert_eq!(said.matches("BEGIN CERTIFICATE").count(), 2, "{said}");
    assert!(said.contains("Cellular Hub root") && said.contains("tenant-0's boards"), "{said}");

    let answer = factory.curl("cacerts", &[]);
    assert_eq!(answer.status, 200);
    let answer = factory.curl("csrattrs", &[]);
    assert!(answer.head.contains("application/csrattrs"), "{}", answer.head);
    assert_refused(&factory.curl("nobody/cacerts", &[]), 404, "no tenant nobody");
    assert_refused(&factory.curl("A B/cacerts".replace(' ', "%20").as_str(), &[]), 404, "label");
}

#[test]
fn a_station_enrols_a_board_and_the_board_renews_itself() {
    let mut factory = started();
    let csr = factory.request("CB-S1");
    let first = factory.post_as("line", ENROL, &csr);
    assert!(first.head.contains("smime-type=certs-only"), "{}", first.head);
    let pem = factory.keep("CB-S1", &first);
    factory.verify(&pem);
    // The same request again, because the answer was lost: the same certificate.
    let again = factory.post_as("line", ENROL, &csr);
    assert_eq!(again.body, first.body);

    // The names of a renewal are those of the certificate.
    let config = factory.renewal_config("CB-S1");
    let first = fingerprint_of(&pem);
    assert_refused(&factory.post_as("CB-S1", RENEW, &csr), 403, "alternative name");
    let csr = factory.request_with("CB-S1", &["-config", &config]);
    let renewed = factory.post_as("CB-S1", RENEW, &csr);
    let other_tenant = factory.post_as("CB-S1", "tenant-1/simplereenroll", &csr);
    let pem = factory.keep("CB-S1", &renewed);
    factory.verify(&pem);
    assert_refused(&other_tenant, 403, "tenant-1 is not its label");

    factory.stop();
    // The old one is the board's until the new one has been used.
    let now = fingerprint_of(&pem);
    assert_ne!(now, first);
    assert_eq!(factory.registered("CB-S1"), Some(first));
    {
        let store = factory.site.store();
        let board = store.boards().find(&"CB-S1".parse().unwrap()).unwrap().unwrap();
        let renewal = store.renewals().of(&board).unwrap().unwrap();
        assert_eq!(renewal.fingerprint.to_string(), now);
    }
    let shown = factory.done(&["batch", "show", "spring", "--tenant", "tenant-0"]);
    assert!(shown.contains("enrolled     1"), "{shown}");
}

#[test]
fn a_station_that_is_revoked_enrols_nobody_and_what_it_enrolled_stays() {
    let mut factory = started();
    let pem = factory.keep("CB-S1", &factory.post_as("line", ENROL, &factory.request("CB-S1")));
    factory.stop();
    let listed = factory.done(&["station", "list", "--tenant", "tenant-0", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(listed.trim()).unwrap();
    let station = listed["fingerprint"].as_str().unwrap();
    assert_eq!((&listed["name"], &listed["batches"][0]), (&"line".into(), &"spring".into()));
    assert_eq!(station, fingerprint_of(&factory.path("line.pem")));
    assert_eq!(factory.done(&["station", "list", "--tenant", "tenant-1", "--json"]).trim(), "");
    factory.start();
    factory.done(&["station", "revoke", station, "--reason", "key-compromise"]);
    let refused = factory.post_as("line", ENROL, &factory.request("CB-S2"));
    assert_refused(&refused, 403, "revoked");
    let twice = factory.command(&["station", "revoke", station]);
    assert_eq!(twice.status.code(), Some(1));
    let unknown = factory.command(&["station", "revoke", &"0".repeat(64)]);
    assert_eq!(unknown.status.code(), Some(2));
    factory.stop();
    assert_eq!(factory.registered("CB-S1"), Some(fingerprint_of(&pem)));
    assert!(factory.done(&["station", "list"]).contains("revoked"));
}

#[test]
fn a_token_enrols_one_board_and_no_more() {
    let mut factory = Factory::new();
    let (token, other) = (factory.token("spring"), factory.token("spring"));
    factory.start();
    let csr = factory.request("CB-S2");
    let basic = format!("token:{token}");
    let pem = factory.keep("CB-S2", &factory.post(ENROL, &["-u", &basic], &csr));
    factory.verify(&pem);
    assert_refused(&factory.post(ENROL, &["-u", &basic], &csr), 401, "was used before");
    let next = factory.request("CB-S3");
    assert_refused(&factory.post(ENROL, &["-u", &basic], &next), 401, "was used before");
    let counted = |outcome| {
        let labels = [("way", "https"), ("kind", "enrol"), ("outcome", outcome)];
        factory.metric("hub_enrolments_total", &labels)
    };
    assert_eq!((counted("issued"), counted("unauthenticated")), (1.0, 2.0));
    let bearer = format!("Authorization: Bearer {other}");
    let elsewhere = factory.post("tenant-1/simpleenroll", &["-H", &bearer], &next);
    assert_refused(&elsewhere, 403, "tenant-1 is not its label");
    factory.keep("CB-S3", &factory.post("simpleenroll", &["-H", &bearer], &next));
    let unknown = factory.post(ENROL, &["-u", "token:x"], &next);
    assert_refused(&unknown, 401, "the token is unknown");
    assert!(unknown.head.contains("www-authenticate: Basic"), "{}", unknown.head);
    assert_refused(&factory.post(ENROL, &["-u", "admin:x"], &next), 401, "the user `token`");
    assert_refused(&factory.post(ENROL, &[], &next), 401, "show who you are");
}

#[test]
fn a_token_that_has_expired_and_a_batch_that_is_closed_enrol_nobody() {
    let mut factory = Factory::new();
    let token = factory.token("spring");
    let digest = storage::TokenDigest::of(&token);
    factory.batch("tenant-0", "autumn", &["--prefix", "CB-A", "--max", "1"]);
    factory.station("autumn", "tenant-0", &["autumn"]);
    factory.done(&["batch", "close", "autumn", "--tenant", "tenant-0"]);
    let twice = factory.command(&["batch", "close", "autumn", "--tenant", "tenant-0"]);
    assert_eq!(twice.status.code(), Some(1));
    {
        let store = factory.site.store();
        let mut kept = store.find_token(&digest).unwrap().unwrap();
        kept.expires = storage::UnixSeconds(1_700_000_000);
        store.put_token(&digest, &kept).unwrap();
    }
    factory.start();
    let csr = factory.request("CB-S4");
    let basic = format!("token:{token}");
    assert_refused(&factory.post(ENROL, &["-u", &basic], &csr), 401, "has expired");
    let csr = factory.request("CB-A1");
    assert_refused(&factory.post_as("autumn", ENROL, &csr), 403, "batch autumn is closed");
}

#[test]
fn a_station_reaches_only_its_batches_and_its_tenant() {
    let mut factory = Factory::new();
    let listed = factory.path("ids");
    std::fs::write(&listed, "# serials\nCB-L1\nCB-L2\n").unwrap();
    factory.batch("tenant-0", "listed", &["--ids", listed.to_str().unwrap()]);
    factory.batch("tenant-1", "spring", &["--prefix", "CB-", "--max", "1"]);
    factory.station("wide", "tenant-0", &["spring", "listed"]);
    factory.station("other", "tenant-1", &["spring"]);
    factory.start();

    let outside = factory.request("CB-L1");
    assert_refused(&factory.post_as("line", ENROL, &outside), 403, "not of batch spring");
    factory.keep("CB-L1", &factory.post_as("wide", ENROL, &outside));
    let nowhere = factory.request("CB-L3");
    assert_refused(&factory.post_as("wide", ENROL, &nowhere), 403, "CB-L3 is not of batch");

    // The other tenant's station: with this tenant's label, and with its own for this tenant's board.
    let csr = factory.request("CB-S5");
    factory.keep("CB-S5", &factory.post_as("line", ENROL, &csr));
    assert_refused(&factory.post_as("other", ENROL, &csr), 403, "this is tenant tenant-1's");
    let taken = factory.post_as("other", "tenant-1/simpleenroll", &csr);
    assert_refused(&taken, 403, "belongs to another tenant");
    // Its one board.
    let csr = factory.request("CB-X1");
    factory.keep("CB-X1", &factory.post_as("other", "simpleenroll", &csr));
    let csr = factory.request("CB-X2");
    assert_refused(&factory.post_as("other", "simpleenroll", &csr), 403, "all of its 1 boards");
}

#[test]
fn a_board_in_the_field_keeps_its_certificate() {
    let mut factory = Factory::new();
    let board = "CB-00000000".parse().unwrap();
    factory.batch("tenant-0", "field", &["--prefix", "CB-0", "--max", "9"]);
    factory.station("field", "tenant-0", &["field"]);
    let before = factory.registered("CB-00000000");
    factory.site.store().boards().mark_seen(&[(board, storage::UnixSeconds(1))]).unwrap();
    factory.start();
    let csr = factory.request("CB-00000000");
    assert_refused(&factory.post_as("field", ENROL, &csr), 403, "is in the field");
    factory.stop();
    assert_eq!(factory.registered("CB-00000000"), before);
}

#[test]
fn certificates_that_are_no_stations_are_refused() {
    let factory = started();
    let csr = factory.request("CB-S6");
    // A board's own certificate, of the same authority.
    let board = &factory.site.boards[0];
    let (pem, key) = (board.certificate.to_str().unwrap(), board.key.to_str().unwrap());
    let as_board = factory.post(ENROL, &["--cert", pem, "--key", key], &csr);
    assert_refused(&as_board, 403, "not a station's");

    let write = |name: &str, authority: &str, key: &str, days: &[&str]| {
        let extensions = factory.file("station.ext");
        let text =
            "extendedKeyUsage=clientAuth\nsubjectAltName=URI:urn:x-cellular-hub:batch:spring\n";
        std::fs::write(&extensions, text).unwrap();
        let (out, own) =
            (factory.file(&format!("{name}.pem")), factory.file(&format!("{name}.key")));
        let request = factory.file(&format!("{name}.req"));
        let subject = "/O=tenant-0/OU=station/CN=forged";
        let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let new = ["req", "-new", "-nodes", "-subj", subject, "-keyout", &own, "-out", &request];
        openssl(&[&new[..], &ec].concat());
        let sign = ["x509", "-req", "-in", &request, "-CA", authority, "-CAkey", key, "-out", &out];
        openssl(&[&sign[..], &["-extfile", &extensions], days].concat());
    };
    // Somebody else's authority that has the tenant's name.
    let (forged_ca, forged_key) = (factory.file("forged-ca.pem"), factory.file("forged-ca.key"));
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let new = ["req", "-x509", "-nodes", "-subj", "/O=tenant-0/CN=tenant-0's boards"];
    openssl(&[&new[..], &ec, &["-keyout", &forged_key, "-out", &forged_ca]].concat());
    write("forged", &forged_ca, &forged_key, &["-days", "1"]);
    let forged = factory.post_as("forged", ENROL, &csr);
    assert_refused(&forged, 403, "not by tenant-0's authority");
    // The other tenant's true authority.
    let ca = |tenant: &str, end: &str| factory.file(&format!("pki/tenants/{tenant}.{end}"));
    write("foreign", &ca("tenant-1", "pem"), &ca("tenant-1", "key.pem"), &["-days", "1"]);
    assert_refused(&factory.post_as("foreign", ENROL, &csr), 403, "not by tenant-0's authority");
    // A true one that has ended.
    write("ended", &ca("tenant-0", "pem"), &ca("tenant-0", "key.pem"), &["-days", "-1"]);
    assert_refused(&factory.post_as("ended", ENROL, &csr), 403, "certificate has expired");
    write("true", &ca("tenant-0", "pem"), &ca("tenant-0", "key.pem"), &["-days", "1"]);
    factory.keep("CB-S6", &factory.post_as("true", ENROL, &csr));

    // A renewal with a certificate of the tenant's authority that the hub has not issued.
    let authority: Authority = factory.site.authority("tenant-0");
    let copy = authority.board(&Certificate::default());
    copy.write(&factory.path("copy.pem"), &factory.path("copy.key"));
    let renewed = factory.post_as("copy", RENEW, &factory.request("CB-00000000"));
    assert_refused(&renewed, 403, "not the one the hub knows");
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    let factory = started();
    let refused = |body: &str, status, reason: &str| {
        assert_refused(&factory.post_as("line", ENROL, body), status, reason);
    };
    refused("?!", 400, "not base64");
    refused("", 400, "signing request");
    refused("MAMCAQE=", 400, "not one whole signing request");
    refused(&"A".repeat(100_000), 413, "more than");
    refused(&"A".repeat(6000), 400, "more than 4096 bytes");

    let rsa = factory.request_with("weak", &["-newkey", "rsa:1024", "-subj", "/CN=CB-S7"]);
    refused(&rsa, 400, "not on the curve P-256");
    let subject = ["-subj", "/CN=CB-S7"];
    for how in [
        "ec_paramgen_curve:prime192v1",
        "ec_paramgen_curve:secp224r1",
        "ec_paramgen_curve:P-384",
        "ec_paramgen_curve:secp256k1",
        "ec_param_enc:explicit",
    ] {
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", how];
        let csr = factory.request_with("weak", &[&curve[..], &subject].concat());
        refused(&csr, 400, "not on the curve P-256");
    }
    let sha1 = factory.request_with("sha1", &[&subject[..], &["-sha1"]].concat());
    refused(&sha1, 400, "not signed with ECDSA over SHA-256");
    refused(&factory.request_with("nobody", &["-subj", "/O=x"]), 400, "names no hardware id");
    let mut bytes =
        openssl::base64::decode_block(&factory.request("CB-S7").replace('\n', "")).unwrap();
    let whole = bytes.clone();
    *bytes.last_mut().unwrap() ^= 1;
    refused(&openssl::base64::encode_block(&bytes), 400, "not signed with the key");
    // A point that is not on the curve: behind its head 03 42 00 04.
    let mut bytes = whole;
    let at = bytes.windows(4).position(|it| it == [3, 0x42, 0, 4]).unwrap();
    bytes[at + 40] ^= 1;
    refused(&openssl::base64::encode_block(&bytes), 400, "not on the curve P-256");

    let pem = base64_of(&factory.file("CB-S7.csr"));
    let (cert, key) = (factory.file("line.pem"), factory.file("line.key"));
    let json =
        ["-H", "Content-Type: application/json", "--data", &pem, "--cert", &cert, "--key", &key];
    assert_refused(&factory.curl(ENROL, &json), 400, "application/pkcs10");
    assert_eq!(factory.curl("tenant-0/simpleenroll", &[]).status, 405);
    assert_refused(&factory.curl("tenant-0/fullcmc", &[]), 404, "nothing here");
}

/// What strongSwan's `pki` gives out, an EST client with a TLS of its own.
fn strongswan(factory: &Factory, arguments: &[&str]) -> Vec<u8> {
    let mut pki = std::process::Command::new("pki");
    pki.args(arguments).current_dir(factory.path(""));
    let done = pki.output().expect("strongSwan's pki; scripts/install installs it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments:?}: {said}");
    done.stdout
}

/// It cannot renew: its requests have no room for the hardwareModuleName that a renewal's names hold.
#[test]
fn strongswans_client_fetches_the_authorities_and_enrols_with_a_token() {
    let mut factory = Factory::new();
    let userpass = format!("token:{}", factory.token("spring"));
    factory.start();
    let (url, root) = (factory.address(), factory.file("pki/root.pem"));
    let tenant = factory.file("pki/tenants/tenant-0.pem");
    let server = ["--url", &url, "--cacert", &root];
    strongswan(&factory, &[&["--estca"][..], &server, &["--caout", "estca"]].concat());

    let key = strongswan(&factory, &["--gen", "--type", "ecdsa", "--size", "256"]);
    std::fs::write(factory.path("swan.key"), key).unwrap();
    let request = ["--req", "--type", "ecdsa", "--in", "swan.key", "--dn", "CN=CB-S1"];
    std::fs::write(factory.path("swan.csr"), strongswan(&factory, &request)).unwrap();
    let how = ["--in", "swan.csr", "--cacert", &tenant, "--userpass", &userpass];
    let enrol = [&["--est"][..], &server, &how, &["--outform", "pem"]].concat();
    std::fs::write(factory.path("swan.pem"), strongswan(&factory, &enrol)).unwrap();
    factory.verify(&factory.path("swan.pem"));
}
