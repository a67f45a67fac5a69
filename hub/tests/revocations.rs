//! What is revoked, published on the real program and believed by OpenSSL's.

use std::path::Path;
use std::process::Command;

use crate::rig::PATIENCE;
use crate::rig::est::{Factory, fingerprint_of, openssl};
use crate::rig::process::Process;

const LIST: &str = "crl/tenant-0.crl";

/// What the server gave: status, head, and the body's bytes.
struct Fetched {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn fetch(factory: &Factory, path: &str, how: &[&str]) -> Fetched {
    let (head, body) = (factory.path("fetched.head"), factory.path("fetched.body"));
    let _ = std::fs::remove_file(&body);
    let mut curl = Command::new("curl");
    curl.args(["-s", "-S", "--http1.1", "--max-time", "20", "--noproxy", "*"]);
    curl.arg("--cacert").arg(factory.site.root()).args(how);
    curl.arg("-D").arg(&head).arg("-o").arg(&body);
    curl.arg(format!("https://{}/{path}", factory.https));
    let done = Process::run(&mut curl, PATIENCE);
    assert!(done.status.success(), "{path}: {done:?}");
    let head = std::fs::read_to_string(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Fetched { status, head, body: std::fs::read(body).unwrap_or_default() }
}

impl Fetched {
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name}: {}", self.head))
    }

    #[track_caller]
    fn assert_refused(&self, status: u16, reason: &str) {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{body}");
        assert!(body.contains(reason), "{body}");
        assert_eq!(body.lines().count(), 1, "{body}");
    }
}

/// A hub with three boards, which have enrolled.
fn enrolled() -> Factory {
    let mut factory = Factory::new();
    factory.start();
    for id in ["CB-S1", "CB-S2", "CB-S3"] {
        let csr = factory.request(id);
        let answer = factory.post_as("line", "tenant-0/simpleenroll", &csr);
        factory.verify(&factory.keep(id, &answer));
    }
    factory
}

/// The list as it is served now, as PEM in a file, after OpenSSL has verified its signature.
fn list(factory: &Factory) -> (String, String) {
    let list = fetch(factory, LIST, &[]);
    assert_eq!(list.status, 200, "{}", list.head);
    assert_eq!(list.header("content-type"), "application/pkix-crl");
    std::fs::write(factory.path("list.crl"), &list.body).unwrap();
    read(factory, &factory.path("list.crl"))
}

/// A list's PEM file and its text.
fn read(factory: &Factory, der: &Path) -> (String, String) {
    let (der, pem) = (der.to_str().unwrap(), factory.file("list.pem"));
    let tenant = factory.file("pki/tenants/tenant-0.pem");
    let how = ["crl", "-inform", "DER", "-in", der, "-CAfile", &tenant];
    let verified = Process::run(Command::new("openssl").args(how).arg("-noout"), PATIENCE);
    assert!(verified.status.success() && verified.stderr.contains("verify OK"), "{verified:?}");
    openssl(&[&how[..], &["-out", &pem]].concat());
    let text = openssl(&["crl", "-in", &pem, "-noout", "-text"]);
    (pem, text)
}

/// Whether OpenSSL's program takes a board's certificate for good by this list.
fn is_good(factory: &Factory, list: &str, board: &str) -> bool {
    let (root, tenant) = (factory.file("pki/root.pem"), factory.file("pki/tenants/tenant-0.pem"));
    let board = factory.file(&format!("{board}.pem"));
    let how = ["verify", "-crl_check", "-CAfile", &root, "-untrusted", &tenant, "-CRLfile", list];
    let said = Process::run(Command::new("openssl").args(how).arg(board), PATIENCE);
    match said.status.success() {
        true => true,
        false => {
            assert!(said.stderr.contains("certificate revoked"), "{said:?}");
            false
        }
    }
}

#[test]
fn a_foreign_verifier_refuses_who_is_on_the_list_and_nobody_else() {
    let factory = enrolled();
    let (empty, text) = list(&factory);
    assert!(text.contains("No Revoked Certificates"), "{text}");
    assert!(["CB-S1", "CB-S2", "CB-S3"].iter().all(|board| is_good(&factory, &empty, board)));

    // By fingerprint, with a reason; the serial number is known from the enrolment.
    let print = fingerprint_of(&factory.path("CB-S1.pem"));
    factory.done(&["certificate", "revoke", &print, "--reason", "key-compromise"]);
    factory.done(&["board", "block", "CB-S2", "--reason", "on its way"]);
    let (both, text) = list(&factory);
    assert!(text.contains("Key Compromise") && text.contains("Certificate Hold"), "{text}");
    assert!(text.contains("X509v3 CRL Number"), "{text}");
    let good = |list: &str| ["CB-S1", "CB-S2", "CB-S3"].map(|board| is_good(&factory, list, board));
    assert_eq!(good(&both), [false, false, true]);

    factory.done(&["board", "unblock", "CB-S2"]);
    assert_eq!(good(&list(&factory).0), [false, true, true]);
    // From a hold to for good, and not back.
    factory.done(&["board", "block", "CB-S3", "--reason", "lost"]);
    factory.done(&["board", "revoke", "CB-S3", "--reason", "stolen"]);
    let (last, text) = list(&factory);
    assert_eq!(good(&last), [false, true, false]);
    assert!(text.contains("Privilege Withdrawn") && !text.contains("Certificate Hold"), "{text}");
    factory.done(&["board", "remove", "CB-S3"]);
    assert_eq!(good(&list(&factory).0), [false, true, false]);
}

#[test]
fn a_list_is_signed_once_and_again_when_something_was_revoked() {
    let mut factory = enrolled();
    let first = fetch(&factory, LIST, &[]);
    let tag = first.header("etag").to_owned();
    for _ in 0..20 {
        let again = fetch(&factory, LIST, &[]);
        assert!(again.body == first.body, "nobody is signed for by asking");
    }
    let known = format!("If-None-Match: {tag}");
    let same = fetch(&factory, LIST, &["-H", &known]);
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert_eq!(same.header("etag"), tag);
    let modified = format!("If-Modified-Since: {}", first.header("last-modified"));
    assert_eq!(fetch(&factory, LIST, &["-H", &modified]).status, 304);
    let other = ["-H", "If-None-Match: \"1\"", "-H", &modified];
    assert_eq!(fetch(&factory, LIST, &other).status, 200, "the tag says more than the time");
    let head = fetch(&factory, LIST, &["-I"]);
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    // Another tenant's revocation changes nothing here.
    let elsewhere = ["certificate", "revoke", "--serial", "1ab", "--tenant", "tenant-1"];
    factory.done(&elsewhere);
    assert!(fetch(&factory, LIST, &[]).body == first.body);
    assert_eq!(fetch(&factory, "crl/tenant-1.crl", &[]).status, 200);

    factory.done(&["certificate", "revoke", "--serial", "1ab", "--tenant", "tenant-0"]);
    let number = |tag: &str| tag.trim_matches('"').parse::<u64>().unwrap();
    let second = fetch(&factory, LIST, &["-H", &known]);
    assert_eq!(second.status, 200);
    let revoked = number(second.header("etag"));
    assert!(revoked > number(&tag), "{revoked} {tag}");
    assert!(list(&factory).1.contains("01AB"));
    // Started again at once, in the same second maybe: no number comes twice.
    factory.stop();
    factory.start();
    assert!(number(fetch(&factory, LIST, &[]).header("etag")) > revoked);
}

#[test]
fn authorities_certificates_are_published_and_what_is_not_here_is_said() {
    let mut factory = Factory::new();
    let own = crate::rig::pki::Authority::new("own");
    own.write_certificate(&factory.path("own.pem"));
    factory.done(&["tenant", "add", "own", "--authority", &factory.file("own.pem")]);
    factory.start();
    for (name, file) in [("root", "pki/root.pem"), ("tenant-0", "pki/tenants/tenant-0.pem")] {
        let given = fetch(&factory, &format!("ca/{name}.cer"), &[]);
        assert_eq!(given.header("content-type"), "application/pkix-cert");
        let pem = std::fs::read(factory.path(file)).unwrap();
        let certificate = openssl::x509::X509::from_pem(&pem).unwrap();
        assert!(given.body == certificate.to_der().unwrap(), "{name}");
    }
    assert_eq!(fetch(&factory, "ca/own.cer", &[]).status, 200);
    fetch(&factory, "crl/own.crl", &[]).assert_refused(404, "the key of the authority own/1");
    fetch(&factory, "crl/nobody.crl", &[]).assert_refused(404, "no tenant nobody");
    fetch(&factory, "crl/A%20B.crl", &[]).assert_refused(404, "no tenant has this name");
    fetch(&factory, "ca/nobody.cer", &[]).assert_refused(404, "no tenant nobody");
}

#[test]
fn the_command_line_writes_the_list_with_and_without_a_running_hub() {
    let mut factory = enrolled();
    let print = fingerprint_of(&factory.path("CB-S1.pem"));
    factory.done(&["certificate", "revoke", &print, "--reason", "superseded"]);
    let command = |factory: &Factory, out: &str| {
        let out = factory.file(out);
        factory.command(&["ca", "crl", "tenant-0", "--out", &out])
    };
    let running = command(&factory, "running.crl");
    assert!(running.stdout.contains("1 revoked certificates of tenant-0"), "{running:?}");
    let twice = command(&factory, "running.crl");
    assert_eq!(twice.status.code(), Some(1), "nothing is overwritten: {twice:?}");
    factory.stop();
    let stopped = command(&factory, "stopped.crl");
    assert!(stopped.status.success(), "{stopped:?}");
    for file in ["running.crl", "stopped.crl"] {
        let (pem, text) = read(&factory, &factory.path(file));
        assert!(text.contains("Superseded"), "{text}");
        assert!(!is_good(&factory, &pem, "CB-S1") && is_good(&factory, &pem, "CB-S2"));
    }
    let unknown = factory.command(&["ca", "crl", "nobody", "--out", &factory.file("x")]);
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
    let log = factory.done(&["audit", "list"]);
    assert!(log.contains("ca.crl"), "{log}");
    factory.done(&["store", "check"]);
}

/// What OpenSSL's program reads out of the server's answer about a board, its signature verified.
fn status(factory: &Factory, board: &str, how: &[&str]) -> String {
    let (question, answer) = (factory.file("question.der"), factory.file("answer.der"));
    let (issuer, root) = (factory.file("pki/tenants/tenant-0.pem"), factory.file("pki/root.pem"));
    let board = factory.file(&format!("{board}.pem"));
    // The digest counts for the certificates named behind it.
    let about = ["-issuer", &issuer, "-cert", &board, "-reqout", &question];
    openssl(&[&["ocsp"], how, &about].concat());
    let given = ask(factory, "tenant-0", &question);
    assert_eq!(given.header("content-type"), "application/ocsp-response");
    std::fs::write(&answer, &given.body).unwrap();
    let mut verify = Command::new("openssl");
    // No nonce is to be put beside that of the question.
    verify.arg("ocsp").args(how).args([
        "-no_nonce",
        "-issuer",
        &issuer,
        "-cert",
        &board,
        "-CAfile",
        &root,
    ]);
    verify.args(["-verify_other", &issuer, "-reqin", &question, "-respin", &answer]);
    let said = Process::run(&mut verify, PATIENCE);
    assert!(said.status.success() && said.stderr.contains("Response verify OK"), "{said:?}");
    assert!(!said.stderr.contains("WARNING"), "the nonce is theirs: {said:?}");
    said.stdout
}

fn ask(factory: &Factory, tenant: &str, question: &str) -> Fetched {
    let data = format!("@{question}");
    let kind = "Content-Type: application/ocsp-request";
    fetch(factory, &format!("ocsp/{tenant}"), &["-H", kind, "--data-binary", &data])
}

#[test]
fn a_foreign_client_is_told_of_single_certificates() {
    let factory = enrolled();
    for how in [&["-nonce"], &["-no_nonce"], &["-sha256"]] {
        let good = status(&factory, "CB-S1", how);
        assert!(good.contains(": good"), "{good}");
    }
    let print = fingerprint_of(&factory.path("CB-S1.pem"));
    factory.done(&["certificate", "revoke", &print, "--reason", "key-compromise"]);
    factory.done(&["board", "block", "CB-S2", "--reason", "lost"]);
    let revoked = status(&factory, "CB-S1", &["-nonce"]);
    assert!(revoked.contains(": revoked") && revoked.contains("keyCompromise"), "{revoked}");
    let held = status(&factory, "CB-S2", &["-nonce"]);
    assert!(held.contains(": revoked") && held.contains("certificateHold"), "{held}");
    factory.done(&["board", "unblock", "CB-S2"]);
    assert!(status(&factory, "CB-S2", &["-no_nonce"]).contains(": good"));

    // In a path, as small questions are asked.
    let question = std::fs::read(factory.path("question.der")).unwrap();
    let text = openssl::base64::encode_block(&question);
    let text = text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let given = fetch(&factory, &format!("ocsp/tenant-0/{text}"), &[]);
    std::fs::write(factory.path("given.der"), &given.body).unwrap();
    let how = ["ocsp", "-noverify", "-resp_text", "-respin", &factory.file("given.der")];
    assert!(openssl(&how).contains("Cert Status: good"));
    // Another tenant knows nothing of it, and nobody signs for what is no question.
    let other = ask(&factory, "tenant-1", &factory.file("question.der"));
    std::fs::write(factory.path("given.der"), &other.body).unwrap();
    assert!(openssl(&how).contains("Cert Status: unknown"));
    std::fs::write(factory.path("bad.der"), b"no question").unwrap();
    let malformed = ask(&factory, "tenant-0", &factory.file("bad.der"));
    assert_eq!((malformed.status, &malformed.body[..]), (200, &[0x30, 3, 0x0a, 1, 1][..]));
    assert_eq!(fetch(&factory, "ocsp/tenant-0/%25%25", &[]).body, malformed.body);
    std::fs::write(factory.path("bad.der"), vec![0x30; 5000]).unwrap();
    ask(&factory, "tenant-0", &factory.file("bad.der")).assert_refused(413, "more than 4096");
    ask(&factory, "nobody", &factory.file("question.der")).assert_refused(404, "no tenant nobody");
    let counted = |outcome| {
        let labels = [("what", "ocsp"), ("outcome", outcome)];
        factory.metric("hub_revocation_answers_total", &labels)
    };
    assert!(counted("signed") >= 6.0 && counted("malformed") == 2.0 && counted("not_found") == 1.0);
    assert!(factory.metric("hub_key_signature_seconds_count", &[("key", "tenant")]) >= 6.0);
    let untyped = fetch(&factory, "ocsp/tenant-0", &["--data-binary", "x"]);
    untyped.assert_refused(400, "application/ocsp-request");
}

#[test]
fn an_answer_without_a_nonce_is_signed_once_until_something_changes() {
    let factory = enrolled();
    let signed = || factory.metric("hub_key_signature_seconds_count", &[("key", "tenant")]);
    let first = status(&factory, "CB-S1", &["-no_nonce"]);
    assert!(first.contains(": good") && first.contains("Next Update"), "{first}");
    let (question, before) = (factory.file("question.der"), signed());
    let kept = ask(&factory, "tenant-0", &question);
    assert!(kept.header("cache-control").contains("max-age=60"), "{}", kept.head);
    for _ in 0..20 {
        assert!(ask(&factory, "tenant-0", &question).body == kept.body);
    }
    assert_eq!(signed(), before);
    // Whoever brings a nonce has it signed, and nobody else is given that.
    let with_nonce = status(&factory, "CB-S1", &["-nonce"]);
    assert!(!with_nonce.contains("Next Update"), "{with_nonce}");
    assert_eq!(signed(), before + 1.0);
    factory.done(&["board", "block", "CB-S1", "--reason", "lost"]);
    assert!(status(&factory, "CB-S1", &["-no_nonce"]).contains(": revoked"));
    factory.done(&["board", "unblock", "CB-S1"]);
    assert!(status(&factory, "CB-S1", &["-no_nonce"]).contains(": good"));
}

#[test]
fn a_hub_that_does_not_answer_about_single_certificates_says_so_and_publishes_lists() {
    let mut factory = Factory::new();
    factory.site.configure("https", "ocsp", false);
    factory.start();
    std::fs::write(factory.path("question.der"), b"any").unwrap();
    let asked = ask(&factory, "tenant-0", &factory.file("question.der"));
    asked.assert_refused(404, "fetch the list");
    assert_eq!(fetch(&factory, LIST, &[]).status, 200);
}

#[test]
fn certificates_name_the_places_that_openssl_asks_at_where_they_are_to() {
    let mut factory = Factory::new();
    let silent = |factory: &Factory, id: &str| {
        let answer = factory.post_as("line", "tenant-0/simpleenroll", &factory.request(id));
        let pem = factory.keep(id, &answer);
        factory.verify(&pem);
        pem
    };
    factory.start();
    let plain = silent(&factory, "CB-S1");
    factory.stop();
    factory.site.configure("https", "named_in_certificates", true);
    factory.site.configure("https", "origin", "https://hub.example.com:8443");
    factory.start();
    let named = silent(&factory, "CB-S2");
    let text = |pem: &Path| openssl(&["x509", "-in", pem.to_str().unwrap(), "-noout", "-text"]);
    let said = text(&named);
    assert!(said.contains("URI:https://hub.example.com:8443/crl/tenant-0/1.crl"), "{said}");
    assert!(said.contains("OCSP - URI:https://hub.example.com:8443/ocsp/tenant-0"), "{said}");
    assert!(!text(&plain).contains("https://"));
    let size = |pem: &Path| {
        let pem = std::fs::read(pem).unwrap();
        openssl::x509::X509::from_pem(&pem).unwrap().to_der().unwrap().len()
    };
    let more = size(&named) - size(&plain);
    println!("{more} bytes more");
    // Signatures differ by up to four bytes.
    assert!((120..=160).contains(&more), "{more} bytes more");
}
