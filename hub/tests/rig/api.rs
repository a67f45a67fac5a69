//! A hub with its API, and a client of it over TLS by OpenSSL, which can also say what no decent
//! client says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use openssl::ssl::{SslConnector, SslMethod, SslStream};
use serde_json::{Value, json};

use super::command;
use super::hub::Hub;
use super::site::{Plan, Site};
use super::{PATIENCE, free_tcp, own_address};

/// The password of everybody.
pub const PASSWORD: &str = "purple engine sings softly";

/// A running hub with two tenants, `tenant-0` and `tenant-1`.
pub struct Api {
    pub site: Site,
    pub hub: Hub,
    https: SocketAddr,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Somebody who asks; one connection, opened anew when the hub has closed it.
pub struct Client {
    address: SocketAddr,
    tls: SslConnector,
    stream: RefCell<Option<BufReader<SslStream<TcpStream>>>>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// What the hub has given to be shown again; kept by browsers alone.
    cookies: Option<RefCell<BTreeMap<String, String>>>,
}

impl Api {
    pub fn start() -> Self {
        Self::of(Plan::boards(2).tenants(2))
    }

    pub fn of(plan: Plan) -> Self {
        Self::at(plan, free_tcp())
    }

    /// With its API there.
    pub fn at(plan: Plan, https: SocketAddr) -> Self {
        let plan = plan.set("https", "listen", https.to_string());
        let (site, hub) = plan.set("https", "enabled", true).start();
        Self { site, hub, https }
    }

    /// Where browsers find it: by name, as passkeys want it.
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.https.port())
    }

    /// Runs a command in the running hub.
    pub fn done(&self, arguments: &[&str]) -> String {
        command::done(&self.site, arguments)
    }

    /// Nobody in particular.
    pub fn anybody(&self) -> Client {
        let mut tls = SslConnector::builder(SslMethod::tls_client()).unwrap();
        tls.set_ca_file(self.site.root()).unwrap();
        let (address, tls) = (SocketAddr::from((own_address(), self.https.port())), tls.build());
        Client { address, tls, stream: RefCell::default(), headers: Vec::new(), cookies: None }
    }

    /// A browser at which nobody has signed in, with the hub's own page in it.
    pub fn browser(&self) -> Client {
        let browser = Client { cookies: Some(RefCell::default()), ..self.anybody() };
        browser.with("x-hub-csrf", "1").with("User-Agent", "a browser")
    }

    /// A browser at which a new person with these roles has just signed in.
    pub fn browser_of(&self, name: &str, roles: &[&str]) -> Client {
        self.person(name, roles);
        let browser = self.browser();
        let link = self.done(&["user", "setup-link", name]);
        let token = link.lines().next().unwrap().split_once('#').unwrap().1;
        browser.post("/setup", &json!({ "token": token, "password": PASSWORD })).ok();
        browser
    }

    /// A program with this token.
    pub fn program(&self, token: &str) -> Client {
        let mut client = self.anybody();
        client.headers.push(("Authorization".into(), format!("Bearer {token}")));
        client
    }

    /// A new person with these roles.
    pub fn person(&self, name: &str, roles: &[&str]) {
        let roles: Vec<_> = roles.iter().flat_map(|role| ["--role", role]).collect();
        self.done(&[&["user", "add", name], roles.as_slice()].concat());
    }

    /// A token of a person's, with these options.
    pub fn token(&self, user: &str, options: &[&str]) -> String {
        let new = ["api-token", "new", "--user", user, "--label", "test"];
        let said = self.done(&[&new, options].concat());
        said.lines().next().unwrap().to_owned()
    }

    /// A token of a new person with these roles.
    pub fn token_of_new(&self, name: &str, roles: &[&str]) -> String {
        self.person(name, roles);
        self.token(name, &[])
    }

    /// A program of a new person with these roles.
    pub fn program_of(&self, name: &str, roles: &[&str]) -> Client {
        self.program(&self.token_of_new(name, roles))
    }
}

impl Client {
    /// What the browser would show under this name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.as_ref()?.borrow().get(name).cloned()
    }

    /// Has the browser show something else.
    pub fn set_cookie(&self, name: &str, value: &str) {
        let cookies = self.cookies.as_ref().unwrap();
        cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Signs in with the password that everybody has here.
    pub fn sign_in(&self, user: &str) -> Answer {
        self.post("/session", &json!({ "user": user, "password": PASSWORD }))
    }

    /// With one more header in every request.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], Some(body))
    }

    /// One request with JSON, below `/api/v1`.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let body = body.map(|body| serde_json::to_vec(body).unwrap());
        let mut headers = headers.to_vec();
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "Content-Type") {
            headers.push(("Content-Type", "application/json"));
        }
        self.ask(method, &format!("/api/v1{path}"), &headers, &body.unwrap_or_default())
    }

    /// One request of any path and body.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut said = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(cookies) = &self.cookies {
            let shown: Vec<_> = cookies.borrow().iter().map(|(n, v)| format!("{n}={v}")).collect();
            said += &format!("Cookie: {}\r\n", shown.join("; "));
        }
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            said += &format!("{name}: {value}\r\n");
        }
        said += &format!("Content-Length: {}\r\n\r\n", body.len());
        let said = [said.as_bytes(), body].concat();
        let kept = self.stream.take();
        let answer = kept.and_then(|stream| self.exchange(stream, &said));
        let answer = answer
            .or_else(|| self.exchange(self.connect(), &said))
            .unwrap_or_else(|| panic!("no answer to {method} {path}"));
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&self, answer: &Answer) {
        let Some(cookies) = &self.cookies else { return };
        let given = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
        for (_, cookie) in given {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let mut cookies = cookies.borrow_mut();
            match cookie.contains("Max-Age=0;") || cookie.ends_with("Max-Age=0") {
                true => drop(cookies.remove(name)),
                false => drop(cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
    }

    /// A new connection, to say anything on.
    pub fn connect(&self) -> BufReader<SslStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = self.address.ip().to_string();
        BufReader::new(self.tls.connect(&host, stream).unwrap())
    }

    /// Listens to what goes on (server-sent events), or gives the refusal.
    pub fn listen(&self, path: &str) -> Result<Listening, Answer> {
        let mut said = format!("GET /api/v1{path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(cookies) = &self.cookies {
            let shown: Vec<_> = cookies.borrow().iter().map(|(n, v)| format!("{n}={v}")).collect();
            said += &format!("Cookie: {}\r\n", shown.join("; "));
        }
        for (name, value) in &self.headers {
            said += &format!("{name}: {value}\r\n");
        }
        let mut stream = self.connect();
        stream.get_mut().write_all(format!("{said}\r\n").as_bytes()).unwrap();
        let answer = Answer::read(&mut stream).unwrap();
        match answer.header("content-type") {
            Some("text/event-stream") => Ok(Listening(stream)),
            _ => Err(answer),
        }
    }

    fn exchange(&self, mut stream: BufReader<SslStream<TcpStream>>, said: &[u8]) -> Option<Answer> {
        // A hub that refuses a long body may close before all of it was sent.
        let _ = stream.get_mut().write_all(said);
        let answer = Answer::read(&mut stream)?;
        if answer.header("connection") != Some("close") {
            self.stream.replace(Some(stream));
        }
        Some(answer)
    }
}

/// Somebody who listens.
pub struct Listening(BufReader<SslStream<TcpStream>>);

impl Listening {
    /// The next event: its name, and its content. `None` when the hub has ended it.
    pub fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 || line == "0\r\n" {
                return None;
            }
            // Between the lines are the lengths of chunks.
            if let Some(of_it) = line.strip_prefix("event: ") {
                name = of_it.trim_end().to_owned();
            } else if let Some(content) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(content).unwrap()));
            }
        }
    }

    /// The content of the next event of this name.
    #[track_caller]
    pub fn wait_for(&mut self, name: &str) -> Value {
        loop {
            let (found, content) = self.next().unwrap_or_else(|| panic!("no event {name} came"));
            if found == name {
                return content;
            }
        }
    }
}

impl Answer {
    /// The next answer on a connection.
    pub fn read(from: &mut BufReader<SslStream<TcpStream>>) -> Option<Self> {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line).ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
                None => break,
            }
        }
        let mut answer = Self { status, headers, body: Vec::new() };
        // What never ends is not waited for.
        if answer.header("content-type") == Some("text/event-stream") {
            answer.headers.push(("connection".into(), "close".into()));
            return Some(answer);
        }
        let length = answer.header("content-length").map(|length| length.parse().unwrap());
        if let (Some(length), false) = (length, status == 304) {
            answer.body.resize(length, 0);
            from.read_exact(&mut answer.body).ok()?;
        } else if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = chunks(from)?;
        }
        Some(answer)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}: {}", self.text()))
    }

    /// The value of an answer that must be a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self.json()
    }

    /// An answer that must refuse with this status and code, as a problem (RFC 9457).
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("urn:cellular-hub:problem:{code}"));
        problem["detail"].as_str().unwrap().to_owned()
    }
}

fn chunks(from: &mut BufReader<SslStream<TcpStream>>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        from.read_exact(&mut chunk).ok()?;
        chunk.truncate(length);
        if chunk.is_empty() {
            return Some(body);
        }
        body.extend(chunk);
    }
}
