//! A hub with enrolment, and a foreign client of it: curl for HTTP and TLS, OpenSSL's program for
//! requests and PKCS#7.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::PATIENCE;
use super::hub::Hub;
use super::process::{Finished, Process};
use super::site::{CELLULAR_HUB, Plan, Site};
use super::{free_tcp, own_address};

/// A site with batches, stations and a hub that serves HTTPS.
pub struct Factory {
    pub site: Site,
    pub https: SocketAddr,
    hub: Option<Hub>,
}

/// What curl was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body as a PEM file of PKCS#7.
    pub fn armoured(&self) -> String {
        let der = openssl::base64::decode_block(self.body.trim()).unwrap();
        let pem = openssl::pkcs7::Pkcs7::from_der(&der).unwrap().to_pem().unwrap();
        String::from_utf8(pem).unwrap()
    }
}

impl Factory {
    /// Two tenants, the first with batch `spring` (CB-S..., 1000 boards) and station `line`.
    pub fn new() -> Self {
        Self::of(Plan::boards(2).tenants(2))
    }

    /// The same on a site that is made by this plan.
    pub fn of(plan: Plan) -> Self {
        let https = free_tcp();
        let plan = plan.set("https", "enabled", true).set("https", "listen", https.to_string());
        let factory = Self { site: plan.build(), https, hub: None };
        factory.batch("tenant-0", "spring", &["--prefix", "CB-S", "--max", "1000"]);
        factory.station("line", "tenant-0", &["spring"]);
        factory
    }

    pub fn start(&mut self) {
        self.hub = Some(self.site.start());
    }

    /// What the hub's page says of a metric.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.hub.as_ref().unwrap().metric(name, labels)
    }

    /// Ends the hub, so that its store can be used.
    pub fn stop(&mut self) {
        if let Some(mut hub) = self.hub.take() {
            hub.process.signal("TERM");
            assert!(hub.process.wait(PATIENCE).success());
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.site.path(name)
    }

    /// Runs a command of the hub's program on this site.
    pub fn command(&self, arguments: &[&str]) -> Finished {
        let mut command = Command::new(CELLULAR_HUB);
        command.args(arguments).arg("--config").arg(self.path("hub.toml"));
        Process::run(&mut command, PATIENCE)
    }

    pub fn done(&self, arguments: &[&str]) -> String {
        let finished = self.command(arguments);
        assert!(finished.status.success(), "{arguments:?}: {finished:?}");
        finished.stdout
    }

    pub fn batch(&self, tenant: &str, name: &str, more: &[&str]) {
        self.done(&[&["batch", "add", name, "--tenant", tenant], more].concat());
    }

    pub fn station(&self, name: &str, tenant: &str, batches: &[&str]) {
        let (out, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        let batches = batches.iter().flat_map(|batch| ["--batch", batch]).collect::<Vec<_>>();
        let issue = ["station", "issue", name, "--tenant", tenant, "--out", &out, "--key", &key];
        self.done(&[&issue[..], &batches].concat());
    }

    pub fn token(&self, batch: &str) -> String {
        let made = self.done(&["token", "new", "--tenant", "tenant-0", "--batch", batch]);
        made.lines().next().unwrap().to_owned()
    }

    pub fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A request for board `id`, as OpenSSL's program makes it; its key is `<id>.board.key`.
    pub fn request(&self, id: &str) -> String {
        self.request_with(id, &["-subj", &format!("/CN={id}")])
    }

    pub fn request_with(&self, id: &str, how: &[&str]) -> String {
        let (csr, key) = (self.file(&format!("{id}.csr")), self.file(&format!("{id}.board.key")));
        let mut made = vec!["req", "-new", "-nodes", "-keyout", &key, "-out", &csr];
        if !how.contains(&"-newkey") {
            made.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        }
        made.extend(how);
        openssl(&made);
        base64_of(&csr)
    }

    /// A configuration of OpenSSL's for a request with the names that a certificate of `id` has.
    pub fn renewal_config(&self, id: &str) -> String {
        let config = self.file("renew.cnf");
        let text = format!(
            "[req]\ndistinguished_name=dn\nreq_extensions=ext\nprompt=no\n[dn]\nCN={id}\n\
             [ext]\nsubjectAltName=otherName:1.3.6.1.5.5.7.8.4;SEQ:module\n\
             [module]\nkind=OID:1.3.6.1.4.1.99999.1\nserial=FORMAT:ASCII,OCT:{id}\n"
        );
        std::fs::write(&config, text).unwrap();
        config
    }

    /// Sends `body` to an EST operation: `label/operation`.
    pub fn post(&self, operation: &str, how: &[&str], body: &str) -> Answer {
        let header = "Content-Type: application/pkcs10";
        let file = self.path("body");
        std::fs::write(&file, body).unwrap();
        let data = format!("@{}", file.display());
        self.curl(operation, &[&["-H", header, "--data-binary", &data], how].concat())
    }

    /// With the certificate and key in `<name>.pem` and `<name>.key`.
    pub fn post_as(&self, name: &str, operation: &str, body: &str) -> Answer {
        let (pem, key) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        self.post(operation, &["--cert", &pem, "--key", &key], body)
    }

    pub fn curl(&self, operation: &str, how: &[&str]) -> Answer {
        self.curl_at(&format!("/.well-known/est/{operation}"), how)
    }

    /// Any path of the HTTPS server.
    pub fn curl_at(&self, path: &str, how: &[&str]) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-S", "-i", "--http1.1", "--max-time", "20", "--noproxy", "*"]);
        curl.arg("--cacert").arg(self.site.root()).args(how);
        curl.arg(format!("https://{}{path}", self.https));
        let answer = Process::run(&mut curl, PATIENCE);
        assert!(answer.status.success(), "{path}: {answer:?}");
        let text = answer.stdout.replace("\r\n", "\n");
        let text = text.strip_prefix("HTTP/1.1 100 Continue\n\n").unwrap_or(&text);
        let (head, body) = text.split_once("\n\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Writes the one certificate of an answer to `<name>.pem`, as OpenSSL's program finds it.
    pub fn keep(&self, name: &str, answer: &Answer) -> PathBuf {
        assert_eq!(answer.status, 200, "{answer:?}");
        let (p7, pem) = (self.file(&format!("{name}.p7")), self.path(&format!("{name}.pem")));
        std::fs::write(&p7, answer.armoured()).unwrap();
        let out = openssl(&["pkcs7", "-in", &p7, "-print_certs"]);
        assert_eq!(out.matches("BEGIN CERTIFICATE").count(), 1, "{out}");
        std::fs::write(&pem, out).unwrap();
        let key = self.path(&format!("{name}.board.key"));
        if key.exists() {
            std::fs::copy(key, self.path(&format!("{name}.key"))).unwrap();
        }
        pem
    }

    /// Has OpenSSL's program verify a board's certificate from the root on.
    pub fn verify(&self, certificate: &Path) {
        let tenant = self.file("pki/tenants/tenant-0.pem");
        let (root, certificate) = (self.file("pki/root.pem"), certificate.to_str().unwrap());
        let how = ["-CAfile", &root, "-untrusted", &tenant, "-purpose", "sslclient"];
        let said = openssl(&[&["verify"], &how[..], &[certificate]].concat());
        assert!(said.ends_with("OK\n"), "{said}");
    }

    /// The fingerprint that the store has for a board.
    pub fn registered(&self, board: &str) -> Option<String> {
        let board = self.site.store().boards().find(&board.parse().unwrap()).unwrap();
        board.and_then(|board| board.fingerprint).map(|fingerprint| fingerprint.to_string())
    }

    pub fn address(&self) -> String {
        format!("https://{}:{}", own_address(), self.https.port())
    }
}

/// Runs OpenSSL's program and returns what it says.
pub fn openssl(arguments: &[&str]) -> String {
    let done = Process::run(Command::new("openssl").args(arguments), PATIENCE);
    assert!(done.status.success(), "openssl {arguments:?}: {done:?}");
    done.stdout
}

pub fn fingerprint_of(certificate: &Path) -> String {
    let pem = std::fs::read(certificate).unwrap();
    let certificate = openssl::x509::X509::from_pem(&pem).unwrap();
    openssl::sha::sha256(&certificate.to_der().unwrap()).map(|b| format!("{b:02x}")).concat()
}

/// The base64 between the first and the last line of a PEM file.
pub fn base64_of(file: &str) -> String {
    let pem = std::fs::read_to_string(file).unwrap();
    pem.lines().filter(|line| !line.starts_with('-')).map(|line| format!("{line}\n")).collect()
}
