//! Key Vault, its logins and a machine's metadata service, as far as the hub sees them.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use openssl::encrypt::{Decrypter, Encrypter};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;
use serde_json::{Value, json};
use storage::UnixSeconds;
use ureq::tls::{Certificate, RootCerts};

use super::super::http::{base64url, of_base64url};
use crate::trust::keys::{KeyLabel, KeyStore, MemoryStore, PublicKey};
use crate::trust::{Authority, new_key};

pub(super) const DIRECTORY: &str = "8d6f9b1e-aaaa-bbbb-cccc-0123456789ab";
pub(super) const CLIENT: &str = "0f0e0d0c-1111-2222-3333-444455556666";
pub(super) const SECRET: &str = "canary-azure~secret+with/odd=characters";

/// What the next request for a key's operation is answered with.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    Unauthorised,
    Forbidden,
    Throttled { after_s: u32 },
    Internal,
    OtherKey,
}

#[derive(Default)]
struct State {
    versions: BTreeMap<String, (PKey<Private>, bool)>,
    faults: VecDeque<Fault>,
    issued: usize,
    /// Tokens up to this one are not accepted any more.
    ended: usize,
    asked: usize,
}

pub(super) struct Server {
    port: u16,
    metadata: u16,
    root: Vec<u8>,
    state: Arc<Mutex<State>>,
}

/// A request as it came.
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Reply {
    status: u16,
    headers: Vec<String>,
    body: Value,
}

impl Server {
    pub(super) fn start() -> Self {
        let keys = Arc::new(MemoryStore::default());
        keys.generate(&KeyLabel::ROOT).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = UnixSeconds(now.as_secs());
        let authority = Authority::new_root(keys, KeyLabel::ROOT, now).unwrap();
        let key = new_key().unwrap();
        let names = ["localhost".parse().unwrap()];
        let issued = authority.issue_server(&names, &PublicKey::of(&key).unwrap(), now).unwrap();
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        tls.set_certificate(&issued.to_openssl().unwrap()).unwrap();
        tls.set_private_key(&key).unwrap();
        let tls = tls.build();

        let (https, http) = (listener(), listener());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let server = Self {
            port: port(&https),
            metadata: port(&http),
            root: X509::from_der(authority.certificate()).unwrap().to_pem().unwrap(),
            state: Arc::default(),
        };
        server.add_version("a1");
        let (state, host) = (Arc::clone(&server.state), format!("localhost:{}", server.port));
        std::thread::spawn(move || {
            for stream in https.incoming() {
                let (state, host, tls) = (Arc::clone(&state), host.clone(), tls.clone());
                std::thread::spawn(move || {
                    // Who does not believe us goes away.
                    let Ok(stream) = tls.accept(stream.unwrap()) else { return };
                    serve(stream, |request| of_azure(&state, &host, request));
                });
            }
        });
        let state = Arc::clone(&server.state);
        std::thread::spawn(move || {
            for stream in http.incoming() {
                let state = Arc::clone(&state);
                let stream: TcpStream = stream.unwrap();
                std::thread::spawn(move || serve(stream, |request| of_metadata(&state, request)));
            }
        });
        server
    }

    pub(super) fn key(&self) -> String {
        format!("https://localhost:{}/keys/hub", self.port)
    }

    pub(super) fn login_url(&self) -> String {
        format!("https://localhost:{}/login", self.port)
    }

    pub(super) fn metadata_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.metadata)
    }

    pub(super) fn roots(&self) -> RootCerts {
        RootCerts::new_with_certs(&[Certificate::from_pem(&self.root).unwrap().to_owned()])
    }

    pub(super) fn add_version(&self, name: &str) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        self.state.lock().unwrap().versions.insert(name.to_owned(), (key, true));
    }

    pub(super) fn disable(&self, name: &str) {
        self.state.lock().unwrap().versions.get_mut(name).unwrap().1 = false;
    }

    pub(super) fn remove(&self, name: &str) {
        self.state.lock().unwrap().versions.remove(name).unwrap();
    }

    pub(super) fn fail(&self, faults: &[Fault]) {
        self.state.lock().unwrap().faults = faults.iter().copied().collect();
    }

    pub(super) fn end_tokens(&self) {
        let mut state = self.state.lock().unwrap();
        state.ended = state.issued;
    }

    /// Tokens that were given out.
    pub(super) fn tokens(&self) -> usize {
        self.state.lock().unwrap().issued
    }

    /// Requests of any kind.
    pub(super) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn serve(stream: impl Read + Write, answer: impl Fn(&Request) -> Reply) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let Reply { status, headers, body } = answer(&request);
        let body = body.to_string();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let text = format!(
            "HTTP/1.1 {status} Some Words\r\nContent-Type: application/json; charset=utf-8\r\n\
             Content-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        if stream.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { line: line.trim_end().to_owned(), headers, body })
}

fn ok(body: Value) -> Reply {
    Reply { status: 200, headers: Vec::new(), body }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({ "error": { "code": code, "message": message } });
    Reply { status, headers: Vec::new(), body }
}

fn of_azure(state: &Mutex<State>, host: &str, request: &Request) -> Reply {
    let mut state = state.lock().unwrap();
    state.asked += 1;
    let mut words = request.line.split(' ');
    assert_eq!(words.next(), Some("POST"), "{}", request.line);
    let target = words.next().unwrap();
    if target.starts_with("/login/") {
        return login(&mut state, target, request);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if query != "api-version=7.4" {
        return error(400, "BadParameter", "api-version must be specified");
    }
    let fault = state.faults.pop_front();
    let token =
        request.headers.get("authorization").and_then(|it| it.strip_prefix("Bearer token-"));
    let number: Option<usize> = token.and_then(|number| number.parse().ok());
    let is_good = number.is_some_and(|number| number > state.ended && number <= state.issued);
    if !is_good || matches!(fault, Some(Fault::Unauthorised)) {
        let challenge = format!(
            "WWW-Authenticate: Bearer authorization=\"https://login.microsoftonline.com/{DIRECTORY}\", \
             resource=\"https://vault.azure.net\""
        );
        let refusal = error(401, "Unauthorized", "AKV10022: Invalid audience or expired token.");
        return Reply { headers: vec![challenge], ..refusal };
    }
    match fault {
        Some(Fault::Forbidden) => {
            return error(
                403,
                "Forbidden",
                "Caller is not authorized to perform action on resource.",
            );
        }
        Some(Fault::Throttled { after_s }) => {
            let refusal =
                error(429, "Throttled", "Request was not processed because too many were.");
            return Reply { headers: vec![format!("Retry-After: {after_s}")], ..refusal };
        }
        Some(Fault::Internal) => return error(500, "InternalServerError", "There was an error."),
        Some(Fault::Unauthorised | Fault::OtherKey) | None => {}
    }
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let (name, version, doing) = match parts.as_slice() {
        ["keys", name, doing] => (*name, None, *doing),
        ["keys", name, version, doing] => (*name, Some((*version).to_owned()), *doing),
        _ => return error(404, "NotFound", "no such resource"),
    };
    let version = version.or_else(|| state.versions.keys().next_back().cloned()).unwrap();
    let Some((key, enabled)) = state.versions.get(&version).filter(|_| name == "hub") else {
        let message =
            format!("A key with (name/id) {name}/{version} was not found in this key vault.");
        return error(404, "KeyNotFound", &message);
    };
    if !enabled {
        return error(
            403,
            "Forbidden",
            &format!("Operation {doing} is not allowed on a disabled key."),
        );
    }
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(asked["alg"], "RSA-OAEP-256");
    let value = of_base64url(asked["value"].as_str().unwrap()).unwrap();
    let done = match doing {
        "wrapkey" => oaep(&value, || {
            let mut it = Encrypter::new(key).unwrap();
            it.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
            it.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
            it.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
            move |from: &[u8], to: Option<&mut [u8]>| match to {
                None => it.encrypt_len(from),
                Some(to) => it.encrypt(from, to),
            }
        }),
        "unwrapkey" => oaep(&value, || {
            let mut it = Decrypter::new(key).unwrap();
            it.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
            it.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
            it.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
            move |from: &[u8], to: Option<&mut [u8]>| match to {
                None => it.decrypt_len(from),
                Some(to) => it.decrypt(from, to),
            }
        }),
        _ => return error(404, "NotFound", "no such operation"),
    };
    let Some(done) = done else {
        return error(400, "BadParameter", "The parameter is incorrect.");
    };
    let name = if matches!(fault, Some(Fault::OtherKey)) { "other" } else { "hub" };
    let kid = format!("https://{host}/keys/{name}/{version}");
    ok(json!({ "kid": kid, "value": base64url(&done) }))
}

/// Both ways with one shape: the length first, then the bytes.
fn oaep<F>(value: &[u8], prepare: impl FnOnce() -> F) -> Option<Vec<u8>>
where
    F: Fn(&[u8], Option<&mut [u8]>) -> Result<usize, openssl::error::ErrorStack>,
{
    let run = prepare();
    let mut done = vec![0; run(value, None).ok()?];
    let length = run(value, Some(&mut done)).ok()?;
    done.truncate(length);
    Some(done)
}

fn login(state: &mut State, target: &str, request: &Request) -> Reply {
    assert_eq!(target, format!("/login/{DIRECTORY}/oauth2/v2.0/token"));
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    let form = form(&String::from_utf8(request.body.clone()).unwrap());
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["scope"], "https://localhost/.default");
    if form["client_id"] != CLIENT || form["client_secret"] != SECRET {
        let words = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1";
        let body = json!({ "error": "invalid_client", "error_description": words });
        return Reply { status: 401, headers: Vec::new(), body };
    }
    state.issued += 1;
    let token = format!("token-{}", state.issued);
    ok(json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": token }))
}

fn of_metadata(state: &Mutex<State>, request: &Request) -> Reply {
    let mut state = state.lock().unwrap();
    state.asked += 1;
    let target = "GET /metadata/identity/oauth2/token?api-version=2018-02-01\
                  &resource=https%3A%2F%2Flocalhost HTTP/1.1";
    let is_asked_for = request.headers.get("metadata").is_some_and(|it| it == "true");
    if request.line != target || !is_asked_for {
        let body = json!({ "error": "invalid_request", "error_description": "Required metadata header not specified" });
        return Reply { status: 400, headers: Vec::new(), body };
    }
    state.issued += 1;
    let token = format!("token-{}", state.issued);
    // Numbers are texts here.
    ok(json!({ "access_token": token, "expires_in": "86399", "token_type": "Bearer" }))
}

fn form(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let (mut bytes, mut rest) = (Vec::new(), text.bytes());
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let hex = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
                }
                b'+' => b' ',
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    text.split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(k, v)| (decoded(k), decoded(v)))
        .collect()
}
